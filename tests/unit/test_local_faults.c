// SPDX-License-Identifier: LGPL-3.0-only
/* The local engine when shells die or cannot start, and when the disk is full. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "local_fixture.h"
#include "shell/folder.h"

#define NORMAL "submit validate depend priority alloc start finish release free clean "
#define WITH_EXCEPTION                                                                         \
    "submit validate depend priority alloc start exception finish release free clean "

static void shell_replace(struct fixture *f, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* From now on a script of sh(1) is the job shell. */
static void shell_replace(struct fixture *f, const char *fmt, ...)
{
    FILE *file;
    va_list ap;

    fixture_close(f);
    (void)snprintf(f->shell, sizeof(f->shell), "%s/shell", f->dir);
    file = fopen(f->shell, "w");
    assert_non_null(file);
    (void)fputs("#!/bin/sh\n", file);
    va_start(ap, fmt);
    (void)vfprintf(file, fmt, ap);
    va_end(ap);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(f->shell, 0700), 0);
    fixture_open(f);
}

static volatile sig_atomic_t lease_asked;

static void on_lease(int signum)
{
    lease_asked = 1;
}

/* A program that cannot be executed for now (here someone has a lease on it) holds up nothing.
 */
static void test_cancel_while_exec_waits(void **state)
{
    struct fixture *f = *state;
    const char *path = fixture_path(f, "program");
    struct answer a;
    uint64_t id;
    int fd;

    lease_asked = 0;
    (void)signal(SIGIO, on_lease);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0700);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_SETLEASE, F_WRLCK), 0);
    id = fixture_run(f, fixture_spec(1, 1, 0, "/tmp", (const char *[]){path, NULL}));
    while (!lease_asked)
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    fixture_cancel(f, id, &a);
    assert_false(a.failed);
    assert_int_equal(fixture_finished(f, id)->job->result, FR_RESULT_CANCELED);
    assert_int_equal(fixture_find(f, id)->job->waitstatus, 36608);
    (void)close(fd);
}

/* `start` is told when a shell has taken the job, not when one was sent for it. */
static void test_start_is_told_at_the_claim(void **state)
{
    struct fixture *f = *state;
    struct answer a;
    uint64_t id;

    shell_replace(f, ": > %s\nwhile ! [ -e %s ]; do /bin/sleep 0.02; done\nexec %s \"$@\"",
                  fixture_path(f, "spawned"), fixture_path(f, "go"), getenv("FR_TEST_SHELL"));
    id = fixture_run(f, fixture_script("sleep 600"));
    while (!fixture_exists(fixture_path(f, "spawned")))
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    for (int i = 0; i < 20; i++)
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_string_equal(fixture_find(f, id)->names, "submit validate depend priority alloc ");
    fixture_touch(fixture_path(f, "go"));
    WAIT(f, strstr(fixture_find(f, id)->names, "start"));
    fixture_cancel(f, id, &a);
    (void)fixture_finished(f, id);
}

static pid_t shell_of(struct fixture *f, uint64_t id)
{
    char path[256];
    FILE *file;
    int pid = 0;

    (void)snprintf(path, sizeof(path), "%s/jobs/%02x/%llu/claim", f->state,
                   (unsigned int)(id >> 24) & 0xff, (unsigned long long)id);
    file = fopen(path, "r");
    if (!file)
        return 0;
    if (fscanf(file, "flux-restd claim 1 pid %d", &pid) != 1)
        pid = 0;
    (void)fclose(file);
    return pid;
}

/*
 * A killed shell: its job fails, and all that the job had started has ended by then, wherever
 * it went: into a session of its own, without its environment, orphaned, or deaf to signals.
 */
