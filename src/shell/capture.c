// SPDX-License-Identifier: LGPL-3.0-only
#include "shell/shell.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

int capture_open(int dir, uint64_t max, struct capture *ret)
{
    int fd = openat(dir, FR_FOLDER_OUTPUT, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return -errno;
    *ret = (struct capture){.fd = fd, .max = max};
    return 0;
}

/* One frame, or none: what was written of a frame that failed is taken back. */
static int frame_write(struct capture *capture, unsigned int stream, unsigned int rank,
                       const char *data, size_t len)
{
    struct fr_frame head = {fr_frame_mark(capture->place), stream, rank, (uint32_t)len};
    struct iovec parts[2] = {{&head, sizeof(head)}, {(void *)(uintptr_t)data, len}};
    size_t size = sizeof(head) + len;
    ssize_t n;

    do
        n = pwritev(capture->fd, parts, 2, (off_t)capture->place);
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)size) {
        int rc = n < 0 ? -errno : -ENOSPC;

        (void)!ftruncate(capture->fd, (off_t)capture->place);
        return rc;
    }
    capture->place += size;
    capture->used[stream] += size;
    return 0;
}

static int mark_write(struct capture *capture, unsigned int stream, unsigned int rank,
                      const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static int mark_write(struct capture *capture, unsigned int stream, unsigned int rank,
                      const char *fmt, ...)
{
    char text[256];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (n >= (int)sizeof(text))
        n = sizeof(text) - 1;
    return frame_write(capture, stream, rank, text, (size_t)n);
}

/* Once there is room again, what is missing is said where it is missing. */
static int lost_say(struct capture *capture, unsigned int stream, unsigned int rank)
{
    int rc = mark_write(capture, stream, rank, "\n[flux-restd: output was lost here: %s]\n",
                        strerror(capture->lost));

    if (rc == 0)
        capture->lost = 0;
    return rc;
}

/* An eighth of the file is kept for the other stream: a flood on one leaves that its words. */
static size_t room_of(const struct capture *capture, unsigned int stream)
{
    uint64_t all = capture->max;
    uint64_t own = capture->max - capture->max / 8;
    uint64_t need = sizeof(struct fr_frame);

    all = all > capture->place + need ? all - capture->place - need : 0;
    own = own > capture->used[stream] + need ? own - capture->used[stream] - need : 0;
    return (size_t)(all < own ? all : own);
}

static void put_limited(struct capture *capture, unsigned int stream, unsigned int rank,
                        const char *data, size_t len)
{
    size_t room = room_of(capture, stream);
    size_t fits = len < room ? len : room;
    int rc = fits > 0 ? frame_write(capture, stream, rank, data, fits) : 0;

    if (rc == 0 && fits < len) {
        rc = mark_write(capture, stream, rank,
                        "\n[flux-restd: output was cut here: the limit of %llu bytes per job, "
                        "seven eighths of it for one stream, was reached]\n",
                        (unsigned long long)capture->max);
        capture->cut[stream] = rc == 0;
    }
    if (rc < 0) {
        capture->lost = -rc;
        capture->lost_from = stream;
    }
}

int capture_finish(struct capture *capture)
{
    int rc = capture->lost ? lost_say(capture, capture->lost_from, 0) : 0;

    if (rc == 0 && capture->place > 0 && fdatasync(capture->fd) < 0)
        rc = -errno;
    return rc;
}

void capture_put(struct capture *capture, unsigned int stream, unsigned int rank,
                 const char *data, size_t len)
{
    while (len > 0 && !capture->cut[stream]) {
        size_t piece = len < FR_FRAME_MAX ? len : FR_FRAME_MAX;

        if (capture->lost && lost_say(capture, stream, rank) < 0)
            return;
        put_limited(capture, stream, rank, data, piece);
        data += piece;
        len -= piece;
    }
}

void capture_name_file(struct capture *capture, unsigned int stream, const char *name)
{
    unsigned int code = stream == 1 ? FR_STREAM_OUT_FILE : FR_STREAM_ERR_FILE;

    (void)frame_write(capture, code, 0, name, strlen(name));
}

void capture_say(struct capture *capture, const char *fmt, ...)
{
    char text[4600];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (n >= (int)sizeof(text))
        n = sizeof(text) - 1;
    if (n > 0)
        capture_put(capture, 2, 0, text, (size_t)n);
}
