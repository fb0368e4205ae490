// SPDX-License-Identifier: LGPL-3.0-only
#include "engine/local/sched.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool fits(struct fr_sched_share share, struct fr_sched_share room)
{
    return share.cores <= room.cores && share.gpus <= room.gpus;
}

static void take(struct fr_sched_share *room, struct fr_sched_share share)
{
    room->cores -= share.cores;
    room->gpus -= share.gpus;
}

static void give(struct fr_sched_share *room, struct fr_sched_share share)
{
    room->cores += share.cores;
    room->gpus += share.gpus;
}

static double end_of(double now, double duration)
{
    return duration > 0 ? now + duration : 0;
}

/* Those that never end come last. */
static int compare_ends(const void *a, const void *b)
{
    double x = ((const struct fr_sched_running *)a)->end;
    double y = ((const struct fr_sched_running *)b)->end;

    if (x <= 0 || y <= 0)
        return (x <= 0) - (y <= 0);
    return (x > y) - (x < y);
}

/* What the head can count on. */
struct reservation {
    double at;                   /* when it starts at the latest; INFINITY: not known */
    struct fr_sched_share spare; /* what it leaves free then (negative: it needs more) */
};

static struct reservation reserve(const struct fr_sched_item *head,
                                  struct fr_sched_running *running, size_t nrunning,
                                  struct fr_sched_share unused)
{
    struct reservation reservation = {.at = INFINITY, .spare = unused};
    struct fr_sched_share room = unused;

    take(&reservation.spare, head->share);
    qsort(running, nrunning, sizeof(*running), compare_ends);
    for (size_t i = 0; i < nrunning && running[i].end > 0; i++) {
        give(&room, running[i].share);
        /* All that end at the same time are free then. */
        if (i + 1 < nrunning && running[i + 1].end == running[i].end)
            continue;
        if (!fits(head->share, room))
            continue;
        take(&room, head->share);
        return (struct reservation){running[i].end, room};
    }
    return reservation;
}

/* Whether the item, started now, takes nothing from the head; if so it is accounted for. */
static bool overtakes(const struct fr_sched_item *item, struct reservation *reservation,
                      double now)
{
    struct fr_sched_share left = reservation->spare;

    if (item->duration > 0 && isfinite(reservation->at) &&
        now + item->duration <= reservation->at)
        return true;
    take(&left, item->share);
    if ((item->share.cores > 0 && left.cores < 0) || (item->share.gpus > 0 && left.gpus < 0))
        return false;
    reservation->spare = left;
    return true;
}

size_t fr_sched_starts(const struct fr_sched_item *items, size_t count,
                       struct fr_sched_running *running, size_t nrunning,
                       struct fr_sched_share unused, double now, size_t *ret_places, size_t max)
{
    struct reservation reservation;
    size_t n = 0;
    size_t i;

    for (i = 0; i < count && n < max && fits(items[i].share, unused); i++) {
        take(&unused, items[i].share);
        running[nrunning++] =
            (struct fr_sched_running){end_of(now, items[i].duration), items[i].share};
        ret_places[n++] = i;
    }
    if (i == count || n == max || unused.cores <= 0)
        return n;
    reservation = reserve(&items[i], running, nrunning, unused);
    for (i++; i < count && n < max && unused.cores > 0; i++) {
        if (!fits(items[i].share, unused) || !overtakes(&items[i], &reservation, now))
            continue;
        take(&unused, items[i].share);
        ret_places[n++] = i;
    }
    return n;
}

void fr_sched_queue_done(struct fr_sched_queue *queue)
{
    for (size_t i = 0; i < FR_SCHED_URGENCIES; i++)
        free(queue->levels[i].items);
    *queue = (struct fr_sched_queue){0};
}

/* How many of the level are older than the id. */
static size_t place_of(const struct fr_sched_level *level, uint64_t id)
{
    const struct fr_sched_item *items = level->items + level->first;
    size_t low = 0;
    size_t high = level->count;

    if (high == 0 || items[high - 1].id < id)
        return high; /* the newest: nearly always */
    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (items[mid].id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Room for one more at the end. */
static int room_make(struct fr_sched_level *level)
{
    size_t cap = level->cap ? level->cap * 2 : 64;
    struct fr_sched_item *items;

    if (level->first + level->count < level->cap)
        return 0;
    if (level->first > level->cap / 2) {
        memmove(level->items, level->items + level->first, level->count * sizeof(*items));
        level->first = 0;
        return 0;
    }
    items = reallocarray(level->items, cap, sizeof(*items));
    if (!items)
        return -ENOMEM;
    level->items = items;
    level->cap = cap;
    return 0;
}

int fr_sched_queue_add(struct fr_sched_queue *queue, const struct fr_sched_item *item)
{
    struct fr_sched_level *level = &queue->levels[item->urgency];
    int rc = room_make(level);
    size_t place;

    if (rc < 0)
        return rc;
    place = level->first + place_of(level, item->id);
    memmove(level->items + place + 1, level->items + place,
            (level->first + level->count - place) * sizeof(*item));
    level->items[place] = *item;
    level->count++;
    return 0;
}

/* The shorter side moves: those that leave stand near the front. */
void fr_sched_queue_remove(struct fr_sched_queue *queue, uint64_t id, int urgency)
{
    struct fr_sched_level *level = &queue->levels[urgency];
    struct fr_sched_item *items = level->items + level->first;
    size_t place = place_of(level, id);

    if (place == level->count || items[place].id != id)
        return;
    level->count--;
    if (place < level->count / 2 + 1) {
        memmove(items + 1, items, place * sizeof(*items));
        level->first++;
    } else {
        memmove(items + place, items + place + 1, (level->count - place) * sizeof(*items));
    }
}

size_t fr_sched_queue_window(const struct fr_sched_queue *queue, struct fr_sched_item *items,
                             size_t max)
{
    size_t n = 0;

    for (size_t urgency = FR_SCHED_URGENCIES - 1; urgency > 0 && n < max; urgency--) {
        const struct fr_sched_level *level = &queue->levels[urgency];
        size_t count = level->count < max - n ? level->count : max - n;

        if (count > 0)
            memcpy(items + n, level->items + level->first, count * sizeof(*items));
        n += count;
    }
    return n;
}
