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

#endif
