// SPDX-License-Identifier: LGPL-3.0-only
/* flux-rest wait: until jobs have ended. */
#include "cli/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/util.h"
#include "cli/ask.h"
#include "cli/follow.h"

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

static int print_job(const json_t *job)
{
    _cleanup_(fr_cleanup_str) char *text = json_dumps(job, JSON_COMPACT);
    struct fr_buf line = FR_BUF_INIT(16U << 20);

    fr_buf_printf(&line, "%s\n", text ? text : "");
    int r = fr_out_flush(&line);
    fr_buf_done(&line);
    return r < 0 ? FR_EXIT_FAILED : FR_EXIT_OK;
}

/* Jobs end about in the order in which they were submitted, so one after the other will do. */
int fr_wait_for(struct fr_cli *cli, const char *const *ids, size_t count, bool quiet)
{
    char note[64] = "";
    size_t bad = 0;

    for (size_t i = 0; i < count; i++) {
        _cleanup_(fr_cleanup_json) json_t *job = NULL;
        fr_progress_show(i, count, note);
        int code = fr_follow_end(cli, ids[i], NULL, NULL, &job);
        if (code == FR_EXIT_OK && cli->json)
            code = print_job(job);
        if (code != FR_EXIT_OK)
            return code;
        if (fr_follow_is_good(job))
            continue;
        bad++;
        snprintf(note, sizeof note, "%zu did not do well", bad);
        if (!quiet)
            fr_follow_tell(job);
    }
    fr_progress_clear();
    if (bad > 0 && count > 1 && !quiet)
        fr_say("%zu of %zu jobs did not do well", bad, count);
    return bad > 0 ? FR_EXIT_FAILED : FR_EXIT_OK;
}

int fr_run_wait(struct fr_cli *cli)
{
    return fr_wait_for(cli, cli->args->words, cli->args->nwords,
                       fr_args_flag(cli->args, "quiet"));
}
