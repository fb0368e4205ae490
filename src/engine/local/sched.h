// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Who runs next: a pure function of what waits, what runs and what is free; and the queue.
 *
 * Order: urgency, then age (ids rise). Urgency 0 holds a job back. The first job that does not
 * fit is the head; those behind it may overtake it (backfill) only where that cannot delay it:
 *
 *   - if the time limits of what runs tell when the head can start at the latest, a job may
 *     start that ends by then, or that leaves free what the head will need then;
 *   - if they do not, because the head waits for a job without a limit, which may end now or
 *     never, a job may start only on what the head can spare already.
 *
 * A job without a time limit runs for ever, for this purpose.
 */
#ifndef FR_LOCAL_SCHED_H
#define FR_LOCAL_SCHED_H

#include <stddef.h>
#include <stdint.h>

#define FR_SCHED_URGENCIES 32

/* How much of the machine. */
struct fr_sched_share {
    int cores;
    int gpus;
};

/* A waiting job, as far as the order is concerned. */
struct fr_sched_item {
    uint64_t id;
    int urgency; /* 0–31 */
    struct fr_sched_share share;
    double duration; /* seconds, 0: no limit */
};

/* A job that has its share. */
struct fr_sched_running {
    double end; /* when its limit ends it; 0: never */
    struct fr_sched_share share;
};

/*
 * Of `count` waiting jobs in order, none of them held, the places of those that start at time
 * `now`, rising, at most max of them. `running` are the nrunning jobs that have the rest of the
 * machine, in any order, with room for max more: it is sorted and written to. Returns how many.
 */
size_t fr_sched_starts(const struct fr_sched_item *items, size_t count,
                       struct fr_sched_running *running, size_t nrunning,
                       struct fr_sched_share unused, double now, size_t *ret_places,
                       size_t max);

/* Waiting jobs, for each urgency in the order of age. Zeroed memory is an empty queue. */
struct fr_sched_queue {
    struct fr_sched_level {
        struct fr_sched_item *items;
        size_t first, count, cap; /* items[first] … are in use */
    } levels[FR_SCHED_URGENCIES];
};

void fr_sched_queue_done(struct fr_sched_queue *queue);
/* 0 or -ENOMEM. */
int fr_sched_queue_add(struct fr_sched_queue *queue, const struct fr_sched_item *item);
/* Removes the item that is equal in id and urgency; does nothing if there is none. */
void fr_sched_queue_remove(struct fr_sched_queue *queue, uint64_t id, int urgency);
/* Copies the first that are not held, in order, at most max of them. Returns how many. */
size_t fr_sched_queue_window(const struct fr_sched_queue *queue, struct fr_sched_item *items,
                             size_t max);

#endif
