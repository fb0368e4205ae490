// SPDX-License-Identifier: LGPL-3.0-only
/*
 * POST /v1/nodes/{name}/drain and /undrain.
 */
#include <stdlib.h>

#include "api/api.h"
#include "api/body.h"
#include "api/handlers.h"
#include "api/held.h"
#include "api/problem.h"
#include "base/util.h"

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

struct drain {
    struct fr_held held;
    const char *message;
};

static void on_done(void *arg, const struct fr_error *err)
{
    struct drain *drain = arg;
    const char *message = drain->message;
    struct fr_req *req = fr_held_take_unless(&drain->held, err);
    struct fr_buf body = FR_BUF_INIT(FR_REPLY_MAX);

    free(drain);
    if (!req)
        return;
    fr_buf_puts(&body, "{\"Message\":");
    fr_buf_put_json_string(&body, message);
    fr_buf_puts(&body, ",\"name\":");
    fr_buf_put_json_string(&body, fr_api_call(req)->param);
    fr_buf_puts(&body, "}\n");
    fr_reply_json(req, 200, &body);
}

/* Begins to wait for the engine; NULL if the request was answered. */
static struct drain *begin(struct fr_req *req, const char *message)
{
    struct drain *drain = calloc(1, sizeof *drain);

    if (!drain) {
        fr_reply_no_memory(req);
        return NULL;
    }
    drain->message = message;
    fr_held_init(&drain->held, req, FR_CODE_OUTCOME_UNKNOWN, NULL);
    return drain;
}

void fr_handle_drain(struct fr_req *req)
{
    const struct fr_call *call = fr_api_call(req);
    struct fr_engine *engine = fr_service_engine(call->api->service);
    _cleanup_(fr_cleanup_json) json_t *fields = NULL;
    const char *reason = NULL;
    const struct fr_member members[] = {{"reason", FR_MEMBER_TEXT, &reason}};

    if (!engine->ops->drain) {
        fr_reply_unsupported(req, "take nodes out of service");
        return;
    }
    if (!fr_body_read(req, members, 1, &fields))
        return;
    struct drain *drain = begin(req, "The node takes no more jobs.");
    if (drain)
        engine->ops->drain(engine, call->param, reason, on_done, drain);
}

void fr_handle_undrain(struct fr_req *req)
{
    const struct fr_call *call = fr_api_call(req);
    struct fr_engine *engine = fr_service_engine(call->api->service);
    _cleanup_(fr_cleanup_json) json_t *fields = NULL;

    if (!engine->ops->undrain) {
        fr_reply_unsupported(req, "put nodes back into service");
        return;
    }
    if (!fr_body_read(req, NULL, 0, &fields))
        return;
    struct drain *drain = begin(req, "The node takes jobs again.");
    if (drain)
        engine->ops->undrain(engine, call->param, on_done, drain);
}
