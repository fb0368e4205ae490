// SPDX-License-Identifier: LGPL-3.0-only
/*
 * GET and POST /v1/tokens, DELETE /v1/tokens/{token}.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "api/body.h"
#include "api/handlers.h"
#include "api/held.h"
#include "api/problem.h"
#include "base/util.h"
#include "core/tokens.h"
#include "model/jobspec.h"

#define DAY 86400.0
#define PRESET_DAYS 90
#define MOST_DAYS 3660

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

/* A request that waits for the disk; of a list without the rest. */
struct change {
    struct fr_held held;
    enum fr_role role;
    double expires;
    char name[FR_TOKEN_NAME_MAX + 1];
};

FR_DEFINE_CLEANUP(struct change *, change, free);

static void put_token(struct fr_buf *body, const char *name, enum fr_role role, double expires)
{
    fr_buf_puts(body, "{\"name\":");
    fr_buf_put_json_string(body, name);
    fr_buf_printf(body, ",\"role\":\"%s\",\"expires\":", fr_role_word(role));
    fr_buf_put_double(body, expires);
}

/* The tokens, or NULL with the request answered. */
static struct fr_tokens *get_tokens(struct fr_req *req)
{
    struct fr_tokens *tokens = fr_api_call(req)->api->tokens;
    struct fr_error err;

    if (!tokens) {
        fr_error_set(&err, ENOENT, FR_CODE_STORAGE,
                     "the daemon has no directory to keep tokens in: start it with "
                     "--state-dir");
        fr_reply_problem(req, 0, &err);
    }
    return tokens;
}

/* code: what is told if there is no answer in time. NULL with the request answered. */
static struct change *begin(struct fr_req *req, const char *name, enum fr_code code)
{
    struct change *change = calloc(1, sizeof *change);

    if (!change) {
        fr_reply_no_memory(req);
        return NULL;
    }
    (void)snprintf(change->name, sizeof change->name, "%.64s", name);
    fr_held_init(&change->held, req, code, NULL);
    return change;
}

/* The change was not begun. */
static void give_up(struct change *change)
{
    struct fr_req *req = fr_held_take(&change->held);

    if (req)
        fr_reply_no_memory(req);
    free(change);
}

/* --- listing them --- */

static void reply_list(struct fr_req *req)
{
    struct fr_buf body = FR_BUF_INIT(FR_REPLY_MAX);
    size_t count;
    const struct fr_token *list = fr_tokens_list(fr_api_call(req)->api->tokens, &count);

    fr_buf_puts(&body, "{\"tokens\":[");
    for (size_t i = 0; i < count; i++) {
        fr_buf_puts(&body, i ? ",\n" : "");
        put_token(&body, list[i].name, list[i].role, list[i].expires);
        fr_buf_puts(&body, ",\"created\":");
        fr_buf_put_double(&body, list[i].created);
        fr_buf_putc(&body, '}');
    }
    fr_buf_puts(&body, "]}\n");
    fr_reply_json(req, 200, &body);
}

static void on_looked(void *arg, const char *text, const struct fr_error *err)
{
    _cleanup_(fr_cleanup_change) struct change *change = arg;
    struct fr_req *req = fr_held_take(&change->held);
    struct fr_error why;

    (void)text;
    if (!req)
        return;
    if (!err) {
        reply_list(req);
        return;
    }
    fr_error_set(&why, EIO, FR_CODE_INTERNAL, "the tokens cannot be read: %s", err->text);
    fr_reply_problem(req, 0, &why);
}

/* Another daemon that shares the file may have changed it. */
void fr_handle_tokens(struct fr_req *req)
{
    struct fr_tokens *tokens = get_tokens(req);
    struct change *change = tokens ? begin(req, "", FR_CODE_UNAVAILABLE) : NULL;

    if (change && fr_tokens_refresh(tokens, on_looked, change) < 0)
        give_up(change);
}

/* --- making one --- */

static void on_made(void *arg, const char *text, const struct fr_error *err)
{
    _cleanup_(fr_cleanup_change) struct change *change = arg;
    struct fr_req *req = fr_held_take_unless(&change->held, err);
    struct fr_buf body = FR_BUF_INIT(FR_REPLY_MAX);

    if (!req)
        return;
    put_token(&body, change->name, change->role, change->expires);
    fr_buf_printf(&body, ",\"token\":\"%s\"}\n", text);
    fr_req_set_header(req, "Cache-Control", "no-store");
    fr_reply_json(req, 201, &body);
}

