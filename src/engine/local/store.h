// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The local engine's store: jobs and their events in SQLite.
 *
 * One writer, off the loop: one batch is committed at a time, and what is put meanwhile goes
 * into the next, so that many submissions share one disk sync. A unit is committed as a whole
 * or not at all, and units in the order in which they were put. The database is in WAL mode
 * with synchronous=FULL: what was committed survives a power cut.
 *
 * All of it belongs to the loop's thread, but for the fr_store_read_… functions.
 */
#ifndef FR_LOCAL_STORE_H
#define FR_LOCAL_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/error.h"
#include "model/event.h"

struct fr_store;
struct fr_unit;

/*
 * What became of a unit: 0 (on disk; its events have their seq), or a negative errno with err.
 * After a failure, true keeps the unit at its place to be tried again, false gives it up.
 * The unit is freed by the store, unless it is kept.
 */
typedef bool (*fr_unit_f)(void *arg, const struct fr_unit *unit, int result,
                          const struct fr_error *err);

/* Events that any unit has room for. */
#define FR_UNIT_EVENTS 12

enum fr_unit_kind {
    FR_UNIT_JOB,  /* news of one job */
    FR_UNIT_DOOM, /* takes jobs out, and notes them as doomed */
    FR_UNIT_BURY  /* what was doomed is gone */
};

/* What is committed together, of one job. Made with fr_unit_create. */
struct fr_unit {
    enum fr_unit_kind kind;
    const uint64_t
        *ids; /* of FR_UNIT_DOOM and FR_UNIT_BURY, which have nothing else; borrowed */
    size_t nids;
    uint64_t id;
    /* A new job, if jobspec is not NULL. Owned JSON texts. */
    char *jobspec;
    char *environment; /* may be NULL */
    int urgency;
    char *R; /* owned JSON text, or NULL to leave it */
    /* A new time limit, for the stored jobspec and R; negative to leave them. */
    double duration;
    double expiration;
    struct fr_event *events;
    size_t nevents;
    fr_unit_f done;
    void *arg;
    /* private to the store */
    size_t cap;
    struct fr_event first[FR_UNIT_EVENTS];
    struct fr_unit *next;
};

struct fr_unit *fr_unit_create(uint64_t id, fr_unit_f done, void *arg); /* NULL: no memory */
void fr_unit_free(struct fr_unit *unit);                                /* NULL is allowed */

/* Makes room for this many events in all. 0 or -ENOMEM. */
int fr_unit_reserve(struct fr_unit *unit, size_t count);

/*
 * Adds an event. name is static; context is taken over (free(3)) and may be NULL. More than
 * there is room for is our own mistake. The event `clean` marks the job as ended.
 */
void fr_unit_event(struct fr_unit *unit, const char *name, double timestamp, int64_t index,
                   char *context);

/*
 * Opens the database at path, making it if it is missing. Blocks. 0, or a negative errno with
 * err: -EPROTO for a database of a newer version, -EIO, -ENOSPC, -ENOMEM.
 */
int fr_store_open(uv_loop_t *loop, const char *path, struct fr_store **ret,
                  struct fr_error *err);

/* Tries once to commit what is still there, then calls closed and is gone. */
void fr_store_close(struct fr_store *store, void (*closed)(void *arg), void *arg);

const char *fr_store_uuid(const struct fr_store *store);
uint64_t fr_store_epoch(const struct fr_store *store);    /* of its ids, ms since 1970 */
uint64_t fr_store_last_seq(const struct fr_store *store); /* 0: no event yet */
uint64_t fr_store_last_id(const struct fr_store *store);  /* as it was when opened; 0: none */

/* Nothing is committed while held; what is put waits. A store opens held. */
void fr_store_release(struct fr_store *store);

/* Takes the unit over. Its done comes later, never from in here. */
void fr_store_put(struct fr_store *store, struct fr_unit *unit);

/* One stored event, with what came with it. All borrowed for the call. */
struct fr_row {
    uint64_t id;
    struct fr_event event;
    int urgency;
    const char *jobspec; /* with `submit`, else NULL */
    const char *R;       /* with `alloc`, else NULL */
};

typedef int (*fr_row_f)(void *arg, const struct fr_row *row);

/* A job that has ended, in short. */
struct fr_ended {
    uint64_t id;
    uint64_t seq; /* of its last event */
    unsigned int outcome;
    const char *record; /* model/job_record.h; borrowed for the call */
};

typedef int (*fr_record_f)(void *arg, const struct fr_ended *ended);

/*
 * For a worker thread. Tells up to limit jobs with a higher id than `after`, in the order of
 * ids, that had ended with the event `cut` and of which there is a record. 0; a negative errno
 * with err; or what each returned if negative.
 */
int fr_store_read_records(struct fr_store *store, uint64_t after, uint64_t cut, int limit,
                          fr_record_f each, void *arg, struct fr_error *err);

/*
 * For a worker thread. Tells the events of all other jobs, job by job in the order of ids, up
 * to limit in one call and from where the last call stopped; fewer are the last. As above.
 */
int fr_store_read_events(struct fr_store *store, uint64_t cut, int limit, fr_row_f each,
                         void *arg, struct fr_error *err);
/* Ends that before the last call. */
void fr_store_read_stop(struct fr_store *store);

/*
 * For a worker thread. A job's jobspec and environment, to be freed by the caller. 0, -ENOENT,
 * -ENOMEM, -EIO. *ret_environment may be NULL.
 */
int fr_store_read_spec(struct fr_store *store, uint64_t id, char **ret_jobspec,
                       char **ret_environment);

/*
 * For a worker thread. At most max jobs that have ended, those first that ended first: the
 * first `count` of all and those that ended before `cutoff`. 0, -EIO.
 */
int fr_store_read_ended(struct fr_store *store, size_t count, double cutoff, uint64_t *ids,
                        size_t max, size_t *ret_count);
/* For a worker thread. At most max that are doomed. 0, -EIO. */
int fr_store_read_doomed(struct fr_store *store, uint64_t *ids, size_t max, size_t *ret_count);

/* For a worker thread. A job's R as fr_store_read_spec(); NULL if it has none. */
int fr_store_read_R(struct fr_store *store, uint64_t id, char **ret_R);

/*
 * For a worker thread. Tells the events of one job in order, without jobspec and R. As
 * fr_store_read_events(); -ENOENT if there are none.
 */
int fr_store_read_log(struct fr_store *store, uint64_t id, fr_row_f each, void *arg,
                      struct fr_error *err);

#endif
