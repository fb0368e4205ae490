// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The local engine's own header: its state, and what its files do for each other.
 *
 *   engine.c    the engine's functions: create, open, close, submit, cancel, kill, nodes
 *   accept.c    what of a jobspec can be done here
 *   recover.c   reads the store at open and takes up where the last daemon left
 *   depend.c    what a job waits for before that
 *   run.c       a job's way from the queue to its shell
 *   attend.c    what a shell does, and what is to be done about it
 *   leftovers.c what is left of a job whose shell was killed
 *   end.c       a job's end
 *   steer.c     its urgency and time limit
 *   purge.c     the end of what is kept
 *   query.c     what is kept of it, what it waits for
 *
 * The rule behind all of it: nothing is done in the world before the intent is on disk, and
 * nothing is told upward before it is on disk. What is between the two can be seen in the
 * job's folder (folder.h), so that the next daemon finds out by looking.
 */
#ifndef FR_LOCAL_LOCAL_H
#define FR_LOCAL_LOCAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/loop.h"
#include "engine/engine.h"
#include "engine/local/depend.h"
#include "engine/local/folder.h"
#include "engine/local/jobs.h"
#include "engine/local/launch.h"
#include "engine/local/output.h"
#include "engine/local/resources.h"
#include "engine/local/sched.h"
#include "engine/local/store.h"
#include "model/fluid.h"

struct fr_local;

/* Where an active job stands. */
enum fr_phase {
    FR_PHASE_DEPEND,   /* something must come about first */
    FR_PHASE_WAITING,  /* in the queue */
    FR_PHASE_ALLOCATE, /* has cores; `alloc` is being committed */
    FR_PHASE_ATTEND,   /* a worker is at its folder, or a timer will send one */
    FR_PHASE_RUN,      /* a shell has its claim or is about to; we watch the shell */
    FR_PHASE_END       /* its last events are being committed */
};

/* What a worker does at a job's folder. */
enum fr_errand { FR_ERRAND_LAUNCH, FR_ERRAND_EXAMINE, FR_ERRAND_VOID };

/* An active job. Owned by the engine's list of jobs. */
struct fr_local_job {
    struct fr_local *engine;
    uint64_t id;
    enum fr_phase phase;
    int urgency;
    struct fr_sched_share share; /* no cores: the stored jobspec could not be read */
    double duration;             /* its time limit in seconds, 0: none */
    unsigned int outcome;        /* enum fr_outcome, of what is on disk */
    bool limit_new;              /* the shell is to be told of `duration` */
    bool limit_busy;             /* a worker has it */
    bool queued;                 /* stands in the queue */
    bool started;                /* `start` is in its log */
    bool fatal;       /* an exception of severity 0 that is not its shell's is in its log */
    int told;         /* exceptions of its shell that are */
    bool child;       /* the shell is our child: to be reaped */
    int child_status; /* wait status of a shell that was; -1 while not known */
    int64_t nevents;  /* index of the next event */
    double last;      /* timestamp of the last one: they rise */
    char *cores;      /* idset; NULL before it was allocated */
    char *gpus;       /* idset, or NULL: none */
    double allocated; /* when that was */
    pid_t pid;        /* of the shell in FR_PHASE_RUN, 0 if it cannot be reached */
    int pidfd;        /* -1: none */
    pid_t gone;       /* the shell that was last seen to have ended */
    struct fr_poll *watch;
    int bell; /* -1: none (yet) */
    struct fr_poll *bell_watch;
    struct fr_timer *timer; /* for the errand; made before anything is allocated */
    enum fr_errand errand;
    unsigned int attempts;     /* launches that failed for what does not pass by itself */
    unsigned int lacks;        /* and for what does; no more are counted than matter */
    struct fr_error failure;   /* why the last one did */
    struct fr_depend *depends; /* what it waits for */
    size_t ndepends;
    struct fr_waiters to_start, to_end; /* of others: what waits for this one */
    TAILQ_ENTRY(fr_local_job) active;   /* in fr_jobs.active */
    TAILQ_ENTRY(fr_local_job) holder;   /* in fr_local.holders, while it has resources */
    bool cancel_kept;    /* a cancel has taken effect and waits for room in the store */
    bool busy;           /* a worker is at it */
    bool again;          /* and is to look again after */
    unsigned int sweeps; /* after its shell had died */
};

