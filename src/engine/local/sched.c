// SPDX-License-Identifier: LGPL-3.0-only
#include "engine/local/sched.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int fr_sched_compare(const struct fr_sched_item *a, const struct fr_sched_item *b)
{
    if (a->urgency != b->urgency)
        return a->urgency > b->urgency ? -1 : 1;
    return (a->id > b->id) - (a->id < b->id);
}

size_t fr_sched_starts(const struct fr_sched_item *items, size_t count, int free_cores,
                       size_t *ret_places, size_t max)
{
    size_t n = 0;

    for (size_t i = 0; i < count && n < max && items[i].urgency > 0; i++) {
        if (items[i].ncores > free_cores)
            break; /* whoever stands behind waits, too: no overtaking */
        free_cores -= items[i].ncores;
        ret_places[n++] = i;
    }
    return n;
}

void fr_sched_queue_done(struct fr_sched_queue *queue)
{
    free(queue->items);
    *queue = (struct fr_sched_queue){0};
}

/* The first place whose item does not stand before `item`. */
static size_t place_of(const struct fr_sched_queue *queue, const struct fr_sched_item *item)
{
    size_t low = queue->first;
    size_t high = queue->end;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (fr_sched_compare(&queue->items[mid], item) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Room for one more at the end. */
static int reserve(struct fr_sched_queue *queue)
{
    size_t cap = queue->cap ? queue->cap * 2 : 64;
    struct fr_sched_item *items;

    if (queue->end < queue->cap)
        return 0;
    if (queue->first > queue->cap / 2) {
        memmove(queue->items, queue->items + queue->first,
                (queue->end - queue->first) * sizeof(*queue->items));
        queue->end -= queue->first;
        queue->first = 0;
        return 0;
    }
    items = reallocarray(queue->items, cap, sizeof(*items));
    if (!items)
        return -ENOMEM;
    queue->items = items;
    queue->cap = cap;
    return 0;
}

int fr_sched_queue_add(struct fr_sched_queue *queue, const struct fr_sched_item *item)
{
    size_t place;
    int rc = reserve(queue);

    if (rc < 0)
        return rc;
    place = place_of(queue, item);
    memmove(queue->items + place + 1, queue->items + place,
            (queue->end - place) * sizeof(*queue->items));
    queue->items[place] = *item;
    queue->end++;
    return 0;
}

void fr_sched_queue_remove(struct fr_sched_queue *queue, const struct fr_sched_item *item)
{
    size_t place = place_of(queue, item);

    if (place == queue->end || fr_sched_compare(&queue->items[place], item) != 0)
        return;
    if (place == queue->first) {
        queue->first++;
        return;
    }
    memmove(queue->items + place, queue->items + place + 1,
            (queue->end - place - 1) * sizeof(*queue->items));
    queue->end--;
}