static void test_shell_killed(void **state)
{
    struct fixture *f = *state;
    const char *pids = fixture_path(f, "pids");
    const char *helper = fixture_path(f, "helper");
    struct job_log *log;
    uint64_t id;
    FILE *file;
    int pid;

    file = fopen(helper, "w");
    assert_non_null(file);
    (void)fprintf(file, "#!/bin/sh\necho $$ >> %s\nexec /bin/sleep 600\n", pids);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(helper, 0700), 0);
    id =
        fixture_run(f, fixture_script("trap '' TERM HUP; h=%s; $h & setsid $h & (setsid $h &); "
                                      "env -i $h & (env -i $h &); "
                                      "setsid sh -c \"env -i $h & wait\" & $h",
                                      helper));
    while (fixture_lines(pids) < 7)
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_true(shell_of(f, id) > 0);
    assert_int_equal(kill(shell_of(f, id), SIGKILL), 0);
    log = fixture_finished(f, id);
    assert_string_equal(log->names, WITH_EXCEPTION);
    assert_int_equal(log->job->result, FR_RESULT_FAILED);
    assert_int_equal(log->job->waitstatus, SIGKILL);
    assert_string_equal(log->job->exception_type, "exec");
    assert_non_null(strstr(log->job->exception_note, "shell died"));
    file = fopen(pids, "r");
    assert_non_null(file);
    while (fscanf(file, "%d", &pid) == 1) {
        char path[64];
        char state_of[64] = "";
        FILE *stat;

        (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        stat = fopen(path, "r");
        if (!stat)
            continue;
        (void)!fscanf(stat, "%*d %*s %1s", state_of);
        (void)fclose(stat);
        if (strcmp(state_of, "Z") != 0) /* dead, and not yet reaped by whoever has it now */
            fail_msg("process %d runs on: %s", pid, state_of);
    }
    (void)fclose(file);
}

/* A shell that cannot be started, or that ends before it takes the job, is tried again. */
static void test_shell_that_fails_at_first(void **state)
{
    struct fixture *f = *state;
    uint64_t id;
    struct job_log *log;

    shell_replace(f, "echo >> %s\nexit 1", fixture_path(f, "tries"));
    id = fixture_run(f, fixture_script("echo x >> %s", fixture_path(f, "ran")));
    WAIT(f, fixture_lines(fixture_path(f, "tries")) > 0);
    assert_int_equal(unlink(f->shell), 0); /* and now it is not there at all */
    for (int i = 0; i < 20; i++)
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_int_equal(symlink(getenv("FR_TEST_SHELL"), f->shell), 0);
    log = fixture_finished(f, id);
    assert_int_equal(log->job->result, FR_RESULT_COMPLETED);
    assert_string_equal(log->names, NORMAL);
    assert_int_equal(fixture_lines(fixture_path(f, "ran")), 1);
}

/* What passes by itself is waited for: no number of tries fails the job. */
static void test_shell_that_lacks_room(void **state)
{
    struct fixture *f = *state;
    uint64_t id;

    shell_replace(f, "echo >> %s\nexit %d", fixture_path(f, "tries"), FR_SHELL_LATER);
    id = fixture_run(f, fixture_script("echo x >> %s", fixture_path(f, "ran")));
    WAIT(f, fixture_lines(fixture_path(f, "tries")) > 9);
    assert_true(fixture_is(f, id, FR_STATE_RUN));
    assert_int_equal(unlink(f->shell), 0);
    assert_int_equal(symlink(getenv("FR_TEST_SHELL"), f->shell), 0);
    assert_int_equal(fixture_finished(f, id)->job->result, FR_RESULT_COMPLETED);
    assert_int_equal(fixture_lines(fixture_path(f, "ran")), 1);
}

static void test_shell_that_is_not_there(void **state)
{
    struct fixture *f = *state;
    struct fr_error err = {.text = ""};

    fixture_close(f);
    (void)snprintf(f->shell, sizeof(f->shell), "%s/none", f->dir);
    assert_int_equal(fixture_try_open(f, &err), -ENOENT);
    assert_non_null(strstr(err.text, f->shell));
}

