// SPDX-License-Identifier: LGPL-3.0-only
/*
 * One thing in detail: a name and its value on each line.
 */
#ifndef FR_CLI_DETAIL_H
#define FR_CLI_DETAIL_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/buf.h"

struct fr_detail {
    struct fr_buf *out;
    bool color;
    size_t columns; /* values are wrapped there; 0: nowhere */
};

/* A line; none where the value is empty. What the value holds is shown safely. */
void fr_detail_put(const struct fr_detail *detail, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The member at a path of a row, if it is there and not empty. */
void fr_detail_put_member(const struct fr_detail *detail, const char *name, const json_t *row,
                          const char *path);

#endif
