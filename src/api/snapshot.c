// SPDX-License-Identifier: LGPL-3.0-only
#include "api/snapshot.h"

#include <errno.h>
#include <stdlib.h>

#include "api/jobs.h"
#include "api/problem.h"
#include "base/loop.h"

struct item {
    uint64_t id;
    uint64_t seq; /* of its last event when it was told; 0: it was gone */
};

struct fr_snapshot {
    size_t count, told;
    struct item items[]; /* in the order of listing; by id once all are told */
};

int fr_snapshot_create(const struct fr_table *table, const struct fr_filter *filter,
                       struct fr_snapshot **ret)
{
    size_t max = fr_table_count(table);
    struct fr_snapshot *snapshot = malloc(sizeof *snapshot + max * sizeof(struct item));
    struct fr_table_walk walk = fr_table_walk(table, filter->states);
    const struct fr_job *job;

    if (!snapshot)
        return -ENOMEM;
    snapshot->count = snapshot->told = 0;
    while (snapshot->count < max && (job = fr_table_next(&walk)))
        if (fr_filter_passes(filter, job))
            snapshot->items[snapshot->count++] = (struct item){job->id, 0};
    *ret = snapshot;
    return 0;
}

void fr_snapshot_free(struct fr_snapshot *snapshot)
{
    free(snapshot);
}

bool fr_snapshot_is_told(const struct fr_snapshot *snapshot)
{
    return snapshot->told == snapshot->count;
}

static int compare(const void *a, const void *b)
{
    uint64_t left = ((const struct item *)a)->id, right = ((const struct item *)b)->id;

    return left < right ? -1 : left > right;
}

int fr_snapshot_put_next(struct fr_snapshot *snapshot, struct fr_api *api,
                         struct fr_sender *sender)
{
    struct item *item = &snapshot->items[snapshot->told++];
    const struct fr_job *job = fr_table_find(fr_service_table(api->service), item->id);
    bool sse = fr_sender_is_sse(sender);
    struct fr_buf text = FR_BUF_INIT(FR_REPLY_MAX);
    int rc = 0;

    if (job) {
        item->seq = job->changed_seq;
        fr_buf_puts(&text, sse ? "event: snapshot\ndata: " : "{\"snapshot\":");
        fr_jobs_put(api, job, fr_time_now(), &text);
        fr_buf_puts(&text, sse ? "\n\n" : "}\n");
        rc = fr_buf_status(&text) < 0 ? -ENOMEM : fr_sender_put(sender, text.data, text.len);
    }
    fr_buf_done(&text);
    if (snapshot->told == snapshot->count)
        qsort(snapshot->items, snapshot->count, sizeof *snapshot->items, compare);
    return rc;
}

bool fr_snapshot_has(const struct fr_snapshot *snapshot, uint64_t id, uint64_t seq)
{
    struct item key = {id, 0};
    const struct item *item =
        bsearch(&key, snapshot->items, snapshot->count, sizeof *snapshot->items, compare);

    return item && seq <= item->seq;
}