#define FR_LOCAL_STARTS 64
#define FR_LOCAL_WINDOW 512

struct fr_later;
struct fr_purge;

struct fr_local {
    struct fr_engine base; /* first: the contract's struct */
    uv_loop_t *loop;
    struct fr_engine_sink sink;
    char *state_dir;
    char *shell_path;
    char host[65];
    int lock; /* of the state directory */
    struct fr_launch_settings launch;
    struct fr_resources *resources;
    struct fr_store *store;
    struct fr_outputs *outputs;
    struct fr_purge *purge;
    struct fr_fluid_gen ids;
    struct fr_jobs jobs;
    struct fr_sched_queue queue;
    TAILQ_HEAD(, fr_local_job) holders; /* those that have resources */
    size_t nholders;
    /* Room for a look at the queue: what stands first there, and what runs. */
    struct fr_sched_item window[FR_LOCAL_WINDOW];
    struct fr_sched_running *running;
    size_t running_cap;
    bool caught_up;
    bool closing;
    bool store_closing; /* and nothing but the store is waited for */
    bool lacking;       /* a job could not be started for a lack that passes, and it was said */
    size_t submitting;  /* submissions on their way to the disk */
    unsigned int works; /* errands and reads that a worker has */
    struct fr_timer *tick;
    bool ticking; /* the timer is set */
    struct fr_wake *wake;
    struct fr_later *later, **later_end;
    void (*closed)(void *arg);
    void *closed_arg;
};

static inline struct fr_local *fr_local_of(struct fr_engine *engine)
{
    return (struct fr_local *)engine;
}

/* engine.c: one piece of work of a worker is over; goes on closing if that waits for it. */
void fr_local_work_over(struct fr_local *engine);
/* Looks again, in half a second, after what no descriptor tells us or what lacked memory. */
void fr_local_tick_soon(struct fr_local *engine);

/* later.c: answers that must not come from inside the call that asked. */
void fr_later_submit(struct fr_local *engine, fr_submit_f cb, void *arg,
                     const struct fr_error *err);
void fr_later_done(struct fr_local *engine, fr_done_f cb, void *arg,
                   const struct fr_error *err);
void fr_later_lookup(struct fr_local *engine, fr_lookup_f cb, void *arg,
                     const struct fr_error *err);
void fr_later_nodes(struct fr_local *engine, fr_nodes_f cb, void *arg);
void fr_later_run(struct fr_local *engine); /* all that wait */

/*
 * accept.c: what of a jobspec can be done here. 0, or with err naming the member: -ENOSYS, and
 * -EINVAL for a text with NUL.
 */
int fr_local_accept(const struct fr_jobspec *spec, struct fr_error *err);

/* submit.c */
void fr_local_submit(struct fr_engine *base, struct fr_jobspec *spec, int urgency,
                     fr_submit_f cb, void *arg);

/* run.c */
struct fr_local_job *fr_run_job_create(struct fr_local *engine, uint64_t id, int urgency,
                                       const struct fr_jobspec *spec); /* NULL: no memory */
void fr_run_job_free(struct fr_local_job *job);
/* What the job takes of this machine, which may be more than it has. */
struct fr_sched_share fr_run_share(const struct fr_local *engine,
                                   const struct fr_jobspec *spec);
