// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Scoped tokens: secrets of our own making, each with a name, a role and an end. They are kept
 * in a file of the state directory (tokens.json, mode 0600), as hashes alone: a token's text is
 * told once, to who made it. A hash without salt or stretching is enough, for what is hashed
 * has 256 random bits.
 *
 * The tokens are the user's, not one daemon's: several that share a state directory see each
 * other's changes, within about a second of use. Files are read and written off the loop.
 */
#ifndef FR_CORE_TOKENS_H
#define FR_CORE_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/error.h"
#include "core/role.h"

#define FR_TOKEN_PREFIX "frt_" /* by which people and scanners know one */
#define FR_TOKEN_TEXT 48       /* room for one, with its NUL */
#define FR_TOKEN_NAME_MAX 64   /* letters, digits, '.', '_' and '-' */
#define FR_TOKENS_MAX 1000

struct fr_token {
    char name[FR_TOKEN_NAME_MAX + 1];
    enum fr_role role;
    double created, expires; /* seconds since the epoch */
    unsigned char hash[32];
};

struct fr_tokens;

/*
 * Reads the tokens in the state directory, which need not be there. Blocks. 0; -EPERM if others
 * could read or write the file, -EINVAL if it is damaged, -ENOMEM, or the errno of reading,
 * each with err.
 */
int fr_tokens_create(uv_loop_t *loop, const char *state_dir, struct fr_tokens **ret,
                     struct fr_error *err);
void fr_tokens_free(struct fr_tokens *tokens); /* nothing may be under way; NULL is allowed */

/* Whether a text could be a scoped token. */
bool fr_token_is_one(const char *text);

/* The token with this text, expired or not, or NULL. Borrowed until the loop's next turn. */
const struct fr_token *fr_tokens_find(const struct fr_tokens *tokens, const char *text);

/* All tokens, by name. Borrowed likewise. */
const struct fr_token *fr_tokens_list(const struct fr_tokens *tokens, size_t *ret_count);

/* Another number after every change: what was found out before may not hold any more. */
uint64_t fr_tokens_version(const struct fr_tokens *tokens);

/* Looks, off the loop, for changes by others; at most once a second. now: of fr_time_now(). */
void fr_tokens_look(struct fr_tokens *tokens, double now);

/* Done (err NULL), and on disk; or not. text: a new token's, else NULL. */
typedef void (*fr_tokens_f)(void *arg, const char *text, const struct fr_error *err);

/*
 * Looks for changes by others now: done, or the file cannot be read. 0: cb is called once,
 * later or at once; NULL is allowed. -ENOMEM.
 */
int fr_tokens_refresh(struct fr_tokens *tokens, fr_tokens_f cb, void *arg);

/* Whether a name may be a token's. */
bool fr_token_name_is_valid(const char *name);

/*
 * Makes a token; one of that name that has expired makes place. What expired is forgotten.
 * FR_CODE_NAME_TAKEN, FR_CODE_TOO_MANY, FR_CODE_STORAGE. 0: cb is called once, later or
 * at once. -ENOMEM.
 */
int fr_tokens_make(struct fr_tokens *tokens, const char *name, enum fr_role role,
                   double expires, fr_tokens_f cb, void *arg);

/* Revokes a token: FR_CODE_NOT_FOUND if there is none of that name. Likewise. */
int fr_tokens_revoke(struct fr_tokens *tokens, const char *name, fr_tokens_f cb, void *arg);

#endif
