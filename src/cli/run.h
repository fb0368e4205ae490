// SPDX-License-Identifier: LGPL-3.0-only
/*
 * What does the commands' work: one function each, called with the command line read and the
 * client ready. Each has told what went wrong when it returns an enum fr_exit, or for `run` the
 * job's own code.
 */
#ifndef FR_CLI_RUN_H
#define FR_CLI_RUN_H

#include <stdbool.h>

#include <jansson.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/out.h"

/* What a command works with. */
struct fr_cli {
    const struct fr_args *args;
    struct fr_client *client;
    bool json;  /* --json */
    bool color; /* standard output takes colours */
};

int fr_run_submit(struct fr_cli *cli);
int fr_run_run(struct fr_cli *cli);
int fr_run_bulksubmit(struct fr_cli *cli);
int fr_run_jobs(struct fr_cli *cli);
int fr_run_job(struct fr_cli *cli);
int fr_run_output(struct fr_cli *cli);
int fr_run_events(struct fr_cli *cli);
int fr_run_wait(struct fr_cli *cli);
int fr_run_cancel(struct fr_cli *cli);
int fr_run_kill(struct fr_cli *cli);
int fr_run_urgency(struct fr_cli *cli);
int fr_run_duration(struct fr_cli *cli);
int fr_run_nodes(struct fr_cli *cli);
int fr_run_drain(struct fr_cli *cli);
int fr_run_undrain(struct fr_cli *cli);
int fr_run_queues(struct fr_cli *cli);
int fr_run_token(struct fr_cli *cli);
int fr_run_info(struct fr_cli *cli);
int fr_run_stop(struct fr_cli *cli);

#endif
