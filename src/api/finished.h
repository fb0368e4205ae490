// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The replies about a few finished jobs, kept because who waits for a job's end or shows its
 * result asks for the same one again and again, and it does not change any more.
 */
#ifndef FR_API_FINISHED_H
#define FR_API_FINISHED_H

#include "http/reply.h"
#include "model/job.h"

#define FR_FINISHED_SLOTS 64      /* a power of two */
#define FR_FINISHED_TEXT_MAX 8192 /* a longer one is not kept: 512 KiB in all at most */

struct fr_finished {
    struct {
        uint64_t id;
        uint64_t seq;           /* changed_seq of the job that the reply was made of */
        struct fr_reply *reply; /* NULL: the slot is free */
    } slots[FR_FINISHED_SLOTS];
};

void fr_finished_done(struct fr_finished *finished);

/* The reply about this job with this ETag, if it is kept; else NULL. Borrowed. */
struct fr_reply *fr_finished_find(const struct fr_finished *finished, const struct fr_job *job,
                                  const char *etag);

/*
 * Keeps a reply of the JSON of a job that is INACTIVE in place of what its slot held, and
 * lends it: NULL if it is too long to keep, or there is no memory.
 */
struct fr_reply *fr_finished_keep(struct fr_finished *finished, const struct fr_job *job,
                                  const char *etag);

#endif
