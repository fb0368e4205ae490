// SPDX-License-Identifier: LGPL-3.0-only
/*
 * JSON Web Tokens (RFC 7519) in their compact form, signed with HMAC-SHA256 (HS256) and in no
 * other way. Nothing of one is parsed before its signature was found right.
 */
#ifndef FR_CORE_JWT_H
#define FR_CORE_JWT_H

#include <jansson.h>
#include <stddef.h>

#include "base/buf.h"

#define FR_JWT_MAX 8192 /* bytes; longer ones are refused */

/*
 * Reads a token that was signed with this key. The claims exp and nbf are held against now
 * (seconds since the epoch) where they are there; all others are the caller's to judge. 0 with
 * the claims, a new object; -EBADMSG if it is none, is not signed with this key, or names
 * another algorithm or extensions that must be understood; -EKEYEXPIRED; -ENOMEM.
 */
int fr_jwt_read(const char *text, const void *key, size_t key_len, double now,
                json_t **ret_claims);

/* Appends a token with these claims. The buffer tells whether it fitted. */
void fr_jwt_put(const json_t *claims, const void *key, size_t key_len, struct fr_buf *out);

#endif
