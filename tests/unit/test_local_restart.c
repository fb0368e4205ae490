// SPDX-License-Identifier: LGPL-3.0-only
/* The local engine's promise: nothing lost, nothing twice, whatever is killed when. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/loop.h"
#include "base/util.h"
#include "engine/local/folder.h"
#include "engine/local/launch.h"
#include "engine/local/store.h"
#include "local_fixture.h"
#include "model/fluid.h"
#include "shell/folder.h"

#define ROUNDS 10
#define ROUND_MS 1500

static void restart(struct fixture *f)
{
    fixture_close(f);
    fixture_open(f);
}

static void test_running_job_goes_on(void **state)
{
    struct fixture *f = *state;
    uint64_t id = fixture_run(f, fixture_script("echo x >> %s; while ! [ -e %s ]; do sleep "
                                                "0.02; done; echo done",
                                                fixture_path(f, "ran"), fixture_path(f, "go")));
    uint64_t waiting =
        fixture_run(f, fixture_spec(2, 1, 0, "/tmp", (const char *[]){"true", NULL}));
    struct heard heard;
    struct job_log *log;
    struct answer a;
    char instance[64];

    (void)snprintf(instance, sizeof(instance), "%s", f->engine->ops->instance(f->engine));
    WAIT(f, fixture_is(f, id, FR_STATE_RUN));
    restart(f);
    assert_string_equal(f->engine->ops->instance(f->engine), instance);
    assert_true(fixture_is(f, id, FR_STATE_RUN));
    assert_true(fixture_is(f, waiting, FR_STATE_SCHED));
    while (fixture_lines(fixture_path(f, "ran")) == 0)
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    do { /* as soon as its shell was found again */
        fixture_kill(f, id, SIGCONT, &a);
    } while (a.failed && a.err.code == FR_CODE_JOB_STATE);
    assert_false(a.failed);
    fixture_touch(fixture_path(f, "go"));
    log = fixture_finished(f, id);
    assert_string_equal(log->names, "submit validate depend priority alloc start finish "
                                    "release free clean ");
    assert_int_equal(log->job->result, FR_RESULT_COMPLETED);
    assert_int_equal(fixture_finished(f, waiting)->job->result, FR_RESULT_COMPLETED);
    fixture_hear(f, id, 0, &heard);
    assert_string_equal(heard.out, "done\n");
    assert_int_equal(fixture_lines(fixture_path(f, "ran")), 1);
}

static void on_done(void *arg, const struct fr_error *err)
{
    *(bool *)arg = err == NULL;
}

/*
 * A job that came first and began last, on a core that a job after it has had: what is read
 * back job by job leaves the core with who has it.
 */
static void test_cores_go_to_the_job_that_runs(void **state)
{
    struct fixture *f = *state;
    struct answer held, a;
    bool released = false;
    uint64_t wide;

    fixture_submit(f, fixture_script("exec sleep 600"), 0, &held);
    WAIT(f, held.done && fixture_find(f, held.id));
    wide = fixture_run(f, fixture_spec(2, 1, 0, "/tmp", (const char *[]){"true", NULL}));
    (void)fixture_finished(f, wide);
    f->engine->ops->urgency(f->engine, held.id, 16, on_done, &released);
    WAIT(f, released && fixture_is(f, held.id, FR_STATE_RUN));
    restart(f);
    wide = fixture_run(f, fixture_spec(2, 1, 0, "/tmp", (const char *[]){"true", NULL}));
    /* Acknowledged after what would have started it. */
    fixture_submit(f, fixture_script("true"), 0, &a);
    WAIT(f, a.done);
    assert_true(fixture_is(f, wide, FR_STATE_SCHED));
    fixture_cancel(f, held.id, &a);
    assert_int_equal(fixture_finished(f, wide)->job->result, FR_RESULT_COMPLETED);
}

static void result_path(const struct fixture *f, uint64_t id, char *path, size_t size)
{
    char folder[200];

    fr_folder_path(f->state, id, folder, sizeof(folder));
    (void)snprintf(path, size, "%s/%s", folder, FR_FOLDER_RESULT);
}

