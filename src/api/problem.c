// SPDX-License-Identifier: LGPL-3.0-only
#include "api/problem.h"

#include <errno.h>
#include <stdio.h>

#include "api/api.h"

#define PROBLEM_MAX (1024 * 1024)

static const unsigned short statuses[] = {
    [FR_CODE_INTERNAL] = 500,        [FR_CODE_MALFORMED] = 400,
    [FR_CODE_INVALID] = 400,         [FR_CODE_UNKNOWN_FIELD] = 400,
    [FR_CODE_UNSATISFIABLE] = 422,   [FR_CODE_UNAUTHORIZED] = 401,
    [FR_CODE_FORBIDDEN] = 403,       [FR_CODE_HOST] = 421,
    [FR_CODE_ORIGIN] = 403,          [FR_CODE_NOT_FOUND] = 404,
    [FR_CODE_JOB_NOT_FOUND] = 404,   [FR_CODE_METHOD] = 405,
    [FR_CODE_JOB_INACTIVE] = 409,    [FR_CODE_JOB_STATE] = 409,
    [FR_CODE_KEY_REUSED] = 422,      [FR_CODE_KEY_IN_FLIGHT] = 409,
    [FR_CODE_NAME_TAKEN] = 409,      [FR_CODE_GONE] = 410,
    [FR_CODE_TOO_LARGE] = 413,       [FR_CODE_MEDIA_TYPE] = 415,
    [FR_CODE_TOO_MANY] = 429,        [FR_CODE_UNSUPPORTED] = 501,
    [FR_CODE_UNAVAILABLE] = 503,     [FR_CODE_NOT_SENT] = 503,
    [FR_CODE_OUTCOME_UNKNOWN] = 503, [FR_CODE_STOPPING] = 503,
    [FR_CODE_STORAGE] = 507,         [FR_CODE_REFUSED] = 400,
};

_Static_assert(sizeof statuses / sizeof *statuses == FR_CODE_COUNT, "a code lacks a status");

unsigned int fr_problem_status(enum fr_code code)
{
    return statuses[code];
}

void fr_reply_json(struct fr_req *req, unsigned int status, struct fr_buf *body)
{
    fr_req_reply(req, status, "application/json", body);
}

void fr_reply_message(struct fr_req *req, unsigned int status, const char *message)
{
    struct fr_buf body = FR_BUF_INIT(PROBLEM_MAX);

    fr_buf_puts(&body, "{\"Message\":");
    fr_buf_put_json_string(&body, message);
    fr_buf_puts(&body, "}\n");
    fr_reply_json(req, status, &body);
}

static void put_head(struct fr_buf *body, unsigned int status, enum fr_code code,
                     const char *detail)
{
    fr_buf_printf(body, "{\"type\":\"urn:flux-restd:%s\",\"title\":", fr_code_word(code));
    fr_buf_put_json_string(body, fr_code_title(code));
    fr_buf_printf(body, ",\"status\":%u,\"code\":\"%s\",\"detail\":", status,
                  fr_code_word(code));
    fr_buf_put_json_string(body, detail);
}

void fr_problem_put_errors(struct fr_buf *body, const struct fr_problems *problems)
{
    fr_buf_puts(body, ",\"errors\":[");
    for (size_t i = 0; i < problems->count; i++) {
        fr_buf_puts(body, i ? ",{\"pointer\":" : "{\"pointer\":");
        fr_buf_put_json_string(body, problems->items[i].pointer);
        fr_buf_puts(body, ",\"detail\":");
        fr_buf_put_json_string(body, problems->items[i].detail);
        fr_buf_printf(body, ",\"code\":\"%s\"}", fr_code_word(problems->items[i].code));
    }
    fr_buf_putc(body, ']');
}

static void put_lists(struct fr_buf *body, const struct fr_problems *problems)
{
    fr_problem_put_errors(body, problems);
    fr_buf_puts(body, ",\"Errors\":[");
    for (size_t i = 0; i < problems->count; i++) {
        if (i)
            fr_buf_putc(body, ',');
        fr_buf_put_json_string(body, problems->items[i].detail);
    }
    if (problems->left_out)
        fr_buf_printf(body, "%s\"and %zu more\"", problems->count ? "," : "",
                      problems->left_out);
    fr_buf_putc(body, ']');
}

static void put_message(struct fr_buf *body, const char *message)
{
    fr_buf_puts(body, ",\"Message\":");
    fr_buf_put_json_string(body, message);
}

/* later: after how many seconds it may be asked again, of 429 and 503. */
static void send_problem(struct fr_req *req, unsigned int status, unsigned int later,
                         struct fr_buf *body)
{
    char seconds[16];

    fr_buf_puts(body, "}\n");
    (void)snprintf(seconds, sizeof seconds, "%u", later);
    if (status == 503 || status == 429)
        fr_req_set_header(req, "Retry-After", seconds);
    if (status == 401)
        fr_req_set_header(req, "WWW-Authenticate",
                          "Basic realm=\"flux-restd\", charset=\"UTF-8\"");
    fr_req_reply(req, status, "application/problem+json", body);
}

static void reply(struct fr_req *req, unsigned int status, unsigned int later,
                  const struct fr_error *err)
{
    struct fr_buf body = FR_BUF_INIT(PROBLEM_MAX);

    if (status == 0)
        status = fr_problem_status(err->code);
    put_head(&body, status, err->code, err->text);
    fr_buf_puts(&body, ",\"errors\":[],\"Errors\":[");
    fr_buf_put_json_string(&body, err->text);
    fr_buf_putc(&body, ']');
    put_message(&body, err->text);
    send_problem(req, status, later, &body);
}

void fr_reply_problem(struct fr_req *req, unsigned int status, const struct fr_error *err)
{
    reply(req, status, 1, err);
}

void fr_reply_problem_later(struct fr_req *req, unsigned int seconds,
                            const struct fr_error *err)
{
    reply(req, 0, seconds, err);
}

void fr_reply_no_memory(struct fr_req *req)
{
    struct fr_error err;

    fr_error_set(&err, ENOMEM, FR_CODE_INTERNAL,
                 "the daemon has no memory for this; try again");
    fr_reply_problem(req, 0, &err);
}

void fr_reply_unsupported(struct fr_req *req, const char *what)
{
    const struct fr_service *service = fr_api_call(req)->api->service;
    struct fr_error err;

    fr_error_set(&err, ENOSYS, FR_CODE_UNSUPPORTED,
                 "the %s engine cannot %s; GET /v1/service lists what it can",
                 fr_service_engine(service)->ops->name, what);
    fr_reply_problem(req, 0, &err);
}

void fr_reply_problems(struct fr_req *req, unsigned int status, const char *message,
                       const struct fr_problems *problems)
{
    struct fr_buf body = FR_BUF_INIT(PROBLEM_MAX);
    enum fr_code code = problems->count ? problems->items[0].code : FR_CODE_INVALID;
    const char *detail = problems->count ? problems->items[0].detail : fr_code_title(code);

    if (status == 0)
        status = fr_problem_status(code);
    put_head(&body, status, code, detail);
    put_lists(&body, problems);
    put_message(&body, message ? message : detail);
    send_problem(req, status, 1, &body);
}
