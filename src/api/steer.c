// SPDX-License-Identifier: LGPL-3.0-only
/*
 * What is done to one job: POST /v1/jobs/{id}/kill, /urgency, /duration, and DELETE.
 */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/api.h"
#include "api/body.h"
#include "api/handlers.h"
#include "api/held.h"
#include "api/jobs.h"
#include "api/problem.h"
#include "base/util.h"
#include "model/fluid.h"

#define SIGNAL_MAX 64
#define URGENCY_DEFAULT 16
#define URGENCY_MAX 31

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

/* One verb on its way through the engine. */
struct action {
    struct fr_held held;
    uint64_t id;
    unsigned int status; /* of the reply if it is done */
    char message[128];
};

FR_DEFINE_CLEANUP(struct action *, action, free);

static void on_done(void *arg, const struct fr_error *err)
{
    _cleanup_(fr_cleanup_action) struct action *action = arg;
    struct fr_req *req = fr_held_take_unless(&action->held, err);
    struct fr_buf body = FR_BUF_INIT(FR_REPLY_MAX);
    char f58[FR_FLUID_TEXT];

    if (!req)
        return;
    fr_buf_puts(&body, "{\"Message\":");
    fr_buf_put_json_string(&body, action->message);
    fr_buf_puts(&body, ",\"id\":");
    fr_buf_put_u64(&body, action->id);
    fr_buf_printf(&body, ",\"jobid\":\"%s\"}\n", fr_fluid_f58(action->id, f58));
    fr_reply_json(req, action->status, &body);
}

/* Begins to wait for the engine; NULL if the request was answered. */
static __attribute__((format(printf, 4, 5))) struct action *
begin(struct fr_req *req, uint64_t id, unsigned int status, const char *fmt, ...)
{
    struct action *action = calloc(1, sizeof *action);
    va_list ap;

    if (!action) {
        fr_reply_no_memory(req);
        return NULL;
    }
    action->id = id;
    action->status = status;
    va_start(ap, fmt);
    (void)vsnprintf(action->message, sizeof action->message, fmt, ap);
    va_end(ap);
    fr_held_init(&action->held, req, FR_CODE_OUTCOME_UNKNOWN, NULL);
    return action;
}

static void reply_invalid(struct fr_req *req, const char *pointer, const char *detail)
{
    struct fr_problems problems;

    fr_problems_init(&problems);
    fr_problems_add(&problems, FR_CODE_INVALID, pointer, "%s", detail);
    fr_reply_problems(req, 0, NULL, &problems);
    fr_problems_done(&problems);
}

/* The number that a JSON integer or a text of digits has; -1 if it is none up to max. */
static int read_number(const json_t *value, int max)
{
    const char *text = json_string_value(value);
    char *end;

    if (json_is_integer(value)) {
        json_int_t number = json_integer_value(value);
        return number >= 0 && number <= max ? (int)number : -1;
    }
    if (!text || text[0] < '0' || text[0] > '9')
        return -1;
    unsigned long number = strtoul(text, &end, 10);
    return *end == '\0' && number <= (unsigned long)max ? (int)number : -1;
}

/* 0 if it is no signal. */
static int read_signal(const json_t *value)
{
    const char *name = json_string_value(value);
    int number = read_number(value, SIGNAL_MAX);

    if (number >= 0 || !name)
        return number > 0 ? number : 0;
    if (strncasecmp(name, "SIG", 3) == 0)
        name += 3;
    for (int i = 1; i <= SIGNAL_MAX; i++) {
        const char *known = sigabbrev_np(i);
        if (known && strcasecmp(known, name) == 0)
            return i;
    }
    return 0;
}

