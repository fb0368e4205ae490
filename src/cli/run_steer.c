// SPDX-License-Identifier: LGPL-3.0-only
/* flux-rest cancel, kill, urgency, duration, drain and undrain. */
#include "cli/run.h"

#include <string.h>

#include "base/util.h"
#include "cli/ask.h"
#include "cli/filter.h"
#include "cli/when.h"

#define PATH_MAX_BYTES (16U << 10)

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

/* Asks the same of each job named, however one of them goes. body is taken over. The first
 * failure's code counts. */
static int each(struct fr_cli *cli, const char *verb, json_t *body)
{
    _cleanup_(fr_cleanup_json) json_t *taken = body;
    int first = FR_EXIT_OK;

    for (size_t i = 0; i < cli->args->nwords; i++) {
        int code = fr_ask_verb(cli, FR_ASK_JOBS, cli->args->words[i], verb, json_incref(taken));
        if (code == FR_EXIT_UNREACHABLE || code == FR_EXIT_INTERRUPTED)
            return code;
        if (code != FR_EXIT_OK && cli->args->nwords > 1)
            fr_say_more("That was job %s.", cli->args->words[i]);
        if (first == FR_EXIT_OK)
            first = code;
    }
    return first;
}

static int tell_cancelled(struct fr_cli *cli, const json_t *reply)
{
    const json_t *refused = json_object_get(reply, "refused"), *entry;
    json_int_t count = json_integer_value(json_object_get(reply, "cancelled"));
    size_t i;

    fr_say("%lld job%s asked to end", (long long)count, count == 1 ? " was" : "s were");
    json_array_foreach (refused, i, entry) {
        const char *jobid = json_string_value(json_object_get(entry, "jobid"));
        const char *detail = json_string_value(json_object_get(entry, "detail"));
        fr_say_more("%s: %s", jobid ? jobid : "?", detail ? detail : "refused");
    }
    return json_array_size(refused) ? FR_EXIT_FAILED : FR_EXIT_OK;
}

static int cancel_all(struct fr_cli *cli)
{
    const char *message = fr_args_text(cli->args, "message");
    _cleanup_(fr_cleanup_json) json_t *reply = NULL;
    struct fr_buf path = FR_BUF_INIT(PATH_MAX_BYTES);
    struct fr_filter filter;
    int code = fr_filter_read(cli->args, &filter);

    if (code != FR_EXIT_OK)
        return code;
    fr_buf_puts(&path, "/v1/jobs/cancel");
    fr_filter_put_all(&path, cli->args, &filter, "active");
    fr_filter_put(&path, "reason", message);
    struct fr_request request = {.method = "POST", .path = path.data};
    if (fr_buf_status(&path) < 0)
        code = fr_ask_no_memory();
    else if (cli->json)
        code = fr_ask_through(cli, &request);
    else
        code = fr_ask_json(cli, &request, &reply);
    if (reply)
        code = tell_cancelled(cli, reply);
    fr_buf_done(&path);
    return code;
}

int fr_run_cancel(struct fr_cli *cli)
{
    const struct fr_args *args = cli->args;
    const char *message = fr_args_text(args, "message");
    bool all = fr_args_flag(args, "all");
    bool filtered = fr_args_text(args, "filter") || fr_args_text(args, "name") ||
                    fr_args_text(args, "queue") || fr_args_text(args, "user");

    if (all == (args->nwords > 0) || (filtered && !all)) {
        fr_say(
            "name the jobs to cancel, or say --all, with --filter, --name, --queue or --user "
            "to pick among them");
        return FR_EXIT_USAGE;
    }
    if (all)
        return cancel_all(cli);
    return each(cli, "/cancel",
                message ? json_pack("{s:s}", "reason", message) : json_object());
}

int fr_run_kill(struct fr_cli *cli)
{
    const char *signal = fr_args_text(cli->args, "signal");

    return each(cli, "/kill", json_pack("{s:s}", "signal", signal ? signal : "TERM"));
}

int fr_run_urgency(struct fr_cli *cli)
{
    return fr_ask_verb(cli, FR_ASK_JOBS, cli->args->words[0], "/urgency",
                       json_pack("{s:s}", "urgency", cli->args->words[1]));
}

int fr_run_duration(struct fr_cli *cli)
{
    const char *text = cli->args->words[1];
    double seconds;

    if (fr_when_parse_seconds(text, &seconds) < 0) {
        fr_say("'%.60s' is no time limit; give seconds, or a duration such as 90s, 1.5h or 2d; "
               "0: none",
               text);
        return FR_EXIT_USAGE;
    }
    return fr_ask_verb(cli, FR_ASK_JOBS, cli->args->words[0], "/duration",
                       json_pack("{s:f}", "duration", seconds));
}

int fr_run_drain(struct fr_cli *cli)
{
    const char *message = fr_args_text(cli->args, "message");

    return fr_ask_verb(cli, FR_ASK_NODES, cli->args->words[0], "/drain",
                       message ? json_pack("{s:s}", "reason", message) : json_object());
}

int fr_run_undrain(struct fr_cli *cli)
{
    return fr_ask_verb(cli, FR_ASK_NODES, cli->args->words[0], "/undrain", json_object());
}
