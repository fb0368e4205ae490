// SPDX-License-Identifier: LGPL-3.0-only
/*
 * What a job writes, as it comes, and how it ends.
 */
#ifndef FR_CLI_FOLLOW_H
#define FR_CLI_FOLLOW_H

#include "cli/run.h"

/*
 * Shows what a job writes, byte by byte as it was written: its standard output on ours, its
 * standard error on ours. to_end: until the job has ended, else what is there now. on_interrupt
 * as in struct fr_request. FR_EXIT_OK when all was told; then *ret is how the job ended, new,
 * with those members of a job that fr_follow_code() and its like look at, or NULL where it has
 * not ended.
 */
int fr_follow(struct fr_cli *cli, const char *id, bool to_end, void (*on_interrupt)(void *arg),
              void *arg, json_t **ret);

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
