// SPDX-License-Identifier: LGPL-3.0-only
#include "engine/local/folder.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/util.h"
#include "shell/folder.h"

#define FILE_MAX 8192 /* of a claim or result; a longer one is not ours */

/* Some hundred folders of folders, so that none has a million entries. */
static unsigned int shard_of(uint64_t id)
{
    return (unsigned int)(id >> 24) & 0xff;
}

void fr_folder_path(const char *state_dir, uint64_t id, char *path, size_t size)
{
    (void)snprintf(path, size, "%s/jobs/%02x/%llu", state_dir, shard_of(id),
                   (unsigned long long)id);
}

void fr_folder_tmpdir(const char *state_dir, uint64_t id, char *path, size_t size)
{
    (void)snprintf(path, size, "%s/jobs/%02x/%llu/" FR_FOLDER_TMP, state_dir, shard_of(id),
                   (unsigned long long)id);
}

static int directory_sync(const char *path)
{
    _cleanup_(fr_cleanup_fd) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* Makes one directory and, if it was not there, its entry durable. */
static int directory_make(const char *path)
{
    char parent[PATH_MAX];
    char *slash;

    if (mkdir(path, 0700) < 0)
        return errno == EEXIST ? 0 : -errno;
    (void)snprintf(parent, sizeof(parent), "%s", path);
    slash = strrchr(parent, '/');
    if (!slash)
        return 0;
    *slash = '\0';
    return directory_sync(parent);
}

int fr_folder_make(const char *state_dir, uint64_t id)
{
    char path[PATH_MAX];
    int rc;

    if ((size_t)snprintf(path, sizeof(path), "%s/jobs", state_dir) >= sizeof(path) - 64)
        return -ENAMETOOLONG;
    rc = directory_make(path);
    if (rc < 0)
        return rc;
    (void)snprintf(path, sizeof(path), "%s/jobs/%02x", state_dir, shard_of(id));
    rc = directory_make(path);
    if (rc < 0)
        return rc;
    fr_folder_path(state_dir, id, path, sizeof(path));
    return directory_make(path);
}

static int all_write(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

/* Opens a file of a name that nobody else uses: the workers of one daemon come one by one. */
static int private_open(int dir, char *name, size_t size, const char *stem)
{
    for (unsigned int i = 0; i < 10000; i++) {
        int fd;

        (void)snprintf(name, size, "%s.d%d.%u", stem, (int)getpid(), i);
        fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd >= 0 || errno != EEXIST)
            return fd >= 0 ? fd : -errno;
    }
    return -EEXIST;
}

int fr_folder_write(const char *path, const char *name, const void *data, size_t len)
{
    _cleanup_(fr_cleanup_fd) int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_(fr_cleanup_fd) int fd = -1;
    char private[64];
    int rc;

    if (dir < 0)
        return -errno;
    fd = private_open(dir, private, sizeof(private), name);
    if (fd < 0)
        return fd;
    rc = all_write(fd, data, len);
    if (rc == 0 && renameat(dir, private, dir, name) < 0)
        rc = -errno;
    if (rc < 0)
        (void)unlinkat(dir, private, 0);
    return rc;
}

int fr_folder_void(const char *path)
{
    _cleanup_(fr_cleanup_fd) int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_(fr_cleanup_fd) int fd = -1;
    char private[64];
    char text[128];
    int len =
        snprintf(text, sizeof(text), FR_CLAIM_TITLE "%d\npid 0\nstart 0\n", FR_FOLDER_VERSION);
    int rc;

    if (dir < 0)
        return -errno;
    fd = private_open(dir, private, sizeof(private), FR_FOLDER_CLAIM);
    if (fd < 0)
        return fd;
    rc = all_write(fd, text, (size_t)len);
    if (rc == 0 && fsync(fd) < 0)
        rc = -errno;
    if (rc == 0 && linkat(dir, private, dir, FR_FOLDER_CLAIM, 0) < 0)
        rc = -errno;
    (void)unlinkat(dir, private, 0);
    if (rc == 0 && fsync(dir) < 0)
        rc = -errno;
    return rc;
}

int fr_folder_bell(const char *path, int *ret_fd)
{
    _cleanup_(fr_cleanup_fd) int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd;

    if (dir < 0 || (mkfifoat(dir, FR_FOLDER_BELL, 0600) < 0 && errno != EEXIST))
        return -errno;
    fd = openat(dir, FR_FOLDER_BELL, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    *ret_fd = fd;
    return 0;
}

/* Reads a small text file. 0 or a negative errno. */
static int text_read(int fd, char *text, size_t size)
{
    size_t used = 0;

    while (used < size - 1) {
        ssize_t n = read(fd, text + used, size - 1 - used);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        used += (size_t)n;
    }
    text[used] = '\0';
    return 0;
}

static void exception_read(const char *line, struct fr_report *report)
{
    int n = report->nexceptions;
    int at = 0;

    if (n == FR_REPORT_EXCEPTIONS)
        return;
    if (sscanf(line, "exception %lf %31s %n", &report->exceptions[n].timestamp,
               report->exceptions[n].type, &at) < 2 ||
        at == 0)
        return;
    (void)snprintf(report->exceptions[n].note, sizeof(report->exceptions[n].note), "%s",
                   line + at);
    report->nexceptions++;
}

/* True if the text is a result. */
static bool result_parse(char *text, struct fr_report *report)
{
    bool has_status = false;
    char *save = NULL;

    if (strncmp(text, FR_RESULT_TITLE, strlen(FR_RESULT_TITLE)) != 0)
        return false;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (sscanf(line, "status %d", &report->status) == 1)
            has_status = true;
        else if (sscanf(line, "end %lf", &report->end) != 1)
            exception_read(line, report);
    }
    return has_status;
}

/* Reads a small file of the folder; one that is not there is an empty one. */
static int file_read(int dir, const char *name, char *text, size_t size)
{
    _cleanup_(fr_cleanup_fd) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    text[0] = '\0';
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    return text_read(fd, text, size);
}

/* What the shell told so far; a line that is not whole yet comes later. */
static int news_read(int dir, struct fr_report *report)
{
    char text[FILE_MAX];
    char *save = NULL;
    char *end;
    int rc = file_read(dir, FR_FOLDER_NEWS, text, sizeof(text));

    end = strrchr(text, '\n');
    *(end ? end : text) = '\0';
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        exception_read(line, report);
    return rc;
}

/* Only now that the lock is free: a result may come for as long as it is held. */
static int result_read(int dir, struct fr_report *report)
{
    char text[FILE_MAX];
    int rc = file_read(dir, FR_FOLDER_RESULT, text, sizeof(text));

    if (rc < 0)
        return rc;
    if (result_parse(text, report)) {
        report->state = FR_FOLDER_ENDED;
        return 0;
    }
    report->state = FR_FOLDER_DIED;
    report->nexceptions = 0;
    return news_read(dir, report);
}

/*
 * The pid of a claim means something only while its lock is held. So first the pidfd, then the
 * lock: held still, the descriptor is of the shell itself.
 */
static int lock_test(int claim, pid_t pid, struct fr_report *report)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    bool reachable = pidfd >= 0 || errno == ENOSYS || errno == EPERM;

    if (flock(claim, LOCK_SH | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK) {
            int rc = -errno;

            if (pidfd >= 0)
                (void)close(pidfd);
            return rc;
        }
        report->state = FR_FOLDER_RUNNING;
        report->pidfd = pidfd;
        report->pid = reachable ? pid : 0;
        return 1;
    }
    (void)flock(claim, LOCK_UN);
    if (pidfd >= 0)
        (void)close(pidfd);
    return 0;
}

