// SPDX-License-Identifier: LGPL-3.0-only
/*
 * A list of faults found in one request, all named at once.
 */
#ifndef FR_MODEL_PROBLEMS_H
#define FR_MODEL_PROBLEMS_H

#include <stddef.h>

#include "base/error.h"

#define FR_PROBLEMS_MAX 32 /* faults kept; a hostile request does not grow the reply */

struct fr_problem {
    char *pointer; /* JSON pointer (RFC 6901) to the field, or "?name" for a query parameter */
    char *detail;  /* what is wrong and what to do about it */
    enum fr_code code;
};

struct fr_problems {
    struct fr_problem items[FR_PROBLEMS_MAX];
    size_t count;
    size_t left_out; /* faults beyond the maximum */
};

/* An empty list. */
void fr_problems_init(struct fr_problems *problems);
void fr_problems_done(struct fr_problems *problems);

/* Adds one. Without memory it is counted in left_out, so that the list is never empty then. */
void fr_problems_add(struct fr_problems *problems, enum fr_code code, const char *pointer,
                     const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif
