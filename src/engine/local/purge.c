// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Forgetting jobs that ended long ago, or that are too many: the oldest end first.
 *
 * In this order, so that a daemon killed anywhere leaves nothing behind for good: one commit
 * takes the jobs out of the store and notes them as doomed; then they are gone for clients;
 * then their folders are removed; then a commit takes them off the list of the doomed. The next
 * daemon begins with those that are still on it.
 */
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "engine/local/local.h"

#define BATCH 500
#define AGE_CHECK_MS (10U * 60 * 1000)
#define RETRY_MS 60000U

FR_DEFINE_CLEANUP(struct fr_unit *, unit, fr_unit_free);

struct fr_purge {
    struct fr_local *engine;
    struct fr_timer *timer;
    bool busy;
    bool leftovers; /* those of the daemon before are to be seen to first */
    size_t keep;    /* ended jobs; 0: any number */
    double seconds; /* since the end; 0: for ever */
    size_t over;    /* how many are too many now */
    double cutoff;  /* who ended before that is too old */
    uint64_t ids[BATCH];
    size_t count;
};

static void read_begin(struct fr_purge *purge);

/* A try that failed is made again with the next look. */
static void pause_begin(struct fr_purge *purge, uint64_t ms)
{
    purge->busy = false;
    if (!purge->engine->closing)
        fr_timer_start(purge->timer, ms, 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

/* Removes the folders, durably. */
static int folders_work(void *arg)
{
    struct fr_purge *purge = arg;
    _cleanup_(fr_cleanup_fd) int dir =
        open(purge->engine->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir < 0)
        return -errno;
    for (size_t i = 0; i < purge->count; i++) {
        char path[PATH_MAX];

        fr_folder_path(purge->engine->state_dir, purge->ids[i], path, sizeof(path));
        if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) < 0 && errno != ENOENT)
            return -errno;
    }
    return syncfs(dir) < 0 ? -errno : 0;
}

static bool on_buried(void *arg, const struct fr_unit *unit, int result,
                      const struct fr_error *err)
{
    struct fr_purge *purge = arg;

    if (result < 0 && !purge->engine->closing)
        return true;
    if (result == 0)
        read_begin(purge);
    return false;
}

static int put(struct fr_purge *purge, enum fr_unit_kind kind, fr_unit_f done)
{
    _cleanup_(fr_cleanup_unit) struct fr_unit *unit = fr_unit_create(0, done, purge);

    if (!unit)
        return -ENOMEM;
    unit->kind = kind;
    unit->ids = purge->ids;
    unit->nids = purge->count;
    fr_store_put(purge->engine->store, fr_take(unit));
    return 0;
}

static void on_folders_gone(void *arg, int result)
{
    struct fr_purge *purge = arg;
    struct fr_local *engine = purge->engine;

    if (!engine->closing) {
        if (result == 0)
            result = put(purge, FR_UNIT_BURY, on_buried);
        if (result < 0) {
            purge->leftovers = true;
            pause_begin(purge, RETRY_MS);
        }
    }
    fr_local_work_over(engine);
}

static void folders_begin(struct fr_purge *purge)
{
    if (fr_work_queue(purge->engine->loop, folders_work, on_folders_gone, purge) == 0) {
        purge->engine->works++;
        return;
    }
    purge->leftovers = true;
    pause_begin(purge, RETRY_MS);
}

static bool on_doomed(void *arg, const struct fr_unit *unit, int result,
                      const struct fr_error *err)
{
    struct fr_purge *purge = arg;
    struct fr_local *engine = purge->engine;

    if (result < 0 && !engine->closing)
        return true;
    if (result < 0)
        return false;
    fr_jobs_forget(&engine->jobs, purge->ids, purge->count);
    engine->sink.purged(engine->sink.arg, purge->ids, purge->count);
    if (!engine->closing)
        folders_begin(purge);
    return false;
}

static int read_work(void *arg)
{
    struct fr_purge *purge = arg;
    struct fr_store *store = purge->engine->store;

    if (purge->leftovers)
        return fr_store_read_doomed(store, purge->ids, BATCH, &purge->count);
    return fr_store_read_ended(store, purge->over, purge->cutoff, purge->ids, BATCH,
                               &purge->count);
}

static void on_read(void *arg, int result)
{
    struct fr_purge *purge = arg;
    struct fr_local *engine = purge->engine;

    if (engine->closing) {
        fr_local_work_over(engine);
        return;
    }
    if (result < 0) {
        pause_begin(purge, RETRY_MS);
    } else if (purge->leftovers) {
        purge->leftovers = false;
        if (purge->count > 0)
            folders_begin(purge);
        else
            read_begin(purge);
    } else if (purge->count == 0) {
        pause_begin(purge, AGE_CHECK_MS);
    } else if (put(purge, FR_UNIT_DOOM, on_doomed) < 0) {
        pause_begin(purge, RETRY_MS);
    }
    fr_local_work_over(engine);
}

static void read_begin(struct fr_purge *purge)
{
    struct fr_local *engine = purge->engine;
    size_t ended = engine->jobs.nended;

    purge->busy = false;
    if (engine->closing)
        return;
    purge->over = purge->keep > 0 && ended > purge->keep ? ended - purge->keep : 0;
    purge->cutoff = purge->seconds > 0 ? fr_time_now() - purge->seconds : 0;
    if (fr_work_queue(engine->loop, read_work, on_read, purge) < 0) {
        pause_begin(purge, RETRY_MS);
        return;
    }
    engine->works++;
    purge->busy = true;
}

static void on_timer(void *arg)
{
    struct fr_purge *purge = arg;

    if (!purge->busy)
        read_begin(purge);
}

int fr_purge_create(struct fr_local *engine, size_t keep, double seconds, struct fr_purge **ret)
{
    struct fr_purge *purge = calloc(1, sizeof(*purge));
    int rc = purge ? fr_timer_create(engine->loop, on_timer, purge, &purge->timer) : -ENOMEM;

    if (rc < 0) {
        free(purge);
        return rc;
    }
    purge->engine = engine;
    purge->keep = keep;
    purge->seconds = seconds;
    purge->leftovers = true;
    *ret = purge;
    return 0;
}

void fr_purge_free(struct fr_purge *purge)
{
    if (!purge)
        return;
    fr_timer_free(purge->timer);
    free(purge);
}

void fr_purge_begin(struct fr_purge *purge)
{
    read_begin(purge);
}

void fr_purge_look(struct fr_purge *purge)
{
    /* Some more than are to be kept may gather: forgetting is cheaper by the hundred. */
    if (purge->keep > 0 && !purge->busy &&
        purge->engine->jobs.nended > purge->keep + purge->keep / 100)
        read_begin(purge);
}

void fr_purge_stop(struct fr_purge *purge)
{
    fr_timer_free(fr_take(purge->timer));
}
