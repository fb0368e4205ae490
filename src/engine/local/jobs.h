// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Which jobs there are: every id of the store, the state of those that are active, and how the
 * others ended.
 *
 * Sixteen bytes for each job that has ended; ids rise, so adding is at the end.
 */
#ifndef FR_LOCAL_JOBS_H
#define FR_LOCAL_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct fr_local_job;

/* What has become of a job: a set of these. */
enum fr_outcome {
    FR_OUTCOME_ALLOC = 1,     /* it was given resources */
    FR_OUTCOME_START = 2,     /* its shell has started */
    FR_OUTCOME_ZERO = 4,      /* it finished with status 0 */
    FR_OUTCOME_EXCEPTION = 8, /* an exception of severity 0 was raised */
};

TAILQ_HEAD(fr_active, fr_local_job);

struct fr_jobs {
    struct fr_jobs_item {
        uint64_t id;
        uintptr_t what; /* the active job, or its outcome times two plus one */
    } * items;
    size_t count;
    size_t cap;
    size_t nended;           /* of the items */
    struct fr_active active; /* by fr_local_job.active, in the order in which they came */
};

void fr_jobs_init(struct fr_jobs *jobs);
/* Makes room for `more` jobs, so that as many adds cannot fail. 0 or -ENOMEM. */
int fr_jobs_reserve(struct fr_jobs *jobs, size_t more);
/* Adds a job that is not there yet. 0 or -ENOMEM. */
int fr_jobs_add(struct fr_jobs *jobs, uint64_t id, struct fr_local_job *job);
/* Adds one that has ended, as fr_jobs_add(). */
int fr_jobs_add_ended(struct fr_jobs *jobs, uint64_t id, unsigned int outcome);
/* Forgets an active job's state: it has ended so. */
void fr_jobs_end(struct fr_jobs *jobs, uint64_t id, unsigned int outcome);
/* Whether the id is known; *ret_job is NULL if it has ended. */
bool fr_jobs_find(const struct fr_jobs *jobs, uint64_t id, struct fr_local_job **ret_job);
/* How a job that has ended did; 0 for any other. */
unsigned int fr_jobs_outcome(const struct fr_jobs *jobs, uint64_t id);
/* Forgets jobs that have ended. */
void fr_jobs_forget(struct fr_jobs *jobs, const uint64_t *ids, size_t count);
/* Frees the list, not the jobs. */
void fr_jobs_done(struct fr_jobs *jobs);

#endif
