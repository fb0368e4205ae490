// SPDX-License-Identifier: LGPL-3.0-only
/*
 * A list of jobs that is shown again as it changes: the stream of events tells when it is asked
 * for anew, and nothing is asked while nothing happens.
 */
#ifndef FR_CLI_WATCH_H
#define FR_CLI_WATCH_H

#include "cli/run.h"

struct fr_watch {
    struct fr_cli *cli;
    const char *list;   /* the path of the list */
    const char *events; /* that of the events which may change it */
    double tick;        /* seconds after which run times are shown again; 0: never */
    /* Shows the list; an exit code. */
    int (*draw)(void *arg, const json_t *list);
    void *arg;
};

/* Until Ctrl-C (FR_EXIT_INTERRUPTED), or something goes wrong, which is told. */
int fr_watch_follow(const struct fr_watch *watch);

#endif
