// SPDX-License-Identifier: LGPL-3.0-only
#include "model/rset.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/util.h"

#define RANKS_MAX (1U << 20)
#define NODELIST_MAX (16U << 20)

struct ranks {
    unsigned int *ids;
    size_t count;
    size_t cap;
};

static int collect_rank(unsigned int id, void *arg)
{
    struct ranks *ranks = arg;

    if (ranks->count >= RANKS_MAX)
        return -EINVAL;
    if (ranks->count == ranks->cap) {
        size_t cap = ranks->cap ? ranks->cap * 2 : 16;
        unsigned int *ids = reallocarray(ranks->ids, cap, sizeof(*ids));
        if (!ids)
            return -ENOMEM;
        ranks->ids = ids;
        ranks->cap = cap;
    }
    ranks->ids[ranks->count++] = id;
    return 0;
}

static int compare_ranks(const void *a, const void *b)
{
    unsigned int x = *(const unsigned int *)a, y = *(const unsigned int *)b;
    return (x > y) - (x < y);
}

static void sort_unique(struct ranks *ranks)
{
    size_t kept = 0;

    if (ranks->count == 0)
        return;
    qsort(ranks->ids, ranks->count, sizeof(*ranks->ids), compare_ranks);
    for (size_t i = 0; i < ranks->count; i++) {
        if (kept == 0 || ranks->ids[kept - 1] != ranks->ids[i])
            ranks->ids[kept++] = ranks->ids[i];
    }
    ranks->count = kept;
}

/* As Flux shows ranks: in brackets if there is more than one. */
static int format_ranks(const struct ranks *ranks, char **ret)
{
    struct fr_buf buf = FR_BUF_INIT(RANKS_MAX * 11U);
    bool brackets = ranks->count > 1;
    size_t len;

    if (brackets)
        fr_buf_putc(&buf, '[');
    for (size_t i = 0, next; i < ranks->count; i = next) {
        next = i + 1;
        while (next < ranks->count && ranks->ids[next] == ranks->ids[next - 1] + 1)
            next++;
        if (i > 0)
            fr_buf_putc(&buf, ',');
        fr_buf_put_u64(&buf, ranks->ids[i]);
        if (next - i > 1) {
            fr_buf_putc(&buf, '-');
            fr_buf_put_u64(&buf, ranks->ids[next - 1]);
        }
    }
    if (brackets)
        fr_buf_putc(&buf, ']');
    return fr_buf_take(&buf, ret, &len);
}

static int count_one(unsigned int id _unused_, void *arg)
{
    ++*(unsigned int *)arg;
    return 0;
}

/* How many ids the idset at children.<type> holds; 0 if there is none. */
static int count_children(const json_t *children, const char *type, unsigned int *ret)
{
    const json_t *ids = json_object_get(children, type);
    unsigned int count = 0;
    int r;

    if (ids) {
        if (!json_is_string(ids))
            return -EINVAL;
        r = fr_idset_each(json_string_value(ids), RANKS_MAX, count_one, &count);
        if (r < 0)
            return r;
    }
    *ret = count;
    return 0;
}

static int add_product(int *sum, unsigned int a, size_t b)
{
    uint64_t product = (uint64_t)a * b;

    if (product > INT_MAX || __builtin_add_overflow(*sum, (int)product, sum))
        return -EINVAL;
    return 0;
}

/* One element of execution.R_lite: ranks that have the same children. */
static int parse_lite(const json_t *entry, struct fr_rset *rset, struct ranks *ranks)
{
    const char *text = json_string_value(json_object_get(entry, "rank"));
    const json_t *children = json_object_get(entry, "children");
    size_t before = ranks->count;
    unsigned int cores, gpus;
    int r;

    if (!text || !json_is_object(children))
        return -EINVAL;
    r = fr_idset_each(text, RANKS_MAX, collect_rank, ranks);
    if (r == 0)
        r = count_children(children, "core", &cores);
    if (r == 0)
        r = count_children(children, "gpu", &gpus);
    if (r == 0)
        r = add_product(&rset->ncores, cores, ranks->count - before);
    if (r == 0)
        r = add_product(&rset->ngpus, gpus, ranks->count - before);
    return r;
}

static int parse_ranks(const json_t *lite, struct fr_rset *rset)
{
    struct ranks ranks = {0};
    const json_t *entry;
    size_t i;
    int r = json_is_array(lite) ? 0 : -EINVAL;

    json_array_foreach (lite, i, entry) {
        if (r == 0)
            r = parse_lite(entry, rset, &ranks);
    }
    if (r == 0) {
        sort_unique(&ranks);
        rset->nnodes = (int)ranks.count;
        r = format_ranks(&ranks, &rset->ranks);
    }
    free(ranks.ids);
    return r;
}

static int parse_nodelist(const json_t *list, struct fr_rset *rset)
{
    struct fr_buf buf = FR_BUF_INIT(NODELIST_MAX);
    const json_t *entry;
    size_t i, len;

    if (list && !json_is_array(list))
        return -EINVAL;
    json_array_foreach (list, i, entry) {
        if (!json_is_string(entry)) {
            fr_buf_done(&buf);
            return -EINVAL;
        }
        if (i > 0)
            fr_buf_putc(&buf, ',');
        fr_buf_puts(&buf, json_string_value(entry));
    }
    return fr_buf_take(&buf, &rset->nodelist, &len);
}

static int parse_times(const json_t *execution, struct fr_rset *rset)
{
    const json_t *start = json_object_get(execution, "starttime");
    const json_t *end = json_object_get(execution, "expiration");

    if ((start && !json_is_number(start)) || (end && !json_is_number(end)))
        return -EINVAL;
    rset->starttime = json_number_value(start);
    rset->expiration = json_number_value(end);
    return 0;
}

int fr_rset_parse(const json_t *R, struct fr_rset **ret, struct fr_error *err)
{
    const json_t *execution = json_object_get(R, "execution");
    struct fr_rset *rset;
    int r;

    if (json_integer_value(json_object_get(R, "version")) != 1 || !json_is_object(execution))
        return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                            "The resource set is not an R object of version 1.");
    rset = calloc(1, sizeof(*rset));
    if (!rset)
        return -ENOMEM;
    r = parse_ranks(json_object_get(execution, "R_lite"), rset);
    if (r == 0)
        r = parse_nodelist(json_object_get(execution, "nodelist"), rset);
    if (r == 0)
        r = parse_times(execution, rset);
    if (r < 0) {
        fr_rset_free(rset);
        if (r == -ENOMEM)
            return r;
        return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                            "The resource set has a part that cannot be read: check R_lite, "
                            "nodelist, starttime and expiration.");
    }
    *ret = rset;
    return 0;
}

void fr_rset_free(struct fr_rset *rset)
{
    if (!rset)
        return;
    free(rset->ranks);
    free(rset->nodelist);
    free(rset);
}
