// SPDX-License-Identifier: LGPL-3.0-only
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "base/util.h"
#include "engine/local/local.h"

#define LOCK_TRIES 20
#define LOCK_PAUSE_NS 50000000L

static int holder_of(int fd)
{
    char text[32] = "";
    int pid = 0;

    if (pread(fd, text, sizeof(text) - 1, 0) > 0)
        (void)sscanf(text, "%d", &pid);
    return pid;
}

/*
 * A daemon that was killed while it spawned a shell leaves the lock with that child for the
 * moment until its exec: hence the short patience.
 */
static int lock_wait(int fd)
{
    const struct timespec pause = {0, LOCK_PAUSE_NS};

    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return 0;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return -errno;
        (void)nanosleep(&pause, NULL);
    }
    return -EBUSY;
}

int fr_lock_take(const char *state_dir, int *ret_fd, struct fr_error *err)
{
    _cleanup_(fr_cleanup_fd) int fd = -1;
    char path[PATH_MAX];
    char text[32];
    int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    int rc;

    (void)snprintf(path, sizeof(path), "%s/lock", state_dir);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return fr_error_set(err, errno, FR_CODE_STORAGE, "%s cannot be opened: %s.", path,
                            strerror(errno));
    rc = lock_wait(fd);
    if (rc == -EBUSY)
        return fr_error_set(err, EBUSY, FR_CODE_UNAVAILABLE,
                            "The state directory %s is in use by another flux-restd (pid %d): "
                            "stop that one, or give this one a directory of its own.",
                            state_dir, holder_of(fd));
    if (rc < 0)
        return fr_error_set(err, -rc, FR_CODE_STORAGE, "%s cannot be locked: %s.", path,
                            strerror(-rc));
    /* For people; a full disk is no reason to stay away. */
    if (ftruncate(fd, 0) == 0)
        (void)!pwrite(fd, text, (size_t)len, 0);
    *ret_fd = fd;
    fd = -1;
    return 0;
}
