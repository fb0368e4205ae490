// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The service manager's side of the daemon: sockets that it passes, and what it is told.
 *
 * Both are two lines of protocol each, set down in sd_listen_fds(3) and sd_notify(3) for
 * programs that do without libsystemd, as this one does: the library is not in every container
 * that the daemon runs in. Without a manager all of this does nothing.
 */
#ifndef FR_DAEMON_MANAGER_H
#define FR_DAEMON_MANAGER_H

/* The first of the sockets that were passed; the others follow it. */
#define FR_MANAGER_FIRST_FD 3

/* How many sockets were passed to this very process (LISTEN_PID, LISTEN_FDS), or -EINVAL. */
int fr_manager_sockets(void);

/*
 * Sends a message of sd_notify(3), such as "READY=1", to NOTIFY_SOCKET. Waits two seconds at
 * most for a manager that does not read. 0, also where there is no manager; or a negative
 * errno.
 */
int fr_manager_tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
