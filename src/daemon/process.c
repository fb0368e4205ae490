// SPDX-License-Identifier: LGPL-3.0-only
#include "daemon/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/util.h"

/*
 * SIGHUP is how a Flux broker tells its initial program to end, so that SIGUSR1 is left to say
 * that the certificate is to be read again.
 */
static void signals_to_us(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGTERM);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGHUP);
    (void)sigaddset(set, SIGUSR1);
}

int fr_process_open_signals(void)
{
    sigset_t set;

    signals_to_us(&set);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int fr_process_prepare(void)
{
    sigset_t set;
    int fd;

    do {
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (fd < 0)
            return -errno;
    } while (fd <= 2 && fcntl(fd, F_SETFD, 0) == 0);
    close(fd);
    /* A kernel without it (before 5.11) leaves what we inherited to the jobs: no harm done. */
    (void)close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    signals_to_us(&set);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    /* A file over a limit of `ulimit -f` is an error to report, too. */
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
        return -errno;
    return 0;
}

void fr_process_raise_files(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static bool is_named(const char *entry, const char *const *names)
{
    size_t len = strcspn(entry, "=");

    for (size_t i = 0; names[i]; i++)
        if (strncmp(entry, names[i], len) == 0 && names[i][len] == '\0')
            return true;
    return false;
}

/* Of the Flux instance or MPI job that this process runs in. Our own settings are not. */
static bool is_of_outer_job(const char *entry)
{
    return (strncmp(entry, "FLUX_", 5) == 0 && strncmp(entry, "FLUX_REST", 9) != 0) ||
           strncmp(entry, "PMI_", 4) == 0 || strncmp(entry, "PMIX_", 5) == 0;
}

char **fr_process_job_environ(char *const *env, const char *const *without, bool under_flux)
{
    size_t count = 0, kept = 0;

    while (env[count])
        count++;
    char **copy = calloc(count + 1, sizeof *copy);
    for (size_t i = 0; copy && i < count; i++)
        if (!is_named(env[i], without) && (under_flux || !is_of_outer_job(env[i])))
            copy[kept++] = env[i];
    return copy;
}

int fr_process_find_shell(char *buf, size_t size)
{
    static const char *const beside[] = {
        "flux-restd-shell",
        "../shell/flux-restd-shell",
        "../libexec/flux-restd/flux-restd-shell",
    };
    char self[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);

    if (len > 0) {
        self[len] = '\0';
        *strrchr(self, '/') = '\0';
        for (size_t i = 0; i < FR_ARRAY_SIZE(beside); i++) {
            int n = snprintf(buf, size, "%s/%s", self, beside[i]);
            if (n > 0 && (size_t)n < size && access(buf, X_OK) == 0)
                return 0;
        }
    }
    int n = snprintf(buf, size, "%s/flux-restd-shell", FR_LIBEXECDIR);
    return n > 0 && (size_t)n < size && access(buf, X_OK) == 0 ? 0 : -ENOENT;
}
