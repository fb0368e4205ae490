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
#include "base/loop.h"
#include "base/util.h"
#include "model/fluid.h"

/*
 * How long a reply waits for its job to appear in the table, so that whoever reads the reply
 * and then asks for the job finds it. With Flux the answer to a submit can overtake the
 * journal by some milliseconds.
 */
#define APPEAR_MS 2000

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

struct pending {
    struct fr_held held;
    uint64_t id;
    bool answered; /* by the engine: nothing of it is due any more */
    struct fr_subscription *subscription;
    struct fr_timer *timer;
};

static void free_pending(struct pending *pending)
{
    fr_hub_unsubscribe(pending->subscription);
    fr_timer_free(pending->timer);
    free(pending);
}

/* What was asked for is done all the same; the engine's answer, if it is due, then frees. */
static void on_dropped(struct fr_held *held)
{
    struct pending *pending = (struct pending *)held;

    if (pending->answered)
        free_pending(pending);
}

static void reply_submitted(struct pending *pending)
{
    struct fr_buf body = FR_BUF_INIT(FR_REPLY_MAX);
    char f58[FR_FLUID_TEXT];

    fr_buf_puts(&body, "{\"Message\":\"Job submit.\",\"id\":");
    fr_buf_put_u64(&body, pending->id);
    fr_buf_printf(&body, ",\"jobid\":\"%s\"}\n", fr_fluid_f58(pending->id, f58));
    fr_reply_json(fr_held_take(&pending->held), 200, &body);
    free_pending(pending);
}

/* While a lost engine's jobs are read again, news may run ahead of the table that is read. */
static void on_appeared(void *arg, const struct fr_news *news)
{
    struct pending *pending = arg;

    if (fr_table_find(fr_service_table(pending->held.api->service), pending->id))
        reply_submitted(pending);
}

static void on_not_appeared(void *arg)
{
    reply_submitted(arg);
}

static void wait_until_known(struct pending *pending)
{
    struct fr_api *api = pending->held.api;

    if (!fr_table_find(fr_service_table(api->service), pending->id))
        pending->subscription =
            fr_hub_subscribe(fr_service_hub(api->service), pending->id, on_appeared, pending);
    if (!pending->subscription ||
        fr_timer_create(api->loop, on_not_appeared, pending, &pending->timer) < 0)
        reply_submitted(pending);
    else
        fr_timer_start(pending->timer, APPEAR_MS, 0);
}

static void on_submitted(void *arg, uint64_t id, const struct fr_error *err)
{
    struct pending *pending = arg;

    pending->answered = true;
    if (!pending->held.req) {
        free_pending(pending);
    } else if (err) {
        fr_reply_problem(fr_held_take(&pending->held), 0, err);
        free_pending(pending);
    } else {
        pending->id = id;
        wait_until_known(pending);
    }
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

/* Reads and builds what was asked for, or answers the request. */
static int build(struct fr_req *req, struct fr_api *api, struct fr_jobspec_submit *ret)
{
    struct fr_problems problems;
    _cleanup_(fr_cleanup_json) json_t *fields = NULL;
    struct fr_engine *engine = fr_service_engine(api->service);
    struct fr_jobspec_place place = {.cwd = api->cwd, .environ = api->environ};

    fr_problems_init(&problems);
    engine->ops->size(engine, &place.nodes, &place.cores, &place.gpus);
    int rc = fr_fields_read(req, api->json_depth, &fields, &problems);
    if (rc == 0 && lacks_command(fields)) {
        reply_no_command(req);
        return -EINVAL;
    }
    if (rc == 0)
        rc = fr_jobspec_build(fields, &place, ret, &problems);
    if (rc == -ENOMEM)
        fr_reply_no_memory(req);
    else if (rc < 0)
        reply_invalid(req, &problems);
    fr_problems_done(&problems);
    return rc;
}

/* Answers where nothing can be submitted now. */
static bool refuse_now(struct fr_req *req, const struct fr_service *service)
{
    struct fr_error err;

    if (fr_service_is_stopping(service))
        fr_error_set(&err, EAGAIN, FR_CODE_STOPPING,
                     "the service is stopping and takes no more jobs");
    else if (fr_service_lost(service))
        fr_error_set(&err, EAGAIN, FR_CODE_NOT_SENT, "nothing was submitted: %s",
                     fr_service_lost(service));
    else if (!fr_service_is_ready(service))
        fr_error_set(&err, EAGAIN, FR_CODE_UNAVAILABLE,
                     "the engine's jobs are still being read; try again in a moment");
    else
        return false;
    fr_reply_problem(req, 0, &err);
    return true;
}

void fr_handle_submit(struct fr_req *req)
{
    struct fr_api *api = fr_api_call(req)->api;
    struct fr_jobspec_submit submit = {0};

    if (refuse_now(req, api->service) || build(req, api, &submit) < 0)
        return;
    struct pending *pending = calloc(1, sizeof *pending);
    if (!pending) {
        fr_jobspec_free(submit.spec);
        fr_reply_no_memory(req);
        return;
    }
    fr_held_init(&pending->held, req, FR_CODE_OUTCOME_UNKNOWN, on_dropped);
    struct fr_engine *engine = fr_service_engine(api->service);
    engine->ops->submit(engine, submit.spec, submit.urgency, on_submitted, pending);
}
