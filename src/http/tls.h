// SPDX-License-Identifier: LGPL-3.0-only
/*
 * A certificate with its key. Shared by the connections that were shown it, which each hold it.
 */
#ifndef FR_HTTP_TLS_H
#define FR_HTTP_TLS_H

#include <gnutls/gnutls.h>

#include "base/error.h"

struct fr_tls;

/*
 * Reads a chain of certificates, the server's own first, and its key, both PEM texts. 0; with
 * err -EINVAL (not readable, or the key is another one's) or -ENOMEM. Held once.
 */
int fr_tls_create(const char *cert, const char *key, struct fr_tls **ret, struct fr_error *err);
struct fr_tls *fr_tls_hold(struct fr_tls *tls);
void fr_tls_release(struct fr_tls *tls); /* NULL is allowed */

/*
 * A session for a client at the other end of a non-blocking socket: TLS 1.2 or 1.3, and only
 * with forward secrecy. The caller ends it by gnutls_deinit() before it releases tls. 0 or
 * -ENOMEM.
 */
int fr_tls_begin(struct fr_tls *tls, int fd, gnutls_session_t *ret);

#endif
