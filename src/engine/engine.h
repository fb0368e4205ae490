// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The contract between an engine, which runs jobs, and all that stands above it.
 *
 * An engine is a source of events with a few verbs. It offers a journal: every job that it
 * knows with its events so far, then "caught up", then each new event as it happens. Above it
 * one table of jobs is kept from that journal, and no read ever asks the engine.
 *
 * Threads: every function here is called on the loop's thread and returns at once; every
 * callback comes on the loop's thread, never from inside the call that started it. An engine
 * may have threads of its own behind that.
 *
 * Texts and structures handed to a callback are borrowed for its duration.
 *
 * What an engine cannot do is a NULL function pointer; its absence is answered as 501.
 * tests/contract runs against every engine.
 */
#ifndef FR_ENGINE_ENGINE_H
#define FR_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/error.h"
#include "model/event.h"
#include "model/jobspec.h"
#include "model/rset.h"

struct fr_job;

/* One step of the journal: a job and what became of it. */
struct fr_journal_entry {
    uint64_t id;
    const struct fr_event *events; /* in the order of the job's log */
    size_t nevents;
    const struct fr_jobspec *jobspec; /* with the event `submit`, else NULL; no environment */
    const struct fr_rset *R;          /* with the event `alloc`, else NULL */
    /*
     * In a backlog, instead of all that: a job that has ended long ago, as its events have left
     * it. NULL for none; the sink may take it, and leaves *ended NULL then.
     */
    struct fr_job **ended;
    uint64_t seq; /* its last event's number */
    json_t *user; /* attributes.user of its jobspec, or NULL */
};

/* Where an engine's news go. Given to the engine's create function; must outlive it. */
struct fr_engine_sink {
    void (*journal)(void *arg, const struct fr_journal_entry *entry);
    /*
     * The backlog is complete. Comes again after each back(). seq: the number of the latest
     * event that the engine has given, 0 if it gives none; what was not told up to it is
     * forgotten.
     */
    void (*caught_up)(void *arg, uint64_t seq);
    /* Jobs that the engine has forgotten, to be forgotten here too. */
    void (*purged)(void *arg, const uint64_t *ids, size_t count);
    /*
     * The engine cannot be reached; reason is a sentence. Comes again when the reason is
     * another one. Reads go on, marked stale. Writes
     * end with FR_CODE_UNAVAILABLE, FR_CODE_NOT_SENT or FR_CODE_OUTCOME_UNKNOWN.
     */
    void (*lost)(void *arg, const char *reason);
    /*
     * The engine that was lost answers again, and nothing was missed meanwhile: it was silent
     * but not gone. No backlog follows.
     */
    void (*resumed)(void *arg);
    /*
     * The engine is reached again. instance says which (see instance in fr_engine_ops); if it
     * is another one than before, all jobs known so far are void. The backlog follows.
     */
    void (*back)(void *arg);
    /*
     * The instance itself is ending (Flux: its broker tells us to go), or the engine failed
     * for good: the daemon should end. err is NULL for an orderly end.
     */
    void (*ended)(void *arg, const struct fr_error *err);
    void *arg;
};

/* The answer to a submit: err is NULL and id valid, or err says why not. */
typedef void (*fr_submit_f)(void *arg, uint64_t id, const struct fr_error *err);

/* The answer to a verb without a result: err is NULL on success. */
typedef void (*fr_done_f)(void *arg, const struct fr_error *err);

enum fr_node_state {
    FR_NODE_FREE,
    FR_NODE_PARTLY,
    FR_NODE_ALLOCATED,
    FR_NODE_DOWN,
    FR_NODE_DRAINED,
    FR_NODE_OFFLINE,
    FR_NODE_EXCLUDED /* by the instance's configuration: no job is given it */
};

struct fr_node {
    const char *name;
    unsigned int rank;
    enum fr_node_state state;
    const char *drain_reason; /* NULL if not drained */
    int cores, cores_used;
    int gpus, gpus_used;
};

/* The answer to nodes(): either err, or count nodes in the order of ranks. */
typedef void (*fr_nodes_f)(void *arg, const struct fr_node *nodes, size_t count,
                           const struct fr_error *err);

/* What is counted of a job's size. */
enum fr_size { FR_SIZE_NODES, FR_SIZE_CORES, FR_SIZE_GPUS, FR_SIZES };

/* What one job may ask for; negative: as much, or as little, as it likes. */
struct fr_limits {
    double duration; /* seconds */
    int max[FR_SIZES], min[FR_SIZES];
};

struct fr_queue {
    const char *name; /* NULL: the one queue of an instance that has no named ones */
    bool enabled;     /* takes submits */
    bool started;     /* starts jobs */
    const char *disable_reason, *stop_reason; /* NULL if not given */
    struct fr_limits limits;
};

