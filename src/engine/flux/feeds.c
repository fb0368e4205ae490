// SPDX-License-Identifier: LGPL-3.0-only
#include <errno.h>
#include <stdlib.h>

#include "base/util.h"
#include "engine/flux/feeds.h"
#include "engine/flux/front.h"

static struct fr_flux_feeds *bucket_of(struct fr_flux *flux, uint64_t id)
{
    return &flux->buckets[(id * UINT64_C(0x9e3779b97f4a7c15)) >> 56];
}

static size_t free_slot(const struct fr_flux *flux)
{
    size_t slot = 0;

    while (slot < FR_FLUX_FEEDS_MAX && flux->slots[slot])
        slot++;
    return slot;
}

/* Whether commands for one feed more find room in the queue: to begin it, to end each. */
static bool has_room(const struct fr_flux *flux)
{
    return atomic_load(&flux->link->ncommands) + flux->nfeeds + 2 <= FR_FLUX_COMMANDS_MAX;
}

static void command(struct fr_flux *flux, struct fr_flux_command *what)
{
    atomic_fetch_add(&flux->link->ncommands, 1);
    (void)fr_queue_push(flux->link->to_flux, &what->item);
}

int fr_flux_feed_create(struct fr_flux *flux, uint64_t id, uint64_t offset,
                        struct fr_flux_feed **ret)
{
    size_t slot = free_slot(flux);
    struct fr_flux_command *begin;
    struct fr_flux_feed *feed;

    if (slot == FR_FLUX_FEEDS_MAX || !has_room(flux))
        return -EAGAIN;
    feed = calloc(1, sizeof *feed);
    begin = calloc(1, sizeof *begin);
    if (!feed || !begin || !(feed->unwatch = calloc(1, sizeof *feed->unwatch))) {
        free(feed);
        free(begin);
        return -ENOMEM;
    }
    flux->last_tag += FR_FLUX_FEEDS_MAX;
    feed->flux = flux;
    feed->id = id;
    feed->tag = flux->last_tag | slot;
    feed->offset = offset;
    LIST_INIT(&feed->readers);
    feed->unwatch->item.kind = FR_FLUX_UNWATCH;
    feed->unwatch->tag = feed->tag;
    begin->item.kind = FR_FLUX_WATCH;
    begin->tag = feed->tag;
    begin->id = id;
    begin->offset = offset;
    flux->slots[slot] = feed;
    flux->nfeeds++;
    LIST_INSERT_HEAD(bucket_of(flux, id), feed, same_bucket);
    command(flux, begin);
    *ret = feed;
    return 0;
}

/* The feed's tag goes out of use: what still comes by it is dropped. */
static void unlink_feed(struct fr_flux_feed *feed)
{
    feed->flux->slots[feed->tag % FR_FLUX_FEEDS_MAX] = NULL;
    feed->flux->nfeeds--;
    LIST_REMOVE(feed, same_bucket);
    feed->tag = 0;
    if (!feed->busy)
        free(feed);
}

void fr_flux_feed_end(struct fr_flux_feed *feed)
{
    command(feed->flux, fr_take(feed->unwatch));
    unlink_feed(feed);
}

void fr_flux_feed_forget(struct fr_flux_feed *feed)
{
    free(fr_take(feed->unwatch));
    unlink_feed(feed);
}

void fr_flux_feed_hold(struct fr_flux_feed *feed)
{
    feed->busy = true;
}

bool fr_flux_feed_release(struct fr_flux_feed *feed)
{
    feed->busy = false;
    if (feed->tag)
        return true;
    free(feed);
    return false;
}

struct fr_flux_feed *fr_flux_feed_find(struct fr_flux *flux, uint64_t tag)
{
    struct fr_flux_feed *feed = flux->slots[tag % FR_FLUX_FEEDS_MAX];

    return feed && feed->tag == tag ? feed : NULL;
}

struct fr_flux_feed *fr_flux_feed_join(struct fr_flux *flux, uint64_t id, uint64_t offset,
                                       bool caught_up)
{
    struct fr_flux_feed *feed;

    LIST_FOREACH(feed, bucket_of(flux, id), same_bucket)
    if (feed->id == id && feed->offset == offset && (caught_up || !feed->caught_up))
        return feed;
    return NULL;
}

struct fr_flux_feed *fr_flux_feed_twin(const struct fr_flux_feed *feed)
{
    struct fr_flux_feed *other;

    if (!feed->caught_up)
        return NULL;
    LIST_FOREACH(other, bucket_of(feed->flux, feed->id), same_bucket)
    if (other != feed && other->id == feed->id && other->offset == feed->offset &&
        other->caught_up)
        return other;
    return NULL;
}
