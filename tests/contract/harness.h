// SPDX-License-Identifier: LGPL-3.0-only
/*
 * One engine under test, on a loop of its own, and a record of all that it has told.
 *
 * Nothing here sleeps: HARNESS_WAIT runs the loop until what is waited for is true.
 */
#ifndef FR_TESTS_CONTRACT_HARNESS_H
#define FR_TESTS_CONTRACT_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <uv.h>

#include "engine/engine.h"
#include "model/job.h"

#define HARNESS_EVENTS_MAX 64
#define HARNESS_JOBS_MAX 4096
#define HARNESS_OUTPUT_MAX 65536

struct event_record {
    char *name;
    char *context; /* or NULL */
    double timestamp;
    int64_t index;
    bool has_jobspec, has_R;
};

struct job_record {
    uint64_t id;
    struct fr_job *job;
    struct event_record events[HARNESS_EVENTS_MAX];
    size_t nevents;
};

struct harness {
    uv_loop_t loop;
    uv_timer_t limit;
    struct fr_engine *engine; /* NULL once closed */
    struct job_record *jobs[HARNESS_JOBS_MAX];
    size_t njobs;
    int ncaught_up, nlost, nback, nended;
    bool closed;
    bool in_call; /* a function of the engine is being called: no callback may come */
    bool over;    /* the limit of the running wait has passed */
};

/* The answer to one call. */
struct answer {
    struct harness *harness;
    bool done;
    bool failed;
    uint64_t id;
    struct fr_error err;
};

/* What one watch has told. */
struct reader {
    struct harness *harness;
    struct fr_output_watch *watch;
    char out[HARNESS_OUTPUT_MAX], errors[HARNESS_OUTPUT_MAX];
    size_t nout, nerrors;
    int npieces, ncaught_up;
    uint64_t offset, first_offset;
    size_t first_len;
    char paths[2][256]; /* of files that stdout and stderr go to */
    bool ended, failed;
    bool free_at_first; /* frees the watch from inside its first callback */
    struct fr_error err;
};

/* Which engine the suite runs against. */
extern const char *harness_engine_name;

/* Whether the engine is local, or a Flux of at least version 0.minor. */
bool harness_is_since(int minor);

/* Whether that engine can run here; else why not. */
bool harness_can_run(const char **ret_why);

/* cmocka fixtures: an engine, opened and caught up; and its end. */
int harness_setup(void **state);
int harness_teardown(void **state);

/* The two halves of a restart. The record is emptied by opening. */
void harness_open(struct harness *h);
void harness_close(struct harness *h);

void harness_step(struct harness *h, const char *what, const char *file, int line);
void harness_wait_begin(struct harness *h);

/* Runs the loop until cond is true; fails the test after a generous while. */
#define HARNESS_WAIT(h, cond)                                                                  \
    do {                                                                                       \
        harness_wait_begin(h);                                                                 \
        while (!(cond))                                                                        \
            harness_step((h), #cond, __FILE__, __LINE__);                                      \
    } while (0)

/* A jobspec for one task on one core; seconds is the time limit, 0 is none. */
struct fr_jobspec *harness_jobspec(double seconds, const char *const *argv);
/* The same, for a script of sh(1). */
struct fr_jobspec *harness_script(double seconds, const char *script);

/* What a submit request with these fields (json_pack(3)) makes of a job in /tmp. */
struct fr_jobspec *harness_fields(const char *fmt, ...);

void harness_submit(struct harness *h, struct fr_jobspec *spec, int urgency, struct answer *a);
/* Submits at urgency 16 and waits for the id. */
uint64_t harness_run(struct harness *h, struct fr_jobspec *spec);
void harness_cancel(struct harness *h, uint64_t id, const char *note, struct answer *a);
void harness_kill(struct harness *h, uint64_t id, int signum, struct answer *a);

/* The callback of a verb without a result; arg is the struct answer. */
void harness_on_done(void *arg, const struct fr_error *err);
/* Fails with the error's text if the verb was refused. */
void harness_check(const struct answer *a);
/* Cancels the job and waits until it has ended. */
void harness_end(struct harness *h, uint64_t id);

struct job_record *harness_find(struct harness *h, uint64_t id); /* NULL: not told yet */
bool harness_is(struct harness *h, uint64_t id, int states);     /* in one of these states */
bool harness_has(struct harness *h, uint64_t id, const char *event); /* that event was told */
/* Waits until the job has ended, and returns its record. */
struct job_record *harness_finished(struct harness *h, uint64_t id);
/* The first event of that name, or NULL. */
struct event_record *harness_event(struct job_record *record, const char *name);

void harness_read(struct harness *h, uint64_t id, uint64_t offset, struct reader *reader);
void harness_read_end(struct reader *reader);

/* Removes the suite's own directory. */
void harness_clean(void);

/* A path in the suite's own directory, for jobs to wait on. Static, until the next call. */
const char *harness_path(const char *name);

/* The groups of tests, each a NULL-terminated part of the suite. */
extern const struct CMUnitTest contract_run_tests[], contract_output_tests[],
    contract_verb_tests[], contract_steer_tests[], contract_life_tests[],
    contract_stream_tests[];
extern const size_t contract_run_count, contract_output_count, contract_verb_count,
    contract_steer_count, contract_life_count, contract_stream_count;
extern const struct CMUnitTest contract_depend_tests[];
extern const size_t contract_depend_count;

/* Skips where the engine has no such function. */
#define NEEDS(h, op)                                                                           \
    do {                                                                                       \
        if (!(h)->engine->ops->op) {                                                           \
            print_message("the engine has no %s\n", #op);                                      \
            skip();                                                                            \
        }                                                                                      \
    } while (0)

#endif
