// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The Range header (RFC 9110, 14.2), one range of bytes.
 */
#ifndef FR_API_RANGE_H
#define FR_API_RANGE_H

#include <stddef.h>

/*
 * Reads the header (NULL: none) for a representation of len bytes. 1 with the first byte and
 * the one after the last; 0 for the whole: no range, another unit, several ranges, or what
 * cannot be read; -ERANGE if nothing of it is there.
 */
int fr_range_read(const char *header, size_t len, size_t *ret_from, size_t *ret_to);

#endif
