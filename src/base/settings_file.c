// SPDX-License-Identifier: LGPL-3.0-only
/* Reading a file that settings stand in, if it can be trusted. */
#include "base/settings_table.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/util.h"

static int check_owner(const char *path, const struct stat *st, struct fr_error *err)
{
    if (!S_ISREG(st->st_mode))
        return fr_error_set(err, EPERM, FR_CODE_INVALID, "%s is not a regular file.", path);
    if (st->st_uid != geteuid() && st->st_uid != 0)
        return fr_error_set(err, EPERM, FR_CODE_INVALID,
                            "%s belongs to another user: it must be yours or root's.", path);
    if (st->st_mode & (S_IWGRP | S_IWOTH))
        return fr_error_set(err, EPERM, FR_CODE_INVALID,
                            "Other users can write %s: 'chmod go-w' it.", path);
    return 0;
}

static int open_checked(const char *path, bool *ret_private, struct fr_error *err)
{
    struct stat st;
    /* Not blocking, for a FIFO in the file's place would wait for a writer for ever. */
    _cleanup_(fr_cleanup_fd) int fd =
        open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0 && errno == ELOOP)
        return fr_error_set(err, EPERM, FR_CODE_INVALID,
                            "%s is a symbolic link: give the file itself.", path);
    if (fd < 0 || fstat(fd, &st) < 0)
        return fr_error_set(err, errno, FR_CODE_INVALID, "Cannot open %s: %s.", path,
                            strerror(errno));
    int r = check_owner(path, &st, err);
    if (r < 0)
        return r;
    *ret_private = (st.st_mode & (S_IRGRP | S_IROTH)) == 0;
    int result = fd;
    fd = -1;
    return result;
}

static int read_text(int fd, const char *path, char *text, size_t max, struct fr_error *err)
{
    size_t len = 0;
    ssize_t n;

    /* One byte more than allowed is asked for, which tells a file that is too long. */
    while (len <= max && (n = read(fd, text + len, max + 1 - len)) != 0) {
        if (n < 0 && errno != EINTR)
            return fr_error_set(err, errno, FR_CODE_INVALID, "Cannot read %s: %s.", path,
                                strerror(errno));
        if (n > 0)
            len += (size_t)n;
    }
    if (len > max)
        return fr_error_set(err, EINVAL, FR_CODE_INVALID, "%s is longer than %zu bytes.", path,
                            max);
    text[len] = '\0';
    if (strlen(text) != len)
        return fr_error_set(err, EINVAL, FR_CODE_INVALID, "%s has a NUL byte in it.", path);
    return 0;
}

int fr_settings_slurp(const char *path, size_t max, char **ret, bool *ret_private,
                      struct fr_error *err)
{
    bool is_private = false;
    _cleanup_(fr_cleanup_fd) int fd = open_checked(path, &is_private, err);

    if (fd < 0)
        return fd;
    char *text = calloc(1, max + 2);
    if (!text)
        return fr_error_set(err, ENOMEM, FR_CODE_INTERNAL, "Out of memory.");
    int r = read_text(fd, path, text, max, err);
    if (r < 0) {
        explicit_bzero(text, max + 2);
        free(text);
        return r;
    }
    *ret = text;
    *ret_private = is_private;
    return 0;
}
