// SPDX-License-Identifier: LGPL-3.0-only
/* The local engine as a whole, with real shells and real jobs; restarts: test_local_restart.c.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "local_fixture.h"
#include "model/fluid.h"
#include "shell/folder.h"

#define NORMAL "submit validate depend priority alloc start finish release free clean "
#define WITH_EXCEPTION                                                                         \
    "submit validate depend priority alloc start exception finish release free clean "

static struct job_log *run_argv(struct fixture *f, int ntasks, double duration, const char *cwd,
                                const char *const *argv)
{
    return fixture_finished(f, fixture_run(f, fixture_spec(ntasks, 1, duration, cwd, argv)));
}

static void test_runs_a_job(void **state)
{
    struct fixture *f = *state;
    uint64_t id = fixture_run(f, fixture_script("echo $GREETING; echo oops >&2"));
    struct job_log *log = fixture_finished(f, id);
    struct heard heard;

    assert_string_equal(log->names, NORMAL);
    assert_int_equal(log->job->result, FR_RESULT_COMPLETED);
    assert_int_equal(log->job->waitstatus, 0);
    assert_int_equal(log->job->ncores, 1);
    assert_int_equal(log->job->nnodes, 1);
    assert_string_equal(log->job->ranks, "0");
    fixture_hear(f, id, 0, &heard);
    assert_string_equal(heard.out, "hello\n");
    assert_string_equal(heard.err, "oops\n");
    assert_int_equal(heard.caught_up, 1);
    assert_false(heard.failed);
}

static void test_exit_codes(void **state)
{
    struct fixture *f = *state;
    const char *argv[] = {"sh", "-c", "exit $((3 + FLUX_TASK_RANK))", NULL};
    struct job_log *log = run_argv(f, 2, 0, "/tmp", argv);

    assert_int_equal(log->job->waitstatus, 4 << 8); /* the highest counts */
    assert_int_equal(fr_job_returncode(log->job), 4);
    assert_int_equal(log->job->result, FR_RESULT_FAILED);
    log = fixture_finished(f, fixture_run(f, fixture_script("kill -9 $$")));
    assert_int_equal(log->job->waitstatus, 137 << 8);
}

static void test_program_that_cannot_start(void **state)
{
    struct fixture *f = *state;
    const char *missing[] = {"nosuchprogram", NULL};
    const char *directory[] = {"/tmp", NULL};
    struct heard heard;
    struct job_log *log = run_argv(f, 1, 0, "/tmp", missing);

    assert_string_equal(log->names, WITH_EXCEPTION);
    assert_int_equal(fr_job_returncode(log->job), 127);
    assert_string_equal(log->job->exception_type, "exec");
    assert_non_null(strstr(log->job->exception_note, "nosuchprogram: No such file"));
    fixture_hear(f, log->id, 0, &heard);
    assert_non_null(strstr(heard.err, "nosuchprogram: No such file"));
    log = run_argv(f, 2, 0, "/tmp", directory);
    assert_int_equal(fr_job_returncode(log->job), 126);
    assert_non_null(strstr(log->job->exception_note, "/tmp: Permission denied"));
}

static void test_environment(void **state)
{
    struct fixture *f = *state;
    const char *argv[] = {"sh", "-c",
                          "echo $FLUX_JOB_ID $FLUX_JOB_SIZE $FLUX_JOB_NNODES $FLUX_TASK_RANK "
                          "$FLUX_TASK_LOCAL_ID ${FLUX_URI-none}; [ -d $FLUX_JOB_TMPDIR ] && : "
                          "> $FLUX_JOB_TMPDIR/f && echo tmp; pwd; cat; umask; ulimit -Sn",
                          NULL};
    struct rlimit limit;
    struct heard heard;
    mode_t mask = umask(022);
    char expected[256];
    char f58[FR_FLUID_TEXT];
    uint64_t id;

    (void)umask(mask);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    id = fixture_run(f, fixture_spec(1, 2, 0, "/usr", argv));
    fixture_hear(f, id, 0, &heard);
    (void)snprintf(expected, sizeof(expected),
                   "%s 1 1 0 0 local:///no\ntmp\n/usr\n%04o\n%llu\n", fr_fluid_f58(id, f58),
                   (unsigned int)mask, (unsigned long long)limit.rlim_cur);
    assert_string_equal(heard.out, expected);
    assert_int_equal(fixture_find(f, id)->job->ncores, 2);
}

