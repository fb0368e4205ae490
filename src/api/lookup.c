// SPDX-License-Identifier: LGPL-3.0-only
/*
 * What the engine keeps of one job but the table does not: GET /v1/jobs/{id}/events, /jobspec
 * and /R.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/accept.h"
#include "api/api.h"
#include "api/events.h"
#include "api/handlers.h"
#include "api/held.h"
#include "api/jobs.h"
#include "api/params.h"
#include "api/problem.h"
#include "base/util.h"

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

struct lookup {
    struct fr_held held;
    enum fr_lookup what;
};

/* The log as one JSON list: its lines are JSON objects. */
static void put_events(const char *text, size_t len, struct fr_buf *body)
{
    const char *end = text + len;
    bool any = false;

    fr_buf_puts(body, "{\"events\":[");
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t n = (size_t)((newline ? newline : end) - text);
        if (n > 0) {
            if (any)
                fr_buf_puts(body, ",\n");
            fr_buf_put(body, text, n);
            any = true;
        }
        text += n + 1;
    }
    fr_buf_puts(body, "]}\n");
}

static void reply_events(struct fr_req *req, const char *text, size_t len)
{
    struct fr_buf body = FR_BUF_INIT(FR_REPLY_MAX);

    if (fr_accepts_lines(req)) {
        fr_buf_put(&body, text, len);
        fr_req_reply(req, 200, FR_TYPE_LINES, &body);
    } else {
        put_events(text, len, &body);
        fr_reply_json(req, 200, &body);
    }
}

/* An environment is full of secrets: it is told only to who asks for it in as many words. */
static void reply_jobspec(struct fr_req *req, const char *text, size_t len)
{
    _cleanup_(fr_cleanup_json) json_t *spec = json_loadb(text, len, JSON_ALLOW_NUL, NULL);
    json_t *attributes = json_object_get(spec, "attributes");
    struct fr_buf body = FR_BUF_INIT(FR_REPLY_MAX);

    if (!fr_param_bool(req, "environment", false))
        (void)json_object_del(json_object_get(attributes, "system"), "environment");
    _cleanup_(fr_cleanup_str) char *out = spec ? json_dumps(spec, JSON_COMPACT) : NULL;
    if (!out) {
        fr_reply_no_memory(req);
        return;
    }
    fr_buf_puts(&body, out);
    fr_buf_putc(&body, '\n');
    fr_reply_json(req, 200, &body);
}

static void on_found(void *arg, const char *text, size_t len, const struct fr_error *err)
{
    struct lookup *lookup = arg;
    enum fr_lookup what = lookup->what;
    struct fr_req *req = fr_held_take_unless(&lookup->held, err);

    free(lookup);
    if (!req)
        return;
    if (what == FR_LOOKUP_EVENTLOG) {
        reply_events(req, text, len);
    } else if (what == FR_LOOKUP_JOBSPEC) {
        reply_jobspec(req, text, len);
    } else {
        struct fr_buf body = FR_BUF_INIT(FR_REPLY_MAX);
        fr_buf_put(&body, text, len);
        fr_reply_json(req, 200, &body);
    }
}

static void look_up(struct fr_req *req, enum fr_lookup what)
{
    struct fr_engine *engine = fr_service_engine(fr_api_call(req)->api->service);
    uint64_t id;

    if (!engine->ops->lookup) {
        fr_reply_unsupported(req, "look up a job's log, jobspec or R");
        return;
    }
    if (!fr_jobs_read_id(req, &id))
        return;
    struct lookup *lookup = calloc(1, sizeof *lookup);
    if (!lookup) {
        fr_reply_no_memory(req);
        return;
    }
    lookup->what = what;
    fr_held_init(&lookup->held, req, FR_CODE_UNAVAILABLE, NULL);
    engine->ops->lookup(engine, id, what, on_found, lookup);
}

void fr_handle_events(struct fr_req *req)
{
    uint64_t id;

    if (!fr_param_bool(req, "follow", false) && !fr_accepts_events(req))
        look_up(req, FR_LOOKUP_EVENTLOG);
    else if (fr_jobs_read_id(req, &id))
        fr_events_follow_job(req, id);
}

void fr_handle_jobspec(struct fr_req *req)
{
    struct fr_error err;

    /* Who may submit is the user, and could have a job tell it; who may read is not. */
    if (fr_param_bool(req, "environment", false) &&
        fr_api_call(req)->who.role < FR_ROLE_SUBMIT) {
        fr_error_set(&err, EACCES, FR_CODE_FORBIDDEN,
                     "a job's environment may hold secrets: to see it takes the role submit");
        fr_reply_problem(req, 0, &err);
        return;
    }
    look_up(req, FR_LOOKUP_JOBSPEC);
}

void fr_handle_R(struct fr_req *req)
{
    look_up(req, FR_LOOKUP_R);
}