/* Ended while nobody looked: told with the time at which it ended. */
static void test_job_that_ended_meanwhile(void **state)
{
    struct fixture *f = *state;
    uint64_t id =
        fixture_run(f, fixture_script("while ! [ -e %s ]; do sleep 0.02; done; exit 3",
                                      fixture_path(f, "go")));
    char path[256];
    struct job_log *log;
    double after;

    WAIT(f, fixture_is(f, id, FR_STATE_RUN));
    fixture_close(f);
    fixture_touch(fixture_path(f, "go"));
    result_path(f, id, path, sizeof(path));
    while (!fixture_exists(path))
        (void)usleep(1000);
    after = fr_time_now();
    fixture_open(f);
    log = fixture_finished(f, id);
    assert_int_equal(fr_job_returncode(log->job), 3);
    assert_true(log->job->t_cleanup <= after);
    restart(f);
    log = fixture_find(f, id);
    assert_int_equal(log->job->state, FR_STATE_INACTIVE);
    assert_int_equal(fr_job_returncode(log->job), 3);
}

static void test_cancel_of_an_inherited_job(void **state)
{
    struct fixture *f = *state;
    uint64_t id = fixture_run(f, fixture_script("exec sleep 600"));
    struct answer a;

    WAIT(f, fixture_is(f, id, FR_STATE_RUN));
    restart(f);
    fixture_cancel(f, id, &a);
    assert_false(a.failed);
    assert_int_equal(fixture_finished(f, id)->job->result, FR_RESULT_CANCELED);
    assert_int_equal(fixture_find(f, id)->job->waitstatus, 36608);
}

static bool on_unit(void *arg, const struct fr_unit *unit, int result,
                    const struct fr_error *err)
{
    assert_int_equal(result, 0);
    return false;
}

static void on_store_closed(void *arg)
{
    *(bool *)arg = true;
}

/*
 * Writes what a daemon leaves that was killed right after it gave cores to a job: `alloc` on
 * disk, and perhaps a cancel, but no shell.
 */
static void leave_allocated(struct fixture *f, uint64_t id, const char *script, bool cancelled)
{
    struct fr_unit *unit = fr_unit_create(id, on_unit, NULL);
    struct fr_jobspec *spec = fixture_script("%s", script);
    struct fr_store *store = NULL;
    char path[128];
    bool closed = false;

    (void)mkdir(f->state, 0700);
    (void)snprintf(path, sizeof(path), "%s/store.db", f->state);
    assert_int_equal(fr_store_open(&f->loop, path, &store, NULL), 0);
    (void)json_object_del(json_object_get(json_object_get(spec->json, "attributes"), "system"),
                          "environment");
    unit->jobspec = json_dumps(spec->json, 0);
    unit->environment = strdup("{\"PATH\":\"/usr/bin:/bin\"}");
    unit->urgency = 16;
    unit->R = strdup("{\"version\":1,\"execution\":{\"R_lite\":[{\"rank\":\"0\",\"children\":{"
                     "\"core\":\"1\"}}],\"nodelist\":[\"here\"],\"starttime\":0,"
                     "\"expiration\":0}}");
    fr_jobspec_free(spec);
    fr_unit_event(unit, "submit", 1, 0,
                  strdup("{\"userid\":0,\"urgency\":16,\"flags\":0,\"version\":1}"));
    fr_unit_event(unit, "validate", 1, 1, NULL);
    fr_unit_event(unit, "depend", 1, 2, NULL);
    fr_unit_event(unit, "priority", 1, 3, strdup("{\"priority\":16}"));
    fr_unit_event(unit, "alloc", 1, 4, NULL);
    if (cancelled)
        fr_unit_event(unit, "exception", 1, 5,
                      strdup("{\"type\":\"cancel\",\"severity\":0,\"note\":\"\"}"));
    fr_store_put(store, unit);
    fr_store_close(store, on_store_closed, &closed);
    while (!closed)
        (void)uv_run(&f->loop, UV_RUN_ONCE);
}

static void test_allocated_but_not_started(void **state)
{
    struct fixture *f = *state;
    char script[256];
    struct job_log *log;

    fixture_close(f);
    (void)snprintf(script, sizeof(script), "echo x >> %s", fixture_path(f, "ran"));
    leave_allocated(f, 4242, script, false);
    fixture_open(f);
    log = fixture_finished(f, 4242);
    assert_string_equal(log->names, "submit validate depend priority alloc start finish "
                                    "release free clean ");
    assert_int_equal(log->job->result, FR_RESULT_COMPLETED);
    assert_int_equal(fixture_lines(fixture_path(f, "ran")), 1);
}

