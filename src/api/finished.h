// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The JSON of a few finished jobs, kept because who waits for a job's end or shows its result
 * asks for the same one again and again, and it does not change any more.
 */
#ifndef FR_API_FINISHED_H
#define FR_API_FINISHED_H

#include <stddef.h>

#include "base/buf.h"
#include "model/job.h"

#define FR_FINISHED_SLOTS 64      /* a power of two */
#define FR_FINISHED_TEXT_MAX 8192 /* a longer one is not kept: 512 KiB in all at most */

struct fr_finished {
    struct {
        uint64_t id;
        uint64_t seq; /* changed_seq of the job that the text was made of */
        char *text;   /* NULL: the slot is free */
        size_t len;
    } slots[FR_FINISHED_SLOTS];
};

void fr_finished_done(struct fr_finished *finished);

/* Appends the job's JSON to body as fr_job_json() does, from what is kept where that holds. */
void fr_finished_json(struct fr_finished *finished, const struct fr_job *job, double now,
                      struct fr_buf *body);

#endif
