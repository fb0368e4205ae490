// SPDX-License-Identifier: LGPL-3.0-only
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048

static atomic_int level_max = FR_LOG_INFO;

void fr_log_set_level(enum fr_log_level level)
{
    atomic_store(&level_max, (int)level);
}

static size_t put_prefix(char *line, size_t size, enum fr_log_level level)
{
    static const char *const words[] = {
        [FR_LOG_ERR] = "error", [FR_LOG_WARNING] = "warning", [FR_LOG_NOTICE] = "notice",
        [FR_LOG_INFO] = "info", [FR_LOG_DEBUG] = "debug",
    };
    struct timespec now;
    struct tm utc;

    if (getenv("JOURNAL_STREAM"))
        return (size_t)snprintf(line, size, "<%d>", (int)level);
    clock_gettime(CLOCK_REALTIME, &now);
    if (!gmtime_r(&now.tv_sec, &utc))
        return 0;
    size_t n = strftime(line, size, "%Y-%m-%dT%H:%M:%S", &utc);
    return n + (size_t)snprintf(line + n, size - n, ".%03ldZ %s: ", now.tv_nsec / 1000000,
                                words[level]);
}

/*
 * A pipe that nobody reads must not stop the daemon: a line is written only where it fits now.
 * poll(2) says so for as much as PIPE_BUF bytes, and a line is shorter.
 */
static bool try_write(const char *line, size_t len)
{
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};

    return poll(&out, 1, 0) == 1 && (out.revents & POLLOUT) &&
           write(STDERR_FILENO, line, len) == (ssize_t)len;
}

static void put_line(const char *line, size_t len)
{
    static atomic_uint lost;
    char note[96];
    unsigned int n = atomic_exchange(&lost, 0);

    if (n > 0) {
        int size = snprintf(note, sizeof note, "(%u lines of the log were lost)\n", n);
        if (!try_write(note, (size_t)size)) {
            atomic_fetch_add(&lost, n + 1);
            return;
        }
    }
    if (!try_write(line, len))
        atomic_fetch_add(&lost, 1);
}

void fr_log(enum fr_log_level level, const char *fmt, ...)
{
    char text[LINE_MAX_BYTES / 2];
    char line[LINE_MAX_BYTES + 64];
    va_list ap;

    if ((int)level > atomic_load(&level_max))
        return;
    int saved = errno;
    va_start(ap, fmt);
    if (vsnprintf(text, sizeof text, fmt, ap) < 0)
        text[0] = '\0';
    va_end(ap);

    size_t n = put_prefix(line, sizeof line, level);
    for (const unsigned char *p = (unsigned char *)text; *p && n < LINE_MAX_BYTES; p++) {
        /* U+0080 … U+009F drive a terminal as well */
        if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0))
            n += (size_t)snprintf(line + n, 5, "\\x%02x", *p);
        else
            line[n++] = (char)*p;
    }
    line[n++] = '\n';
    put_line(line, n);
    errno = saved;
}
