// SPDX-License-Identifier: LGPL-3.0-only
/*
 * What a job writes, as it comes, and how it ends.
 */
#ifndef FR_CLI_FOLLOW_H
#define FR_CLI_FOLLOW_H

#include "cli/run.h"

/*
 * Shows a job's output until it ends: what it writes to standard error goes to ours where the
 * server tells the two apart. on_interrupt as in struct fr_request. FR_EXIT_OK when the output
 * was told to its end.
 */
int fr_follow(struct fr_cli *cli, const char *id, void (*on_interrupt)(void *arg), void *arg);

/* Waits until the job has ended; *ret is the job, new. on_interrupt may be NULL. */
int fr_follow_end(struct fr_cli *cli, const char *id, void (*on_interrupt)(void *arg),
                  void *arg, json_t **ret);

/* The job's own exit code, 1 where it has none and did not do well. */
int fr_follow_code(const json_t *job);

/* Whether it did well. */
bool fr_follow_is_good(const json_t *job);

/* Says how a job that did not do well ended. */
void fr_follow_tell(const json_t *job);

#endif