/* Whether the pid in a claim is one of this boot and PID namespace. */
static bool is_here(const char *claim)
{
    char place[FR_PLACE_TEXT + 8] = "\nplace ";
    const char *found;

    fr_folder_place(place + strlen(place));
    found = strstr(claim, place);
    return place[strlen("\nplace ")] && found && found[strlen(place)] == '\n';
}

int fr_folder_examine(const char *path, struct fr_report *ret)
{
    struct fr_report report = {.state = FR_FOLDER_UNCLAIMED, .pidfd = -1};
    _cleanup_(fr_cleanup_fd) int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_(fr_cleanup_fd) int claim = -1;
    char text[FILE_MAX];
    int version = 0;
    int pid = 0;
    int rc;

    if (dir >= 0)
        claim = openat(dir, FR_FOLDER_CLAIM, O_RDONLY | O_CLOEXEC);
    if (claim < 0) {
        if (errno != ENOENT)
            return -errno;
        *ret = report;
        return 0;
    }
    rc = text_read(claim, text, sizeof(text));
    if (rc < 0)
        return rc;
    if (sscanf(text, FR_CLAIM_TITLE "%d pid %d start %lf", &version, &pid, &report.start) ==
            3 &&
        pid == 0) {
        report.state = FR_FOLDER_VOID;
        *ret = report;
        return 0;
    }
    if (is_here(text))
        report.session = pid;
    rc = lock_test(claim, pid, &report);
    if (rc >= 0)
        rc = rc > 0 ? news_read(dir, &report) : result_read(dir, &report);
    if (rc < 0) {
        if (report.pidfd >= 0)
            (void)close(report.pidfd);
        return rc;
    }
    *ret = report;
    return 0;
}
