// SPDX-License-Identifier: LGPL-3.0-only
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
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

static int open_checked(const char *path, int links, bool *ret_private, struct fr_error *err)
{
    struct stat st;
    /* Not blocking, for a FIFO in the file's place would wait for a writer for ever. */
    _cleanup_(fr_cleanup_fd) int fd =
        open(path, O_RDONLY | links | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0 && errno == ELOOP && links == O_NOFOLLOW)
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

/* links: O_NOFOLLOW or 0. */
static int slurp(const char *path, int links, size_t max, char **ret, bool *ret_private,
                 struct fr_error *err)
{
    bool is_private = false;
    _cleanup_(fr_cleanup_fd) int fd = open_checked(path, links, &is_private, err);

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

int fr_file_slurp(const char *path, size_t max, char **ret, bool *ret_private,
                  struct fr_error *err)
{
    return slurp(path, O_NOFOLLOW, max, ret, ret_private, err);
}

int fr_file_slurp_linked(const char *path, size_t max, char **ret, bool *ret_private,
                         struct fr_error *err)
{
    return slurp(path, 0, max, ret, ret_private, err);
}

/* Whoever owns the directory could run anything as us. */
static int owner_check(const char *what, const char *path, struct fr_error *err)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return fr_error_set(err, errno, FR_CODE_STORAGE, "The %s %s cannot be used: %s.", what,
                            path, strerror(errno));
    if (st.st_uid != geteuid() || (st.st_mode & 022))
        return fr_error_set(err, EPERM, FR_CODE_INVALID,
                            "The %s %s belongs to another user or can be written "
                            "by others: use one of your own, with mode 0700.",
                            what, path);
    return 0;
}

int fr_file_make_directory(const char *what, const char *path, struct fr_error *err)
{
    char part[PATH_MAX];
    size_t len = strlen(path);

    if (len == 0 || len > sizeof(part) - 64)
        return fr_error_set(err, ENAMETOOLONG, FR_CODE_INVALID,
                            "The name of the %s is empty or too long.", what);
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0700) < 0 && errno != EEXIST)
            return fr_error_set(err, errno, FR_CODE_STORAGE, "The %s %s cannot be made: %s.",
                                what, part, strerror(errno));
    }
    return owner_check(what, path, err);
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

static int write_new(const char *path, const char *data, size_t len)
{
    _cleanup_(fr_cleanup_fd) int fd =
        open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0 || fchmod(fd, 0600) < 0)
        return -errno;
    int r = write_all(fd, data, len);
    return r == 0 && fsync(fd) < 0 ? -errno : r;
}

/* A rename is only on disk when the directory is. */
static int sync_directory_of(const char *path)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');

    (void)snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - path) + 1 : 1,
                   slash ? path : ".");
    _cleanup_(fr_cleanup_fd) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int fr_file_replace(const char *path, const char *data, size_t len, struct fr_error *err)
{
    char next[PATH_MAX];

    if (snprintf(next, sizeof next, "%s.new", path) >= (int)sizeof next)
        return fr_error_set(err, ENAMETOOLONG, FR_CODE_STORAGE, "%.200s is too long a name.",
                            path);
    int r = write_new(next, data, len);
    if (r == 0 && rename(next, path) < 0)
        r = -errno;
    if (r < 0)
        (void)unlink(next);
    if (r == 0)
        r = sync_directory_of(path);
    if (r < 0)
        return fr_error_set(err, -r, FR_CODE_STORAGE, "%.200s cannot be written: %s.", path,
                            strerror(-r));
    return 0;
}