static void test_cancelled_before_it_started(void **state)
{
    struct fixture *f = *state;
    char script[256];
    struct job_log *log;
    char folder[200];
    struct fr_report report;

    fixture_close(f);
    (void)snprintf(script, sizeof(script), "echo x >> %s", fixture_path(f, "ran"));
    leave_allocated(f, 4242, script, true);
    fixture_open(f);
    log = fixture_finished(f, 4242);
    assert_string_equal(log->names, "submit validate depend priority alloc exception release "
                                    "free clean ");
    assert_int_equal(log->job->result, FR_RESULT_CANCELED);
    assert_int_equal(fixture_lines(fixture_path(f, "ran")), 0);
    fr_folder_path(f->state, 4242, folder, sizeof(folder));
    assert_int_equal(fr_folder_examine(folder, &report), 0);
    assert_int_equal(report.state, FR_FOLDER_VOID); /* a late shell finds itself shut out */
    assert_int_equal(fr_folder_void(folder), -EEXIST);
}

/* A job with which this machine can do nothing any more is ended, and blocks nobody. */
static void test_machine_that_shrank(void **state)
{
    struct fixture *f = *state;
    uint64_t blocker, wide, after;
    struct job_log *log;

    fixture_close(f);
    f->cores = 8;
    fixture_open(f);
    blocker =
        fixture_run(f, fixture_spec(8, 1, 0, "/tmp", (const char *[]){"sleep", "600", NULL}));
    wide = fixture_run(f, fixture_spec(4, 1, 0, "/tmp", (const char *[]){"true", NULL}));
    WAIT(f, fixture_is(f, blocker, FR_STATE_RUN));
    fixture_close(f);
    f->cores = 2;
    fixture_open(f);
    log = fixture_finished(f, wide);
    assert_string_equal(log->job->exception_type, "alloc");
    assert_non_null(strstr(log->job->exception_note, "needs 4 cores"));
    after = fixture_run(f, fixture_script("true"));
    assert_true(fixture_is(f, after, FR_STATE_SCHED)); /* the blocker has them all */
    struct answer a;
    fixture_cancel(f, blocker, &a);
    assert_int_equal(fixture_finished(f, after)->job->result, FR_RESULT_COMPLETED);
}

static pid_t spawn_shell(const struct fixture *f, const char *folder)
{
    pid_t pid = fork();

    if (pid == 0) {
        (void)execl(f->shell, "flux-restd-shell", folder, (char *)NULL);
        _exit(99);
    }
    return pid;
}

/* Two shells for one job, however they come: it runs once, and the loser leaves no trace. */
static void test_claim_race(void **state)
{
    struct fixture *f = *state;
    const struct fr_launch_settings settings = {
        .state_dir = f->state, .shell_path = f->shell, .output_max = 1 << 20, .umask = 022};

    fixture_close(f);
    for (uint64_t id = 1; id <= 20; id++) {
        struct fr_jobspec *spec = fixture_script("echo x >> %s", fixture_path(f, "ran"));
        struct fr_buf buf = FR_BUF_INIT(1 << 20);
        char *jobspec = json_dumps(spec->json, 0);
        char *input = NULL;
        struct fr_report report;
        char folder[200];
        pid_t shells[4];

        assert_int_equal(fr_launch_describe(&settings, &(struct fr_launch_job){.id = id},
                                            jobspec, NULL, &buf, &input),
                         0);
        assert_int_equal(fr_folder_make(f->state, id), 0);
        fr_folder_path(f->state, id, folder, sizeof(folder));
        assert_int_equal(fr_folder_write(folder, FR_FOLDER_JOB, buf.data, buf.len), 0);
        assert_int_equal(fr_folder_examine(folder, &report), 0);
        assert_int_equal(report.state, FR_FOLDER_UNCLAIMED);
        for (int i = 0; i < 4; i++)
            shells[i] = spawn_shell(f, folder);
        for (int i = 0; i < 4; i++) {
            int status;

            assert_int_equal(waitpid(shells[i], &status, 0), shells[i]);
            assert_int_equal(status, 0);
        }
        assert_int_equal(fixture_lines(fixture_path(f, "ran")), (int)id);
        assert_int_equal(fr_folder_examine(folder, &report), 0);
        assert_int_equal(report.state, FR_FOLDER_ENDED);
        assert_int_equal(report.status, 0);
        fr_buf_done(&buf);
        free(jobspec);
        fr_jobspec_free(spec);
    }
}

