// SPDX-License-Identifier: LGPL-3.0-only
/* The file that a token is kept in. */
#include "cli/client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"

#define TOKEN_MAX 4096

static int refuse(const char *path, int errnum, const char *why, struct fr_error *err)
{
    return fr_error_set(err, errnum, FR_CODE_INVALID, "--token-file: %.200s %s", path, why);
}

static int check(int fd, const char *path, struct fr_error *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return refuse(path, errno, "cannot be read", err);
    if (!S_ISREG(st.st_mode))
        return refuse(path, EINVAL, "is no file", err);
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return refuse(path, EPERM, "belongs to another user", err);
    if (st.st_mode & 077)
        return refuse(path, EPERM,
                      "can be read by other users: 'chmod 600' it, and choose a "
                      "new token",
                      err);
    return 0;
}

/* The first line, without its end; nothing may follow it. */
static int read_line(int fd, const char *path, char text[TOKEN_MAX + 1], struct fr_error *err)
{
    size_t len = 0;
    ssize_t n = 0;

    while (len < TOKEN_MAX && (n = read(fd, text + len, TOKEN_MAX - len)) > 0)
        len += (size_t)n;
    if (n < 0)
        return refuse(path, errno, "cannot be read", err);
    while (len > 0 && strchr(" \t\r\n", text[len - 1]))
        len--;
    text[len] = '\0';
    if (len == 0 || text[strcspn(text, "\r\n")] || strlen(text) != len || n > 0)
        return refuse(path, EINVAL, "holds no token: one line of at most 4095 bytes is needed",
                      err);
    return 0;
}

int fr_client_read_token(const char *path, char **ret, struct fr_error *err)
{
    _cleanup_(fr_cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    char text[TOKEN_MAX + 1];

    if (fd < 0)
        return refuse(path, EINVAL, strerror(errno), err);
    int r = check(fd, path, err);
    if (r == 0)
        r = read_line(fd, path, text, err);
    if (r == 0) {
        *ret = strdup(text);
        r = *ret ? 0 : -ENOMEM;
    }
    explicit_bzero(text, sizeof text);
    return r;
}
