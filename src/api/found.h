// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Jobs that a request found: the first so many of them in an order, without sorting the rest.
 */
#ifndef FR_API_FOUND_H
#define FR_API_FOUND_H

#include <stdbool.h>
#include <stddef.h>

#include "api/order.h"
#include "model/job.h"

struct fr_found {
    fr_order_f order; /* NULL: the order in which they are added */
    bool backwards;
    size_t most;               /* how many are kept */
    const struct fr_job *last; /* with an order: only what comes after this one; NULL: all */
    /* What was found; begin with 0. */
    const struct fr_job **jobs; /* borrowed from the table; the array is owned */
    size_t count, cap;
    size_t total; /* with those not kept */
};

/* Adds one; in an order, it may take the place of one that comes after it. False: no memory. */
bool fr_found_add(struct fr_found *found, const struct fr_job *job);

/* Puts them into their order, once all have been added. */
void fr_found_sort(struct fr_found *found);

void fr_found_done(struct fr_found *found);

#endif
