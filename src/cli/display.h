// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Texts of unknown origin on a terminal: a job's name may hold anything.
 *
 * Control characters, bytes that are no UTF-8, and characters that turn or hide text (bidi
 * overrides, zero-width marks) are shown as escapes, so that no text can drive a terminal,
 * break a table's line or pose as another. Widths are in columns of a terminal.
 */
#ifndef FR_CLI_DISPLAY_H
#define FR_CLI_DISPLAY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define FR_DISPLAY_ALL ((size_t)-1)

/*
 * Looks at the locale, once, at the start: where it is not UTF-8, what is not ASCII is shown as
 * escapes too, and ids begin with f. Without this call the locale counts as UTF-8.
 */
void fr_display_init(void);

/* Whether more than ASCII can be shown. */
bool fr_display_is_unicode(void);

/* For tests. */
void fr_display_set_unicode(bool unicode);

/* The columns that a text takes as it will be shown. */
size_t fr_display_width(const char *text);

/* Appends the text as it is to be shown, whole. */
void fr_display_put(struct fr_buf *out, const char *text);

/*
 * Appends at most max columns of it (FR_DISPLAY_ALL: whole), the last one an ellipsis where
 * something was cut off. Returns the columns used.
 */
size_t fr_display_put_cut(struct fr_buf *out, const char *text, size_t max);

#endif
