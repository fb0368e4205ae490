// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The hub: gives each event its place in the order of arrival, keeps the latest as finished
 * texts, and tells whoever subscribed.
 *
 * Arrival order is the order; timestamps are not. A cursor is one opaque text that says "after
 * this event": instance, epoch, sequence number, time. Where the engine numbers its events
 * itself and keeps the numbers (local), a cursor is exact for as long as the event after it is
 * kept. Where it does not (Flux), the epoch is this run of the daemon, in which a cursor is
 * exact; a cursor of an earlier run is read by its time: all that is stamped later than a
 * minute before it is told again.
 *
 * What is kept is one queue for all readers: a reader is no more than a position in it. Belongs
 * to the loop.
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

enum fr_news_kind {
    FR_NEWS_EVENT,  /* of a job */
    FR_NEWS_PURGED, /* the engine has forgotten the job */
    FR_NEWS_LOST,   /* the engine cannot be reached */
    FR_NEWS_BACK,   /* it is reached again, and what it told meanwhile was published */
    FR_NEWS_VOID,   /* it is another instance than before: every cursor is void */
};

/* What is told. All borrowed for the duration of the call. */
struct fr_news {
    enum fr_news_kind kind;
    uint64_t seq; /* EVENT */
    uint64_t id;  /* EVENT, PURGED */
    const struct fr_event *event;
    enum fr_state state;      /* of the job after the event */
    const struct fr_job *job; /* as it is now; NULL if it is gone (purged, invalidated) */
    const char *reason;       /* LOST */
};

typedef void (*fr_hub_f)(void *arg, const struct fr_news *news);

/* One subscription; owned by the subscriber. */
struct fr_subscription;

/* bytes_max: how much of event texts is kept. 0 or -ENOMEM. */
int fr_hub_create(size_t bytes_max, struct fr_hub **ret);
void fr_hub_free(struct fr_hub *hub); /* NULL is allowed */

/*
 * Says which instance the cursors are of. numbered: the engine numbers its events itself.
 * Another instance than before starts a new epoch: what was kept is dropped, and those who
 * subscribed to every job are told FR_NEWS_VOID. Returns whether it is another one.
 */
bool fr_hub_set_instance(struct fr_hub *hub, const char *instance, bool numbered);

/*
 * From when an engine is lost until all that it has to tell is told, events arrive long after
 * they happened. Meanwhile the time in a cursor stands still, so that it is not read as if all
 * before it had been told.
 */
void fr_hub_set_loading(struct fr_hub *hub, bool loading);

/*
 * Gives the event its sequence number (event->seq if the engine counts itself), which is also
 * returned; publishes nothing yet, so that the job table can note it first.
 */
uint64_t fr_hub_number(struct fr_hub *hub, const struct fr_event *event);

/*
 * Notes an event of the first backlog, which is told to nobody; with fr_hub_settle(), once the
 * backlog is in and the instance is known, it can be read like any other. Events without
 * numbers of their engine are put in the order of their timestamps then, others in that of
 * their numbers; what is left out there is gone.
 * The latest are kept, some thousands: whoever reads on after a restart was there shortly
 * before.
 */
void fr_hub_preload(struct fr_hub *hub, const struct fr_news *news);
/* Instead, for an engine with numbers: an event of this number was, and is not told. */
void fr_hub_pass(struct fr_hub *hub, uint64_t seq);
void fr_hub_settle(struct fr_hub *hub);

/* Drops what is kept and noted: nothing up to the latest number can be read from here on. */
void fr_hub_forget(struct fr_hub *hub);

/*
 * Keeps the event's text and tells the subscribers of its job. A subscriber may end its own or
 * any other subscription meanwhile. A text that there is no memory for leaves a gap: nothing
 * before it can be read any more.
 */
void fr_hub_publish(struct fr_hub *hub, const struct fr_news *news);

/* Tells other news: of a job to its subscribers, the rest to those of every job. */
void fr_hub_tell(struct fr_hub *hub, const struct fr_news *news);

/* id: only this job's news; FR_FLUID_ANY: all. NULL: no memory. */
struct fr_subscription *fr_hub_subscribe(struct fr_hub *hub, uint64_t id, fr_hub_f cb,
                                         void *arg);
void fr_hub_unsubscribe(struct fr_subscription *subscription); /* NULL is allowed */

/* How many subscriptions there are. */
size_t fr_hub_subscribers(const struct fr_hub *hub);

/* The sequence number of the latest event, 0 before the first. */
uint64_t fr_hub_seq(const struct fr_hub *hub);

/* Room for a cursor with its NUL. */
#define FR_CURSOR_TEXT 80

/* Writes the cursor that stands after event `seq`, of about now, into buf; returns buf. */
const char *fr_hub_cursor(const struct fr_hub *hub, uint64_t seq, char *buf);

/* One kept event. */
struct fr_kept {
    uint64_t seq;
    uint64_t id;
    uint64_t before; /* bytes kept before it since the hub began */
    double timestamp;
    int64_t index;
    enum fr_state state; /* of the job after it */
    int name;            /* as fr_event_known() says, or -1 */
    size_t len;
    size_t json; /* where the JSON line in the text begins; its newline is the last but one */
    char text[]; /* an event of text/event-stream */
};

/*
 * Positions of kept events: those from first to end - 1 are kept, end is that of the event to
 * come. fr_hub_get() lends one until the next event arrives.
 */
uint64_t fr_hub_first(const struct fr_hub *hub);
uint64_t fr_hub_end(const struct fr_hub *hub);
const struct fr_kept *fr_hub_get(const struct fr_hub *hub, uint64_t position);
/* The cursor with which a reader whose next position is this one would go on. */
const char *fr_hub_cursor_at(const struct fr_hub *hub, uint64_t position, char *buf);
/* Bytes kept from this position on. */
size_t fr_hub_behind(const struct fr_hub *hub, uint64_t position);
/* Most bytes that are kept. */
size_t fr_hub_bytes_max(const struct fr_hub *hub);

/*
 * Finds the position of the first event after a cursor. 0; -EINVAL (FR_CODE_INVALID: no cursor
 * of ours); -ESTALE (FR_CODE_GONE: of another instance, or something after it is not kept any
 * more).
 */
int fr_hub_find(const struct fr_hub *hub, const char *cursor, uint64_t *ret_position,
                struct fr_error *err);

/* A position that no event comes before which was stamped at this time or later. */
uint64_t fr_hub_find_time(const struct fr_hub *hub, double timestamp);

#endif
