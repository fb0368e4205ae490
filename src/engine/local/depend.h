// SPDX-License-Identifier: LGPL-3.0-only
/*
 * What a job waits for before it may stand in the queue (RFC 26): other jobs, or a time.
 *
 *   after, afterstart   the other has started
 *   afterany            it has ended
 *   afterok             it ran and ended well
 *   afternotok          it ran and failed
 *   afterexcept         it ran and an exception ended it
 *   begin-time          this time has come (seconds since the epoch)
 *
 * As with Flux, a job that never ran satisfies afterany alone. What a dependency waits for is
 * found in the engine's list of jobs, so that one that ended long ago counts; which of them are
 * still open is in the job's log, so that nothing is lost with the daemon.
 */
#ifndef FR_LOCAL_DEPEND_H
#define FR_LOCAL_DEPEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/error.h"
#include "model/jobspec.h"

struct fr_local;
struct fr_local_job;
struct fr_unit;

struct fr_depend_kind;

struct fr_depend {
    struct fr_local_job *job; /* the one that waits */
    const struct fr_depend_kind *kind;
    uint64_t target; /* of all kinds but begin-time */
    double begin;    /* of begin-time */
    char *text;      /* as the log has it: "after-success=ƒ…" */
    bool open;
    bool listed;                  /* in its target's list */
    LIST_ENTRY(fr_depend) waiter; /* in to_start or to_end of the target's fr_local_job */
};

LIST_HEAD(fr_waiters, fr_depend);

/* Most that one job may have. */
#define FR_DEPENDS_MAX 1024

/*
 * Reads the jobspec's dependencies into job->depends. 0; -EINVAL with err for one that cannot
 * be read, that names an unknown job, or that can never be satisfied (only if check: it is not,
 * for a job out of the store); -ENOMEM.
 */
int fr_depend_read(struct fr_local_job *job, const struct fr_jobspec *spec, bool check,
                   struct fr_error *err);
/* Frees them. */
void fr_depend_done(struct fr_local_job *job);

/* Puts dependency-add, and -remove for those that are satisfied. 0 or -ENOMEM. */
int fr_depend_put(struct fr_local_job *job, struct fr_unit *unit, double now);
/* Marks the one with this text (out of an event's context) as satisfied. */
void fr_depend_close(struct fr_local_job *job, const char *context);
/* How many are still open. */
size_t fr_depend_open(const struct fr_local_job *job);

/* Begins to wait for what is open. The job is in FR_PHASE_DEPEND and in the list of jobs. */
void fr_depend_watch(struct fr_local_job *job);
/*
 * Looks whether what the job waits for has come about, and does what follows: it goes on, or
 * ends if it never can.
 */
void fr_depend_look(struct fr_local_job *job);
/* What these wait for has come about, or never will: looks at each. */
void fr_depend_wake(struct fr_waiters *waiters);

/* What an unsatisfied one waits for, as a sentence. */
void fr_depend_why(const struct fr_local_job *job, char *buf, size_t size);

#endif
