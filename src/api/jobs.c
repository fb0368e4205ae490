// SPDX-License-Identifier: LGPL-3.0-only
/*
 * GET /v1/jobs and /v1/jobs/{id}.
 */
#include "api/jobs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/filter.h"
#include "api/handlers.h"
#include "api/params.h"
#include "api/problem.h"
#include "api/wait.h"
#include "base/loop.h"
#include "base/util.h"
#include "model/fluid.h"
#include "model/job_json.h"

#define LIMIT_DEFAULT 1000
#define LIMIT_MAX 10000

enum shape { SHAPE_PAGE, SHAPE_BY_ID, SHAPE_LIST };

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
    } else if (job->state == FR_STATE_INACTIVE) {
        fr_finished_json(&api->finished, job, fr_time_now(), out);
    } else {
        fr_jobs_put(api, job, fr_time_now(), out);
    }
    fr_buf_putc(out, '\n');
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
    uint64_t *ids = malloc(sizeof *ids), *copy = malloc(sizeof *copy);

    if (!ids || !copy || !fr_table_find(table, id)) {
        if (!ids || !copy)
            fr_reply_no_memory(req);
        else
            fr_jobs_reply_unknown(req);
        free(ids);
        free(copy);
        return;
    }
    fr_wait_read(req, &params);
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

/* False if the request was answered. */
static bool read_filter(struct fr_req *req, struct fr_filter *filter, long *limit)
{
    struct fr_problems problems;

    fr_problems_init(&problems);
    int rc = fr_filter_read(req, filter, &problems);
    *limit = fr_param_count(req, "limit", LIMIT_DEFAULT);
    if (*limit > LIMIT_MAX)
        fr_problems_add(&problems, FR_CODE_INVALID, "?limit",
                        "limit must be at most %d, not %ld", LIMIT_MAX, *limit);
    bool ok = rc == 0 && problems.count == 0 && problems.left_out == 0;
    if (rc < 0)
        fr_reply_no_memory(req);
    else if (!ok)
        fr_reply_problems(req, 0, NULL, &problems);
    fr_problems_done(&problems);
    if (!ok)
        fr_filter_done(filter);
    return ok;
}

static void put_jobs(struct fr_req *req, enum shape shape, const struct fr_filter *filter,
                     long limit, struct fr_buf *body)
{
    const struct fr_table *table = fr_service_table(fr_api_call(req)->api->service);
    struct fr_table_walk walk = fr_table_walk(table, filter->states);
    const struct fr_job *job;
    double now = fr_time_now();
    bool first = true;

    while (limit > 0 && (job = fr_table_next(&walk))) {
        if (!fr_filter_passes(filter, job))
            continue;
        if (!first)
            fr_buf_puts(body, ",\n");
        if (shape == SHAPE_BY_ID) {
            fr_buf_putc(body, '"');
            fr_buf_put_u64(body, job->id);
            fr_buf_puts(body, "\":");
        }
        fr_jobs_put(fr_api_call(req)->api, job, now, body);
        first = false;
        limit--;
    }
}

void fr_handle_jobs(struct fr_req *req)
{
    static const char *const opening[] = {"{\"jobs\":[", "{", "["};
    static const char *const closing[] = {"]", "}\n", "]\n"};
    struct fr_hub *hub = fr_service_hub(fr_api_call(req)->api->service);
    struct fr_buf body = FR_BUF_INIT(FR_REPLY_MAX);
    enum shape shape = SHAPE_PAGE;
    char cursor[FR_CURSOR_TEXT];
    struct fr_filter filter;
    long limit;

    if (!fr_jobs_readable(req) || !read_filter(req, &filter, &limit))
        return;
    if (fr_param_bool(req, "details", false) || fr_param_bool(req, "detail", false))
        shape = fr_param_bool(req, "listing", false) ? SHAPE_LIST : SHAPE_BY_ID;
    fr_buf_puts(&body, opening[shape]);
    put_jobs(req, shape, &filter, limit, &body);
    fr_filter_done(&filter);
    fr_buf_puts(&body, closing[shape]);
    if (shape == SHAPE_PAGE)
        fr_buf_printf(&body, ",\"cursor\":\"%s\"}\n",
                      fr_hub_cursor(hub, fr_hub_seq(hub), cursor));
    fr_reply_json(req, 200, &body);
}
