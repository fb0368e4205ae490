// SPDX-License-Identifier: LGPL-3.0-only
#include "shell/shell.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* A name of our own in the folder, never one that was there before: it might be linked. */
static int private_file(int dir, char *name, size_t size)
{
    for (unsigned int i = 0; i < 1000; i++) {
        int fd;

        (void)snprintf(name, size, "claim.%d.%u", (int)getpid(), i);
        fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd >= 0 || errno != EEXIST)
            return fd >= 0 ? fd : -errno;
    }
    return -EEXIST;
}

static int claim_write(int fd, double start)
{
    char place[FR_PLACE_TEXT];
    char text[256];
    int len;
    int rc = flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;

    fr_folder_place(place);
    len = snprintf(text, sizeof(text), FR_CLAIM_TITLE "%d\npid %d\nstart %.6f\nplace %s\n",
                   FR_FOLDER_VERSION, (int)getpid(), start, place);
    /*
     * No sync: after a stop of the machine its pid means nothing, and an empty claim without
     * a lock says as well that a shell had the job. It is the name that must be there.
     */
    return rc < 0 ? rc : write_all(fd, text, (size_t)len);
}

int claim_take(int dir, double start)
{
    char name[64];
    int fd = private_file(dir, name, sizeof(name));
    int rc;

    if (fd < 0)
        return fd;
    rc = claim_write(fd, start);
    if (rc == 0 && linkat(dir, name, dir, FR_FOLDER_CLAIM, 0) < 0)
        rc = -errno;
    (void)unlinkat(dir, name, 0);
    /* A machine that stops now must find the claim again, or the job would run twice. */
    if (rc == 0 && fsync(dir) < 0) {
        rc = -errno;
        (void)unlinkat(dir, FR_FOLDER_CLAIM, 0); /* nothing has run: another may try */
    }
    if (rc < 0)
        (void)close(fd);
    return rc; /* on success the descriptor stays open on purpose: it is the lock */
}

void bell_ring(int dir)
{
    int fd = openat(dir, FR_FOLDER_BELL, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        return; /* nobody listens */
    (void)!write(fd, "", 1);
    (void)close(fd);
}

/* A line at a time; one that finds no room is told with the result. */
static void news_write(int dir, const char *line)
{
    int fd = openat(dir, FR_FOLDER_NEWS, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
                    0600);

    if (fd < 0)
        return;
    if (write_all(fd, line, strlen(line)) == 0 && fsync(fd) == 0)
        bell_ring(dir);
    (void)close(fd);
}

void exception_add(struct shell *shell, const char *type, const char *fmt, ...)
{
    size_t used = strlen(shell->exceptions);
    char note[512];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(note, sizeof(note), fmt, ap);
    va_end(ap);
    for (char *p = note; *p; p++) {
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = ' ';
    }
    if (used + sizeof(note) + 64 > sizeof(shell->exceptions))
        return; /* the first ones are those that count */
    (void)snprintf(shell->exceptions + used, sizeof(shell->exceptions) - used,
                   "exception %.6f %s %s\n", time_wall(), type, note);
    news_write(shell->dir, shell->exceptions + used);
}

int result_write(const struct shell *shell)
{
    char text[sizeof(shell->exceptions) + 128];
    int len = snprintf(text, sizeof(text), FR_RESULT_TITLE "%d\nstatus %d\nend %.6f\n%s",
                       FR_FOLDER_VERSION, shell->code << 8, time_wall(), shell->exceptions);
    int fd = openat(shell->dir, FR_FOLDER_RESULT ".new",
                    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int rc;

    if (fd < 0)
        return -errno;
    rc = write_all(fd, text, (size_t)len);
    if (rc == 0 && fsync(fd) < 0)
        rc = -errno;
    (void)close(fd);
    if (rc == 0 &&
        renameat(shell->dir, FR_FOLDER_RESULT ".new", shell->dir, FR_FOLDER_RESULT) < 0)
        rc = -errno;
    if (rc == 0 && fsync(shell->dir) < 0)
        rc = -errno;
    return rc;
}
