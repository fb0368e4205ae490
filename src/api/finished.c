// SPDX-License-Identifier: LGPL-3.0-only
#include "api/finished.h"

#include <string.h>

#include "base/loop.h"
#include "model/job_json.h"

void fr_finished_done(struct fr_finished *finished)
{
    for (size_t i = 0; i < FR_FINISHED_SLOTS; i++)
        fr_reply_unref(finished->slots[i].reply);
    *finished = (struct fr_finished){0};
}

/* The ids of one moment differ in their upper bits alone (RFC 19), so these are folded in. */
static size_t slot_of(uint64_t id)
{
    return (id * 0x9e3779b97f4a7c15u) >> 58;
}
_Static_assert(FR_FINISHED_SLOTS == 1 << (64 - 58), "slot_of() takes as many bits as it needs");

struct fr_reply *fr_finished_find(const struct fr_finished *finished, const struct fr_job *job,
                                  const char *etag)
{
    const size_t i = slot_of(job->id);
    struct fr_reply *reply = finished->slots[i].reply;

    if (!reply || finished->slots[i].id != job->id ||
        finished->slots[i].seq != job->changed_seq || strcmp(fr_reply_etag(reply), etag) != 0)
        return NULL;
    return reply;
}

struct fr_reply *fr_finished_keep(struct fr_finished *finished, const struct fr_job *job,
                                  const char *etag)
{
    struct fr_buf body = FR_BUF_INIT(FR_FINISHED_TEXT_MAX);
    const size_t i = slot_of(job->id);

    fr_job_json(job, fr_time_now(), NULL, &body);
    fr_buf_putc(&body, '\n');
    struct fr_reply *reply = fr_reply_create("application/json", etag, &body);
    if (!reply)
        return NULL;
    fr_reply_unref(finished->slots[i].reply);
    finished->slots[i].id = job->id;
    finished->slots[i].seq = job->changed_seq;
    finished->slots[i].reply = reply;
    return reply;
}