/* A job sees the GPUs of its R, whatever its environment says, and names of files are made. */
static void test_description(void **state)
{
    struct fixture *f = *state;
    const struct fr_launch_settings settings = {.state_dir = "/s", .host = "here"};
    const struct fr_launch_job job = {.id = 0x1234000000, .gpus = "1-2,5"};
    struct fr_jobspec *spec = fixture_script("true");
    struct fr_buf buf = FR_BUF_INIT(1 << 20);
    char *input = NULL;
    char *jobspec;

    (void)f;
    (void)json_object_set_new(
        json_object_get(json_object_get(spec->json, "attributes"), "system"), "shell",
        json_pack(
            "{s:{s:{s:{s:s}}}}", "options", "output", "stdout", "path",
            "{{id.hex}} {{id.dothex}} {{jobid.kvs}} {{id.f58plain}} {{id.words}} {{node.name}} "
            "{{tmpdir}} {{taskid}} {{ {{}}"));
    jobspec = json_dumps(spec->json, 0);
    assert_int_equal(fr_launch_describe(&settings, &job, jobspec,
                                        "{\"CUDA_VISIBLE_DEVICES\":\"7\"}", &buf, &input),
                     0);
    assert_null(input);
    for (size_t i = 0; i < buf.len; i++)
        buf.data[i] = buf.data[i] ? buf.data[i] : '\n';
    fr_buf_putc(&buf, '\0');
    assert_non_null(strstr(buf.data, "\neCUDA_VISIBLE_DEVICES=1,2,5\n"));
    assert_null(strstr(buf.data, "DEVICES=7"));
    assert_non_null(strstr(buf.data, "\nO0x1234000000 0000.0012.3400.0000 "
                                     "job.0000.0012.3400.0000 f"));
    assert_non_null(
        strstr(buf.data, " {{id.words}} here /s/jobs/34/78181826560/tmp {{taskid}} {{ {{}}\n"));
    fr_buf_done(&buf);
    free(jobspec);
    fr_jobspec_free(spec);
}

/* A folder that makes no sense fails the job with a reason; nothing hangs. */
static void test_damaged_description(void **state)
{
    struct fixture *f = *state;
    const struct fr_launch_settings settings = {.state_dir = f->state, .shell_path = f->shell};
    struct fr_jobspec *spec = fixture_script("true");
    char *jobspec = json_dumps(spec->json, 0);
    char *input = NULL;
    struct fr_buf buf = FR_BUF_INIT(1 << 20);
    struct fr_report report;
    char folder[200];
    int status;
    pid_t pid;

    fixture_close(f);
    /* Nor is a job run without an environment that cannot be read. */
    assert_int_equal(fr_launch_describe(&settings, &(struct fr_launch_job){.id = 5}, jobspec,
                                        "{\"A\":\"\\u0000\"}", &buf, &input),
                     -EINVAL);
    assert_int_equal(fr_launch_describe(&settings, &(struct fr_launch_job){.id = 5}, jobspec,
                                        "{", &buf, &input),
                     -EINVAL);
    fr_buf_done(&buf);
    free(jobspec);
    fr_jobspec_free(spec);
    assert_int_equal(fr_folder_make(f->state, 5), 0);
    fr_folder_path(f->state, 5, folder, sizeof(folder));
    assert_int_equal(fr_folder_write(folder, FR_FOLDER_JOB, "V1\0n1\0ae", 9), 0);
    pid = spawn_shell(f, folder);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(fr_folder_examine(folder, &report), 0);
    assert_int_equal(report.state, FR_FOLDER_ENDED);
    assert_int_equal(report.status, 1 << 8);
    assert_int_equal(report.nexceptions, 1);
    assert_string_equal(report.exceptions[0].type, "exec");
}

/* --- the kill campaign --- */

/* In a child: submits without end and says each id that was acknowledged on fd. */
static void daemon_be(struct fixture *f, int fd)
{
    uint64_t id;

    fixture_open(f);
    for (;;) {
        id = fixture_run(f, fixture_script("echo x >> %s/$FLUX_JOB_ID; sleep 0.05", f->dir));
        if (write(fd, &id, sizeof(id)) != (ssize_t)sizeof(id))
            _exit(1);
        for (int i = 0; i < 20; i++) /* some run, more wait */
            (void)uv_run(&f->loop, UV_RUN_NOWAIT);
        if (f->njobs > FIXTURE_JOBS - 10)
            (void)pause();
    }
}

