// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The file that scoped tokens are kept in, for tokens.c alone. All of it blocks.
 */
#ifndef FR_CORE_TOKENS_FILE_H
#define FR_CORE_TOKENS_FILE_H

#include <sys/types.h>
#include <time.h>

#include "core/tokens.h"

/* Tokens by name. One allocation. */
struct fr_token_set {
    size_t count;
    struct fr_token items[FR_TOKENS_MAX];
};

/* Which file it was. All zero: there was none. */
struct fr_token_mark {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec changed;
};

/* A set that the caller frees, and the mark of the file. 0 or a negative errno with err. */
int fr_token_set_read(const char *dir, struct fr_token_set **ret,
                      struct fr_token_mark *ret_mark, struct fr_error *err);

/* Whether another file than that one is there now. */
bool fr_token_set_has_changed(const char *dir, const struct fr_token_mark *mark);

/* Replaces the file. The lock must be held. 0 or a negative errno with err. */
int fr_token_set_write(const char *dir, const struct fr_token_set *set,
                       struct fr_token_mark *ret_mark, struct fr_error *err);

/* Waits, not for long, until nobody else changes the file; makes the directory if need be. */
int fr_token_set_lock(const char *dir, int *ret_fd, struct fr_error *err);

#endif
