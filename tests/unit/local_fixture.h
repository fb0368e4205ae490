// SPDX-License-Identifier: LGPL-3.0-only
/*
 * A local engine over a state directory of its own, and a record of what it has told.
 *
 * Nothing here sleeps: WAIT runs the loop until what is waited for is true.
 */
#ifndef FR_TESTS_LOCAL_FIXTURE_H
#define FR_TESTS_LOCAL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <uv.h>

#include "engine/engine.h"
#include "model/job.h"

#define FIXTURE_JOBS 1024

struct job_log {
    uint64_t last_seq;
    uint64_t id;
    struct fr_job *job;
    char names[512]; /* of its events, each with a blank behind it */
    double last;     /* timestamp; they must not fall */
    uint64_t clean_seq, alloc_seq;
    int alloc_count;
};

struct fixture {
    uv_loop_t loop;
    uv_timer_t limit;
    bool over;
    struct fr_engine *engine; /* NULL while closed */
    char dir[64];             /* holds the state and whatever the jobs write */
    char state[96];
    char shell[256]; /* the job shell's path; FR_TEST_SHELL at first */
    int cores, gpus;
    uint64_t output_max;
    size_t keep_jobs;
    double keep_seconds;
    size_t npurged;
    struct job_log jobs[FIXTURE_JOBS];
    size_t njobs;
    uint64_t last_seq;
    int ncaught_up, nended;
    bool closed;
};

struct answer {
    bool done;
    bool failed;
    uint64_t id;
    struct fr_error err;
};

/* What a watch told: the two streams, and how it ended. */
struct heard {
    struct fr_output_watch *watch;
    char out[65536], err[65536];
    size_t nout, nerr;
    uint64_t offset;
    int caught_up;
    bool ended, failed;
    struct fr_error error;
};

int fixture_setup(void **state); /* an open engine with two cores */
int fixture_teardown(void **state);

/* The parts of it, for those that fork or restart. */
struct fixture *fixture_create(void);
void fixture_free(struct fixture *f);   /* closes, and removes the directory */
void fixture_forget(struct fixture *f); /* closes, and leaves the directory */
void fixture_open(struct fixture *f);   /* until caught up */
int fixture_try_open(struct fixture *f, struct fr_error *err);
void fixture_close(struct fixture *f);

void fixture_step(struct fixture *f, const char *what, const char *file, int line);
void fixture_wait_begin(struct fixture *f);

#define WAIT(f, cond)                                                                          \
    do {                                                                                       \
        fixture_wait_begin(f);                                                                 \
        while (!(cond))                                                                        \
            fixture_step((f), #cond, __FILE__, __LINE__);                                      \
    } while (0)

/* A jobspec: tasks that run argv, with a time limit (0: none). */
struct fr_jobspec *fixture_spec(int ntasks, int cores_per_task, double duration,
                                const char *cwd, const char *const *argv);
/* The same with GPUs for each task. */
struct fr_jobspec *fixture_gpu_spec(int ntasks, int cores_per_task, int gpus_per_task,
                                    const char *const *argv);
/* One task on one core, that runs a script of sh(1). Formatted. */
struct fr_jobspec *fixture_script(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

void fixture_submit(struct fixture *f, struct fr_jobspec *spec, int urgency, struct answer *a);
/* Submits, waits for the answer, which must be good. */
uint64_t fixture_run(struct fixture *f, struct fr_jobspec *spec);
void fixture_cancel(struct fixture *f, uint64_t id, struct answer *a); /* waits */
void fixture_kill(struct fixture *f, uint64_t id, int signum, struct answer *a);

struct job_log *fixture_find(struct fixture *f, uint64_t id); /* NULL: not told */
bool fixture_is(struct fixture *f, uint64_t id, int states);
struct job_log *fixture_finished(struct fixture *f, uint64_t id); /* waits */

/* Listens to a job's output from an offset; hears all until it ends. */
void fixture_listen(struct fixture *f, uint64_t id, uint64_t offset, struct heard *heard);
void fixture_hear(struct fixture *f, uint64_t id, uint64_t offset, struct heard *heard);
void fixture_deafen(struct fixture *f, struct heard *heard);

/* The path of a file in the fixture's directory; static storage, a few at a time. */
const char *fixture_path(const struct fixture *f, const char *name);
/* Lines in a file; 0 if there is none. */
int fixture_lines(const char *path);
bool fixture_exists(const char *path);
void fixture_touch(const char *path);

#endif