static size_t acknowledged_read(int fd, int timeout_ms, uint64_t *ids, size_t count, size_t max)
{
    struct pollfd pfd = {.fd = fd, .events = POLLIN};

    while (count < max && poll(&pfd, 1, timeout_ms) > 0 &&
           read(fd, &ids[count], sizeof(*ids)) == (ssize_t)sizeof(*ids))
        count++;
    return count;
}

/* One daemon, killed without warning after a while that differs from round to round. */
static size_t round_run(struct fixture *f, int round, uint64_t *ids, size_t count, size_t max)
{
    size_t enough = count + 1 + (size_t)round * 2;
    int ends[2];
    pid_t pid;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(ends[0]);
        daemon_be(f, ends[1]);
    }
    (void)close(ends[1]);
    count = acknowledged_read(ends[0], ROUND_MS, ids, count, enough < max ? enough : max);
    (void)usleep((useconds_t)(random() % 30000));
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    count = acknowledged_read(ends[0], 0, ids, count, max);
    (void)close(ends[0]);
    return count;
}

static void check_once(struct fixture *f, const struct job_log *log)
{
    char f58[FR_FLUID_TEXT];

    assert_int_equal(log->job->state, FR_STATE_INACTIVE);
    assert_int_equal(log->job->result, FR_RESULT_COMPLETED);
    assert_int_equal(log->alloc_count, 1);
    assert_int_equal(fixture_lines(fixture_path(f, fr_fluid_f58(log->id, f58))), 1);
}

/* As a container that is stopped hard: the shells go with their daemon. */
static void shells_kill(const struct fixture *f, const uint64_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct fr_report report;
        char folder[200];

        fr_folder_path(f->state, ids[i], folder, sizeof(folder));
        assert_int_equal(fr_folder_examine(folder, &report), 0);
        if (report.state != FR_FOLDER_RUNNING)
            continue;
        (void)kill(report.pid, SIGKILL);
        if (report.pidfd >= 0)
            (void)close(report.pidfd);
    }
}

static void test_kill_campaign_with_shells(void **state)
{
    static uint64_t ids[FIXTURE_JOBS];
    struct fixture *f = fixture_create();
    size_t count = 0;
    size_t completed = 0;

    srandom((unsigned int)getpid());
    for (int round = 0; round < ROUNDS / 2; round++) {
        count = round_run(f, round, ids, count, FIXTURE_JOBS);
        shells_kill(f, ids, count);
    }
    fixture_open(f);
    for (size_t i = 0; i < count; i++) {
        struct job_log *log = fixture_finished(f, ids[i]);
        char f58[FR_FLUID_TEXT];
        int ran = fixture_lines(fixture_path(f, fr_fluid_f58(log->id, f58)));

        assert_in_range(ran, 0, 1);
        if (log->job->result == FR_RESULT_COMPLETED)
            assert_int_equal(ran, 1);
        else
            assert_string_equal(log->job->exception_type, "exec");
        completed += log->job->result == FR_RESULT_COMPLETED;
    }
    print_message("%zu acknowledged, %zu completed\n", count, completed);
    fixture_free(f);
}

static void test_kill_campaign(void **state)
{
    static uint64_t ids[FIXTURE_JOBS];
    struct fixture *f = fixture_create();
    size_t count = 0;

    srandom((unsigned int)getpid());
    for (int round = 0; round < ROUNDS; round++)
        count = round_run(f, round, ids, count, FIXTURE_JOBS);
    assert_true(count > 0);
    fixture_open(f);
    for (size_t i = 0; i < count; i++)
        assert_non_null(fixture_find(f, ids[i])); /* nothing lost */
    for (size_t i = 0; i < f->njobs; i++)
        check_once(f, fixture_finished(f, f->jobs[i].id)); /* nothing twice */
    print_message("%zu acknowledged, %zu in the store\n", count, f->njobs);
    fixture_free(f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        /* First, for it forks: the loop's worker threads must not be there yet. */
        TEST(test_cores_go_to_the_job_that_runs),
        cmocka_unit_test(test_kill_campaign_with_shells),
        cmocka_unit_test(test_kill_campaign),
        TEST(test_running_job_goes_on),
        TEST(test_job_that_ended_meanwhile),
        TEST(test_cancel_of_an_inherited_job),
        TEST(test_allocated_but_not_started),
        TEST(test_cancelled_before_it_started),
        TEST(test_machine_that_shrank),
        TEST(test_claim_race),
        TEST(test_description),
        TEST(test_damaged_description),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