/* Seconds from now; -1 if the value is none. */
static double read_lifetime(const json_t *value)
{
    double seconds = -1;

    if (!value)
        return PRESET_DAYS * DAY;
    if (json_is_number(value))
        seconds = json_number_value(value);
    else if (!json_is_string(value) || fr_fsd_parse(json_string_value(value), &seconds) < 0)
        return -1;
    return seconds > 0 && seconds <= MOST_DAYS * DAY ? seconds : -1;
}

static void check(const char *name, const char *role, double seconds, enum fr_role *ret_role,
                  struct fr_problems *problems)
{
    if (!name || !fr_token_name_is_valid(name))
        fr_problems_add(problems, FR_CODE_INVALID, "/name",
                        "name must be a text of letters, digits, '.', '_' and '-', %d at most, "
                        "and not of dots alone",
                        FR_TOKEN_NAME_MAX);
    if (!fr_role_parse(role, ret_role))
        fr_problems_add(problems, FR_CODE_INVALID, "/role",
                        "role must be read, submit or admin, not \"%.64s\"", role);
    if (seconds < 0)
        fr_problems_add(problems, FR_CODE_INVALID, "/expires",
                        "expires must be seconds or a duration such as 12h or 90d, %d days at "
                        "most",
                        MOST_DAYS);
}

void fr_handle_create_token(struct fr_req *req)
{
    _cleanup_(fr_cleanup_json) json_t *fields = NULL;
    const char *name = NULL, *role = "read";
    const json_t *lifetime = NULL;
    const struct fr_member members[] = {{"name", FR_MEMBER_TEXT, &name},
                                        {"role", FR_MEMBER_TEXT, &role},
                                        {"expires", FR_MEMBER_JSON, &lifetime}};
    struct fr_tokens *tokens = get_tokens(req);
    struct fr_problems problems;
    enum fr_role wanted = FR_ROLE_READ;

    if (!tokens || !fr_body_read(req, members, FR_ARRAY_SIZE(members), &fields))
        return;
    double seconds = read_lifetime(lifetime);
    fr_problems_init(&problems);
    check(name, role, seconds, &wanted, &problems);
    if (problems.count > 0) {
        fr_reply_problems(req, 0, NULL, &problems);
        fr_problems_done(&problems);
        return;
    }
    fr_problems_done(&problems);
    struct change *change = begin(req, name, FR_CODE_OUTCOME_UNKNOWN);
    if (!change)
        return;
    change->role = wanted;
    change->expires = fr_time_now() + seconds;
    if (fr_tokens_make(tokens, name, wanted, change->expires, on_made, change) < 0)
        give_up(change);
}

/* --- revoking one --- */

static void on_revoked(void *arg, const char *text, const struct fr_error *err)
{
    _cleanup_(fr_cleanup_change) struct change *change = arg;
    struct fr_req *req = fr_held_take_unless(&change->held, err);
    struct fr_buf body = FR_BUF_INIT(FR_REPLY_MAX);

    (void)text;
    if (!req)
        return;
    fr_buf_puts(&body, "{\"Message\":\"The token is revoked.\",\"name\":");
    fr_buf_put_json_string(&body, change->name);
    fr_buf_puts(&body, "}\n");
    fr_reply_json(req, 200, &body);
}

void fr_handle_revoke_token(struct fr_req *req)
{
    const char *name = fr_api_call(req)->param;
    struct fr_tokens *tokens = get_tokens(req);
    struct fr_error err;

    if (!tokens)
        return;
    if (!fr_token_name_is_valid(name)) {
        fr_error_set(&err, ENOENT, FR_CODE_NOT_FOUND, "there is no token \"%.80s\"", name);
        fr_reply_problem(req, 0, &err);
        return;
    }
    struct change *change = begin(req, name, FR_CODE_OUTCOME_UNKNOWN);
    if (change && fr_tokens_revoke(tokens, name, on_revoked, change) < 0)
        give_up(change);
}
