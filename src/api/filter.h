// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Which jobs a request means: state, result, name, user, ids, queue, since, until and q. The
 * list of jobs, verbs on many jobs and the event stream share it.
 */
#ifndef FR_API_FILTER_H
#define FR_API_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/table.h"
#include "model/problems.h"

/* Most ids in one request. */
#define FR_FILTER_IDS_MAX 1000

/* Texts are borrowed from whoever gave them. */
struct fr_filter {
    int states;       /* mask of enum fr_state */
    int results;      /* mask of enum fr_result; 0: any, or none yet */
    const char *name; /* pattern, or NULL */
    const char *queue;
    const char *q;  /* part of an id, name, command or node list, in any case */
    int64_t userid; /* -1: all */
    double since;   /* not ended before; 0: any */
    double until;   /* submitted by then; 0: any */
    uint64_t *ids;  /* rising, without repeats; NULL: not by ids */
    size_t nids;
};

/* Gives what a request has under a name, or NULL. */
typedef const char *(*fr_filter_get_f)(void *arg, const char *name);

/*
 * Reads it; faults go to problems. 0 or -ENOMEM. The caller frees with fr_filter_done(), also
 * on failure.
 */
int fr_filter_read(fr_filter_get_f get, void *arg, struct fr_filter *ret,
                   struct fr_problems *problems);
void fr_filter_done(struct fr_filter *filter);

/* Whether the job passes, whose state is one of those wanted. */
bool fr_filter_passes(const struct fr_filter *filter, const struct fr_job *job);

/* Whether the job with this id can pass at all. */
bool fr_filter_has_id(const struct fr_filter *filter, uint64_t id);

/* Whether fr_filter_passes() is true of any job. */
bool fr_filter_is_open(const struct fr_filter *filter);

/* Whether what (NULL: nothing) is a part of the job's id, name, command or node list. */
bool fr_filter_contains(const struct fr_job *job, const char *what);

#endif
