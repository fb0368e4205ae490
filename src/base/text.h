// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Texts that people read.
 */
#ifndef FR_BASE_TEXT_H
#define FR_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Drops the last character of a UTF-8 text that was cut, if it lost some of its bytes. */
void fr_text_trim(char *text);

/*
 * Of `known` (count of them), the name nearest to `name` in typing errors, case ignored, or
 * NULL if none is near enough to be offered.
 */
const char *fr_text_nearest(const char *name, const char *const *known, size_t count);

/*
 * Whether text matches a pattern in which * stands for any bytes and ? for any one; all else
 * is literal. Takes time in proportion to the product of the two lengths at most.
 */
bool fr_text_glob(const char *pattern, const char *text);

/*
 * Length of the valid UTF-8 character at text, of at most len (at least 1) bytes; 0 if there is
 * none. Refuses what RFC 3629 does: overlong forms, surrogates, beyond U+10FFFF.
 */
size_t fr_text_utf8(const char *text, size_t len);
bool fr_text_is_utf8(const char *text);

/* The value of a hex digit, -1 if it is none. */
int fr_text_hex(char c);

/*
 * Splits "name", "name:port" or "[v6]:port": copies the name to host and points *ret_port to
 * what follows the colon ("" if nothing does). False if it is none of these, the name is empty
 * or does not fit.
 */
bool fr_text_split_host(const char *text, char *host, size_t size, const char **ret_port);

/* Whether text is a number from 0 to 65535. */
bool fr_text_is_port(const char *text);

#endif
