// SPDX-License-Identifier: LGPL-3.0-only
#include "api/found.h"

#include <stdlib.h>

static bool comes_before(const struct fr_found *found, const struct fr_job *a,
                         const struct fr_job *b)
{
    int order = found->order(&a, &b);

    return found->backwards ? order > 0 : order < 0;
}

/* The array is a heap with the last job in front: lets the job at `at` sink to its place. */
static void sink(struct fr_found *found, size_t at)
{
    const struct fr_job **jobs = found->jobs, *job = jobs[at];

    for (size_t child; (child = 2 * at + 1) < found->count; at = child) {
        if (child + 1 < found->count && comes_before(found, jobs[child], jobs[child + 1]))
            child++;
        if (!comes_before(found, job, jobs[child]))
            break;
        jobs[at] = jobs[child];
    }
    jobs[at] = job;
}

static bool append(struct fr_found *found, const struct fr_job *job)
{
    if (found->count == found->cap) {
        size_t cap = found->cap ? found->cap * 2 : 256;
        const struct fr_job **jobs = realloc(found->jobs, cap * sizeof *jobs);
        if (!jobs)
            return false;
        found->jobs = jobs;
        found->cap = cap;
    }
    found->jobs[found->count++] = job;
    return true;
}

bool fr_found_add(struct fr_found *found, const struct fr_job *job)
{
    if (found->order && found->last && !comes_before(found, found->last, job))
        return true;
    found->total++;
    if (found->count < found->most) {
        if (!append(found, job))
            return false;
        if (found->order && found->count == found->most)
            for (size_t i = found->count / 2; i-- > 0;)
                sink(found, i);
    } else if (found->order && found->count && comes_before(found, job, found->jobs[0])) {
        found->jobs[0] = job;
        sink(found, 0);
    }
    return true;
}

void fr_found_sort(struct fr_found *found)
{
    if (!found->order || found->count == 0)
        return;
    qsort(found->jobs, found->count, sizeof *found->jobs, found->order);
    for (size_t i = 0; found->backwards && i < found->count / 2; i++) {
        const struct fr_job *job = found->jobs[i];
        found->jobs[i] = found->jobs[found->count - 1 - i];
        found->jobs[found->count - 1 - i] = job;
    }
}

void fr_found_done(struct fr_found *found)
{
    free(found->jobs);
}
