// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The job shell: flux-restd-shell FOLDER
 *
 * Runs the one job described in FOLDER, unless another shell has it already, and leaves its
 * result there. See folder.h.
 */
#include "shell/shell.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The daemon's descriptors close at exec; this is for one that a library left open. */
static void descriptors_close(void)
{
    if (syscall(SYS_close_range, 3U, ~0U, 0U) == 0)
        return;
    for (int fd = 3; fd < 1024; fd++)
        (void)close(fd);
}

static int signals_open(void)
{
    sigset_t set;

    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a full output file is an error, not our end */
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGCHLD);
    (void)sigaddset(&set, FR_SIGNAL_RELAY);
    (void)sigaddset(&set, SIGHUP);
    (void)sigaddset(&set, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void affinity_set(struct shell *shell)
{
    const char *p = shell->job.cpus;
    size_t max = 1 << 16;
    cpu_set_t *set = p ? CPU_ALLOC(max) : NULL;
    size_t size = CPU_ALLOC_SIZE(max);

    if (!set)
        return;
    CPU_ZERO_S(size, set);
    while (*p) {
        char *end;
        unsigned long cpu = strtoul(p, &end, 10);

        if (end == p)
            break;
        if (cpu < max)
            CPU_SET_S(cpu, size, set);
        p = *end == ',' ? end + 1 : end;
    }
    if (sched_setaffinity(0, size, set) < 0)
        capture_say(&shell->capture, "flux-restd-shell: WARNING: not bound to CPUs %s: %s\n",
                    shell->job.cpus, strerror(errno));
    CPU_FREE(set);
}

static void tmpdir_make(struct shell *shell)
{
    if (!shell->job.tmpdir || mkdir(shell->job.tmpdir, 0700) == 0)
        return;
    capture_say(&shell->capture,
                "flux-restd-shell: WARNING: FLUX_JOB_TMPDIR %s cannot be made: %s\n",
                shell->job.tmpdir, strerror(errno));
    /* The variable stays, for it tells whose processes these are. */
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    (void)remove(path);
    return 0;
}

static void tmpdir_remove(const struct shell *shell)
{
    if (shell->job.tmpdir && rmdir(shell->job.tmpdir) < 0)
        (void)nftw(shell->job.tmpdir, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static void directory_set(struct shell *shell)
{
    const char *cwd = shell->job.cwd;

    if (!cwd || chdir(cwd) == 0)
        return;
    capture_say(&shell->capture,
                "flux-restd-shell: ERROR: host %s: Could not change dir to %s: %s. "
                "Going to /tmp instead\n",
                shell->host, cwd, strerror(errno));
    (void)!chdir("/tmp");
}

/* Two pipes per task may be more than the soft limit allows; tasks get theirs back. */
static void limits_raise(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void tasks_start(struct shell *shell)
{
    unsigned int count = shell->job.ntasks;

    shell->tasks = calloc(count, sizeof(*shell->tasks));
    if (!shell->tasks) {
        shell->job.ntasks = 0;
        task_failed(shell, &(struct task){0}, ENOMEM, false);
        return;
    }
    for (unsigned int i = 0; i < count; i++)
        shell->tasks[i] =
            (struct task){.rank = i, .in = {-1, -1, -1}, .files = {{.fd = -1}, {.fd = -1}}};
    if (files_open(shell) < 0)
        return;
    for (unsigned int i = 0; i < count && !shell->failed; i++) {
        int rc = task_start(shell, &shell->tasks[i]);

        if (rc < 0)
            task_failed(shell, &shell->tasks[i], -rc, false);
    }
}

static void job_run(struct shell *shell, int signal_fd)
{
    limits_raise();
    tmpdir_make(shell);
    directory_set(shell);
    affinity_set(shell);
    (void)umask(shell->job.umask);
    shell->limit_from = time_monotonic();
    if (shell->job.limit > 0)
        shell->limit_at = shell->limit_from + shell->job.limit;
    tasks_start(shell);
    loop_run(shell, signal_fd);
    leftovers_end();
    tmpdir_remove(shell);
    loop_drain(shell);
    (void)umask(077);
}

/* A full disk may have room again later: the result is worth waiting for. */
static int result_keep(struct shell *shell)
{
    for (unsigned int pause = 1;; pause = pause < 16 ? pause * 2 : 16) {
        int rc = shell->capture.fd >= 0 ? capture_finish(&shell->capture) : 0;

        if (!room_lacks(rc)) /* what else ails the output is no reason to lose the result */
            rc = result_write(shell);
        if (!room_lacks(rc))
            return rc;
        (void)sleep(pause);
    }
}

/* The exit code of a shell that did not take the job. */
static int refusal(int rc)
{
    bool passes = room_lacks(rc) || rc == -ENOMEM || rc == -EMFILE || rc == -ENFILE;

    return passes ? FR_SHELL_LATER : 1;
}

int main(int argc, char **argv)
{
    static struct shell shell = {.capture.fd = -1};
    int signal_fd;
    int rc;

    descriptors_close();
    (void)umask(077);
    if (argc != 2) {
        (void)fprintf(stderr, "usage: flux-restd-shell FOLDER (started by flux-restd)\n");
        return 2;
    }
    shell.dir = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    signal_fd = signals_open();
    if (shell.dir < 0 || signal_fd < 0)
        return refusal(-errno);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        return 1;
    shell.start = time_wall();
    rc = claim_take(shell.dir, shell.start);
    if (rc < 0)
        return rc == -EEXIST ? 0 : refusal(rc);
    bell_ring(shell.dir);
    (void)gethostname(shell.host, sizeof(shell.host) - 1);
    shell.host[strcspn(shell.host, ".")] = '\0';
    rc = description_read(shell.dir, &shell.job);
    if (rc == 0)
        rc = capture_open(shell.dir, shell.job.output_max, &shell.capture);
    if (rc == 0) {
        job_run(&shell, signal_fd);
    } else {
        shell.code = 1;
        exception_add(&shell, "exec", "the job shell cannot use the job's folder: %s",
                      strerror(-rc));
    }
    return result_keep(&shell) == 0 ? 0 : 1;
}
