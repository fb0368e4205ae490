// SPDX-License-Identifier: LGPL-3.0-only
#include "shell/shell.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEFTOVER_SECONDS 10.0

struct channels {
    int in;
    int out[2][2];
    int report[2]; /* the errno of a failed exec; closed by a good one */
};

static void channels_close(struct channels *c)
{
    int *all[] = {&c->in,        &c->out[0][0], &c->out[0][1], &c->out[1][0],
                  &c->out[1][1], &c->report[0], &c->report[1]};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (*all[i] >= 0)
            (void)close(*all[i]);
        *all[i] = -1;
    }
}

static int channels_open(struct channels *c)
{
    *c = (struct channels){-1, {{-1, -1}, {-1, -1}}, {-1, -1}};
    c->in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (c->in < 0 || pipe2(c->out[0], O_CLOEXEC) < 0 || pipe2(c->out[1], O_CLOEXEC) < 0 ||
        pipe2(c->report, O_CLOEXEC) < 0) {
        int rc = -errno;

        channels_close(c);
        return rc;
    }
    return 0;
}

static void limits_restore(const struct description *job)
{
    struct rlimit limit;

    if (job->nofile == 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = job->nofile < limit.rlim_max ? job->nofile : limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* In the child. Returns only if the program could not be executed. */
static void task_become(const struct shell *shell, const struct channels *c, pid_t parent)
{
    sigset_t none;

    (void)setpgid(0, 0);
    /* Should the shell be killed, its tasks are not to run on unseen. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)signal(SIGXFSZ, SIG_DFL);
    limits_restore(&shell->job);
    if (dup2(c->in, 0) < 0 || dup2(c->out[0][1], 1) < 0 || dup2(c->out[1][1], 2) < 0)
        return;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    environ = shell->job.env;
    (void)execvp(shell->job.argv[0], shell->job.argv);
}

/* The variables that tell one task from another. */
static void env_complete(struct shell *shell, unsigned int rank)
{
    static char text[6][64];
    struct description *job = &shell->job;

    (void)snprintf(text[0], sizeof(text[0]), "FLUX_JOB_ID=%s", job->jobid);
    (void)snprintf(text[1], sizeof(text[1]), "FLUX_JOB_SIZE=%u", job->ntasks);
    (void)snprintf(text[2], sizeof(text[2]), "FLUX_JOB_NNODES=1");
    (void)snprintf(text[3], sizeof(text[3]), "FLUX_TASK_RANK=%u", rank);
    (void)snprintf(text[4], sizeof(text[4]), "FLUX_TASK_LOCAL_ID=%u", rank);
    for (size_t i = 0; i < 5; i++)
        job->env[job->nenv + i] = text[i];
}

/* Waits for the child's exec: 0, or its errno. */
static int report_read(int fd)
{
    int failure = 0;
    ssize_t n;

    do
        n = read(fd, &failure, sizeof(failure));
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(failure) ? failure : 0;
}

int task_start(struct shell *shell, struct task *task, bool *ret_exec)
{
    struct channels c;
    int rc = channels_open(&c);
    pid_t parent = getpid();
    pid_t pid;

    *ret_exec = false;
    if (rc < 0)
        return rc;
    env_complete(shell, task->rank);
    pid = fork();
    if (pid < 0) {
        rc = -errno;
        channels_close(&c);
        return rc;
    }
    if (pid == 0) {
        task_become(shell, &c, parent);
        (void)!write(c.report[1], &errno, sizeof(errno));
        _exit(127);
    }
    (void)setpgid(pid, pid);
    (void)close(c.report[1]);
    c.report[1] = -1;
    rc = -report_read(c.report[0]);
    *ret_exec = rc < 0;
    for (int i = 0; rc == 0 && i < 2; i++) {
        task->out[i] = c.out[i][0];
        c.out[i][0] = -1;
        (void)fcntl(task->out[i], F_SETFL, O_NONBLOCK);
    }
    task->pid = rc == 0 ? pid : 0;
    shell->running += rc == 0;
    channels_close(&c);
    return rc; /* a child that could not exec is reaped with the rest */
}

void tasks_signal(struct shell *shell, int signum)
{
    for (unsigned int i = 0; i < shell->job.ntasks; i++) {
        if (shell->tasks[i].pid > 0)
            (void)kill(-shell->tasks[i].pid, signum);
    }
}

static void task_ended(struct shell *shell, pid_t pid, int status)
{
    int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);

    for (unsigned int i = 0; i < shell->job.ntasks; i++) {
        if (shell->tasks[i].pid != pid)
            continue;
        shell->tasks[i].pid = 0;
        shell->running--;
        if (code > shell->code)
            shell->code = code;
        return;
    }
}

void tasks_reap(struct shell *shell)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        task_ended(shell, pid, status);
}

static pid_t parent_of(const char *pid)
{
    char path[64];
    char text[512];
    const char *p;
    ssize_t n;
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    n = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    if (n <= 0)
        return -1;
    text[n] = '\0';
    p = strrchr(text, ')'); /* the name before it may hold anything */
    return p && strlen(p) > 4 ? (pid_t)strtol(p + 4, NULL, 10) : -1;
}

/*
 * Kills our children. Their own children become ours then (we are their subreaper), and are
 * found in the next round. Whoever fork()s in between is found in the round after.
 */
static void children_kill(void)
{
    DIR *proc = opendir("/proc");
    pid_t self = getpid();
    struct dirent *entry;

    if (!proc)
        return;
    while ((entry = readdir(proc))) {
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
            parent_of(entry->d_name) == self)
            (void)kill((pid_t)strtol(entry->d_name, NULL, 10), SIGKILL);
    }
    (void)closedir(proc);
}

void leftovers_end(void)
{
    double until = time_monotonic() + LEFTOVER_SECONDS;
    useconds_t pause = 1000;

    for (;;) {
        pid_t pid;

        while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
            ;
        if (pid < 0 || time_monotonic() > until)
            return; /* none left, or one that even SIGKILL does not end */
        children_kill();
        (void)usleep(pause);
        if (pause < 64000)
            pause *= 2;
    }
}
