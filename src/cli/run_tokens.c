// SPDX-License-Identifier: LGPL-3.0-only
/* flux-rest token: scoped tokens, listed, made and revoked. */
#include "cli/run.h"

#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "base/util.h"
#include "cli/ask.h"
#include "cli/format.h"
#include "cli/when.h"

#define TOKENS "/v1/tokens"
#define SCREEN_MAX (1U << 20)

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

static void put_time(const json_t *row, const char *name, struct fr_buf *out)
{
    char text[FR_WHEN_TEXT];

    fr_when_put_time(json_number_value(json_object_get(row, name)), text);
    fr_buf_puts(out, text);
}

static void put_created(const json_t *row, struct fr_buf *out)
{
    put_time(row, "created", out);
}

static void put_expires(const json_t *row, struct fr_buf *out)
{
    put_time(row, "expires", out);
    if (json_number_value(json_object_get(row, "expires")) <= fr_time_now())
        fr_buf_puts(out, " (expired)");
}

static const struct fr_field fields[] = {
    {"name", "TOKEN", "the token's name", NULL, NULL},
    {"role", "ROLE", "what it may", NULL, NULL},
    {"created", "CREATED", "when it was made", put_created, NULL},
    {"expires", "EXPIRES", "when it ends", put_expires, NULL},
    {NULL, NULL, NULL, NULL, NULL}};

static int list_all(struct fr_cli *cli)
{
    struct fr_request request = {.method = "GET", .path = TOKENS};
    _cleanup_(fr_cleanup_json) json_t *reply = NULL;
    struct fr_buf screen = FR_BUF_INIT(SCREEN_MAX);
    struct fr_format *format = NULL;

    if (cli->json)
        return fr_ask_through(cli, &request);
    int code = fr_ask_json(cli, &request, &reply);
    if (code != FR_EXIT_OK)
        return code;
    if (fr_format_parse("+:{name:<5} {role:<6} {created} {expires}", fields, &format, NULL) < 0)
        return fr_ask_no_memory();
    fr_format_put(format, json_object_get(reply, "tokens"),
                  &(struct fr_format_look){
                      .header = true, .color = cli->color, .columns = fr_out_columns()},
                  &screen);
    code = fr_out_flush(&screen) < 0 ? FR_EXIT_FAILED : FR_EXIT_OK;
    fr_buf_done(&screen);
    fr_format_free(format);
    return code;
}

/* The token alone goes to standard output, so that it can be written to a file. */
static int tell_made(const json_t *reply)
{
    const char *text = json_string_value(json_object_get(reply, "token"));
    struct fr_buf line = FR_BUF_INIT(SCREEN_MAX);
    char until[FR_WHEN_TEXT];

    if (!text) {
        fr_say("the server told no token");
        return FR_EXIT_FAILED;
    }
    fr_when_put_time(json_number_value(json_object_get(reply, "expires")), until);
    fr_buf_printf(&line, "%s\n", text);
    int r = fr_out_flush(&line);
    fr_buf_done(&line);
    fr_say("this is told once; it may %s, until %s",
           json_string_value(json_object_get(reply, "role")), until);
    return r < 0 ? FR_EXIT_FAILED : FR_EXIT_OK;
}

static int create_one(struct fr_cli *cli, const char *name)
{
    const char *role = fr_args_text(cli->args, "role");
    double seconds = fr_args_seconds(cli->args, "expires", 0);
    _cleanup_(fr_cleanup_json) json_t *reply = NULL;
    _cleanup_(fr_cleanup_json) json_t *body =
        json_pack("{s:s, s:s}", "name", name, "role", role ? role : "read");

    if (body && seconds > 0 && json_object_set_new(body, "expires", json_real(seconds)) < 0)
        return fr_ask_no_memory();
    _cleanup_(fr_cleanup_str) char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    if (!text)
        return fr_ask_no_memory();
    struct fr_request request = {.method = "POST",
                                 .path = TOKENS,
                                 .type = "application/json",
                                 .body = text,
                                 .body_len = strlen(text)};
    if (cli->json)
        return fr_ask_through(cli, &request);
    int code = fr_ask_json(cli, &request, &reply);
    return code == FR_EXIT_OK ? tell_made(reply) : code;
}

static int revoke_one(struct fr_cli *cli, const char *name)
{
    _cleanup_(fr_cleanup_str) char *path = fr_ask_path(TOKENS, name, "");

    if (!path)
        return FR_EXIT_USAGE;
    return fr_ask_done(cli, &(struct fr_request){.method = "DELETE", .path = path});
}

int fr_run_token(struct fr_cli *cli)
{
    const char *verb = cli->args->words[0];
    const char *name = cli->args->nwords > 1 ? cli->args->words[1] : NULL;

    if (strcmp(verb, "list") == 0 && !name)
        return list_all(cli);
    if (strcmp(verb, "create") == 0 && name)
        return create_one(cli, name);
    if (strcmp(verb, "revoke") == 0 && name)
        return revoke_one(cli, name);
    fr_say("say 'token list', 'token create NAME' or 'token revoke NAME'");
    return FR_EXIT_USAGE;
}
