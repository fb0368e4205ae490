// SPDX-License-Identifier: LGPL-3.0-only
#include "engine/local/jobs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t place_of(const struct fr_jobs *jobs, uint64_t id)
{
    size_t low = 0;
    size_t high = jobs->count;

    if (high > 0 && jobs->items[high - 1].id < id)
        return high; /* the newest: nearly always */
    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (jobs->items[mid].id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

int fr_jobs_reserve(struct fr_jobs *jobs, size_t more)
{
    size_t need = jobs->count + more;
    size_t cap = jobs->cap ? jobs->cap : 64;
    struct fr_jobs_item *items;

    if (need <= jobs->cap)
        return 0;
    while (cap < need)
        cap *= 2;
    items = reallocarray(jobs->items, cap, sizeof(*items));
    if (!items)
        return -ENOMEM;
    jobs->items = items;
    jobs->cap = cap;
    return 0;
}

int fr_jobs_add(struct fr_jobs *jobs, uint64_t id, struct fr_local_job *job)
{
    size_t place;

    if (fr_jobs_reserve(jobs, 1) < 0)
        return -ENOMEM;
    place = place_of(jobs, id);
    memmove(jobs->items + place + 1, jobs->items + place,
            (jobs->count - place) * sizeof(*jobs->items));
    jobs->items[place] = (struct fr_jobs_item){id, job};
    jobs->count++;
    return 0;
}

bool fr_jobs_find(const struct fr_jobs *jobs, uint64_t id, struct fr_local_job **ret_job)
{
    size_t place = place_of(jobs, id);

    if (place == jobs->count || jobs->items[place].id != id)
        return false;
    *ret_job = jobs->items[place].job;
    return true;
}

void fr_jobs_end(struct fr_jobs *jobs, uint64_t id)
{
    size_t place = place_of(jobs, id);

    if (place < jobs->count && jobs->items[place].id == id)
        jobs->items[place].job = NULL;
}

void fr_jobs_done(struct fr_jobs *jobs)
{
    free(jobs->items);
    *jobs = (struct fr_jobs){0};
}
