// SPDX-License-Identifier: LGPL-3.0-only
/*
 * POST /v1/jobs/{id}/cancel.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/body.h"
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
    int len = (int)strlen(err->text);

    while (len > 0 && err->text[len - 1] == '.') /* some engines end their sentences */
        len--;
    fr_error_set(&reply, EINVAL, err->code, "Job cannot be cancelled: %.*s.", len, err->text);
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

void fr_handle_cancel(struct fr_req *req)
{
    struct fr_engine *engine = fr_service_engine(fr_api_call(req)->api->service);
    _cleanup_(fr_cleanup_json) json_t *fields = NULL;
    const char *reason = NULL;
    uint64_t id;

    const struct fr_member members[] = {{"reason", FR_MEMBER_TEXT, &reason}};
    if (!fr_jobs_read_id(req, &id) || !fr_body_read(req, members, 1, &fields))
        return;
    struct fr_held *held = calloc(1, sizeof *held);
    if (!held) {
        fr_reply_no_memory(req);
        return;
    }
    fr_held_init(held, req, FR_CODE_OUTCOME_UNKNOWN, NULL);
    engine->ops->cancel(engine, id, reason, on_cancelled, held);
}