/* The answer to queues(): either err, or count queues. */
typedef void (*fr_queues_f)(void *arg, const struct fr_queue *queues, size_t count,
                            const struct fr_error *err);

/* What lookup() finds of one job. */
enum fr_lookup {
    FR_LOOKUP_EVENTLOG, /* RFC 18: one JSON object in each line */
    FR_LOOKUP_JOBSPEC,  /* RFC 25, with its environment */
    FR_LOOKUP_R         /* RFC 20 */
};

/* The answer to lookup(): err, or a JSON text of len bytes. */
typedef void (*fr_lookup_f)(void *arg, const char *text, size_t len,
                            const struct fr_error *err);

/* What a watch on a job's output tells. */
enum fr_output_kind {
    FR_OUTPUT_DATA,      /* bytes of one stream of one task */
    FR_OUTPUT_CAUGHT_UP, /* all that was there when the watch began has been told; once */
    FR_OUTPUT_REDIRECT,  /* the stream goes to a file; path says which */
    FR_OUTPUT_END,       /* the job has ended and all was told: the last call */
    FR_OUTPUT_ERROR      /* err says why there will be no more: the last call */
};

struct fr_output {
    enum fr_output_kind kind;
    bool is_stderr;   /* DATA, REDIRECT */
    const char *rank; /* DATA: task rank, or an RFC 22 idset of ranks; NULL if not known */
    const char *data; /* DATA: bytes, not a text; may hold NUL and half characters */
    size_t len;
    /* DATA: the engine's number for the place after this piece; a watch started from it
     * tells what follows. */
    uint64_t offset;
    const char *path;           /* REDIRECT */
    const struct fr_error *err; /* ERROR */
};

typedef void (*fr_output_f)(void *arg, const struct fr_output *piece);

/* One watch on one job's output; opaque, the engine's. */
struct fr_output_watch;

/* An engine; its first member, so that an engine's own struct can begin with it. */
struct fr_engine {
    const struct fr_engine_ops *ops;
};

struct fr_engine_ops {
    const char *name; /* "local", "flux" */

    /* Its events have numbers of their own (fr_event.seq), which it keeps over restarts. */
    bool numbered;

    /*
     * Whether a submit that was sent before the journal was read may come into it later than
     * caught_up() (Flux: it is still in ingest). Known keys are waited for then.
     */
    bool submits_late;

    /*
     * Starts: journal, caught_up and the rest come from now on. 0, or a negative errno with
     * err when there is no point in going on (then close is still called).
     */
    int (*open)(struct fr_engine *engine, struct fr_error *err);

    /*
     * Ends. Watches tell nothing from here on, and are still freed by who made them, before
     * closed() is called. Other callbacks still pending come first, with
     * FR_CODE_STOPPING where they did not get done; then closed() once, after which the engine
     * is freed. Jobs are not touched.
     */
    void (*close)(struct fr_engine *engine, void (*closed)(void *arg), void *arg);

    /*
     * A text that tells this instance from any other, the same for as long as its jobs are
     * (Flux: the broker's uuid; local: the store's). Borrowed; valid from the first journal
     * entry, caught_up or back on.
     */
    const char *(*instance)(struct fr_engine *engine);

    /* Nodes, cores and GPUs of the instance; 0 while not known. For checks at submit. */
    void (*size)(struct fr_engine *engine, int *ret_nodes, int *ret_cores, int *ret_gpus);

    /*
     * Submits. spec is taken over, also on failure. The answer comes when the job is safe: it
     * survives the daemon. Many may be in flight.
     */
    void (*submit)(struct fr_engine *engine, struct fr_jobspec *spec, int urgency,
                   fr_submit_f cb, void *arg);

    /*
     * Raises an exception of type "cancel", severity 0. note may be NULL. Errors:
     * FR_CODE_JOB_NOT_FOUND ("unknown job id"), FR_CODE_JOB_INACTIVE ("job is inactive").
     */
    void (*cancel)(struct fr_engine *engine, uint64_t id, const char *note, fr_done_f cb,
                   void *arg);

    /* Sends a signal to the tasks of a running job. FR_CODE_JOB_STATE if it does not run. */
    void (*kill)(struct fr_engine *engine, uint64_t id, int signum, fr_done_f cb, void *arg);

    /*
     * Sets a job's urgency, 0 (held) to 31 (expedited). FR_CODE_JOB_NOT_FOUND,
     * FR_CODE_JOB_INACTIVE, FR_CODE_JOB_STATE (its resources are allocated already).
     */
    void (*urgency)(struct fr_engine *engine, uint64_t id, int urgency, fr_done_f cb,
                    void *arg);

