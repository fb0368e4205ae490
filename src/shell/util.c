// SPDX-License-Identifier: LGPL-3.0-only
#include "shell/shell.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

static double time_of(clockid_t clock)
{
    struct timespec ts;

    (void)clock_gettime(clock, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

double time_wall(void)
{
    return time_of(CLOCK_REALTIME);
}

double time_monotonic(void)
{
    return time_of(CLOCK_MONOTONIC);
}

bool room_lacks(int rc)
{
    return rc == -ENOSPC || rc == -EDQUOT || rc == -EFBIG || rc == -EROFS;
}

int write_all(int fd, const void *data, size_t len)
{
    const char *p = data;

    while (len > 0) {
        ssize_t n = write(fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return -ENOSPC;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}
