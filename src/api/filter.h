// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Which jobs a client wants to hear of: the filters that the list of jobs and the event stream
 * share.
 */
#ifndef FR_API_FILTER_H
#define FR_API_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/routes.h"
#include "http/message.h"
#include "model/job.h"
#include "model/problems.h"

/* All that is asked for must hold; what was not asked for holds always. */
struct fr_filter {
    int states;     /* mask of enum fr_state */
    int results;    /* mask of enum fr_result; 0: any, or none yet */
    int64_t userid; /* -1: any */
    char *name;     /* pattern, or NULL */
    char *queue;    /* or NULL */
    uint64_t *ids;  /* sorted; NULL: any */
    size_t nids;
};

/* The query parameters, for a route's table. */
#define FR_FILTER_PARAMS                                                                       \
    {"state", FR_PARAM_TEXT,                                                                   \
     "Only jobs in these states: RFC 21 names, pending, running, active or inactive, "         \
     "separated by commas."},                                                                  \
        {"result", FR_PARAM_TEXT,                                                              \
         "Only jobs that ended so: completed, failed, canceled or timeout, separated by "      \
         "commas."},                                                                           \
        {"name", FR_PARAM_TEXT, "Only jobs whose name matches this pattern of * and ?."},      \
        {"user", FR_PARAM_TEXT, "Only jobs of this user, by name or number; all: of any."},    \
        {"queue", FR_PARAM_TEXT, "Only jobs of this queue."},                                  \
    {                                                                                          \
        "ids", FR_PARAM_TEXT, "Only these jobs, separated by commas."                          \
    }

/*
 * Reads the filter from a request's query; what is wrong is added to problems. 0 or -ENOMEM.
 * To be freed in either case.
 */
int fr_filter_read(const struct fr_req *req, struct fr_filter *ret,
                   struct fr_problems *problems);
void fr_filter_done(struct fr_filter *filter);

/* Whether the job with this id can pass at all. */
bool fr_filter_has_id(const struct fr_filter *filter, uint64_t id);
/* Whether the job passes as it is, but for the state. */
bool fr_filter_passes(const struct fr_filter *filter, const struct fr_job *job);
/* Whether fr_filter_passes() is true of any job. */
bool fr_filter_is_open(const struct fr_filter *filter);

#endif
