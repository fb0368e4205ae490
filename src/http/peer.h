// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Who is at the other end of a connection, as far as the kernel can tell.
 */
#ifndef FR_HTTP_PEER_H
#define FR_HTTP_PEER_H

#include <stdbool.h>

#include "http/message.h"

/* Opens the descriptor for sock_diag questions. 0 or a negative errno. */
int fr_peer_open(int *ret_fd);

/*
 * Fills ret for the connected socket fd. diag_fd may be -1: then the owner of a loopback
 * connection stays unknown. Asks the kernel, which answers at once: does not block.
 */
void fr_peer_identify(int diag_fd, int fd, struct fr_peer *ret);

/*
 * Whether somebody still holds the other end of a loopback TCP connection, which a process
 * that merely shut down its sending side does. False where it cannot be told.
 */
bool fr_peer_is_held(int diag_fd, int fd);

#endif