static void test_directory_that_is_not_there(void **state)
{
    struct fixture *f = *state;
    const char *argv[] = {"pwd", NULL};
    struct job_log *log = run_argv(f, 1, 0, "/nonexistent", argv);
    struct heard heard;

    assert_int_equal(log->job->result, FR_RESULT_COMPLETED);
    fixture_hear(f, log->id, 0, &heard);
    assert_string_equal(heard.out, "/tmp\n");
    assert_non_null(strstr(heard.err, "Could not change dir to /nonexistent: No such file"));
}

static void test_time_limit(void **state)
{
    struct fixture *f = *state;
    const char *argv[] = {"sleep", "600", NULL};
    struct job_log *log = run_argv(f, 1, 0.2, "/tmp", argv);

    assert_string_equal(log->names, WITH_EXCEPTION);
    assert_int_equal(log->job->result, FR_RESULT_TIMEOUT);
    assert_int_equal(log->job->waitstatus, 142 << 8); /* SIGALRM, as Flux has it */
    assert_string_equal(log->job->exception_note, "resource allocation expired");
}

/* The exception is told when it happens, not when the job at last ends; once, also by the next.
 */
static void test_time_limit_is_told_at_once(void **state)
{
    struct fixture *f = *state;
    const char *argv[] = {"sh", "-c", "trap '' ALRM TERM; while :; do sleep 1; done", NULL};
    uint64_t id = fixture_run(f, fixture_spec(1, 1, 0.2, "/tmp", argv));

    WAIT(f, strstr(fixture_find(f, id)->names, "exception"));
    assert_string_equal(fixture_find(f, id)->names,
                        "submit validate depend priority alloc start exception ");
    assert_string_equal(fixture_find(f, id)->job->exception_type, "timeout");
    fixture_close(f);
    fixture_open(f);
    assert_string_equal(fixture_finished(f, id)->names, WITH_EXCEPTION);
    assert_int_equal(fixture_find(f, id)->job->result, FR_RESULT_TIMEOUT);
}

/* However short, it is a limit: to the shell "0.000000" would be none. */
static void test_time_limit_of_nearly_nothing(void **state)
{
    struct fixture *f = *state;
    const char *argv[] = {"sleep", "600", NULL};

    assert_int_equal(run_argv(f, 1, 1e-9, "/tmp", argv)->job->result, FR_RESULT_TIMEOUT);
}

/* Whoever ignores the gentle signals is killed after the grace time. */
static void test_time_limit_of_the_deaf(void **state)
{
    struct fixture *f = *state;
    const char *argv[] = {"sh", "-c", "trap '' ALRM TERM; while :; do sleep 1; done", NULL};
    struct job_log *log = run_argv(f, 1, 0.2, "/tmp", argv);

    assert_int_equal(log->job->result, FR_RESULT_TIMEOUT);
    assert_int_equal(log->job->waitstatus, 137 << 8);
}

static void test_cancel_waiting(void **state)
{
    struct fixture *f = *state;
    uint64_t first =
        fixture_run(f, fixture_spec(2, 1, 0, "/tmp", (const char *[]){"sleep", "600", NULL}));
    uint64_t second = fixture_run(f, fixture_script("echo > %s", fixture_path(f, "ran")));
    struct answer a;
    struct job_log *log;

    fixture_cancel(f, second, &a);
    assert_false(a.failed);
    log = fixture_finished(f, second);
    assert_string_equal(log->names, "submit validate depend priority exception clean ");
    assert_int_equal(log->job->result, FR_RESULT_CANCELED);
    assert_string_equal(log->job->exception_note, "enough");
    fixture_cancel(f, second, &a);
    assert_int_equal(a.err.code, FR_CODE_JOB_INACTIVE);
    fixture_cancel(f, first, &a);
    assert_false(a.failed);
    log = fixture_finished(f, first);
    assert_int_equal(log->job->result, FR_RESULT_CANCELED);
    assert_int_equal(log->job->waitstatus, 36608);
    assert_int_equal(fr_job_returncode(log->job), 143);
    assert_false(fixture_exists(fixture_path(f, "ran")));
    fixture_cancel(f, 12345, &a);
    assert_int_equal(a.err.code, FR_CODE_JOB_NOT_FOUND);
}

