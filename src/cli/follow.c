// SPDX-License-Identifier: LGPL-3.0-only
#include "cli/follow.h"

#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "cli/ask.h"
#include "cli/format.h"
#include "cli/signals.h"

#define WAIT_SECONDS 30 /* that one question waits at the server */
#define WAIT_TEXT "30"
#define PAUSE 0.1 /* seconds before it is asked again */
#define TEXT_MAX 8192

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

struct follow {
    void (*on_interrupt)(void *arg);
    void *arg;
};

static int on_text(void *arg, const char *data, size_t len)
{
    return fr_out_write(STDOUT_FILENO, data, len);
}

static void pass_interrupt(void *arg)
{
    const struct follow *follow = arg;

    follow->on_interrupt(follow->arg);
}

int fr_follow(struct fr_cli *cli, const char *id, void (*on_interrupt)(void *arg), void *arg)
{
    _cleanup_(fr_cleanup_str) char *path = fr_ask_path(FR_ASK_JOBS, id, "/output/stream");
    struct follow follow = {.on_interrupt = on_interrupt, .arg = arg};
    struct fr_request request = {
        .method = "GET",
        .path = path,
        .accept = "text/plain",
        .stream = true,
        .on_data = on_text,
        .on_interrupt = on_interrupt ? pass_interrupt : NULL,
        .arg = &follow,
    };
    struct fr_reply reply;

    if (!path)
        return FR_EXIT_USAGE;
    int code = fr_ask(cli, &request, &reply);
    if (code == FR_EXIT_UNREACHABLE && reply.delivered)
        fr_say_more("The output broke off here; the job goes on.");
    fr_reply_done(&reply);
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
