// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Ctrl-C. SIGINT is noted and never cuts anything short by itself: what waits looks here.
 */
#ifndef FR_CLI_SIGNALS_H
#define FR_CLI_SIGNALS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Catches SIGINT unless it is ignored, and ignores SIGPIPE. 0 or a negative errno. */
int fr_signals_init(void);

/* Readable from the first SIGINT on, until fr_signals_take. Borrowed. */
int fr_signals_fd(void);

/* How many SIGINTs make us give up: 1 at the start. */
void fr_signals_set_patience(int count);

/* Whether as many have come. */
bool fr_signals_gave_up(void);

/* Whether one has come since this was asked last. */
bool fr_signals_take(void);

/* Waits so many seconds; false, and sooner, where SIGINT makes us give up. */
bool fr_signals_sleep(double seconds);

/*
 * As read(2), but -1 with EINTR where SIGINT makes us give up, also if it came just before.
 */
ssize_t fr_signals_read(int fd, void *data, size_t size);

/* Ends the process by that signal, as a shell expects it after Ctrl-C or a closed pipe. */
_Noreturn void fr_signals_die(int signum);

#endif
