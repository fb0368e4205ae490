// SPDX-License-Identifier: LGPL-3.0-only
#include "cli/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t arrived; /* counted by the handler */
static sig_atomic_t taken;
static int patience = 1;
static int pipe_fds[2] = {-1, -1};

static void on_sigint(int signum)
{
    int saved = errno;

    if (arrived < 100)
        arrived++;
    /* A full pipe is readable already. */
    ssize_t written = write(pipe_fds[1], "", 1);
    (void)written;
    errno = saved;
}

int fr_signals_init(void)
{
    struct sigaction action = {.sa_handler = on_sigint}, old;

    if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || sigaction(SIGINT, NULL, &old) < 0)
        return -errno;
    /* Started in the background by a shell that told it to ignore Ctrl-C. */
    if (old.sa_handler == SIG_IGN)
        return 0;
    return sigaction(SIGINT, &action, NULL) < 0 ? -errno : 0;
}

int fr_signals_fd(void)
{
    return pipe_fds[0];
}

void fr_signals_set_patience(int count)
{
    patience = count;
}

bool fr_signals_gave_up(void)
{
    return arrived >= patience;
}

static void drain(void)
{
    char bytes[16];

    while (pipe_fds[0] >= 0 && read(pipe_fds[0], bytes, sizeof bytes) > 0)
        continue;
}

bool fr_signals_take(void)
{
    drain();
    if (arrived == taken)
        return false;
    taken = arrived;
    return true;
}

static double monotonic(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

bool fr_signals_sleep(double seconds)
{
    struct pollfd pollfd = {.fd = pipe_fds[0], .events = POLLIN};
    double end = monotonic() + seconds, left;

    while (!fr_signals_gave_up() && (left = end - monotonic()) > 0) {
        if (poll(&pollfd, 1, (int)(left * 1000) + 1) > 0)
            drain();
    }
    return !fr_signals_gave_up();
}

ssize_t fr_signals_read(int fd, void *data, size_t size)
{
    struct pollfd pollfds[] = {{.fd = fd, .events = POLLIN},
                               {.fd = pipe_fds[0], .events = POLLIN}};

    while (!fr_signals_gave_up()) {
        if (poll(pollfds, 2, -1) < 0)
            continue; /* by a signal */
        if (pollfds[1].revents)
            drain();
        else if (pollfds[0].revents)
            return read(fd, data, size);
    }
    errno = EINTR;
    return -1;
}

_Noreturn void fr_signals_die(int signum)
{
    sigset_t set;

    signal(signum, SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, signum);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    raise(signum);
    _exit(128 + signum);
}
