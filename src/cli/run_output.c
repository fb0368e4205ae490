// SPDX-License-Identifier: LGPL-3.0-only
/* flux-rest output: what a job has written so far, or until it ends. */
#include "cli/run.h"

#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "cli/ask.h"
#include "cli/follow.h"

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

static int print_lines(const json_t *reply)
{
    const json_t *line, *lines = json_object_get(reply, "Output");
    const char *message = json_string_value(json_object_get(reply, "Message"));
    size_t i;

    json_array_foreach (lines, i, line) {
        if (fr_out_write(STDOUT_FILENO, json_string_value(line), json_string_length(line)) < 0)
            return FR_EXIT_FAILED;
    }
    if (message)
        fr_say("%s", message);
    return FR_EXIT_OK;
}

/* Of a job that has ended the stream ends at once, and its bytes are those that were written.
 */
static int show(struct fr_cli *cli, const char *id)
{
    _cleanup_(fr_cleanup_str) char *job_path = fr_ask_path(FR_ASK_JOBS, id, "");
    _cleanup_(fr_cleanup_str) char *path = fr_ask_path(FR_ASK_JOBS, id, "/output");
    _cleanup_(fr_cleanup_json) json_t *job = NULL, *reply = NULL;
    struct fr_request request = {.method = "GET", .path = job_path};

    if (!path || !job_path)
        return FR_EXIT_USAGE;
    int code = fr_ask_json(cli, &request, &job);
    if (code != FR_EXIT_OK)
        return code;
    const char *state = json_string_value(json_object_get(job, "state"));
    if (state && strcmp(state, "INACTIVE") == 0)
        return fr_follow(cli, id, NULL, NULL);
    request.path = path;
    code = fr_ask_json(cli, &request, &reply);
    return code == FR_EXIT_OK ? print_lines(reply) : code;
}

int fr_run_output(struct fr_cli *cli)
{
    const char *id = cli->args->words[0];
    bool follow = fr_args_flag(cli->args, "follow");

    if (!cli->json)
        return follow ? fr_follow(cli, id, NULL, NULL) : show(cli, id);
    if (follow) {
        fr_say("--follow and --json do not go together: what comes is told as it was written");
        return FR_EXIT_USAGE;
    }
    _cleanup_(fr_cleanup_str) char *path = fr_ask_path(FR_ASK_JOBS, id, "/output");
    if (!path)
        return FR_EXIT_USAGE;
    return fr_ask_through(cli, &(struct fr_request){.method = "GET", .path = path});
}