/* The job has these resources, since then. Takes the texts; gpus may be NULL. */
void fr_run_hold(struct fr_local_job *job, char *cores, char *gpus, double since);
/* What one event adds to a job's outcome. */
unsigned int fr_run_outcome(const struct fr_event *event);
/* Puts `priority`, as it follows from the urgency. 0 or -ENOMEM. */
int fr_run_priority(struct fr_local_job *job, struct fr_unit *unit, double when);
/* A new or stored job, in the list of jobs: waits for what it depends on, or in the queue. */
void fr_run_begin(struct fr_local_job *job);
/* Puts a waiting job into the queue; without memory, later. */
void fr_run_enqueue(struct fr_local_job *job);
void fr_run_dequeue(struct fr_local_job *job);
/* Gives back what the job has, for others to be started with. */
void fr_run_release(struct fr_local_job *job);
/* Gives back what the job has and forgets it: its last event is on disk and told. */
void fr_run_forget(struct fr_local_job *job);
/* Starts what can be started. */
void fr_run_schedule(struct fr_local *engine);
/* Looks at each active job: does again what lacked memory, and what no descriptor tells of. */
void fr_run_tick(struct fr_local *engine);
/* A job that had cores when the last daemon ended: finds out how it stands. */
void fr_run_resume(struct fr_local_job *job);
/* The next timestamp and index for an event of this job that is of time `when`. */
void fr_run_event(struct fr_local_job *job, struct fr_unit *unit, const char *name, double when,
                  char *context);
/* The context of an exception, to be freed; NULL: no memory. by_user: with our user id. */
char *fr_run_exception(const char *type, const char *note, bool by_user);
/* Tells the sink what was committed. */
void fr_run_publish(struct fr_local *engine, const struct fr_unit *unit,
                    const struct fr_jobspec *spec);

/* attend.c */
/* Sends a worker to the job's folder, now or in after_ms. */
void fr_attend(struct fr_local_job *job, enum fr_errand errand, uint64_t after_ms);
/* Looks after a job in FR_PHASE_RUN whose shell no descriptor tells of. */
void fr_attend_look(struct fr_local_job *job);

/* end.c */
/* Whether verbs can be done at all: 0, or a negative errno with err. */
int fr_local_open_check(const struct fr_local *engine, struct fr_error *err);
/* Finds an active job for a verb, or says why not. */
int fr_local_find(struct fr_local *engine, uint64_t id, struct fr_local_job **ret,
                  struct fr_error *err);
/* The job has ended as the report says (ENDED, DIED or VOID). */
void fr_end_job(struct fr_local_job *job, const struct fr_report *report);
/* Adds those exceptions of the report that are not in the job's log yet. 0 or -ENOMEM. */
int fr_end_exceptions(struct fr_local_job *job, struct fr_unit *unit,
                      const struct fr_report *report);
void fr_local_cancel(struct fr_engine *base, uint64_t id, const char *note, fr_done_f cb,
                     void *arg);
void fr_local_kill(struct fr_engine *base, uint64_t id, int signum, fr_done_f cb, void *arg);
/*
 * Ends a job that waits, with an exception of this type. 0 or -ENOMEM. With cb it waits on if
 * this cannot be stored, and cb says so; without, it can never run, and it is tried for ever.
 */
int fr_end_waiting(struct fr_local_job *job, const char *type, const char *note, bool by_user,
                   fr_done_f cb, void *arg);

/* steer.c */
void fr_local_urgency(struct fr_engine *base, uint64_t id, int urgency, fr_done_f cb,
                      void *arg);
void fr_local_duration(struct fr_engine *base, uint64_t id, double seconds, fr_done_f cb,
                       void *arg);
/* Tells the shell of a running job its new time limit, if there is one. */
void fr_steer_limit(struct fr_local_job *job);

/* query.c */
void fr_local_lookup(struct fr_engine *base, uint64_t id, enum fr_lookup what, fr_lookup_f cb,
                     void *arg);
bool fr_local_why(struct fr_engine *base, uint64_t id, char *buf, size_t size);

/* purge.c: forgets jobs that ended, all but the `keep` newest and after `seconds` (0: none). */
int fr_purge_create(struct fr_local *engine, size_t keep, double seconds,
                    struct fr_purge **ret);
void fr_purge_begin(struct fr_purge *purge); /* all jobs are known */
void fr_purge_look(struct fr_purge *purge);  /* one has ended */
void fr_purge_stop(struct fr_purge *purge);  /* the engine closes */
void fr_purge_free(struct fr_purge *purge);  /* NULL is allowed */

/* recover.c */
int fr_recover_begin(struct fr_local *engine, struct fr_error *err);

/* lock.c: one daemon for each state directory. */
int fr_lock_take(const char *state_dir, int *ret_fd, struct fr_error *err);

#endif
