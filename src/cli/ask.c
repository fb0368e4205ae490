// SPDX-License-Identifier: LGPL-3.0-only
#include "cli/ask.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "cli/display.h"
#include "cli/signals.h"

#define PATH_MAX_BYTES 4096

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

double fr_ask_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int fr_ask_no_memory(void)
{
    fr_say("out of memory");
    return FR_EXIT_FAILED;
}

/* --- telling --- */

/* What to do about an error, by its code; NULL: the server's words say it all. */
static const char *remedy(const char *code)
{
    static const struct {
        enum fr_code code;
        const char *text;
    } remedies[] = {
        {FR_CODE_UNAUTHORIZED, "Set FLUX_USER and FLUX_TOKEN to the daemon's credentials, or "
                               "name a file with --token-file."},
        {FR_CODE_FORBIDDEN, "Ask for credentials that may do this."},
        {FR_CODE_HOST, "Use a name that the server knows, or start it with --allow-host."},
        {FR_CODE_NOT_FOUND, "This server may be older than this client: 'flux-rest info' tells "
                            "its version."},
        {FR_CODE_JOB_NOT_FOUND, "'flux-rest jobs -a' lists the jobs there are."},
        {FR_CODE_METHOD, "This server may be older than this client: 'flux-rest info' tells "
                         "its version."},
        {FR_CODE_UNAVAILABLE, "Try again in a moment; 'flux-rest info' tells how it is."},
        {FR_CODE_NOT_SENT, "Try again in a moment."},
        {FR_CODE_OUTCOME_UNKNOWN, "Look before trying again: 'flux-rest jobs -a'."},
        {FR_CODE_STOPPING, "Try again when the daemon is back."},
        {FR_CODE_TOO_MANY, "Try again in a moment."},
    };

    for (size_t i = 0; code && i < FR_ARRAY_SIZE(remedies); i++) {
        if (strcmp(fr_code_word(remedies[i].code), code) == 0)
            return remedies[i].text;
    }
    return NULL;
}

/* The option that fills a field of a submit, so that a person finds what to change. */
static const struct fr_option *option_of(const struct fr_cli *cli, const char *pointer)
{
    struct fr_option_walk walk = {.command = cli->args->command};
    const struct fr_option *option;

    while (*pointer == '/' && (option = fr_option_next(&walk))) {
        if (option->field && strcmp(option->field, pointer + 1) == 0)
            return option;
    }
    return NULL;
}

static void tell_one(const struct fr_cli *cli, const json_t *error,
                     void (*say)(const char *fmt, ...))
{
    const char *pointer = json_string_value(json_object_get(error, "pointer"));
    const char *detail = json_string_value(json_object_get(error, "detail"));
    const struct fr_option *option = pointer ? option_of(cli, pointer) : NULL;

    if (option)
        say("--%s (%s): %s", option->name, pointer, detail ? detail : "");
    else
        say("%s%s%s", pointer ? pointer : "", pointer && *pointer ? ": " : "",
            detail ? detail : "");
}

/* What is wrong with the request: in one line if it is one thing. */
static void tell_errors(const struct fr_cli *cli, const char *message, const json_t *errors)
{
    const char *first = json_string_value(json_object_get(json_array_get(errors, 0), "detail"));
    bool repeats = message && first && strcmp(message, first) == 0;
    const json_t *error;
    size_t i;

    if (repeats && json_array_size(errors) == 1) {
        tell_one(cli, json_array_get(errors, 0), fr_say);
        return;
    }
    fr_say("%s", message && !repeats ? message : "the server refused the request");
    json_array_foreach (errors, i, error)
        tell_one(cli, error, fr_say_more);
}

static bool is_code(const char *word, enum fr_code code)
{
    return word && strcmp(word, fr_code_word(code)) == 0;
}

bool fr_ask_is_unknown(const char *code)
{
    return is_code(code, FR_CODE_OUTCOME_UNKNOWN);
}

static bool is_get(const struct fr_request *request)
{
    return strcmp(request->method, "GET") == 0;
}

static int exit_of(long status, const char *code)
{
    if (status == 401 || status == 403)
        return FR_EXIT_CREDENTIALS;
    if (fr_ask_is_unknown(code))
        return FR_EXIT_UNKNOWN;
    return FR_EXIT_FAILED;
}

/* NULL: it holds none. */
static json_t *problem_of(const struct fr_reply *reply)
{
    return reply->body.len ? json_loadb(reply->body.data, reply->body.len, 0, NULL) : NULL;
}

/* With --json a person's program is told in the server's own words. */
static void pass_words_on(const struct fr_cli *cli, const struct fr_reply *reply)
{
    if (cli->json && reply->body.len)
        (void)fr_out_write(STDOUT_FILENO, reply->body.data, reply->body.len);
}

