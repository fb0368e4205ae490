// SPDX-License-Identifier: LGPL-3.0-only
#include "engine/local/launch.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/buf.h"
#include "base/util.h"
#include "engine/local/folder.h"
#include "shell/folder.h"

#define DESCRIPTION_MAX (256U << 20)

static int folder_prepare(const struct fr_launch_settings *settings, struct fr_store *store,
                          const struct fr_launch_job *job, const char *path)
{
    _cleanup_(fr_cleanup_str) char *input = NULL;
    _cleanup_(fr_cleanup_str) char *jobspec = NULL;
    _cleanup_(fr_cleanup_str) char *environment = NULL;
    _cleanup_(fr_buf_done) struct fr_buf buf = FR_BUF_INIT(DESCRIPTION_MAX);
    _cleanup_(fr_cleanup_fd) int output = -1;
    char name[PATH_MAX];
    int rc = fr_store_read_spec(store, job->id, &jobspec, &environment);

    if (rc == 0)
        rc = fr_launch_describe(settings, job, jobspec, environment, &buf, &input);
    if (rc == 0)
        rc = fr_folder_make(settings->state_dir, job->id);
    if (rc < 0)
        return rc;
    /* There from the start, so that it can be watched before the first byte comes. */
    (void)snprintf(name, sizeof(name), "%.4000s/%s", path, FR_FOLDER_OUTPUT);
    output = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (output < 0)
        return -errno;
    if (input)
        rc = fr_folder_write(path, FR_FOLDER_STDIN, input, strlen(input));
    return rc < 0 ? rc : fr_folder_write(path, FR_FOLDER_JOB, buf.data, buf.len);
}

/* The shell's signals are at their defaults, and those that it is told by wait for it. */
static int attributes_set(posix_spawnattr_t *attr)
{
    sigset_t set;
    int rc;

    (void)sigfillset(&set);
    rc = posix_spawnattr_setsigdefault(attr, &set);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGHUP);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, FR_SIGNAL_RELAY);
    if (rc == 0)
        rc = posix_spawnattr_setsigmask(attr, &set);
    if (rc == 0)
        rc = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF |
                                                POSIX_SPAWN_SETSIGMASK);
    return -rc;
}

static int actions_set(posix_spawn_file_actions_t *actions)
{
    int rc = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);

    for (int fd = 1; rc == 0 && fd <= 2; fd++)
        rc = posix_spawn_file_actions_addopen(actions, fd, "/dev/null", O_WRONLY, 0);
    return -rc;
}

static int shell_spawn(const char *shell, const char *path, pid_t *ret_pid)
{
    char *argv[] = {(char *)(uintptr_t) "flux-restd-shell", (char *)(uintptr_t)path, NULL};
    char *env[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    int rc;

    if (posix_spawn_file_actions_init(&actions) != 0)
        return -ENOMEM;
    if (posix_spawnattr_init(&attr) != 0) {
        (void)posix_spawn_file_actions_destroy(&actions);
        return -ENOMEM;
    }
    rc = attributes_set(&attr);
    if (rc == 0)
        rc = actions_set(&actions);
    if (rc == 0)
        rc = -posix_spawn(ret_pid, shell, &actions, &attr, argv, env);
    (void)posix_spawnattr_destroy(&attr);
    (void)posix_spawn_file_actions_destroy(&actions);
    return rc;
}

/* Whether what failed for this reason is likely to succeed later without anyone's doing. */
static bool passes(int rc)
{
    switch (-rc) {
    case ENOSPC:
    case EDQUOT:
    case EROFS:
    case EAGAIN:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
        return true;
    default:
        return false;
    }
}

int fr_launch_start(const struct fr_launch_settings *settings, struct fr_store *store,
                    const struct fr_launch_job *job, int *ret_bell, pid_t *ret_pid,
                    int *ret_pidfd, struct fr_error *err)
{
    char path[PATH_MAX];
    int rc;

    fr_folder_path(settings->state_dir, job->id, path, sizeof(path));
    rc = folder_prepare(settings, store, job, path);
    if (rc == 0 && ret_bell)
        rc = fr_folder_bell(path, ret_bell);
    if (rc < 0)
        return fr_error_set(err, passes(rc) ? EAGAIN : -rc, FR_CODE_STORAGE,
                            "the job's folder cannot be made: %s", strerror(-rc));
    rc = shell_spawn(settings->shell_path, path, ret_pid);
    if (rc < 0) /* an upgrade takes the program away and puts another in its place */
        return fr_error_set(err, passes(rc) || rc == -ENOENT || rc == -ETXTBSY ? EAGAIN : -rc,
                            FR_CODE_INTERNAL, "the job shell %s cannot be started: %s",
                            settings->shell_path, strerror(-rc));
    /* Not reaped before we say so: the pid is the shell's. */
    *ret_pidfd = (int)syscall(SYS_pidfd_open, *ret_pid, 0);
    return 0;
}

int fr_launch_signal(int pidfd, pid_t pid, int signum, int value)
{
    siginfo_t info = {0};
    long rc;

    info.si_signo = signum;
    info.si_code = SI_QUEUE;
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_int = value;
    if (pidfd >= 0)
        rc = syscall(SYS_pidfd_send_signal, pidfd, signum, &info, 0);
    else if (pid > 0)
        rc = syscall(SYS_rt_sigqueueinfo, pid, signum, &info);
    else
        return -ESRCH;
    return rc < 0 ? -errno : 0;
}
