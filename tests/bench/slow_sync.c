// SPDX-License-Identifier: LGPL-3.0-only
/*
 * To be preloaded: a disk on which each sync takes longer, SLOW_SYNC_US microseconds, and a
 * count of them, which is written to the file SLOW_SYNC_COUNT at the end.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static atomic_long count;
static struct timespec delay;

__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("SLOW_SYNC_US");
    long us = text ? atol(text) : 0;

    delay = (struct timespec){us / 1000000, us % 1000000 * 1000};
}

__attribute__((destructor)) static void end(void)
{
    const char *path = getenv("SLOW_SYNC_COUNT");
    FILE *file = path ? fopen(path, "w") : NULL;

    if (!file)
        return;
    (void)fprintf(file, "%ld\n", atomic_load(&count));
    (void)fclose(file);
}

static int sync_by(long number, int fd)
{
    int rc = (int)syscall(number, fd);

    atomic_fetch_add(&count, 1);
    if (delay.tv_sec || delay.tv_nsec)
        (void)nanosleep(&delay, NULL);
    return rc;
}

int fsync(int fd)
{
    return sync_by(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return sync_by(SYS_fdatasync, fd);
}
