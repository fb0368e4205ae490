// SPDX-License-Identifier: LGPL-3.0-only
/*
 * GET /v1/jobs/{id}, and what handlers of jobs share.
 */
#include "api/jobs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/filter.h"
#include "api/handlers.h"
#include "api/problem.h"
#include "api/tag.h"
#include "api/wait.h"
#include "base/loop.h"
#include "base/util.h"
#include "model/fluid.h"
#include "model/job_json.h"

bool fr_jobs_read_id(struct fr_req *req, uint64_t *ret_id)
{
    struct fr_error err;
    const char *text = fr_api_call(req)->param;

    if (fr_fluid_parse(text, ret_id) == 0)
        return true;
    fr_error_set(
        &err, ENOENT, FR_CODE_JOB_NOT_FOUND,
        "\"%.64s\" is no job id; give it as a decimal number, as F58 (ƒ…), hex (0x…) or "
        "dotted hex",
        text);
    fr_reply_problem(req, 0, &err);
    return false;
}

void fr_jobs_reply_unknown(struct fr_req *req)
{
    struct fr_error err;

    fr_error_set(&err, ENOENT, FR_CODE_JOB_NOT_FOUND,
                 "there is no job %.64s in this instance; GET /v1/jobs lists those there are",
                 fr_api_call(req)->param);
    fr_reply_problem(req, 0, &err);
}

bool fr_jobs_readable(struct fr_req *req)
{
    const struct fr_service *service = fr_api_call(req)->api->service;
    struct fr_error err;
    const char *lost = fr_service_lost(service);

    if (fr_service_is_ready(service)) {
        if (lost)
            fr_req_set_header(req, "Warning", "110 flux-restd \"the engine is lost; stale\"");
        return true;
    }
    if (lost)
        fr_error_set(&err, EAGAIN, FR_CODE_UNAVAILABLE, "%s", lost);
    else
        fr_error_set(&err, EAGAIN, FR_CODE_UNAVAILABLE,
                     "the engine's jobs are still being read; try again in a moment");
    fr_reply_problem(req, 0, &err);
    return false;
}

void fr_jobs_put(struct fr_api *api, const struct fr_job *job, double now, struct fr_buf *out)
{
    struct fr_engine *engine = fr_service_engine(api->service);
    char why[FR_JOB_WHY_MAX];
    bool known = job->state & FR_STATES_PENDING && engine->ops->why &&
                 engine->ops->why(engine, job->id, why, sizeof why);

    fr_job_json(job, now, known ? why : NULL, out);
}

void fr_jobs_put_or_id(struct fr_api *api, uint64_t id, const struct fr_job *job,
                       struct fr_buf *out)
{
    char f58[FR_FLUID_TEXT];

    if (!job) {
        fr_buf_puts(out, "{\"id\":");
        fr_buf_put_u64(out, id);
        fr_buf_printf(out, ",\"jobid\":\"%s\"}", fr_fluid_f58(id, f58));
    } else {
        fr_jobs_put(api, job, fr_time_now(), out);
    }
    fr_buf_putc(out, '\n');
}

/* Whether the reply about a finished job could be given as it is kept, and was. */
static bool reply_finished(struct fr_req *req, const struct fr_job *job, const char *tag)
{
    struct fr_finished *finished = &fr_api_call(req)->api->finished;

    if (job->state != FR_STATE_INACTIVE)
        return false;
    struct fr_reply *reply = fr_finished_find(finished, job, tag);
    if (!reply)
        reply = fr_finished_keep(finished, job, tag);
    if (!reply)
        return false;
    fr_reply_give(reply, req);
    return true;
}

static void reply_job(struct fr_req *req, uint64_t id, unsigned int status)
{
    struct fr_api *api = fr_api_call(req)->api;
    const struct fr_job *job = fr_table_find(fr_service_table(api->service), id);

    if (!job) {
        fr_jobs_reply_unknown(req);
        return;
    }
    struct fr_buf body = FR_BUF_INIT(FR_REPLY_MAX);
    char tag[FR_TAG_TEXT];
    if (status == 200 &&
        (fr_tag_answers(req, fr_tag_of_job(req, job, tag)) || reply_finished(req, job, tag)))
        return;
    fr_jobs_put_or_id(api, id, job, &body);
    fr_reply_json(req, status, &body);
}

static void on_waited(struct fr_req *req, void *arg, bool reached)
{
    reply_job(req, *(uint64_t *)arg, reached ? 200 : 202);
}

static void wait_for_job(struct fr_req *req, uint64_t id)
{
    struct fr_wait_params params;
    const struct fr_table *table = fr_service_table(fr_api_call(req)->api->service);
    const struct fr_job *job = fr_table_find(table, id);
    char tag[FR_TAG_TEXT];

    fr_wait_read(req, &params);
    /* Who knows another state than this one has missed the change already. */
    bool missed = job && params.what == FR_WAIT_CHANGE && fr_req_header(req, "If-None-Match") &&
                  !fr_tag_is_known(req, fr_tag_of_job(req, job, tag));
    if (!job || missed) {
        reply_job(req, id, 200);
        return;
    }
    uint64_t *ids = malloc(sizeof *ids), *copy = malloc(sizeof *copy);
    if (!ids || !copy) {
        fr_reply_no_memory(req);
        free(ids);
        free(copy);
        return;
    }
    *ids = *copy = id;
    fr_wait_begin(req, &params, ids, 1, on_waited, copy, free);
}

void fr_handle_job(struct fr_req *req)
{
    uint64_t id;

    if (!fr_jobs_readable(req) || !fr_jobs_read_id(req, &id))
        return;
    if (fr_req_query(req, "wait"))
        wait_for_job(req, id);
    else
        reply_job(req, id, 200);
}
