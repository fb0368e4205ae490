// SPDX-License-Identifier: LGPL-3.0-only
/*
 * What the handlers of single jobs share.
 */
#ifndef FR_API_JOBS_H
#define FR_API_JOBS_H

#include <stdbool.h>
#include <stdint.h>

#include "api/api.h"
#include "http/message.h"

/*
 * Reads the id in the request's path; answers the request as 404 and returns false if it is
 * none.
 */
bool fr_jobs_read_id(struct fr_req *req, uint64_t *ret_id);

/* Answers 404 for a job that is not known. */
void fr_jobs_reply_unknown(struct fr_req *req);

/*
 * Whether reads can be answered: the first backlog is in. Else answers 503 and returns false.
 * While the engine is lost reads go on; the reply then carries `Warning: 110` (stale).
 */
bool fr_jobs_readable(struct fr_req *req);

/*
 * Appends the job's JSON, with what the engine knows of why it waits. now: seconds since the
 * epoch.
 */
void fr_jobs_put(struct fr_api *api, const struct fr_job *job, double now, struct fr_buf *out);

/* A whole reply: the job and a newline; of one that is not known (job NULL) its ids alone. */
void fr_jobs_put_or_id(struct fr_api *api, uint64_t id, const struct fr_job *job,
                       struct fr_buf *out);

#endif
