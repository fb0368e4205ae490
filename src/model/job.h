// SPDX-License-Identifier: LGPL-3.0-only
/*
 * A job's record and the state machine that events drive (RFC 21).
 *
 * The record holds what Flux's job-list would show, and is filled from nothing but the
 * journal: the jobspec that comes with `submit`, the R that comes with `alloc`, and each
 * event's context. Not thread safe; one record belongs to one table (core/table.h).
 */
#ifndef FR_MODEL_JOB_H
#define FR_MODEL_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "model/event.h"
#include "model/jobspec.h"
#include "model/rset.h"

/* Flux's own bits (flux/job.h), so that a set of states is a mask. */
enum fr_state {
    FR_STATE_NEW = 1,
    FR_STATE_DEPEND = 2,
    FR_STATE_PRIORITY = 4,
    FR_STATE_SCHED = 8,
    FR_STATE_RUN = 16,
    FR_STATE_CLEANUP = 32,
    FR_STATE_INACTIVE = 64,
    /* sets of states */
    FR_STATES_PENDING = 2 | 4 | 8,
    FR_STATES_RUNNING = 16 | 32,
    FR_STATES_ACTIVE = 2 | 4 | 8 | 16 | 32,
    FR_STATES_ALL = 127
};

enum fr_result {
    FR_RESULT_NONE = 0, /* not ended yet */
    FR_RESULT_COMPLETED = 1,
    FR_RESULT_FAILED = 2,
    FR_RESULT_CANCELED = 4,
    FR_RESULT_TIMEOUT = 8
};

/* "RUN", "INACTIVE", …; static. */
const char *fr_state_word(enum fr_state state);
/* "COMPLETED", …; "" for FR_RESULT_NONE; static. */
const char *fr_result_word(enum fr_result result);
/*
 * Reads a state's or set's word in any case (RFC 21 names, pending, running, active,
 * inactive) into a mask. 0 or -EINVAL.
 */
int fr_state_parse(const char *text, int *ret_mask);
/* Reads a result's word in any case (also "cancelled") into a mask. 0 or -EINVAL. */
int fr_result_parse(const char *text, int *ret_mask);

/*
 * All texts are owned by the record and NULL while not known; times are seconds since the
 * epoch and 0 while not known.
 */
struct fr_job {
    /* First what lists are filtered by, in one line of the processor's cache. */
    uint64_t id;
    char *name;
    char *queue;
    double t_submit;
    double t_inactive;
    int64_t userid;       /* -1 while not known */
    uint64_t changed_seq; /* set by the table: sequence number of the last event */
    uint8_t state;        /* enum fr_state */
    uint8_t result;       /* enum fr_result */
    bool success;
    bool invalidated; /* an `invalidate` event came: the job never was */
    int32_t urgency;  /* -1 while not known */
    int64_t priority; /* -1 while not known; RFC 30 */
    double t_depend;
    double t_priority; /* first time; a job can come back to PRIORITY and SCHED */
    double t_sched;
    double t_run;
    double t_cleanup;
    double duration;   /* time limit, seconds; 0 is unlimited */
    double expiration; /* when the time limit ends the job; 0 is never or not known */
    char *command;     /* argv joined, cut at FR_JOB_COMMAND_MAX bytes */
    char *cwd;
    char *bank;
    char *project;
    char *ranks;    /* RFC 22, as Flux shows it: "0", "[0-3]" */
    char *nodelist; /* RFC 29 */
    /* Of the exception that counts: the gravest, the first among equals. */
    char *exception_type;
    char *exception_note;
    char *annotations;  /* JSON object text */
    char *dependencies; /* JSON array text of those still open */
    int32_t ntasks;     /* this and the next three: 0 while not known */
    int32_t ncores;
    int32_t ngpus;
    int32_t nnodes;
    int32_t tasks_per_node; /* not 0: ntasks follows from R (fr_jobspec) */
    int32_t tasks_per_core;
    int32_t waitstatus;         /* of wait(2), the highest of the tasks; -1 while not known */
    int32_t exception_severity; /* -1: no exception */
    int32_t nevents;            /* stored events seen: the index that the next one gets */
};

#define FR_JOB_COMMAND_MAX 4096
/* Any other text is cut at this many bytes: a list of jobs must stay of a sane size. */
#define FR_JOB_TEXT_MAX 16384

struct fr_job *fr_job_create(uint64_t id); /* NULL: no memory */
void fr_job_free(struct fr_job *job);      /* NULL is allowed */

/*
 * Takes one event into account. jobspec comes with `submit`, R with `alloc`, both may be NULL
 * and are only read. An event of an unknown name changes nothing but nevents. Events that
 * repeat (index below nevents) are ignored: returns -EALREADY.
 * 0; -EPROTO with err for a context that cannot be read (what could be read is kept); -ENOMEM.
 */
int fr_job_apply(struct fr_job *job, const struct fr_event *event,
                 const struct fr_jobspec *jobspec, const struct fr_rset *R,
                 struct fr_error *err);

/* Not a return code: there is none yet (shown as ""). Below every return code. */
#define FR_JOB_NO_RETURNCODE (-1000)

/*
 * Flux's return code: the exit status (a task ended by a signal makes the job shell exit with
 * 128 + signal; 126 and 127 are the shell's own too); minus the signal if the shell itself was
 * killed by one; 1 if an exception ended the job before it ran, -128 if that was a cancel;
 * FR_JOB_NO_RETURNCODE while there is none.
 */
int fr_job_returncode(const struct fr_job *job);

/* Seconds it ran or has been running at `now`; 0 if it did not. */
double fr_job_runtime(const struct fr_job *job, double now);

#endif
