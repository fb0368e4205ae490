// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Waiting for the end of many jobs.
 */
#ifndef FR_CLI_WAIT_H
#define FR_CLI_WAIT_H

#include "cli/run.h"

/*
 * Waits until all have ended, with a progress bar; those that did not do well are told unless
 * `quiet`. FR_EXIT_FAILED if there were any.
 */
int fr_wait_for(struct fr_cli *cli, const char *const *ids, size_t count, bool quiet);

#endif