static int tell_refused(const struct fr_cli *cli, const struct fr_reply *reply)
{
    _cleanup_(fr_cleanup_json) json_t *problem = problem_of(reply);
    const char *detail = json_string_value(json_object_get(problem, "detail"));
    const char *message = json_string_value(json_object_get(problem, "Message"));
    const char *code = json_string_value(json_object_get(problem, "code"));
    const json_t *errors = json_object_get(problem, "errors");

    pass_words_on(cli, reply);
    if (json_array_size(errors) > 0) /* the detail is that of the first one */
        tell_errors(cli, message, errors);
    else if (detail || message)
        fr_say("%s", detail ? detail : message);
    else
        fr_say("the server at %s answered with status %ld%s", fr_client_url(cli->client),
               reply->status, problem ? "" : " and without a reason that can be read");
    if (remedy(code))
        fr_say_more("%s", remedy(code));
    return exit_of(reply->status, code);
}

static int tell_not_there(const struct fr_cli *cli, const struct fr_error *err)
{
    fr_say("no server answers at %s: %s", fr_client_url(cli->client), err->text);
    if (fr_client_is_local(cli->client))
        fr_say_more("Start one in another terminal: flux-restd, or inside a Flux instance: "
                    "flux start flux-restd");
    fr_say_more("Or say where it is, with --url or the variable FLUX_RESTFUL_HOST.");
    return FR_EXIT_UNREACHABLE;
}

static int tell_broken_off(const struct fr_cli *cli, const struct fr_request *request,
                           const struct fr_error *err)
{
    fr_say("the server at %s gave no whole answer: %s", fr_client_url(cli->client), err->text);
    if (is_get(request))
        return FR_EXIT_UNREACHABLE;
    fr_say_more("It is not known whether it was done: look before trying again.");
    return FR_EXIT_UNKNOWN;
}

/* --- asking --- */

static bool is_good(const struct fr_reply *reply)
{
    return reply->status >= 200 && reply->status < 300;
}

bool fr_ask_is_passing(long status, const char *code)
{
    return status == 502 || status == 503 || status == 429 ||
           is_code(code, FR_CODE_KEY_IN_FLIGHT);
}

/* The tries of one request, as far as they tell what may come next. */
struct tries {
    int reached;          /* those that came to the server */
    double since;         /* when one did last */
    bool sent;            /* one may have been done: it was sent, and not answered for */
    struct fr_error lost; /* what became of that one */
};

static void note_try(struct tries *tries, enum fr_outcome outcome, const char *code,
                     const struct fr_error *err)
{
    if (outcome == FR_NOT_THERE)
        return;
    tries->reached++;
    tries->since = fr_ask_now();
    if (outcome == FR_BROKEN_OFF) {
        tries->sent = true;
        tries->lost = *err;
    } else if (fr_ask_is_unknown(code)) {
        tries->sent = true;
        (void)fr_error_set(&tries->lost, EIO, FR_CODE_OUTCOME_UNKNOWN,
                           "its engine did not answer in time");
    }
}

/* Whether another try is worth while, and safe. */
static bool may_repeat(const struct fr_cli *cli, const struct fr_request *request,
                       enum fr_outcome outcome, const struct fr_reply *reply, const char *code,
                       const struct tries *tries)
{
    bool safe = is_get(request) || request->key || request->keys_inside;

    if (!safe || reply->delivered)
        return false;
    if (outcome == FR_ANSWERED)
        return tries->reached < FR_ASK_TRIES && fr_ask_is_passing(reply->status, code);
    if (outcome == FR_NOT_THERE)
        return (fr_client_has_answered(cli->client) || tries->sent) &&
               fr_ask_now() - tries->since < FR_ASK_PATIENCE;
    return outcome == FR_BROKEN_OFF && tries->reached < FR_ASK_TRIES;
}

/*
 * What a request comes to when it is given up: where one of its tries may have been done, and
 * the last one says nothing of that, it is as if that one had been the last.
 */
static enum fr_outcome give_up(const struct fr_cli *cli, const struct fr_request *request,
                               enum fr_outcome outcome, const struct fr_reply *reply,
                               const json_t *problem, const struct tries *tries,
                               struct fr_error *err)
{
    const char *code = json_string_value(json_object_get(problem, "code"));
    const char *detail = json_string_value(json_object_get(problem, "detail"));
    struct fr_error last = *err;

    if (!tries->sent || is_get(request) || fr_ask_is_unknown(code))
        return outcome;
    if (outcome == FR_NOT_THERE) {
        fr_error_set(err, EIO, FR_CODE_OUTCOME_UNKNOWN, "%.200s; then nobody answered: %.200s",
                     tries->lost.text, last.text);
        return FR_BROKEN_OFF;
    }
    if (outcome != FR_ANSWERED ||
        !(reply->status >= 500 || fr_ask_is_passing(reply->status, code)))
        return outcome;
    pass_words_on(cli, reply);
    fr_error_set(err, EIO, FR_CODE_OUTCOME_UNKNOWN, "%.200s; then it answered %ld: %.200s",
                 tries->lost.text, reply->status, detail ? detail : "no reason given");
    return FR_BROKEN_OFF;
}

static enum fr_outcome ask_again(struct fr_cli *cli, const struct fr_request *request,
                                 struct fr_reply *reply, struct fr_error *err)
{
    struct tries tries = {.since = fr_ask_now()};
    double pause = FR_ASK_PAUSE_FIRST;

