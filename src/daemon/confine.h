// SPDX-License-Identifier: LGPL-3.0-only
/*
 * What the daemon gives up, so that a hole in it is worth less.
 *
 * With the local engine whatever the daemon gives up for good its jobs would miss (setuid
 * programs, debuggers, just-in-time compilers), so there it only hides. Beside Flux it starts
 * no program and no process, and never needs to.
 */
#ifndef FR_DAEMON_CONFINE_H
#define FR_DAEMON_CONFINE_H

#include "base/error.h"

/*
 * Hides this process's memory and environment, which hold secrets: no core, no debugger, no
 * reading of /proc/PID/environ by another process of the same user. A program that it starts
 * is not hidden. 0 or a negative errno.
 */
int fr_confine_hide(void);

/*
 * Gives up, in all threads and for good: new privileges; starting programs and processes;
 * looking into others and signalling them; what the kernel offers to administrators; sockets
 * other than Unix, IP and netlink ones. Each answers EPERM from then on. 0; with err -ENOSYS
 * where the kernel has no seccomp filters, or another negative errno.
 */
int fr_confine_close(struct fr_error *err);

#endif
