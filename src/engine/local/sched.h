// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Who runs next: a pure function of the queue and what is free, and the queue itself.
 *
 * Order: urgency, then age (ids rise). The head of the queue is never overtaken. Urgency 0
 * holds a job back; it is passed over.
 */
#ifndef FR_LOCAL_SCHED_H
#define FR_LOCAL_SCHED_H

#include <stddef.h>
#include <stdint.h>

/* A waiting job, as far as the order is concerned. */
struct fr_sched_item {
    uint64_t id;
    int urgency; /* 0–31 */
    int ncores;
};

/*
 * Of `count` items in order (fr_sched_compare), the places of those that start now with
 * free_cores free, rising, at most max of them. Returns how many.
 */
size_t fr_sched_starts(const struct fr_sched_item *items, size_t count, int free_cores,
                       size_t *ret_places, size_t max);

/* Negative if a stands before b. */
int fr_sched_compare(const struct fr_sched_item *a, const struct fr_sched_item *b);

/* Waiting jobs in order. Zeroed memory is an empty queue. */
struct fr_sched_queue {
    struct fr_sched_item *items;
    size_t first; /* the head stands here: taking it away moves nothing */
    size_t end;
    size_t cap;
};

void fr_sched_queue_done(struct fr_sched_queue *queue);
int fr_sched_queue_add(struct fr_sched_queue *queue, const struct fr_sched_item *item);
/* Removes the item that is equal in id and urgency; does nothing if there is none. */
void fr_sched_queue_remove(struct fr_sched_queue *queue, const struct fr_sched_item *item);

#endif
