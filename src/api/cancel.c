// SPDX-License-Identifier: LGPL-3.0-only
/*
 * POST /v1/jobs/{id}/cancel.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/fields.h"
#include "api/handlers.h"
#include "api/held.h"
#include "api/jobs.h"
#include "api/problem.h"
#include "base/util.h"

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

/* "Job cannot be cancelled: <why>." is what older clients look for, as a 400. */
static void reply_refused(struct fr_req *req, const struct fr_error *err)
{
    struct fr_error reply;
    unsigned int status = fr_problem_status(err->code);

    fr_error_set(&reply, EINVAL, err->code, "Job cannot be cancelled: %.400s.", err->text);
    fr_reply_problem(req, status < 500 ? 400 : status, &reply);
}

static void on_cancelled(void *arg, const struct fr_error *err)
{
    struct fr_req *req = fr_held_take(arg);

    free(arg);
    if (!req)
        return;
    if (err) {
        reply_refused(req, err);
        return;
    }
    struct fr_buf body = FR_BUF_INIT(FR_REPLY_MAX);
    fr_buf_puts(&body, "{\"Message\":\"Job is requested to cancel.\",\"id\":");
    fr_buf_put_json_string(&body, fr_api_call(req)->param);
    fr_buf_puts(&body, "}\n");
    fr_reply_json(req, 200, &body);
}

/*
 * The reason, from the query or the body; *ret_reason is NULL if none is given, else borrowed
 * from the fields, which the caller releases. False if the request was answered.
 */
static bool read_reason(struct fr_req *req, json_t **ret_fields, const char **ret_reason)
{
    struct fr_problems problems;
    const char *key;
    json_t *value;

    fr_problems_init(&problems);
    int rc = fr_fields_read(req, fr_api_call(req)->api->json_depth, ret_fields, &problems);
    if (rc == 0) {
        json_object_foreach (*ret_fields, key, value) {
            if (strcmp(key, "reason") != 0)
                fr_problems_add(&problems, FR_CODE_UNKNOWN_FIELD, "",
                                "there is no field \"%.64s\" here; did you mean \"reason\"?",
                                key);
            else if (!json_is_string(value) ||
                     strlen(json_string_value(value)) != json_string_length(value))
                fr_problems_add(&problems, FR_CODE_INVALID, "/reason",
                                "reason must be a text without NUL");
            else
                *ret_reason = json_string_value(value);
        }
    }
    bool ok = rc == 0 && problems.count == 0 && problems.left_out == 0;
    if (!ok)
        fr_reply_problems(req, 0, NULL, &problems);
    fr_problems_done(&problems);
    return ok;
}

void fr_handle_cancel(struct fr_req *req)
{
    struct fr_engine *engine = fr_service_engine(fr_api_call(req)->api->service);
    _cleanup_(fr_cleanup_json) json_t *fields = NULL;
    const char *reason = NULL;
    uint64_t id;

    if (!fr_jobs_read_id(req, &id) || !read_reason(req, &fields, &reason))
        return;
    struct fr_held *held = calloc(1, sizeof *held);
    if (!held) {
        fr_reply_no_memory(req);
        return;
    }
    fr_held_init(held, req, FR_CODE_OUTCOME_UNKNOWN, NULL);
    engine->ops->cancel(engine, id, reason, on_cancelled, held);
}