void fr_handle_kill(struct fr_req *req)
{
    struct fr_engine *engine = fr_service_engine(fr_api_call(req)->api->service);
    _cleanup_(fr_cleanup_json) json_t *fields = NULL;
    const json_t *value = NULL;
    const struct fr_member members[] = {{"signal", FR_MEMBER_JSON, &value}};
    uint64_t id;

    if (!engine->ops->kill) {
        fr_reply_unsupported(req, "send signals to jobs");
        return;
    }
    if (!fr_jobs_read_id(req, &id) || !fr_body_read(req, members, 1, &fields))
        return;
    int signum = value ? read_signal(value) : SIGTERM;
    if (signum == 0) {
        reply_invalid(req, "/signal",
                      "signal must be a signal's name, such as SIGTERM or TERM, or its number "
                      "from 1 to 64");
        return;
    }
    struct action *action = begin(req, id, 200, "Signal %d was sent to the job.", signum);
    if (action)
        engine->ops->kill(engine, id, signum, on_done, action);
}

/* -1 if it is no urgency. */
static int read_urgency(const json_t *value)
{
    static const struct {
        const char *word;
        int urgency;
    } words[] = {{"hold", 0}, {"default", URGENCY_DEFAULT}, {"expedite", URGENCY_MAX}};
    const char *text = json_string_value(value);

    for (size_t i = 0; text && i < FR_ARRAY_SIZE(words); i++)
        if (strcasecmp(text, words[i].word) == 0)
            return words[i].urgency;
    return read_number(value, URGENCY_MAX);
}

void fr_handle_urgency(struct fr_req *req)
{
    struct fr_engine *engine = fr_service_engine(fr_api_call(req)->api->service);
    _cleanup_(fr_cleanup_json) json_t *fields = NULL;
    const json_t *value = NULL;
    const struct fr_member members[] = {{"urgency", FR_MEMBER_JSON, &value}};
    uint64_t id;

    if (!engine->ops->urgency) {
        fr_reply_unsupported(req, "change a job's urgency");
        return;
    }
    if (!fr_jobs_read_id(req, &id) || !fr_body_read(req, members, 1, &fields))
        return;
    int urgency = read_urgency(value);
    if (urgency < 0) {
        reply_invalid(req, "/urgency",
                      "urgency must be a number from 0 (held) to 31, or hold, default or "
                      "expedite");
        return;
    }
    struct action *action = begin(req, id, 200, "The job's urgency is %d.", urgency);
    if (action)
        engine->ops->urgency(engine, id, urgency, on_done, action);
}

/* Seconds; negative if it is no duration. */
static double read_duration(const json_t *value)
{
    const char *text = json_string_value(value);
    double seconds = json_number_value(value);

    if (text)
        return fr_fsd_parse(text, &seconds) == 0 ? seconds : -1;
    return json_is_number(value) && isfinite(seconds) ? seconds : -1;
}

void fr_handle_duration(struct fr_req *req)
{
    struct fr_engine *engine = fr_service_engine(fr_api_call(req)->api->service);
    _cleanup_(fr_cleanup_json) json_t *fields = NULL;
    const json_t *value = NULL;
    const struct fr_member members[] = {{"duration", FR_MEMBER_JSON, &value}};
    uint64_t id;

    if (!engine->ops->duration) {
        fr_reply_unsupported(req, "change a job's time limit");
        return;
    }
    if (!fr_jobs_read_id(req, &id) || !fr_body_read(req, members, 1, &fields))
        return;
    double seconds = read_duration(value);
    if (seconds < 0) {
        reply_invalid(req, "/duration",
                      "duration must be a number of seconds or a text such as 90s, 1.5h or "
                      "infinity; 0 is no limit");
        return;
    }
    struct action *action =
        seconds > 0 ? begin(req, id, 200, "The job's time limit is %.15g s.", seconds)
                    : begin(req, id, 200, "The job has no time limit.");
    if (action)
        engine->ops->duration(engine, id, seconds, on_done, action);
}

void fr_handle_delete(struct fr_req *req)
{
    struct fr_engine *engine = fr_service_engine(fr_api_call(req)->api->service);
    uint64_t id;

    if (!fr_jobs_read_id(req, &id))
        return;
    struct action *action = begin(req, id, 202, "Job is requested to cancel.");
    if (action)
        engine->ops->cancel(engine, id, fr_req_query(req, "reason"), on_done, action);
}
