// SPDX-License-Identifier: LGPL-3.0-only
#include "shell/shell.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define GRACE_SECONDS 5.0

/* Takes n bytes of a task's pipe. */
static void pipe_take(struct shell *shell, struct task *task, int which, const char *data,
                      size_t n)
{
    int error;

    if (which != TASK_REPORT && task->files[which].fd >= 0) {
        files_put(shell, task, which, data, n);
    } else if (which != TASK_REPORT) {
        capture_put(&shell->capture, (unsigned int)which + 1, task->rank, data, n);
    } else if (n == sizeof(error)) {
        memcpy(&error, data, sizeof(error));
        task_failed(shell, task, error, true);
    }
}

/* Reads once. False once there is nothing more to read now. */
static bool pipe_read(struct shell *shell, struct task *task, int which)
{
    static char data[FR_FRAME_MAX];
    ssize_t n;

    if (task->in[which] < 0)
        return false;
    n = read(task->in[which], data, sizeof(data));
    if (n > 0) {
        pipe_take(shell, task, which, data, (size_t)n);
        return true;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return errno == EINTR;
    if (which != TASK_REPORT && task->files[which].fd >= 0)
        files_put(shell, task, which, NULL, 0);
    (void)close(task->in[which]);
    task->in[which] = -1;
    return false;
}

static void stop_begin(struct shell *shell, int signum)
{
    tasks_signal(shell, signum);
    if (!shell->stopping)
        shell->kill_at = time_monotonic() + GRACE_SECONDS;
    shell->stopping = true;
}

/* A limit that has struck already, or cannot be read, changes nothing. */
static void limit_read(struct shell *shell)
{
    int fd = openat(shell->dir, FR_FOLDER_LIMIT, O_RDONLY | O_CLOEXEC);
    char text[64];
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    double limit;

    if (fd >= 0)
        (void)close(fd);
    if (n <= 0 || shell->stopping)
        return;
    text[n] = '\0';
    limit = strtod(text, NULL);
    /* Counted from the start by the clock that does not jump. */
    shell->limit_at = limit > 0 ? shell->limit_from + limit : 0;
}

static void signals_read(struct shell *shell, int fd)
{
    struct signalfd_siginfo info;

    while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGTERM)
            stop_begin(shell, SIGTERM);
        else if (info.ssi_signo == (uint32_t)FR_SIGNAL_RELAY && info.ssi_int > 0)
            tasks_signal(shell, info.ssi_int);
        else if (info.ssi_signo == (uint32_t)FR_SIGNAL_RELAY && info.ssi_int == FR_RELAY_LIMIT)
            limit_read(shell);
    }
    /* SIGCHLD merges: what ended is asked from the kernel, not counted here. */
    tasks_reap(shell);
}

static void clock_check(struct shell *shell)
{
    double now = time_monotonic();

    if (shell->limit_at > 0 && now >= shell->limit_at) {
        shell->limit_at = 0;
        exception_add(shell, "timeout", "resource allocation expired");
        stop_begin(shell, SIGALRM); /* as Flux does */
    }
    if (shell->kill_at > 0 && now >= shell->kill_at) {
        shell->kill_at = now + GRACE_SECONDS;
        tasks_signal(shell, SIGKILL);
    }
}

static int wait_ms(const struct shell *shell)
{
    double next = shell->limit_at;
    double left;

    if (shell->kill_at > 0 && (next <= 0 || shell->kill_at < next))
        next = shell->kill_at;
    if (next <= 0)
        return -1;
    left = (next - time_monotonic()) * 1000 + 1;
    if (left < 0)
        return 0;
    return left < 3600e3 ? (int)left : 3600000;
}

static nfds_t poll_fill(const struct shell *shell, int signal_fd, struct pollfd *fds)
{
    nfds_t n = 0;

    fds[n++] = (struct pollfd){signal_fd, POLLIN, 0};
    for (unsigned int i = 0; i < shell->job.ntasks; i++) {
        for (int which = 0; which < TASK_PIPES; which++)
            fds[n++] = (struct pollfd){shell->tasks[i].in[which], POLLIN, 0};
    }
    return n; /* poll(2) passes over descriptors of -1 */
}

void loop_run(struct shell *shell, int signal_fd)
{
    struct pollfd *fds = calloc(TASK_PIPES * (size_t)shell->job.ntasks + 1, sizeof(*fds));

    if (!fds) {
        exception_add(shell, "exec", "the job shell has no memory");
        shell->code = 1;
        return; /* what runs is ended by the caller */
    }
    while (shell->running > 0) {
        nfds_t n = poll_fill(shell, signal_fd, fds);

        if (poll(fds, n, wait_ms(shell)) < 0 && errno != EINTR)
            (void)usleep(100000);
        clock_check(shell);
        if (fds[0].revents)
            signals_read(shell, signal_fd);
        for (nfds_t i = 1; i < n; i++) {
            if (fds[i].revents)
                (void)pipe_read(shell, &shell->tasks[(i - 1) / TASK_PIPES],
                                (int)((i - 1) % TASK_PIPES));
        }
    }
    free(fds);
}

void loop_drain(struct shell *shell)
{
    for (unsigned int i = 0; i < shell->job.ntasks; i++) {
        for (int which = 0; which < TASK_PIPES; which++) {
            while (pipe_read(shell, &shell->tasks[i], which))
                ;
        }
    }
}