static void test_one_daemon_per_directory(void **state)
{
    struct fixture *f = *state;
    struct fr_engine *first = f->engine;
    struct fr_error err = {.text = ""};
    char pid[32];

    assert_int_equal(fixture_try_open(f, &err), -EBUSY);
    (void)snprintf(pid, sizeof(pid), "pid %d", (int)getpid());
    assert_non_null(strstr(err.text, f->state));
    assert_non_null(strstr(err.text, pid));
    f->engine = first;
}

static void limit_files(rlim_t size)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size < limit.rlim_max ? size : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/*
 * No room on the disk: submissions are refused, a job that runs ends and can be cancelled, and
 * all of it is written down when there is room.
 */
static void test_full_disk(void **state)
{
    struct fixture *f = *state;
    uint64_t id = fixture_run(
        f, fixture_script("while ! [ -e %s ]; do sleep 0.02; done", fixture_path(f, "go")));
    uint64_t other = fixture_run(f, fixture_script("exec sleep 600"));
    struct answer a;

    (void)signal(SIGXFSZ, SIG_IGN);
    /* They have their own limits by now. */
    WAIT(f, strstr(fixture_find(f, id)->names, "start"));
    WAIT(f, strstr(fixture_find(f, other)->names, "start"));
    limit_files(1);
    fixture_submit(f, fixture_script("true"), 16, &a);
    WAIT(f, a.done);
    assert_true(a.failed);
    assert_int_equal(a.err.code, FR_CODE_STORAGE);
    for (int i = 0; i < 1100; i++) { /* each is answered, and they are not piled up */
        fixture_cancel(f, other, &a);
        assert_true(!a.failed || a.err.code == FR_CODE_JOB_INACTIVE);
    }
    while (kill(shell_of(f, other), 0) == 0)
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    fixture_touch(fixture_path(f, "go"));
    while (kill(shell_of(f, id), 0) == 0)
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_true(fixture_is(f, id, FR_STATE_RUN)); /* nothing is told before it is on disk */
    limit_files(RLIM_INFINITY);
    assert_int_equal(fixture_finished(f, id)->job->result, FR_RESULT_COMPLETED);
    assert_int_equal(fixture_finished(f, other)->job->result, FR_RESULT_CANCELED);
    assert_string_equal(fixture_find(f, other)->names, WITH_EXCEPTION);
    assert_int_equal(f->njobs, 2);
}

/* A cancel that cannot be stored is answered, and the job waits on. */
static void test_cancel_waiting_on_a_full_disk(void **state)
{
    struct fixture *f = *state;
    uint64_t first = fixture_run(
        f, fixture_script("while ! [ -e %s ]; do sleep 0.02; done", fixture_path(f, "go")));
    uint64_t second =
        fixture_run(f, fixture_spec(2, 1, 0, "/tmp", (const char *[]){"true", NULL}));
    uint64_t third =
        fixture_run(f, fixture_spec(2, 1, 0, "/tmp", (const char *[]){"true", NULL}));
    struct answer a;

    (void)signal(SIGXFSZ, SIG_IGN);
    while (!shell_of(f, first)) /* it has its own limits by now */
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    limit_files(1);
    fixture_cancel(f, second, &a);
    assert_true(a.failed);
    assert_int_equal(a.err.code, FR_CODE_STORAGE);
    assert_true(fixture_is(f, second, FR_STATE_SCHED));
    limit_files(RLIM_INFINITY);
    fixture_cancel(f, third, &a);
    assert_false(a.failed);
    fixture_touch(fixture_path(f, "go"));
    assert_int_equal(fixture_finished(f, second)->job->result, FR_RESULT_COMPLETED);
    assert_int_equal(fixture_finished(f, third)->job->result, FR_RESULT_CANCELED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_cancel_while_exec_waits),
        TEST(test_start_is_told_at_the_claim),
        TEST(test_shell_killed),
        TEST(test_shell_that_fails_at_first),
        TEST(test_shell_that_lacks_room),
        TEST(test_shell_that_is_not_there),
        TEST(test_one_daemon_per_directory),
        TEST(test_full_disk),
        TEST(test_cancel_waiting_on_a_full_disk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
