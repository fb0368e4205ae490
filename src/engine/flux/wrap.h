// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Base64 (RFC 4648), and a jobspec wrapped as an owner's submission (RFC 15).
 */
#ifndef FR_ENGINE_FLUX_WRAP_H
#define FR_ENGINE_FLUX_WRAP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Bytes that len bytes become. */
#define FR_FLUX_BASE64_LEN(len) (((len) + 2) / 3 * 4)

/* Writes FR_FLUX_BASE64_LEN(len) characters, no NUL, and returns what follows them. */
char *fr_flux_base64_encode(const void *data, size_t len, char *out);

/* out has room for len / 4 * 3 bytes. Bytes written, or -EPROTO. */
ssize_t fr_flux_base64_decode(const char *text, size_t len, char *out);

/*
 * The J that a submission carries, for an instance's owner, whom Flux knows by the socket and
 * asks for no signature. NULL: no memory. The caller frees it.
 */
char *fr_flux_wrap(const char *jobspec, uint32_t userid);

#endif
