// SPDX-License-Identifier: LGPL-3.0-only
/*
 * A job's record as one text, for an engine that keeps it beside the events of a job that has
 * ended: to read it costs a tenth of what applying all of them again does.
 *
 * The text is for the same version of this file alone: whoever stores it has a format with a
 * version around it, and the events to make it again from.
 */
#ifndef FR_MODEL_JOB_RECORD_H
#define FR_MODEL_JOB_RECORD_H

#include <jansson.h>

#include "model/job.h"

/*
 * Writes the record, without id and changed_seq, and what the jobspec has in attributes.user
 * (may be NULL), as a JSON array. To be freed; NULL: no memory.
 */
char *fr_job_record_format(const struct fr_job *job, const json_t *user);

/*
 * Reads it. 0; -EINVAL: not such a text; -ENOMEM. *ret_user is NULL if there was none; else to
 * be freed by json_decref().
 */
int fr_job_record_parse(const char *text, uint64_t id, struct fr_job **ret, json_t **ret_user);

#endif
