// SPDX-License-Identifier: LGPL-3.0-only
#include "cli/follow.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "cli/ask.h"
#include "cli/format.h"
#include "cli/signals.h"
#include "cli/stream.h"

#define WAIT_SECONDS 30 /* that one question waits at the server */
#define WAIT_TEXT "30"
#define PAUSE 0.1 /* seconds before it is asked again */
#define TEXT_MAX 8192

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

struct follow {
    const char *id;
    bool to_end;
    json_t *exit; /* how the job ended */
    int code;
    void (*on_interrupt)(void *arg);
    void *arg;
};

/* Reads base64 of RFC 4648 with its padding; the bytes are at most three quarters of text. */
static bool decode(const char *text, size_t len, char *bytes, size_t *ret_len)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t group = 0;
    size_t n = 0, digits = 0;

    while (len > 0 && text[len - 1] == '=')
        len--;
    for (; digits < len; digits++) {
        const char *letter = text[digits] ? strchr(letters, text[digits]) : NULL;
        if (!letter)
            return false;
        group = group << 6 | (uint32_t)(letter - letters);
        if (digits % 4 > 0)
            bytes[n++] = (char)(group >> (6 - 2 * (digits % 4)));
    }
    *ret_len = n;
    return true;
}

static int cannot_read(void)
{
    fr_say("the server's stream cannot be read; is it a flux-restd?");
    return FR_EXIT_FAILED;
}

/* Writes a piece where it belongs. */
static int show(const json_t *event, int fd)
{
    const json_t *data = json_object_get(event, "data");
    const char *text = json_string_value(data);
    const char *encoding = json_string_value(json_object_get(event, "encoding"));
    size_t len = json_string_length(data);
    _cleanup_(fr_cleanup_str) char *bytes = NULL;

    if (encoding) {
        bytes = malloc(len + 1);
        if (!bytes)
            return fr_ask_no_memory();
        if (strcmp(encoding, "base64") != 0 || !text || !decode(text, len, bytes, &len)) {
            return cannot_read();
        }
        text = bytes;
    }
    return fr_out_write(fd, text ? text : "", len) < 0 ? FR_EXIT_FAILED : FR_EXIT_OK;
}

/* Gives an exit event the form of the job that it is of. */
static void take_exit(struct follow *follow, json_t *event)
{
    json_t *exception = json_object_get(event, "exception");

    (void)json_object_set_new(event, "jobid", json_string(follow->id));
    if (json_is_object(exception))
        (void)json_object_set_new(exception, "occurred", json_true());
    follow->exit = json_incref(event);
}

static int on_event(void *arg, const char *kind, const char *data, size_t len)
{
    struct follow *follow = arg;
    _cleanup_(fr_cleanup_json) json_t *event = json_loadb(data, len, JSON_ALLOW_NUL, NULL);

    if (!event) {
        follow->code = cannot_read();
    } else if (strcmp(kind, "stdout") == 0) {
        follow->code = show(event, STDOUT_FILENO);
    } else if (strcmp(kind, "stderr") == 0) {
        follow->code = show(event, STDERR_FILENO);
    } else if (strcmp(kind, "exit") == 0) {
        take_exit(follow, event);
        return 1;
    }
    return follow->code != FR_EXIT_OK || (!follow->to_end && strcmp(kind, "caught-up") == 0);
}

static void pass_interrupt(void *arg)
{
    const struct follow *follow = arg;

    follow->on_interrupt(follow->arg);
}

int fr_follow(struct fr_cli *cli, const char *id, bool to_end, void (*on_interrupt)(void *arg),
              void *arg, json_t **ret)
{
    _cleanup_(fr_cleanup_str) char *path = fr_ask_path(FR_ASK_JOBS, id, "/output/stream");
    struct follow follow = {
        .id = id, .to_end = to_end, .on_interrupt = on_interrupt, .arg = arg};
    struct fr_stream stream = {
        .cli = cli,
        .path = path,
        .on_event = on_event,
        .on_interrupt = on_interrupt ? pass_interrupt : NULL,
        .arg = &follow,
    };

    *ret = NULL;
    if (!path)
        return FR_EXIT_USAGE;
    int code = fr_stream_follow(&stream);
    *ret = follow.exit;
    if (code == FR_EXIT_OK)
        code = follow.code;
    if (code == FR_EXIT_FAILED && fr_signals_gave_up())
        code = FR_EXIT_INTERRUPTED;
    return code;
}

static bool is_inactive(const json_t *job)
{
    const char *state = json_string_value(json_object_get(job, "state"));

    return state && strcmp(state, "INACTIVE") == 0;
}

int fr_follow_end(struct fr_cli *cli, const char *id, void (*on_interrupt)(void *arg),
                  void *arg, json_t **ret)
{
    _cleanup_(fr_cleanup_str) char *path =
        fr_ask_path(FR_ASK_JOBS, id, "?wait=inactive&timeout=" WAIT_TEXT);
    struct fr_request request = {
        .method = "GET",
        .path = path,
        .wait_seconds = WAIT_SECONDS,
        .on_interrupt = on_interrupt,
        .arg = arg,
    };

    if (!path)
        return FR_EXIT_USAGE;
    for (;;) {
        _cleanup_(fr_cleanup_json) json_t *job = NULL;
        int code = fr_ask_json(cli, &request, &job);
        if (code != FR_EXIT_OK)
            return code;
        if (is_inactive(job)) {
            *ret = fr_take(job);
            return FR_EXIT_OK;
        }
        /* Its time was over, or the server ends and lets nobody wait any more. */
        if (!fr_signals_sleep(PAUSE))
            return FR_EXIT_INTERRUPTED;
    }
}

bool fr_follow_is_good(const json_t *job)
{
    const char *result = json_string_value(json_object_get(job, "result"));

    return result && strcmp(result, "COMPLETED") == 0;
}

int fr_follow_code(const json_t *job)
{
    const json_t *code = json_object_get(job, "returncode");
    json_int_t value = json_is_integer(code) ? json_integer_value(code) : 0;

    if (value > 0 && value < 256)
        return (int)value;
    return fr_follow_is_good(job) ? 0 : 1;
}

void fr_follow_tell(const json_t *job)
{
    struct fr_buf text = FR_BUF_INIT(TEXT_MAX);
    const char *result = json_string_value(json_object_get(job, "result"));
    const char *jobid = json_string_value(json_object_get(job, "jobid"));
    const struct fr_field *info = fr_job_fields;

    while (strcmp(info->name, "info") != 0)
        info++;
    fr_format_put_jobid(jobid ? jobid : "", &text);
    fr_buf_printf(&text, ": %s: ", result && *result ? result : "ended");
    info->put(job, &text);
    if (fr_buf_status(&text) == 0)
        fr_say("%s", text.data);
    fr_buf_done(&text);
}
