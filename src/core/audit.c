// SPDX-License-Identifier: LGPL-3.0-only
#include "core/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/util.h"
#include "model/fluid.h"

#define LINE_MAX_BYTES 8192

struct fr_audit {
    char *path; /* NULL: standard error */
    int fd;
    uint64_t max;
    bool torn;       /* half a line is at the end of the file */
    bool in_trouble; /* the last line was not written, and that was said */
};

static int refuse(const char *path, int errnum, const char *why, struct fr_error *err)
{
    return fr_error_set(err, errnum, FR_CODE_STORAGE, "the audit log %.200s %s", path, why);
}

static int open_file(struct fr_audit *audit, struct fr_error *err)
{
    struct stat st;
    _cleanup_(fr_cleanup_fd) int fd = open(
        audit->path,
        O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);

    if (fd < 0 && errno == ELOOP)
        return refuse(audit->path, EPERM, "is a symbolic link: give the file itself", err);
    if (fd < 0 || fstat(fd, &st) < 0)
        return refuse(audit->path, errno, strerror(errno), err);
    if (!S_ISREG(st.st_mode))
        return refuse(audit->path, EPERM, "is no regular file", err);
    if (st.st_uid != geteuid())
        return refuse(audit->path, EPERM, "belongs to another user", err);
    if (st.st_mode & 077)
        return refuse(audit->path, EPERM, "is open to other users: 'chmod 600' it", err);
    if (audit->fd >= 0)
        (void)close(audit->fd);
    audit->fd = fd;
    audit->torn = false;
    fd = -1;
    return 0;
}

/* One that is there may be anybody's: the file itself is looked at. */
static int make_directory_of(const char *path, struct fr_error *err)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');

    if (!slash || slash == path)
        return 0;
    (void)snprintf(dir, sizeof dir, "%.*s", (int)(slash - path), path);
    return access(dir, F_OK) == 0 ? 0
                                  : fr_file_make_directory("audit log's directory", dir, err);
}

int fr_audit_open(const char *path, uint64_t max, struct fr_audit **ret, struct fr_error *err)
{
    struct fr_audit *audit = calloc(1, sizeof *audit);
    const bool to_stderr = strcmp(path, "-") == 0;
    int rc = 0;

    if (audit) {
        audit->fd = to_stderr ? STDERR_FILENO : -1;
        audit->max = max;
        audit->path = to_stderr ? NULL : strdup(path);
    }
    if (!audit || (!to_stderr && !audit->path))
        rc = fr_error_set(err, ENOMEM, FR_CODE_INTERNAL, "no memory for the audit log");
    else if (!to_stderr)
        rc = make_directory_of(path, err);
    if (rc == 0 && !to_stderr)
        rc = open_file(audit, err);
    if (rc < 0)
        fr_audit_close(audit);
    else
        *ret = audit;
    return rc;
}

void fr_audit_close(struct fr_audit *audit)
{
    if (!audit)
        return;
    if (audit->path && audit->fd >= 0)
        (void)close(audit->fd);
    free(audit->path);
    free(audit);
}

/* Whether the file of that name is still ours; its size, which others add to. */
static bool is_there(const struct fr_audit *audit, uint64_t *ret_size)
{
    struct stat ours, there;

    if (fstat(audit->fd, &ours) < 0 || lstat(audit->path, &there) < 0 ||
        ours.st_ino != there.st_ino || ours.st_dev != there.st_dev)
        return false;
    *ret_size = (uint64_t)there.st_size;
    return true;
}

/* Of several daemons that share the file one renames it, while it has the lock. */
static int turn_over(struct fr_audit *audit, struct fr_error *err)
{
    char old[PATH_MAX];
    uint64_t size;

    if (snprintf(old, sizeof old, "%s.1", audit->path) >= (int)sizeof old)
        return refuse(audit->path, ENAMETOOLONG, "has too long a name", err);
    if (flock(audit->fd, LOCK_EX | LOCK_NB) < 0)
        return 0; /* another daemon is at it; the next line tries again */
    if (is_there(audit, &size) && rename(audit->path, old) < 0) {
        const int errnum = errno;
        (void)flock(audit->fd, LOCK_UN);
        return refuse(audit->path, errnum, "cannot be renamed", err);
    }
    return open_file(audit, err);
}

/* Another daemon, or somebody else, may have put the file away: that one is not written to. */
static int find_file(struct fr_audit *audit, struct fr_error *err)
{
    uint64_t size;

    if (!is_there(audit, &size))
        return open_file(audit, err);
    return size > audit->max ? turn_over(audit, err) : 0;
}

static void put_line(struct fr_buf *out, const struct fr_actor *actor, const struct fr_act *act)
{
    char f58[FR_FLUID_TEXT];

    fr_buf_printf(out, "{\"time\":%.6f,\"request\":", fr_time_now());
    fr_buf_put_json_string(out, actor->request);
    fr_buf_puts(out, ",\"from\":");
    fr_buf_put_json_string(out, actor->from);
    if (actor->uid >= 0)
        fr_buf_printf(out, ",\"uid\":%lld", (long long)actor->uid);
    if (actor->who.user[0]) {
        fr_buf_puts(out, ",\"user\":");
        fr_buf_put_json_string(out, actor->who.user);
        fr_buf_printf(out, ",\"by\":\"%s\",\"role\":\"%s\"",
                      fr_identified_word(actor->who.method), fr_role_word(actor->who.role));
    }
    fr_buf_printf(out, ",\"act\":\"%s\"", act->what);
    if (act->id)
        fr_buf_printf(out, ",\"jobid\":\"%s\"", fr_fluid_f58(*act->id, f58));
    if (act->target && act->target[0]) {
        fr_buf_puts(out, ",\"target\":");
        fr_buf_put_json_string(out, act->target);
    }
    if (act->status)
        fr_buf_printf(out, ",\"status\":%u", act->status);
    if (act->code)
        fr_buf_printf(out, ",\"code\":\"%s\"", act->code);
    fr_buf_puts(out, "}\n");
}

static int write_line(struct fr_audit *audit, const struct fr_buf *line, struct fr_error *err)
{
    static char newline[] = "\n";
    struct iovec parts[] = {{.iov_base = newline}, {line->data, line->len}};
    int rc = 0;

    if (fr_buf_status(line) < 0)
        return fr_error_set(err, ENOMEM, FR_CODE_INTERNAL, "a line has no memory");
    if (audit->path)
        rc = find_file(audit, err);
    if (rc < 0)
        return rc;
    parts[0].iov_len = audit->torn;
    const ssize_t n = writev(audit->fd, parts, 2);
    if (n == (ssize_t)(parts[0].iov_len + line->len)) {
        audit->torn = false;
        return 0;
    }
    if (n > 0)
        audit->torn = (size_t)n > parts[0].iov_len;
    return refuse(audit->path ? audit->path : "on standard error", n < 0 ? errno : ENOSPC,
                  n < 0 ? strerror(errno) : "has no room left", err);
}

void fr_audit_put(struct fr_audit *audit, const struct fr_actor *actor,
                  const struct fr_act *act)
{
    struct fr_buf line = FR_BUF_INIT(LINE_MAX_BYTES);
    struct fr_error err;

    if (!audit)
        return;
    put_line(&line, actor, act);
    int rc = write_line(audit, &line, &err);
    if (rc < 0 && !audit->in_trouble)
        fr_log_err("acts are not noted: %s", err.text);
    else if (rc == 0 && audit->in_trouble)
        fr_log_notice("acts are noted again");
    audit->in_trouble = rc < 0;
    fr_buf_done(&line);
}
