// SPDX-License-Identifier: LGPL-3.0-only
#include "engine/local/leftovers.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/util.h"

#define ROUNDS 20
#define PAUSE_NS 10000000L
#define ENVIRON_PIECE 65536

struct process {
    pid_t pid, parent, session;
    bool ours;
};

struct processes {
    struct process *items;
    size_t count, cap;
};

static void processes_done(struct processes *all)
{
    free(all->items);
}

static void dir_close(DIR **dir)
{
    if (*dir)
        (void)closedir(*dir);
}

static int file_open(pid_t pid, const char *name)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* Whether needle, which ends with its NUL, is in the process's environment. */
static bool environ_has(pid_t pid, const char *needle)
{
    _cleanup_(fr_cleanup_fd) int fd = file_open(pid, "environ");
    _cleanup_(fr_cleanup_str) char *piece = malloc(ENVIRON_PIECE);
    size_t size = strlen(needle) + 1;
    size_t have = 0;
    ssize_t n;

    if (fd < 0 || !piece || size > ENVIRON_PIECE / 2)
        return false;
    while ((n = read(fd, piece + have, ENVIRON_PIECE - have)) > 0) {
        size_t keep;

        have += (size_t)n;
        if (memmem(piece, have, needle, size))
            return true;
        keep = have < size - 1 ? have : size - 1; /* it may go on in the next piece */
        memmove(piece, piece + have - keep, keep);
        have = keep;
    }
    return false;
}

/* Reads one process; false if it has ended. */
static bool process_read(pid_t pid, struct process *ret)
{
    _cleanup_(fr_cleanup_fd) int fd = file_open(pid, "stat");
    char text[1024];
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    const char *p;
    int parent, session;
    char state;

    if (n <= 0)
        return false;
    text[n] = '\0';
    p = strrchr(text, ')'); /* the name before it may hold anything */
    if (!p || sscanf(p + 1, " %c %d %*d %d", &state, &parent, &session) != 3 || state == 'Z' ||
        state == 'X')
        return false;
    *ret = (struct process){.pid = pid, .parent = parent, .session = session};
    return true;
}

static int process_add(struct processes *all, const struct process *one)
{
    if (all->count == all->cap) {
        size_t cap = all->cap ? 2 * all->cap : 256;
        struct process *items = reallocarray(all->items, cap, sizeof(*items));

        if (!items)
            return -ENOMEM;
        all->items = items;
        all->cap = cap;
    }
    all->items[all->count++] = *one;
    return 0;
}

static int processes_read(struct processes *all)
{
    _cleanup_(dir_close) DIR *proc = opendir("/proc");
    struct dirent *entry;

    if (!proc)
        return -errno;
    while ((entry = readdir(proc))) {
        struct process one;
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

        if (pid > 1 && pid != getpid() && process_read(pid, &one) && process_add(all, &one) < 0)
            return -ENOMEM;
    }
    return 0;
}

/* A session whose leader lives is not the dead shell's: its number was given out again. */
static bool leader_lives(const struct processes *all, pid_t session)
{
    for (size_t i = 0; i < all->count; i++) {
        if (all->items[i].pid == session)
            return true;
    }
    return false;
}

static bool parent_is_ours(const struct processes *all, const struct process *child)
{
    for (size_t i = 0; i < all->count; i++) {
        if (all->items[i].pid == child->parent)
            return all->items[i].ours;
    }
    return false;
}

/* Marks those of the job; returns how many. */
static int processes_mark(struct processes *all, pid_t session, const char *needle)
{
    int found = 0;
    int before;

    if (session <= 1 || leader_lives(all, session))
        session = 0;
    for (size_t i = 0; i < all->count; i++) {
        struct process *one = &all->items[i];

        one->ours = (session && one->session == session) || environ_has(one->pid, needle);
        found += one->ours;
    }
    do {
        before = found;
        for (size_t i = 0; found > 0 && i < all->count; i++) {
            struct process *one = &all->items[i];

            if (!one->ours && parent_is_ours(all, one)) {
                one->ours = true;
                found++;
            }
        }
    } while (found > before);
    return found;
}

/* Kills what there is now; returns how many that were. */
static int round_kill(pid_t session, const char *needle)
{
    _cleanup_(processes_done) struct processes all = {0};
    int rc = processes_read(&all);

    if (rc < 0)
        return rc;
    rc = processes_mark(&all, session, needle);
    for (size_t i = 0; i < all.count; i++) {
        if (all.items[i].ours)
            (void)kill(all.items[i].pid, SIGKILL);
    }
    return rc;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)remove(path);
    return 0;
}

int fr_leftovers_end(pid_t session, const char *tmpdir)
{
    const struct timespec pause = {0, PAUSE_NS};
    char needle[PATH_MAX + 32];
    int left = 0;

    (void)snprintf(needle, sizeof(needle), "FLUX_JOB_TMPDIR=%s", tmpdir);
    for (int i = 0; i < ROUNDS; i++) {
        left = round_kill(session, needle);
        if (left <= 0)
            break;
        (void)nanosleep(&pause, NULL);
    }
    if (left == 0)
        (void)nftw(tmpdir, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    return left;
}
