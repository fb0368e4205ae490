// SPDX-License-Identifier: LGPL-3.0-only
#include "engine/local/resources.h"

#include <hwloc.h>
#include <sched.h>

#include "base/buf.h"
#include "base/util.h"
#include "model/rset.h"

#define CORES_MAX 65536
#define IDSET_MAX (1 << 20)

struct fr_resources {
    int total;
    int unused;
    bool *used;
    hwloc_bitmap_t *cpus; /* one set per core; NULL: jobs are not bound */
    int ncpus;            /* sets in cpus */
};

FR_DEFINE_CLEANUP(struct fr_resources *, resources, fr_resources_free);
static void topology_free(hwloc_topology_t topology)
{
    if (topology) /* hwloc does not accept none */
        hwloc_topology_destroy(topology);
}

FR_DEFINE_CLEANUP(hwloc_topology_t, topology, topology_free);
FR_DEFINE_CLEANUP(hwloc_bitmap_t, bitmap, hwloc_bitmap_free);

void fr_resources_free(struct fr_resources *res)
{
    if (!res)
        return;
    for (int i = 0; i < res->ncpus; i++)
        hwloc_bitmap_free(res->cpus[i]);
    free(res->cpus);
    free(res->used);
    free(res);
}

/* Our own affinity: what a container or taskset leaves us. Grows until the kernel's fits. */
static hwloc_bitmap_t affinity_get(void)
{
    hwloc_bitmap_t set = hwloc_bitmap_alloc();

    for (size_t max = 1024; set && max <= (1 << 20); max *= 2) {
        cpu_set_t *cpus = CPU_ALLOC(max);
        size_t size = CPU_ALLOC_SIZE(max);
        int rc = cpus ? sched_getaffinity(0, size, cpus) : -1;

        for (size_t i = 0; rc == 0 && i < max; i++) {
            if (CPU_ISSET_S(i, size, cpus))
                hwloc_bitmap_set(set, (unsigned int)i);
        }
        CPU_FREE(cpus);
        if (rc == 0)
            return set;
    }
    hwloc_bitmap_free(set);
    return NULL;
}

static int topology_load(hwloc_topology_t *ret)
{
    _cleanup_(fr_cleanup_topology) hwloc_topology_t topology = NULL;

    if (hwloc_topology_init(&topology) < 0)
        return -ENOMEM;
    /* Only cores and threads matter here, and looking for more costs time at every start. */
    (void)hwloc_topology_set_all_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_NONE);
    (void)hwloc_topology_set_type_filter(topology, HWLOC_OBJ_CORE, HWLOC_TYPE_FILTER_KEEP_ALL);
    if (hwloc_topology_load(topology) < 0)
        return -EIO;
    *ret = fr_take(topology);
    return 0;
}

/* One set of CPUs for each core of which we may use at least one thread. */
static int cores_find(struct fr_resources *res)
{
    _cleanup_(fr_cleanup_topology) hwloc_topology_t topology = NULL;
    _cleanup_(fr_cleanup_bitmap) hwloc_bitmap_t ours = affinity_get();
    hwloc_obj_type_t type = HWLOC_OBJ_CORE;
    int rc = topology_load(&topology);
    int count;

    if (rc < 0 || !ours)
        return rc < 0 ? rc : -EIO;
    count = hwloc_get_nbobjs_by_type(topology, type);
    if (count <= 0) { /* some virtual machines show threads alone */
        type = HWLOC_OBJ_PU;
        count = hwloc_get_nbobjs_by_type(topology, type);
    }
    if (count <= 0 || count > CORES_MAX)
        return -EIO;
    res->cpus = calloc((size_t)count, sizeof(hwloc_bitmap_t));
    if (!res->cpus)
        return -ENOMEM;
    for (int i = 0; i < count; i++) {
        hwloc_obj_t core = hwloc_get_obj_by_type(topology, type, (unsigned int)i);

        if (!hwloc_bitmap_intersects(core->cpuset, ours))
            continue;
        res->cpus[res->ncpus] = hwloc_bitmap_dup(core->cpuset);
        if (!res->cpus[res->ncpus])
            return -ENOMEM;
        (void)hwloc_bitmap_and(res->cpus[res->ncpus], res->cpus[res->ncpus], ours);
        res->ncpus++;
    }
    return res->ncpus > 0 ? 0 : -EIO;
}