/* Right after the answer, while the job is on its way to its shell. */
static void test_cancel_at_any_moment(void **state)
{
    struct fixture *f = *state;

    for (int steps = 0; steps < 12; steps++) {
        uint64_t id = fixture_run(f, fixture_script("exec sleep 600"));
        struct answer a;
        struct job_log *log;

        for (int i = 0; i < steps; i++)
            (void)uv_run(&f->loop, UV_RUN_NOWAIT);
        fixture_cancel(f, id, &a);
        assert_false(a.failed);
        log = fixture_finished(f, id);
        assert_int_equal(log->job->result, FR_RESULT_CANCELED);
    }
}

static void test_kill(void **state)
{
    struct fixture *f = *state;
    uint64_t id = fixture_run(
        f, fixture_script("trap 'echo got; exit 9' USR1; : > %s; while :; do sleep 0.1; done",
                          fixture_path(f, "ready")));
    struct heard heard;
    struct answer a;

    while (!fixture_exists(fixture_path(f, "ready")))
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    WAIT(f, fixture_is(f, id, FR_STATE_RUN));
    fixture_kill(f, id, 10000, &a);
    assert_int_equal(a.err.code, FR_CODE_INVALID);
    fixture_kill(f, id, SIGUSR1, &a);
    assert_false(a.failed);
    assert_int_equal(fr_job_returncode(fixture_finished(f, id)->job), 9);
    fixture_hear(f, id, 0, &heard);
    assert_string_equal(heard.out, "got\n");
    fixture_kill(f, id, SIGUSR1, &a);
    assert_int_equal(a.err.code, FR_CODE_JOB_INACTIVE);
}

/* What a job leaves behind ends with it, and holds neither the job nor its output open. */
static void test_ends_all_that_it_started(void **state)
{
    struct fixture *f = *state;
    struct job_log *log = fixture_finished(
        f, fixture_run(f, fixture_script(
                              "sleep 600 & echo $! >> %s; setsid sh -c 'echo $$ >> %s; sleep "
                              "600' & while [ $(wc -l < %s) -lt 2 ]; do :; done; echo out",
                              fixture_path(f, "pids"), fixture_path(f, "pids"),
                              fixture_path(f, "pids"))));
    FILE *file = fopen(fixture_path(f, "pids"), "r");
    struct heard heard;
    int pid;

    assert_int_equal(log->job->result, FR_RESULT_COMPLETED);
    assert_non_null(file);
    while (fscanf(file, "%d", &pid) == 1) {
        assert_int_equal(kill(pid, 0), -1);
        assert_int_equal(errno, ESRCH);
    }
    (void)fclose(file);
    fixture_hear(f, log->id, 0, &heard);
    assert_string_equal(heard.out, "out\n");
}

/* Cores are those of the slots, however many tasks share them. */
static void test_cores_of_slots(void **state)
{
    struct fixture *f = *state;
    struct fr_jobspec *spec = fixture_spec(1, 2, 0, "/tmp", (const char *[]){"true", NULL});
    json_t *task = json_array_get(json_object_get(spec->json, "tasks"), 0);
    struct fr_jobspec *many = NULL;
    struct job_log *log;

    assert_int_equal(json_object_set_new(task, "count", json_pack("{s:i}", "total", 4)), 0);
    assert_int_equal(fr_jobspec_create(json_incref(spec->json), &many, NULL), 0);
    fr_jobspec_free(spec);
    log = fixture_finished(f, fixture_run(f, many));
    assert_int_equal(log->job->result, FR_RESULT_COMPLETED);
    assert_int_equal(log->job->ncores, 2);
}

