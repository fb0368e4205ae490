// SPDX-License-Identifier: LGPL-3.0-only
#include "shell/shell.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEFTOVER_SECONDS 10.0

/* The two ends of each pipe: stdout, stderr, report. */
struct channels {
    int pipes[TASK_PIPES][2];
};

static void channels_close(struct channels *c)
{
    for (int i = 0; i < TASK_PIPES; i++) {
        for (int end = 0; end < 2; end++) {
            if (c->pipes[i][end] >= 0)
                (void)close(c->pipes[i][end]);
        }
    }
}

static int channels_open(struct channels *c)
{
    *c = (struct channels){{{-1, -1}, {-1, -1}, {-1, -1}}};
    for (int i = 0; i < TASK_PIPES; i++) {
        if (pipe2(c->pipes[i], O_CLOEXEC) < 0)
            return -errno;
    }
    return 0;
}

static void limit_set(int resource, rlim_t soft)
{
    struct rlimit limit;

    if (getrlimit(resource, &limit) < 0)
        return;
    limit.rlim_cur = soft < limit.rlim_max ? soft : limit.rlim_max;
    (void)setrlimit(resource, &limit);
}

/* NAME=soft limit; -1 is none. Names are those of RFC 25's shell option. */
static void limit_ask(const char *entry)
{
    static const struct {
        const char *name;
        int resource;
    } limits[] = {{"as", RLIMIT_AS},
                  {"core", RLIMIT_CORE},
                  {"cpu", RLIMIT_CPU},
                  {"data", RLIMIT_DATA},
                  {"fsize", RLIMIT_FSIZE},
                  {"memlock", RLIMIT_MEMLOCK},
                  {"msgqueue", RLIMIT_MSGQUEUE},
                  {"nice", RLIMIT_NICE},
                  {"nofile", RLIMIT_NOFILE},
                  {"ofile", RLIMIT_NOFILE},
                  {"nproc", RLIMIT_NPROC},
                  {"rss", RLIMIT_RSS},
                  {"rtprio", RLIMIT_RTPRIO},
                  {"rttime", RLIMIT_RTTIME},
                  {"sigpending", RLIMIT_SIGPENDING},
                  {"stack", RLIMIT_STACK}};
    size_t len = strcspn(entry, "=");

    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        long long value = entry[len] ? strtoll(entry + len + 1, NULL, 10) : 0;

        if (strlen(limits[i].name) == len && strncmp(limits[i].name, entry, len) == 0)
            limit_set(limits[i].resource, value < 0 ? RLIM_INFINITY : (rlim_t)value);
    }
}

static void limits_restore(const struct description *job)
{
    if (job->nofile)
        limit_set(RLIMIT_NOFILE, job->nofile);
    for (char **entry = job->rlimits; *entry; entry++)
        limit_ask(*entry);
}

/* In the child. Returns only if the program could not be executed. */
static void task_become(const struct shell *shell, const struct channels *c, pid_t parent)
{
    sigset_t none;
    int in;

    (void)setpgid(0, 0);
    /* Should the shell be killed, its tasks are not to run on unseen. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)signal(SIGXFSZ, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    in = open(shell->job.input ? shell->job.input : "/dev/null", O_RDONLY | O_CLOEXEC);
    if (in < 0 || dup2(in, 0) < 0 || dup2(c->pipes[TASK_OUT][1], 1) < 0 ||
        dup2(c->pipes[TASK_ERR][1], 2) < 0)
        return;
    limits_restore(&shell->job);
    environ = shell->job.env;
    (void)execvp(shell->job.argv[0], shell->job.argv);
}

/* The variables that tell one task from another. */
static void env_complete(struct shell *shell, unsigned int rank)
{
    static char text[5][64];
    static char tmpdir[PATH_MAX + 32];
    struct description *job = &shell->job;

    (void)snprintf(text[0], sizeof(text[0]), "FLUX_JOB_ID=%s", job->jobid);
    (void)snprintf(text[1], sizeof(text[1]), "FLUX_JOB_SIZE=%u", job->ntasks);
    (void)snprintf(text[2], sizeof(text[2]), "FLUX_JOB_NNODES=1");
    (void)snprintf(text[3], sizeof(text[3]), "FLUX_TASK_RANK=%u", rank);
    (void)snprintf(text[4], sizeof(text[4]), "FLUX_TASK_LOCAL_ID=%u", rank);
    for (size_t i = 0; i < 5; i++)
        job->env[job->nenv + i] = text[i];
    if (!job->tmpdir)
        return;
    (void)snprintf(tmpdir, sizeof(tmpdir), "FLUX_JOB_TMPDIR=%s", job->tmpdir);
    job->env[job->nenv + 5] = tmpdir;
}

int task_start(struct shell *shell, struct task *task)
{
    struct channels c;
    int rc = channels_open(&c);
    pid_t parent = getpid();
    pid_t pid = -1;

    env_complete(shell, task->rank);
    if (rc == 0 && (pid = fork()) < 0)
        rc = -errno;
    if (pid == 0) {
        task_become(shell, &c, parent);
        (void)!write(c.pipes[TASK_REPORT][1], &errno, sizeof(errno));
        _exit(127);
    }
    if (rc == 0) {
        (void)setpgid(pid, pid);
        for (int i = 0; i < TASK_PIPES; i++) {
            task->in[i] = c.pipes[i][0];
            c.pipes[i][0] = -1;
            (void)fcntl(task->in[i], F_SETFL, O_NONBLOCK);
        }
        task->pid = pid;
        shell->running++;
    }
    channels_close(&c);
    return rc;
}

void task_failed(struct shell *shell, const struct task *task, int error, bool exec)
{
    const char *what = exec ? shell->job.argv[0] : "no resources";
    char note[512];

    if (shell->failed)
        return;
    (void)snprintf(note, sizeof(note), "task %u (host %s): start failed: %.300s: %s",
                   task->rank, shell->host, what, strerror(error));
    shell->failed = true;
    shell->code = exec && error == ENOENT ? 127 : 126;
    exception_add(shell, "exec", "%s", note);
    capture_say(&shell->capture, "flux-restd-shell: FATAL: %s\n", note);
    tasks_signal(shell, SIGKILL);
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
        if (!shell->failed && code > shell->code)
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
