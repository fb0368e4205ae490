// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The fields of a submit, out of the command line.
 */
#ifndef FR_CLI_BODY_H
#define FR_CLI_BODY_H

#include "cli/run.h"

/*
 * All that the options say, without the command. FR_EXIT_OK with a new object, or the exit code
 * with what is wrong told. Reads --input, which may be standard input, and the environment.
 */
int fr_body_read(const struct fr_cli *cli, json_t **ret);

/* The words of the command line as a list. NULL, told, if one is no UTF-8. */
json_t *fr_body_command(const struct fr_args *args);

/* A random Idempotency-Key. 0 or a negative errno. */
#define FR_BODY_KEY 40
int fr_body_make_key(char key[FR_BODY_KEY]);

/*
 * The runtime that --time-limit means, in seconds: minutes if it has no unit. 0 or -EINVAL.
 */
int fr_body_parse_limit(const char *text, double *ret);

#endif