static void test_refuses_what_can_never_run(void **state)
{
    struct fixture *f = *state;
    const char *argv[] = {"true", NULL};
    struct fr_jobspec *spec = fixture_spec(1, 1, 0, "/tmp", argv);
    struct answer a;

    fixture_submit(f, fixture_spec(3, 5, 0, "/tmp", argv), 16, &a);
    assert_false(a.done);
    WAIT(f, a.done);
    assert_int_equal(a.err.code, FR_CODE_UNSATISFIABLE);
    assert_non_null(strstr(a.err.text, "15"));
    assert_non_null(strstr(a.err.text, "only has 2"));
    spec->nnodes = 4;
    fixture_submit(f, spec, 16, &a);
    WAIT(f, a.done);
    assert_int_equal(a.err.code, FR_CODE_UNSATISFIABLE);
    assert_string_equal(a.err.text, "The server only has 1 nodes, you requested 4");
    spec = fixture_spec(1, 1, 0, "/tmp", argv);
    spec->ngpus = 1;
    fixture_submit(f, spec, 16, &a);
    WAIT(f, a.done);
    assert_int_equal(a.err.code, FR_CODE_UNSATISFIABLE);
    assert_int_equal(f->njobs, 0);
}

/* One at a time, by urgency, then by age; held ones wait. */
static void test_order(void **state)
{
    struct fixture *f = *state;
    const char *argv[] = {"true", NULL};
    struct answer blocker, held, low, high, high_too;
    struct job_log *log;

    fixture_submit(
        f, fixture_script("while ! [ -e %s ]; do sleep 0.02; done", fixture_path(f, "go")), 16,
        &blocker);
    WAIT(f, blocker.done);
    fixture_submit(f, fixture_spec(2, 1, 0, "/tmp", argv), 0, &held);
    fixture_submit(f, fixture_spec(2, 1, 0, "/tmp", argv), 16, &low);
    fixture_submit(f, fixture_spec(2, 1, 0, "/tmp", argv), 20, &high);
    fixture_submit(f, fixture_spec(2, 1, 0, "/tmp", argv), 20, &high_too);
    WAIT(f, held.done && low.done && high.done && high_too.done);
    fixture_touch(fixture_path(f, "go"));
    log = fixture_finished(f, low.id);
    assert_true(fixture_find(f, high.id)->alloc_seq > fixture_find(f, blocker.id)->clean_seq);
    assert_true(fixture_find(f, high_too.id)->alloc_seq > fixture_find(f, high.id)->clean_seq);
    assert_true(log->alloc_seq > fixture_find(f, high_too.id)->clean_seq);
    assert_true(fixture_is(f, held.id, FR_STATE_SCHED));
    fixture_cancel(f, held.id, &low);
    assert_false(low.failed);
}

struct node_seen {
    bool done;
    struct fr_node node;
    char name[65];
};

static void on_nodes(void *arg, const struct fr_node *nodes, size_t count,
                     const struct fr_error *err)
{
    struct node_seen *seen = arg;

    assert_null(err);
    assert_int_equal(count, 1);
    seen->done = true;
    seen->node = nodes[0];
    (void)snprintf(seen->name, sizeof(seen->name), "%s", nodes[0].name);
}

static struct node_seen ask_node(struct fixture *f)
{
    struct node_seen seen = {0};

    f->engine->ops->nodes(f->engine, on_nodes, &seen);
    assert_false(seen.done);
    WAIT(f, seen.done);
    return seen;
}

static void test_node(void **state)
{
    struct fixture *f = *state;
    struct node_seen seen = ask_node(f);
    struct answer a;
    uint64_t id;

    assert_int_equal(seen.node.state, FR_NODE_FREE);
    assert_int_equal(seen.node.cores, 2);
    assert_true(strlen(seen.name) > 0);
    assert_null(strchr(seen.name, '.'));
    id = fixture_run(f, fixture_script("exec sleep 600"));
    WAIT(f, fixture_is(f, id, FR_STATE_RUN));
    seen = ask_node(f);
    assert_int_equal(seen.node.state, FR_NODE_PARTLY);
    assert_int_equal(seen.node.cores_used, 1);
    assert_string_equal(fixture_find(f, id)->job->nodelist, seen.name);
    (void)fixture_run(f, fixture_script("exec sleep 600"));
    seen = ask_node(f);
    assert_int_equal(seen.node.state, FR_NODE_ALLOCATED);
    for (size_t i = 0; i < 2; i++)
        fixture_cancel(f, f->jobs[i].id, &a);
    (void)fixture_finished(f, f->jobs[0].id);
    (void)fixture_finished(f, f->jobs[1].id);
    assert_int_equal(ask_node(f).node.cores_used, 0);
}

