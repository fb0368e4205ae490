// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Feeds: the output of a job as it comes from Flux, for any number of readers at once.
 *
 * A reader that wants what others had before gets a feed of its own, and joins theirs when it
 * is where they are; so that in the end each job that is followed is watched once. Belongs to
 * the loop. What reads a feed is in watches.c.
 */
#ifndef FR_ENGINE_FLUX_FEEDS_H
#define FR_ENGINE_FLUX_FEEDS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "engine/flux/exchange.h"

struct fr_flux;

LIST_HEAD(fr_flux_readers, fr_output_watch);

struct fr_flux_feed {
    LIST_ENTRY(fr_flux_feed) same_bucket;
    struct fr_flux *flux;
    uint64_t id;
    uint64_t tag;    /* names it for the Flux thread; 0 once it has ended */
    uint64_t offset; /* of what comes next */
    bool caught_up;
    bool busy;                       /* kept though it has ended */
    struct fr_flux_readers readers;  /* all of them are at `offset` */
    struct fr_flux_command *unwatch; /* kept ready: to end a feed must not fail */
};

/* Begins a feed from offset. 0; -EAGAIN when there are too many; -ENOMEM. */
int fr_flux_feed_create(struct fr_flux *flux, uint64_t id, uint64_t offset,
                        struct fr_flux_feed **ret);
/* Ends and frees a feed that nobody reads any more. */
void fr_flux_feed_end(struct fr_flux_feed *feed);
/* The same for one that has come to its end by itself. */
void fr_flux_feed_forget(struct fr_flux_feed *feed);

/* Keeps the feed's memory until it is released, whatever becomes of it meanwhile. */
void fr_flux_feed_hold(struct fr_flux_feed *feed);
/* False if it has ended, and is gone now. */
bool fr_flux_feed_release(struct fr_flux_feed *feed);

/* The feed of that tag, or NULL. */
struct fr_flux_feed *fr_flux_feed_find(struct fr_flux *flux, uint64_t tag);
/*
 * A feed that a reader of the job can join at offset, or NULL. A reader that has not caught up
 * needs one that will yet say when it has.
 */
struct fr_flux_feed *fr_flux_feed_join(struct fr_flux *flux, uint64_t id, uint64_t offset,
                                       bool caught_up);
/* Another feed that tells from now on exactly what this one does, or NULL. */
struct fr_flux_feed *fr_flux_feed_twin(const struct fr_flux_feed *feed);

#endif
