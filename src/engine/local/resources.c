// SPDX-License-Identifier: LGPL-3.0-only
#include "engine/local/resources.h"

#include <hwloc.h>
#include <sched.h>
#include <string.h>

#include "base/buf.h"
#include "base/util.h"
#include "model/rset.h"

#define COUNT_MAX 65536 /* of cores, and of GPUs */
#define IDSET_MAX (1 << 20)

/* Things of one kind, of which each is used or not. */
struct pool {
    int total;
    int unused;
    bool *used;
};

struct fr_resources {
    struct pool cores;
    struct pool gpus;
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
    free(res->cores.used);
    free(res->gpus.used);
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
    /* Looking for more costs time at every start. */
    (void)hwloc_topology_set_all_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_NONE);
    (void)hwloc_topology_set_type_filter(topology, HWLOC_OBJ_CORE, HWLOC_TYPE_FILTER_KEEP_ALL);
    (void)hwloc_topology_set_io_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_IMPORTANT);
    /* The kernel's own tables tell of PCI devices; a plugin that asks again leaks memory. */
    (void)hwloc_topology_set_components(topology, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST,
                                        "pci");
    (void)hwloc_topology_set_components(topology, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST,
                                        "gl");
    if (hwloc_topology_load(topology) < 0)
        return -EIO;
    *ret = fr_take(topology);
    return 0;
}

/* Something that computes, rather than a mere display: it has a node to render by. */
static bool is_gpu(hwloc_obj_t device)
{
    return device->attr->osdev.type == HWLOC_OBJ_OSDEV_COPROC ||
           (device->attr->osdev.type == HWLOC_OBJ_OSDEV_GPU && device->name &&
            (strncmp(device->name, "renderD", 7) == 0 ||
             strncmp(device->name, "nvml", 4) == 0));
}

/* One for each PCI device, under however many names it is known. */
static int gpus_count(hwloc_topology_t topology)
{
    hwloc_obj_t pci = NULL;
    int count = 0;

    while ((pci = hwloc_get_next_pcidev(topology, pci))) {
        bool found = false;

        for (hwloc_obj_t child = pci->io_first_child; child; child = child->next_sibling)
            found |= child->type == HWLOC_OBJ_OS_DEVICE && is_gpu(child);
        count += found;
    }
    return count;
}

/* One set of CPUs for each core of which we may use at least one thread. */
static int cores_find(struct fr_resources *res, hwloc_topology_t topology)
{
    _cleanup_(fr_cleanup_bitmap) hwloc_bitmap_t ours = affinity_get();
    hwloc_obj_type_t type = HWLOC_OBJ_CORE;
    int count = hwloc_get_nbobjs_by_type(topology, type);

    if (!ours)
        return -EIO;
    if (count <= 0) { /* some virtual machines show threads alone */
        type = HWLOC_OBJ_PU;
        count = hwloc_get_nbobjs_by_type(topology, type);
    }
    if (count <= 0 || count > COUNT_MAX)
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

static int pool_init(struct pool *pool, int count)
{
    pool->total = count;
    pool->unused = count;
    pool->used = calloc((size_t)count + 1, sizeof(*pool->used));
    return pool->used ? 0 : -ENOMEM;
}

int fr_resources_create(int cores, int gpus, struct fr_resources **ret, struct fr_error *err)
{
    _cleanup_(fr_cleanup_resources) struct fr_resources *res = calloc(1, sizeof(*res));
    _cleanup_(fr_cleanup_topology) hwloc_topology_t topology = NULL;
    int rc = res ? topology_load(&topology) : -ENOMEM;

    if (cores > COUNT_MAX || gpus > COUNT_MAX)
        return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                            "cores and gpus must each be at most %d, not %d and %d.", COUNT_MAX,
                            cores, gpus);
    if (rc == 0)
        rc = cores_find(res, topology);
    if (rc == 0)
        rc = pool_init(&res->cores, cores > 0 ? cores : res->ncpus);
    if (rc == 0)
        rc = pool_init(&res->gpus, gpus > 0 ? gpus : gpus_count(topology));
    if (rc < 0)
        return fr_error_set(err, -rc, FR_CODE_INTERNAL, "%s",
                            rc == -ENOMEM ? "No memory for the list of cores."
                                          : "The machine's cores cannot be found.");
    *ret = fr_take(res);
    return 0;
}

struct fr_sched_share fr_resources_total(const struct fr_resources *res)
{
    return (struct fr_sched_share){res->cores.total, res->gpus.total};
}

struct fr_sched_share fr_resources_unused(const struct fr_resources *res)
{
    return (struct fr_sched_share){res->cores.unused, res->gpus.unused};
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

/* The lowest `count` that are unused; they are not marked yet. NULL: no memory. */
static char *pool_pick(const struct pool *pool, int count)
{
    struct fr_buf buf = FR_BUF_INIT(IDSET_MAX);
    char *idset = NULL;
    int taken = 0;
    size_t len;

    for (int i = 0; i < pool->total && taken < count; i++) {
        int from = i;

        while (i < pool->total && taken < count && !pool->used[i]) {
            i++;
            taken++;
        }
        if (i > from)
            idset_put(&buf, from, i - 1);
    }
    return fr_buf_take(&buf, &idset, &len) == 0 ? idset : NULL;
}

int fr_resources_take(struct fr_resources *res, struct fr_sched_share share, char **ret_cores,
                      char **ret_gpus)
{
    _cleanup_(fr_cleanup_str) char *cores = NULL;
    _cleanup_(fr_cleanup_str) char *gpus = NULL;

    if (share.cores > res->cores.unused || share.gpus > res->gpus.unused)
        return -EBUSY;
    cores = pool_pick(&res->cores, share.cores);
    gpus = share.gpus > 0 ? pool_pick(&res->gpus, share.gpus) : NULL;
    if (!cores || (share.gpus > 0 && !gpus))
        return -ENOMEM;
    fr_resources_mark(res, cores, gpus, true);
    *ret_cores = fr_take(cores);
    *ret_gpus = fr_take(gpus);
    return 0;
}

struct marking {
    struct pool *pool;
    bool used;
};

static int mark_one(unsigned int id, void *arg)
{
    struct marking *marking = arg;
    struct pool *pool = marking->pool;

    if (id < (unsigned int)pool->total && pool->used[id] != marking->used) {
        pool->used[id] = marking->used;
        pool->unused += marking->used ? -1 : 1;
    }
    return 0;
}

void fr_resources_mark(struct fr_resources *res, const char *cores, const char *gpus, bool used)
{
    if (cores)
        (void)fr_idset_each(cores, COUNT_MAX, mark_one, &(struct marking){&res->cores, used});
    if (gpus)
        (void)fr_idset_each(gpus, COUNT_MAX, mark_one, &(struct marking){&res->gpus, used});
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

    if (res->cores.total > res->ncpus) {
        *ret = NULL;
        return 0;
    }
    (void)fr_idset_each(idset, COUNT_MAX, gather_one, &gathering);
    return fr_buf_take(&buf, ret, &len);
}
