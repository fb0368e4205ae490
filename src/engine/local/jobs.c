// SPDX-License-Identifier: LGPL-3.0-only
#include "engine/local/jobs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/local/local.h"

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

static int add(struct fr_jobs *jobs, uint64_t id, uintptr_t what)
{
    size_t place;

    if (fr_jobs_reserve(jobs, 1) < 0)
        return -ENOMEM;
    place = place_of(jobs, id);
    memmove(jobs->items + place + 1, jobs->items + place,
            (jobs->count - place) * sizeof(*jobs->items));
    jobs->items[place] = (struct fr_jobs_item){id, what};
    jobs->count++;
    return 0;
}

static uintptr_t of_outcome(unsigned int outcome)
{
    return (uintptr_t)outcome << 1 | 1;
}

int fr_jobs_add(struct fr_jobs *jobs, uint64_t id, struct fr_local_job *job)
{
    if (add(jobs, id, (uintptr_t)job) < 0)
        return -ENOMEM;
    TAILQ_INSERT_TAIL(&jobs->active, job, active);
    return 0;
}

int fr_jobs_add_ended(struct fr_jobs *jobs, uint64_t id, unsigned int outcome)
{
    if (add(jobs, id, of_outcome(outcome)) < 0)
        return -ENOMEM;
    jobs->nended++;
    return 0;
}

static struct fr_jobs_item *find(const struct fr_jobs *jobs, uint64_t id)
{
    size_t place = place_of(jobs, id);

    return place < jobs->count && jobs->items[place].id == id ? &jobs->items[place] : NULL;
}

/* An address is even. */
static bool has_ended(const struct fr_jobs_item *item)
{
    return item->what & 1;
}

bool fr_jobs_find(const struct fr_jobs *jobs, uint64_t id, struct fr_local_job **ret_job)
{
    const struct fr_jobs_item *item = find(jobs, id);

    if (!item)
        return false;
    *ret_job = has_ended(item) ? NULL : (struct fr_local_job *)item->what;
    return true;
}

unsigned int fr_jobs_outcome(const struct fr_jobs *jobs, uint64_t id)
{
    const struct fr_jobs_item *item = find(jobs, id);

    return item && has_ended(item) ? (unsigned int)(item->what >> 1) : 0;
}

void fr_jobs_end(struct fr_jobs *jobs, uint64_t id, unsigned int outcome)
{
    struct fr_jobs_item *item = find(jobs, id);

    if (!item || has_ended(item))
        return;
    TAILQ_REMOVE(&jobs->active, (struct fr_local_job *)item->what, active);
    item->what = of_outcome(outcome);
    jobs->nended++;
}

void fr_jobs_forget(struct fr_jobs *jobs, const uint64_t *ids, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        struct fr_jobs_item *item = find(jobs, ids[i]);

        if (!item || !has_ended(item))
            continue;
        item->what = 0; /* neither a job nor an outcome */
        jobs->nended--;
    }
    for (size_t i = 0; i < jobs->count; i++) {
        if (jobs->items[i].what)
            jobs->items[kept++] = jobs->items[i];
    }
    jobs->count = kept;
}

void fr_jobs_init(struct fr_jobs *jobs)
{
    *jobs = (struct fr_jobs){0};
    TAILQ_INIT(&jobs->active);
}

void fr_jobs_done(struct fr_jobs *jobs)
{
    free(jobs->items);
    fr_jobs_init(jobs);
}
