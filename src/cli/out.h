// SPDX-License-Identifier: LGPL-3.0-only
/*
 * What goes to the screen: results to standard output, everything else to standard error.
 */
#ifndef FR_CLI_OUT_H
#define FR_CLI_OUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/*
 * Writes bytes to standard output or standard error as they are. Where nobody reads any more
 * the process ends quietly by SIGPIPE. 0; -EINTR where Ctrl-C made us give up; any other
 * failure is told on standard error first.
 */
int fr_out_write(int fd, const char *data, size_t len);

/* Writes a buffer to standard output and empties it; also -ENOMEM, told, if it had failed. */
int fr_out_flush(struct fr_buf *buf);

/*
 * Tells a person something on standard error, after "flux-rest: ". A text of the server may be
 * in it: control characters are escaped. Clears the progress bar first.
 */
void fr_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* As fr_say, for a line that follows: indented, without the name. */
void fr_say_more(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The columns and lines of the terminal at standard output; 0 if it is none. */
size_t fr_out_columns(void);
size_t fr_out_lines(void);

/* Colours: none unless `on`. */
#define FR_COLOR_BOLD "\033[1m"
#define FR_COLOR_RED "\033[31m"
#define FR_COLOR_GREEN "\033[32m"
#define FR_COLOR_YELLOW "\033[33m"
#define FR_COLOR_BLUE "\033[34m"
#define FR_COLOR_DIM "\033[2m"
#define FR_COLOR_END "\033[0m"

/* Whether standard output takes colours: when is "auto", "always" or "never". */
bool fr_out_color(const char *when);

/*
 * A progress bar on standard error, if that is a terminal: done of total (0: not known), and a
 * note behind it.
 */
void fr_progress_show(size_t done, size_t total, const char *note);
void fr_progress_clear(void);

#endif