    /*
     * Sets the time limit of a waiting or running job, in seconds from its start; 0: none.
     * FR_CODE_JOB_NOT_FOUND, FR_CODE_JOB_INACTIVE, FR_CODE_INVALID (a running job has had
     * that much already).
     */
    void (*duration)(struct fr_engine *engine, uint64_t id, double seconds, fr_done_f cb,
                     void *arg);

    /*
     * Reads what is kept of one job but not in the table. FR_CODE_JOB_NOT_FOUND;
     * FR_CODE_NOT_FOUND if the job has no such thing (yet: R of a waiting job).
     */
    void (*lookup)(struct fr_engine *engine, uint64_t id, enum fr_lookup what, fr_lookup_f cb,
                   void *arg);

    /*
     * What a waiting job waits for, as a sentence without a full stop, written to buf. False
     * if the engine knows no more than the job's own events say. Answers at once.
     */
    bool (*why)(struct fr_engine *engine, uint64_t id, char *buf, size_t size);

    /*
     * Begins to tell a job's output from `offset` (0: from the start). NULL: no memory. Errors
     * come by callback: FR_CODE_JOB_NOT_FOUND. While paused nothing is told. After END, ERROR
     * or at any other time, also from inside the callback, the caller frees the watch; no
     * callback comes after that.
     */
    struct fr_output_watch *(*output)(struct fr_engine *engine, uint64_t id, uint64_t offset,
                                      fr_output_f cb, void *arg);
    void (*output_pause)(struct fr_output_watch *watch, bool paused);
    void (*output_free)(struct fr_output_watch *watch);

    void (*nodes)(struct fr_engine *engine, fr_nodes_f cb, void *arg);

    /*
     * Takes nodes out of service, or puts them back; jobs that run there go on. targets is an
     * RFC 29 hostlist or an RFC 22 idset of ranks; reason may be NULL. FR_CODE_NOT_FOUND (no
     * such node), FR_CODE_REFUSED (drained already, not drained).
     */
    void (*drain)(struct fr_engine *engine, const char *targets, const char *reason,
                  fr_done_f cb, void *arg);
    void (*undrain)(struct fr_engine *engine, const char *targets, fr_done_f cb, void *arg);

    void (*queues)(struct fr_engine *engine, fr_queues_f cb, void *arg);

    /*
     * Ends the instance itself (Flux: shutdown of the broker). NULL where there is nothing to
     * end beside the daemon (local).
     */
    void (*shutdown)(struct fr_engine *engine, fr_done_f cb, void *arg);
};

/* What the local engine is made with. */
struct fr_local_options {
    const char *state_dir;  /* made if missing, mode 0700; locked against a second daemon */
    const char *shell_path; /* the job shell's program */
    uint64_t output_max;    /* bytes of output kept per job */
    int cores;              /* 0: all that hwloc and our affinity give; for tests */
    int gpus;               /* 0: all that hwloc finds; for tests */
    size_t keep_jobs;       /* ended jobs that are kept; 0: all */
    double keep_seconds;    /* after its end a job is kept so long; 0: for ever */
};

/*
 * Makes the local engine, closed. options are copied. 0; with err: -ENOMEM, -EBUSY (another
 * daemon holds the state directory), -EACCES and other errnos of the file system.
 */
int fr_local_create(uv_loop_t *loop, const struct fr_local_options *options,
                    const struct fr_engine_sink *sink, struct fr_engine **ret,
                    struct fr_error *err);

/* One thing that is wrong, as a sentence without a full stop. */
typedef void (*fr_check_f)(void *arg, const char *text);

/*
 * Reads the whole store of a local engine that does not run: the database, every job's log and
 * folder. Blocks. The number of faults, each of which is told; or a negative errno with err:
 * -EBUSY (a daemon has it), -ENOENT, -EIO for what cannot be read at all. A store of an older
 * version becomes one of today's.
 */
int fr_local_check(const char *state_dir, fr_check_f say, void *arg, struct fr_error *err);

/* What the Flux engine is made with. */
struct fr_flux_options {
    const char *uri; /* NULL: FLUX_URI, or the enclosing instance, as flux_open(3) finds it */
    unsigned int requests; /* most that wait for Flux's answer at a time; 0: 4096 */
    unsigned int seconds;  /* that Flux may take to answer one; 0: 30 */
};

/* Makes the Flux engine, closed. -ENOSYS with err where it was not built in. */
int fr_flux_create(uv_loop_t *loop, const struct fr_flux_options *options,
                   const struct fr_engine_sink *sink, struct fr_engine **ret,
                   struct fr_error *err);

/* Whether the Flux engine was built in, and against which flux-core ("0.88.0", else NULL). */
const char *fr_flux_version(void);

/* Whether a Flux is there for us: FLUX_URI set, or an instance encloses us. */
bool fr_flux_present(void);

#endif
