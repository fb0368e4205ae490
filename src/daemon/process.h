// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The daemon as a process: its descriptors, its environment, its own place on disk.
 */
#ifndef FR_DAEMON_PROCESS_H
#define FR_DAEMON_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Makes sure that descriptors 0, 1 and 2 are open, that no other inherited one reaches a job,
 * and that writing to a closed connection or beyond a file limit is an error and not a signal.
 * Blocks SIGTERM, SIGINT, SIGHUP and SIGUSR1 for good, in every thread made later: as long as a
 * thread is open to them, one that comes in the daemon's last moments kills it, and a clean end
 * is reported as none. 0 or a negative errno.
 */
int fr_process_prepare(void);

/*
 * Raises the soft limit of open files to the hard one: a connection over TLS takes three. For
 * once the engine has noted what jobs are to find. Nothing here uses select(2), which such a
 * limit is kept low for. Failure is none: fewer connections are served at a time.
 */
void fr_process_raise_files(void);

/* A signalfd(2) for the signals that fr_process_prepare() blocks, or a negative errno. */
int fr_process_open_signals(void);

/*
 * The environment that jobs start from: env without the variables in `without` (both
 * NULL-terminated) and, unless the jobs run under the Flux that env tells of, without what
 * that told this process of itself. The array is the caller's to free, the texts are env's.
 * NULL: no memory.
 */
char **fr_process_job_environ(char *const *env, const char *const *without, bool under_flux);

/*
 * Finds the job shell: beside this program, in the build tree, or where it is installed.
 * Writes its path into buf; 0, or -ENOENT.
 */
int fr_process_find_shell(char *buf, size_t size);

#endif
