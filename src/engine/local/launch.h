// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Starting a job's shell, and speaking to it. For a worker thread, but for fr_launch_signal().
 */
#ifndef FR_LOCAL_LAUNCH_H
#define FR_LOCAL_LAUNCH_H

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "engine/local/store.h"

/* What one job is started with. Borrowed texts. */
struct fr_launch_job {
    uint64_t id;
    const char *cpus; /* CPU numbers with commas; NULL: not bound */
    const char *gpus; /* idset; NULL: none */
};

/* What all jobs of this engine are started with. Borrowed texts. */
struct fr_launch_settings {
    const char *state_dir;
    const char *host;
    const char *shell_path;
    uint64_t output_max;
    mode_t umask;    /* the daemon's own when it started */
    uint64_t nofile; /* its soft limit then */
};

/*
 * Prepares the job's folder out of the store and spawns its shell. ret_bell may be NULL. 0 with
 * the job's bell (fr_folder_bell) and the shell's pid and pidfd (-1 where the kernel has none);
 * a negative errno with err naming what failed. Nothing is running then, and it may be tried
 * again. -EAGAIN is for all that passes: no room, memory, process or descriptor, or the shell's
 * program is being replaced.
 */
int fr_launch_start(const struct fr_launch_settings *settings, struct fr_store *store,
                    const struct fr_launch_job *job, int *ret_bell, pid_t *ret_pid,
                    int *ret_pidfd, struct fr_error *err);

/*
 * Sends a signal to a shell: SIGTERM (value ignored), or FR_SIGNAL_RELAY with the number that
 * its tasks are to get. By pidfd, or by pid where that is -1. 0 or a negative errno (-ESRCH:
 * it has ended).
 */
int fr_launch_signal(int pidfd, pid_t pid, int signum, int value);

/*
 * Appends a job's description (shell/folder.h) out of the JSON texts of its jobspec and
 * environment (may be NULL). A text for its stdin, if it has one, goes to *ret_input, for the
 * caller to free: it is to be the folder's file `stdin`. 0, -EINVAL if they cannot be read,
 * -ENOMEM.
 */
struct fr_buf;
int fr_launch_describe(const struct fr_launch_settings *settings,
                       const struct fr_launch_job *job, const char *jobspec,
                       const char *environment, struct fr_buf *out, char **ret_input);

#endif