int fr_resources_create(int cores, struct fr_resources **ret, struct fr_error *err)
{
    _cleanup_(fr_cleanup_resources) struct fr_resources *res = calloc(1, sizeof(*res));
    int rc = res ? cores_find(res) : -ENOMEM;

    if (rc == 0) {
        res->total = cores > 0 ? cores : res->ncpus;
        if (res->total > CORES_MAX)
            return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                                "cores must be at most %d, not %d.", CORES_MAX, cores);
        res->unused = res->total;
        res->used = calloc((size_t)res->total, sizeof(*res->used));
        if (!res->used)
            rc = -ENOMEM;
    }
    if (rc < 0)
        return fr_error_set(err, -rc, FR_CODE_INTERNAL, "%s",
                            rc == -ENOMEM ? "No memory for the list of cores."
                                          : "The machine's cores cannot be found.");
    *ret = fr_take(res);
    return 0;
}

int fr_resources_total(const struct fr_resources *res)
{
    return res->total;
}

int fr_resources_unused(const struct fr_resources *res)
{
    return res->unused;
}

static void idset_put(struct fr_buf *buf, int from, int to)
{
    if (buf->len > 0)
        fr_buf_putc(buf, ',');
    if (from == to)
        fr_buf_printf(buf, "%d", from);
    else
        fr_buf_printf(buf, "%d-%d", from, to);
}

int fr_resources_take(struct fr_resources *res, int count, char **ret_idset)
{
    struct fr_buf buf = FR_BUF_INIT(IDSET_MAX);
    int taken = 0;
    size_t len;
    int rc;

    if (count > res->unused)
        return -EBUSY;
    for (int i = 0; i < res->total && taken < count; i++) {
        int from = i;

        while (i < res->total && taken < count && !res->used[i]) {
            i++;
            taken++;
        }
        if (i > from)
            idset_put(&buf, from, i - 1);
    }
    rc = fr_buf_take(&buf, ret_idset, &len);
    if (rc == 0)
        fr_resources_mark(res, *ret_idset, true);
    return rc;
}

struct marking {
    struct fr_resources *res;
    bool used;
};

static int mark_one(unsigned int id, void *arg)
{
    struct marking *marking = arg;
    struct fr_resources *res = marking->res;

    if (id < (unsigned int)res->total && res->used[id] != marking->used) {
        res->used[id] = marking->used;
        res->unused += marking->used ? -1 : 1;
    }
    return 0;
}

void fr_resources_mark(struct fr_resources *res, const char *idset, bool used)
{
    struct marking marking = {res, used};

    (void)fr_idset_each(idset, CORES_MAX, mark_one, &marking);
}

struct gathering {
    const struct fr_resources *res;
    struct fr_buf *buf;
};

static int gather_one(unsigned int id, void *arg)
{
    struct gathering *gathering = arg;
    int cpu = -1;

    if (id >= (unsigned int)gathering->res->ncpus)
        return 0;
    while ((cpu = hwloc_bitmap_next(gathering->res->cpus[id], cpu)) >= 0)
        fr_buf_printf(gathering->buf, "%s%d", gathering->buf->len > 0 ? "," : "", cpu);
    return 0;
}

int fr_resources_cpus(const struct fr_resources *res, const char *idset, char **ret)
{
    struct fr_buf buf = FR_BUF_INIT(IDSET_MAX);
    struct gathering gathering = {res, &buf};
    size_t len;

    if (res->total > res->ncpus) {
        *ret = NULL;
        return 0;
    }
    (void)fr_idset_each(idset, CORES_MAX, gather_one, &gathering);
    return fr_buf_take(&buf, ret, &len);
}
