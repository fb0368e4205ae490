// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Which jobs there are: every id of the store, and the state of those that are active.
 *
 * Sixteen bytes for each job that has ended; ids rise, so adding is at the end.
 */
#ifndef FR_LOCAL_JOBS_H
#define FR_LOCAL_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fr_local_job;

struct fr_jobs {
    struct fr_jobs_item {
        uint64_t id;
        struct fr_local_job *job; /* NULL: it has ended */
    } * items;
    size_t count;
    size_t cap;
};

/* Makes room for `more` jobs, so that as many adds cannot fail. 0 or -ENOMEM. */
int fr_jobs_reserve(struct fr_jobs *jobs, size_t more);
/* Adds a job that is not there yet. 0 or -ENOMEM. */
int fr_jobs_add(struct fr_jobs *jobs, uint64_t id, struct fr_local_job *job);
/* Forgets an active job's state: it has ended. */
void fr_jobs_end(struct fr_jobs *jobs, uint64_t id);
/* Whether the id is known; *ret_job is NULL if it has ended. */
bool fr_jobs_find(const struct fr_jobs *jobs, uint64_t id, struct fr_local_job **ret_job);
/* Frees the list, not the jobs. */
void fr_jobs_done(struct fr_jobs *jobs);

#endif
