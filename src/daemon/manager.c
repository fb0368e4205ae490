// SPDX-License-Identifier: LGPL-3.0-only
#include "daemon/manager.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/util.h"

#define SOCKETS_MAX 64
#define MESSAGE_MAX 1024

/* A number of the environment: 0 where it is not set, -EINVAL where it is none up to max. */
static int64_t read_number(const char *name, int64_t max)
{
    const char *text = getenv(name);
    char *end;

    if (!text)
        return 0;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    return errno || end == text || *end || value < 0 || value > max ? -EINVAL : value;
}

int fr_manager_sockets(void)
{
    /* Of another process: a parent's, who left them in the environment. */
    if (read_number("LISTEN_PID", INT32_MAX) != getpid())
        return 0;
    return (int)read_number("LISTEN_FDS", SOCKETS_MAX);
}

int fr_manager_tell(const char *format, ...)
{
    const struct timeval patience = {.tv_sec = 2};
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    const char *path = getenv("NOTIFY_SOCKET");
    char text[MESSAGE_MAX];
    va_list args;

    if (!path || !*path)
        return 0;
    size_t len = strlen(path);
    if ((*path != '/' && *path != '@') || len >= sizeof addr.sun_path)
        return -EINVAL;
    memcpy(addr.sun_path, path, len);
    if (*path == '@')
        addr.sun_path[0] = '\0'; /* the abstract namespace */
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (size < 0 || (size_t)size >= sizeof text)
        return -EMSGSIZE;
    _cleanup_(fr_cleanup_fd) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0 ||
        sendto(fd, text, (size_t)size, MSG_NOSIGNAL, (const struct sockaddr *)&addr,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
        return -errno;
    return 0;
}
