// SPDX-License-Identifier: LGPL-3.0-only
/*
 * --filter, --name, --queue and --user: which jobs a command means.
 */
#ifndef FR_CLI_FILTER_H
#define FR_CLI_FILTER_H

#include "cli/run.h"

/* What --filter says, split into what the server knows apart. */
struct fr_filter {
    char states[256], results[128]; /* words with commas between them; "" if none */
};

/* FR_EXIT_OK, or FR_EXIT_USAGE with what is wrong told. */
int fr_filter_read(const struct fr_args *args, struct fr_filter *ret);

/* Appends "name=value" to a path's query, escaped, with the ? or & before it. */
void fr_filter_put(struct fr_buf *path, const char *name, const char *value);

/* Appends all that the filter options said. states, if not NULL, where --filter named none. */
void fr_filter_put_all(struct fr_buf *path, const struct fr_args *args,
                       const struct fr_filter *filter, const char *states);

#endif