    for (;;) {
        enum fr_outcome outcome = fr_client_ask(cli->client, request, reply, err);
        if (outcome == FR_ANSWERED && is_good(reply))
            return outcome;
        _cleanup_(fr_cleanup_json) json_t *problem =
            outcome == FR_ANSWERED ? problem_of(reply) : NULL;
        const char *code = json_string_value(json_object_get(problem, "code"));
        note_try(&tries, outcome, code, err);
        if (!may_repeat(cli, request, outcome, reply, code, &tries))
            return give_up(cli, request, outcome, reply, problem, &tries, err);
        if (outcome == FR_ANSWERED && reply->retry_after > pause)
            pause = reply->retry_after;
        if (pause > FR_ASK_PAUSE_MAX)
            pause = FR_ASK_PAUSE_MAX;
        fr_reply_done(reply);
        if (!fr_signals_sleep(pause))
            return FR_INTERRUPTED;
        pause *= 2;
    }
}

int fr_ask_tell(const struct fr_cli *cli, const struct fr_request *request,
                enum fr_outcome outcome, const struct fr_reply *reply,
                const struct fr_error *err)
{
    switch (outcome) {
    case FR_ANSWERED:
        return tell_refused(cli, reply);
    case FR_NOT_THERE:
        return tell_not_there(cli, err);
    case FR_BROKEN_OFF:
        return tell_broken_off(cli, request, err);
    case FR_TOO_LARGE:
        fr_say("the answer of %s is too large to be kept; ask for less",
               fr_client_url(cli->client));
        return FR_EXIT_FAILED;
    case FR_STOPPED:
        return fr_signals_gave_up() ? FR_EXIT_INTERRUPTED : FR_EXIT_FAILED;
    case FR_INTERRUPTED:
        return FR_EXIT_INTERRUPTED;
    }
    return FR_EXIT_FAILED;
}

int fr_ask(struct fr_cli *cli, const struct fr_request *request, struct fr_reply *reply)
{
    struct fr_error err = {.text = ""};
    enum fr_outcome outcome = ask_again(cli, request, reply, &err);

    if (outcome == FR_ANSWERED && is_good(reply))
        return FR_EXIT_OK;
    return fr_ask_tell(cli, request, outcome, reply, &err);
}

int fr_ask_parse(const struct fr_reply *reply, json_t **ret)
{
    json_error_t error;

    *ret = json_loadb(reply->body.data ? reply->body.data : "", reply->body.len, 0, &error);
    if (*ret)
        return FR_EXIT_OK;
    fr_say("the server's answer is no JSON: %s; is it a flux-restd?", error.text);
    return FR_EXIT_FAILED;
}

int fr_ask_json(struct fr_cli *cli, const struct fr_request *request, json_t **ret)
{
    struct fr_reply reply;
    int code = fr_ask(cli, request, &reply);

    if (code == FR_EXIT_OK)
        code = fr_ask_parse(&reply, ret);
    fr_reply_done(&reply);
    return code;
}

static int pass_on(void *arg, const char *data, size_t len)
{
    return fr_out_write(STDOUT_FILENO, data, len);
}

int fr_ask_through(struct fr_cli *cli, const struct fr_request *request)
{
    struct fr_request through = *request;
    struct fr_reply reply;

    through.on_data = pass_on;
    int code = fr_ask(cli, &through, &reply);
    fr_reply_done(&reply);
    return code;
}

int fr_ask_done(struct fr_cli *cli, const struct fr_request *request)
{
    struct fr_reply reply;

    if (cli->json)
        return fr_ask_through(cli, request);
    int code = fr_ask(cli, request, &reply);
    fr_reply_done(&reply);
    return code;
}

char *fr_ask_path(const char *path, const char *id, const char *rest)
{
    struct fr_buf whole = FR_BUF_INIT(PATH_MAX_BYTES);
    char *text = NULL;
    size_t len;

    if (!*id) {
        fr_say("a name or id is empty");
        return NULL;
    }
    fr_buf_printf(&whole, "%s/", path);
    fr_client_put_escaped(&whole, id);
    fr_buf_puts(&whole, rest);
    if (fr_buf_take(&whole, &text, &len) < 0)
        fr_say("'%.40s' and so on is too long", id);
    return text;
}

int fr_ask_verb(struct fr_cli *cli, const char *path, const char *id, const char *verb,
                json_t *body)
{
    _cleanup_(fr_cleanup_json) json_t *taken = body;
    _cleanup_(fr_cleanup_str) char *whole = fr_ask_path(path, id, verb);
    _cleanup_(fr_cleanup_str) char *text = taken ? json_dumps(taken, JSON_COMPACT) : NULL;

    if (!text)
        return fr_ask_no_memory();
    if (!whole)
        return FR_EXIT_USAGE;
    return fr_ask_done(cli, &(struct fr_request){.method = "POST",
                                                 .path = whole,
                                                 .type = "application/json",
                                                 .body = text,
                                                 .body_len = strlen(text)});
}
