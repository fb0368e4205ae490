// SPDX-License-Identifier: LGPL-3.0-only
/* flux-rest output: what a job has written so far, or until it ends. */
#include "cli/run.h"

#include "base/util.h"
#include "cli/ask.h"
#include "cli/follow.h"

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

int fr_run_output(struct fr_cli *cli)
{
    _cleanup_(fr_cleanup_json) json_t *exit = NULL;
    const char *id = cli->args->words[0];
    bool follow = fr_args_flag(cli->args, "follow");

    if (!cli->json)
        return fr_follow(cli, id, follow, NULL, NULL, &exit);
    if (follow) {
        fr_say("--follow and --json do not go together: what comes is told as it was written");
        return FR_EXIT_USAGE;
    }
    _cleanup_(fr_cleanup_str) char *path = fr_ask_path(FR_ASK_JOBS, id, "/output");
    if (!path)
        return FR_EXIT_USAGE;
    return fr_ask_through(cli, &(struct fr_request){.method = "GET", .path = path});
}
