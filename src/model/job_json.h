// SPDX-License-Identifier: LGPL-3.0-only
/*
 * A job as JSON: the only place that names a JSON field of a job.
 *
 * Replies with many jobs are written straight into the buffer, without a tree.
 */
#ifndef FR_MODEL_JOB_JSON_H
#define FR_MODEL_JOB_JSON_H

#include "base/buf.h"
#include "model/job.h"

/*
 * Appends the job as one JSON object with all of Flux's attributes (api.md, GET
 * /v1/jobs/{id}): id (number), jobid (F58), state and result as words, times, and "" where
 * older clients read a key that has no value yet (ranks, expiration, duration, result…).
 * now: seconds since the epoch, for the runtime of a running job. why: what a job that waits
 * waits for, where somebody knows better than the job's own events; else NULL.
 */
void fr_job_json(const struct fr_job *job, double now, const char *why, struct fr_buf *out);

/* The names of all members that an object of fr_job_json() can have. */
extern const char *const fr_job_json_fields[];
extern const size_t fr_job_json_nfields;

/*
 * Appends of a job's object, as fr_job_json() writes it (NUL-terminated), the members with
 * these names.
 */
void fr_job_json_pick(const char *json, const char *const *fields, size_t count,
                      struct fr_buf *out);

/* Room for the text of fr_job_why(). */
#define FR_JOB_WHY_MAX 512

/*
 * Why the job waits, as a sentence, into `out` of size bytes; "" if it does not wait.
 */
void fr_job_why(const struct fr_job *job, char *out, size_t size);

#endif
