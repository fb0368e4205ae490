// SPDX-License-Identifier: LGPL-3.0-only
/*
 * POST /v1/jobs: one job as a JSON object, which is answered as a resource; many are bulk.c's.
 */
#include "api/post.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/fields.h"
#include "api/handlers.h"
#include "api/held.h"
#include "api/jobs.h"
#include "api/params.h"
#include "api/problem.h"
#include "api/submission.h"
#include "api/wait.h"
#include "base/loop.h"
#include "base/util.h"

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

/* One job that the engine has not answered for. */
struct single {
    struct fr_held held;
    struct fr_wait_params wait;
};

static void reply_job(struct fr_req *req, uint64_t id, unsigned int status)
{
    struct fr_api *api = fr_api_call(req)->api;
    const struct fr_job *job = fr_table_find(fr_service_table(api->service), id);
    struct fr_buf body = FR_BUF_INIT(FR_REPLY_MAX);
    char location[64];

    snprintf(location, sizeof location, "/v1/jobs/%llu", (unsigned long long)id);
    fr_req_set_header(req, "Location", location);
    fr_jobs_put_or_id(api, id, job, &body);
    fr_reply_json(req, status, &body);
}

static void on_waited(struct fr_req *req, void *arg, bool reached)
{
    reply_job(req, *(uint64_t *)arg, reached ? 200 : 202);
}

/* The job is there: answers, or waits for what was asked for. */
static void answer(struct fr_req *req, uint64_t id, const struct fr_wait_params *wait,
                   unsigned int status)
{
    if (wait->what == FR_WAIT_NONE) {
        reply_job(req, id, status);
        return;
    }
    uint64_t *ids = malloc(sizeof *ids), *copy = malloc(sizeof *copy);
    if (!ids || !copy) {
        free(ids);
        free(copy);
        reply_job(req, id, 202); /* it was submitted all the same */
        return;
    }
    *ids = *copy = id;
    fr_wait_begin(req, wait, ids, 1, on_waited, copy, free);
}

static void on_submitted(void *arg, uint64_t id, const struct fr_error *err)
{
    struct single *single = arg;
    struct fr_wait_params wait = single->wait;
    struct fr_req *req = fr_held_take(&single->held);

    free(single);
    if (req && err)
        fr_reply_problem(req, 0, err);
    else if (req)
        answer(req, id, &wait, 201);
}

static void reply_valid(struct fr_req *req)
{
    struct fr_buf body = FR_BUF_INIT(FR_REPLY_MAX);

    fr_buf_puts(&body, "{\"Message\":\"The job could run.\",\"valid\":true}\n");
    fr_reply_json(req, 200, &body);
}

static void submit_one(struct fr_req *req, json_t *fields, struct fr_problems *problems)
{
    struct fr_actor actor;
    const struct fr_submission_request request = {
        .api = fr_api_call(req)->api,
        .actor = &actor,
        .fields = fields,
        .key = fr_req_header(req, "Idempotency-Key"),
        .dry_run = fr_param_bool(req, "dry_run", false),
    };
    struct single *single = calloc(1, sizeof *single);
    struct fr_error err;
    uint64_t id = 0;

    if (!single) {
        fr_reply_no_memory(req);
        return;
    }
    fr_api_get_actor(req, &actor);
    fr_wait_read(req, &single->wait);
    enum fr_submission result =
        fr_submission_begin(&request, on_submitted, single, &id, problems, &err);
    if (result == FR_SUBMISSION_PENDING) {
        fr_held_init(&single->held, req, FR_CODE_OUTCOME_UNKNOWN, NULL);
        return;
    }
    if (result == FR_SUBMISSION_KNOWN)
        answer(req, id, &single->wait, 200);
    else if (result == FR_SUBMISSION_VALID)
        reply_valid(req);
    else if (result == FR_SUBMISSION_INVALID)
        fr_reply_problems(req, 0, NULL, problems);
    else
        fr_reply_problem(req, 0, &err);
    free(single);
}

static void reply_type(struct fr_req *req, const char *type)
{
    struct fr_error err;

    fr_error_set(&err, EINVAL, FR_CODE_MEDIA_TYPE,
                 "a body of type %.100s is not taken here; send application/json (an object or "
                 "a list) or " FR_TYPE_LINES,
                 type ? type : "unknown");
    fr_reply_problem(req, 0, &err);
}

static void post_json(struct fr_req *req, const char *body, size_t len)
{
    _cleanup_(fr_cleanup_json) json_t *json = NULL;
    struct fr_problems problems;

    fr_problems_init(&problems);
    int rc =
        fr_fields_parse_json(body, len, fr_api_call(req)->api->json_depth, &json, &problems);
    if (rc == -ENOMEM)
        fr_reply_no_memory(req);
    else if (rc < 0)
        fr_reply_problems(req, 0, NULL, &problems);
    else if (json_is_array(json))
        fr_bulk_list(req, fr_take(json));
    else
        submit_one(req, json, &problems);
    fr_problems_done(&problems);
}

bool fr_begin_post(struct fr_req *req)
{
    bool has_lines = fr_fields_has_type(fr_req_header(req, "Content-Type"), FR_TYPE_LINES);

    return !has_lines || fr_bulk_begin_lines(req);
}

void fr_handle_post(struct fr_req *req)
{
    const char *type = fr_req_header(req, "Content-Type");
    size_t len;
    const char *body = fr_req_body(req, &len);
    const char *first = body + strspn(body, " \t\r\n");
    /* curl -d '{…}' calls its JSON a form. */
    bool is_form = fr_fields_has_type(type, "application/x-www-form-urlencoded");

    if (fr_fields_has_type(type, FR_TYPE_LINES))
        fr_bulk_lines(req);
    else if (!type || fr_fields_has_type(type, "application/json") ||
             (is_form && (*first == '{' || *first == '[')))
        post_json(req, body, len);
    else
        reply_type(req, type);
}
