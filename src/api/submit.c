// SPDX-License-Identifier: LGPL-3.0-only
/*
 * POST /v1/jobs/submit: the older servers' way to submit a job.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/fields.h"
#include "api/handlers.h"
#include "api/held.h"
#include "api/problem.h"
#include "api/submission.h"
#include "base/util.h"
#include "model/fluid.h"

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

static void reply_submitted(struct fr_req *req, uint64_t id)
{
    struct fr_buf body = FR_BUF_INIT(FR_REPLY_MAX);
    char f58[FR_FLUID_TEXT];

    fr_buf_puts(&body, "{\"Message\":\"Job submit.\",\"id\":");
    fr_buf_put_u64(&body, id);
    fr_buf_printf(&body, ",\"jobid\":\"%s\"}\n", fr_fluid_f58(id, f58));
    fr_reply_json(req, 200, &body);
}

/* What was asked for is done also when the client has left. */
static void on_submitted(void *arg, uint64_t id, const struct fr_error *err)
{
    struct fr_req *req = fr_held_take(arg);

    free(arg);
    if (req && err)
        fr_reply_problem(req, 0, err);
    else if (req)
        reply_submitted(req, id);
}

static void reply_invalid(struct fr_req *req, const struct fr_problems *problems)
{
    enum fr_code code = problems->count ? problems->items[0].code : FR_CODE_INVALID;
    unsigned int status = fr_problem_status(code);

    /* Older clients know only 400; what could not be read at all keeps its own status. */
    if (status == 422)
        status = 400;
    fr_reply_problems(req, status, "Invalid submit request", problems);
}

static bool lacks_command(const json_t *fields)
{
    const json_t *command = json_object_get(fields, "command");

    if (json_object_get(fields, "jobspec"))
        return false;
    return !command || json_is_null(command) ||
           (json_is_string(command) && json_string_length(command) == 0) ||
           (json_is_array(command) && json_array_size(command) == 0);
}

static void reply_no_command(struct fr_req *req)
{
    struct fr_problems problems;

    fr_problems_init(&problems);
    fr_problems_add(&problems, FR_CODE_INVALID, "/command",
                    "A 'command' is minimally required.");
    fr_reply_problems(req, 0, NULL, &problems);
    fr_problems_done(&problems);
}

static void submit(struct fr_req *req, json_t *fields, struct fr_problems *problems)
{
    struct fr_held *held = calloc(1, sizeof *held);
    struct fr_actor actor;
    const struct fr_submission_request request = {.api = fr_api_call(req)->api,
                                                  .actor = &actor,
                                                  .fields = fields,
                                                  .key = fr_req_header(req, "Idempotency-Key")};
    struct fr_error err;
    uint64_t id = 0;

    if (!held) {
        fr_reply_no_memory(req);
        return;
    }
    fr_api_get_actor(req, &actor);
    enum fr_submission result =
        fr_submission_begin(&request, on_submitted, held, &id, problems, &err);
    if (result == FR_SUBMISSION_PENDING) {
        fr_held_init(held, req, FR_CODE_OUTCOME_UNKNOWN, NULL);
        return;
    }
    free(held);
    if (result == FR_SUBMISSION_KNOWN)
        reply_submitted(req, id);
    else if (result == FR_SUBMISSION_INVALID)
        reply_invalid(req, problems);
    else
        fr_reply_problem(req, 0, &err);
}

void fr_handle_submit(struct fr_req *req)
{
    _cleanup_(fr_cleanup_json) json_t *fields = NULL;
    struct fr_problems problems;

    fr_problems_init(&problems);
    int rc = fr_fields_read(req, fr_api_call(req)->api->json_depth, &fields, &problems);
    if (rc == -ENOMEM)
        fr_reply_no_memory(req);
    else if (rc < 0)
        reply_invalid(req, &problems);
    else if (lacks_command(fields))
        reply_no_command(req);
    else
        submit(req, fields, &problems);
    fr_problems_done(&problems);
}
