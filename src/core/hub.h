// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The hub: gives each event its place in the order of arrival, keeps the latest texts, and
 * tells whoever subscribed.
 *
 * Arrival order is the order; timestamps are not. A cursor is one opaque text that says "after
 * this event": instance, epoch of this daemon, sequence number, time of arrival. Belongs to the
 * loop.
 */
#ifndef FR_CORE_HUB_H
#define FR_CORE_HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/event.h"
#include "model/job.h"

struct fr_hub;

/* What is told of an event. All borrowed for the duration of the call. */
struct fr_news {
    uint64_t seq;
    uint64_t id;
    const struct fr_event *event;
    enum fr_state state;      /* of the job after the event */
    const struct fr_job *job; /* as it is now; NULL if it is gone (purged, invalidated) */
};

typedef void (*fr_hub_f)(void *arg, const struct fr_news *news);

/* One subscription; owned by the subscriber. */
struct fr_subscription;

/* bytes_max: how much of event texts is kept. 0 or -ENOMEM. */
int fr_hub_create(size_t bytes_max, struct fr_hub **ret);
void fr_hub_free(struct fr_hub *hub); /* NULL is allowed */

/*
 * Says which instance the cursors are of. Another instance than before starts a new epoch:
 * older cursors are gone, and what was kept is dropped. Returns whether it is another one.
 */
bool fr_hub_set_instance(struct fr_hub *hub, const char *instance);

/*
 * Gives the event its sequence number (event->seq if the engine counts itself), which is also
 * returned; publishes nothing yet, so that the job table can note it first.
 */
uint64_t fr_hub_number(struct fr_hub *hub, const struct fr_event *event);

/*
 * Keeps the event's text and tells every subscriber. A subscriber may end its own or any other
 * subscription meanwhile. A text that there is no memory for leaves a gap that is reported by
 * fr_hub_since() as -ESTALE, never passed over.
 */
void fr_hub_publish(struct fr_hub *hub, const struct fr_news *news);

/* Drops what is kept: nothing up to the latest number can be replayed from here on. */
void fr_hub_forget(struct fr_hub *hub);

/* id: only this job's events; FR_FLUID_ANY: all. NULL: no memory. */
struct fr_subscription *fr_hub_subscribe(struct fr_hub *hub, uint64_t id, fr_hub_f cb,
                                         void *arg);
void fr_hub_unsubscribe(struct fr_subscription *subscription); /* NULL is allowed */

/* The sequence number of the latest event, 0 before the first. */
uint64_t fr_hub_seq(const struct fr_hub *hub);

/* Room for a cursor with its NUL. */
#define FR_CURSOR_TEXT 80

/* Writes the cursor that stands after event `seq` into buf; returns buf. */
const char *fr_hub_cursor(const struct fr_hub *hub, uint64_t seq, char *buf);

/*
 * Reads a cursor of ours. 0 with its sequence number; -EINVAL (FR_CODE_INVALID: no cursor);
 * -ESTALE (FR_CODE_GONE: of another instance or epoch).
 */
int fr_hub_read_cursor(const struct fr_hub *hub, const char *text, uint64_t *ret_seq,
                       struct fr_error *err);

/*
 * Calls each for every kept event after seq, in order, until it returns other than 0. 0; what
 * each returned; -ESTALE when an event after seq is not kept any more.
 */
typedef int (*fr_hub_each_f)(void *arg, uint64_t seq, uint64_t id, const char *text,
                             size_t len);
int fr_hub_since(const struct fr_hub *hub, uint64_t seq, fr_hub_each_f each, void *arg);

#endif