static void test_output_is_cut(void **state)
{
    struct fixture *f = *state;
    struct heard heard;
    struct job_log *log;

    fixture_close(f);
    f->output_max = 5000;
    fixture_open(f);
    log = fixture_finished(
        f, fixture_run(f, fixture_script("head -c 100000 /dev/zero | tr '\\0' x; echo e >&2; "
                                         "exit 5")));
    assert_int_equal(fr_job_returncode(log->job), 5);
    fixture_hear(f, log->id, 0, &heard);
    assert_true(heard.nout > 4000 && heard.nout < 5500);
    assert_int_equal(heard.out[0], 'x');
    assert_non_null(strstr(heard.out, "output was cut here: the limit of 5000 bytes"));
    assert_string_equal(heard.err, "e\n");
}

static void test_output_from_an_offset(void **state)
{
    struct fixture *f = *state;
    uint64_t id = fixture_run(f, fixture_script("echo one; while ! [ -e %s ]; do sleep 0.02; "
                                                "done; echo two",
                                                fixture_path(f, "go")));
    struct heard first, rest, wrong, beyond;

    fixture_listen(f, id, 0, &first);
    WAIT(f, first.nout > 0 && first.caught_up);
    fixture_listen(f, id, first.offset, &rest);
    WAIT(f, rest.caught_up);
    assert_int_equal(rest.nout, 0);
    fixture_touch(fixture_path(f, "go"));
    WAIT(f, rest.ended && first.ended);
    assert_string_equal(first.out, "one\ntwo\n");
    assert_string_equal(rest.out, "two\n");
    fixture_deafen(f, &first);
    fixture_deafen(f, &rest);
    fixture_hear(f, id, 3, &wrong);
    assert_true(wrong.failed);
    assert_int_equal(wrong.error.code, FR_CODE_INVALID);
    fixture_hear(f, id, UINT64_MAX - 1, &beyond);
    assert_true(beyond.failed);
    assert_int_equal(beyond.error.code, FR_CODE_INVALID);
}

/* A waiting job has no output; its watch says so, waits, and tells it when it comes. */
static void test_output_before_the_start(void **state)
{
    struct fixture *f = *state;
    const struct fr_engine_ops *ops = f->engine->ops;
    uint64_t blocker =
        fixture_run(f, fixture_spec(2, 1, 0, "/tmp", (const char *[]){"sleep", "600", NULL}));
    uint64_t id = fixture_run(f, fixture_script("echo late"));
    struct heard heard, dead;
    struct answer a;

    fixture_listen(f, id, 0, &heard);
    WAIT(f, heard.caught_up);
    assert_false(heard.ended);
    fixture_cancel(f, blocker, &a);
    WAIT(f, heard.ended);
    assert_string_equal(heard.out, "late\n");
    assert_int_equal(heard.caught_up, 1);
    fixture_deafen(f, &heard);
    /* A watch that outlives the engine tells nothing and can still be freed. */
    id = fixture_run(f, fixture_script("true"));
    fixture_listen(f, id, 0, &dead);
    f->engine->ops->output_pause(dead.watch, true);
    (void)fixture_finished(f, id);
    assert_false(dead.ended);
    fixture_close(f);
    ops->output_free(dead.watch);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_runs_a_job),
        TEST(test_exit_codes),
        TEST(test_program_that_cannot_start),
        TEST(test_environment),
        TEST(test_directory_that_is_not_there),
        TEST(test_time_limit),
        TEST(test_time_limit_is_told_at_once),
        TEST(test_time_limit_of_nearly_nothing),
        TEST(test_time_limit_of_the_deaf),
        TEST(test_cancel_waiting),
        TEST(test_cancel_at_any_moment),
        TEST(test_kill),
        TEST(test_ends_all_that_it_started),
        TEST(test_cores_of_slots),
        TEST(test_refuses_what_can_never_run),
        TEST(test_order),
        TEST(test_node),
        TEST(test_output_is_cut),
        TEST(test_output_from_an_offset),
        TEST(test_output_before_the_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
