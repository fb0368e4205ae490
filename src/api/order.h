// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The orders that lists of jobs can be asked in, beside the table's own.
 */
#ifndef FR_API_ORDER_H
#define FR_API_ORDER_H

#include <stddef.h>

/* Compares two `const struct fr_job *` behind pointers, for qsort(); never 0 for two jobs. */
typedef int (*fr_order_f)(const void *a, const void *b);

/* By a job's JSON field of that name; NULL if there is no such order. */
fr_order_f fr_order_find(const char *field);

/* The names that there are. */
extern const char *const fr_order_names[];
extern const size_t fr_order_count;

#endif
