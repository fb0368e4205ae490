// SPDX-License-Identifier: LGPL-3.0-only
#include "api/finished.h"

#include <stdlib.h>
#include <string.h>

#include "model/job_json.h"

void fr_finished_done(struct fr_finished *finished)
{
    for (size_t i = 0; i < FR_FINISHED_SLOTS; i++)
        free(finished->slots[i].text);
    *finished = (struct fr_finished){0};
}

/* The ids of one moment differ in their upper bits alone (RFC 19), so these are folded in. */
static size_t slot_of(uint64_t id)
{
    return (id * 0x9e3779b97f4a7c15u) >> 58;
}
_Static_assert(FR_FINISHED_SLOTS == 1 << (64 - 58), "slot_of() takes as many bits as it needs");

static void keep(struct fr_finished *finished, const struct fr_job *job, const char *text,
                 size_t len)
{
    if (len > FR_FINISHED_TEXT_MAX)
        return;
    char *copy = malloc(len);
    if (!copy)
        return; /* it is made anew the next time */
    memcpy(copy, text, len);
    const size_t i = slot_of(job->id);
    free(finished->slots[i].text);
    finished->slots[i].id = job->id;
    finished->slots[i].seq = job->changed_seq;
    finished->slots[i].text = copy;
    finished->slots[i].len = len;
}

void fr_finished_json(struct fr_finished *finished, const struct fr_job *job, double now,
                      struct fr_buf *body)
{
    const size_t i = slot_of(job->id);

    if (job->state == FR_STATE_INACTIVE && finished->slots[i].text &&
        finished->slots[i].id == job->id && finished->slots[i].seq == job->changed_seq) {
        fr_buf_put(body, finished->slots[i].text, finished->slots[i].len);
        return;
    }
    const size_t before = body->len;
    fr_job_json(job, now, NULL, body);
    if (job->state == FR_STATE_INACTIVE && fr_buf_status(body) == 0)
        keep(finished, job, body->data + before, body->len - before);
}
