// SPDX-License-Identifier: LGPL-3.0-only
#include "engine/local/store.h"

#include <string.h>

#include "base/loop.h"
#include "base/util.h"
#include "engine/local/store_inner.h"

#define BATCH_UNITS 1024
#define RETRY_MS 1000

static void units_free(struct fr_unit *list)
{
    while (list) {
        struct fr_unit *next = list->next;

        fr_unit_free(list);
        list = next;
    }
}

static void store_free(struct fr_store *store)
{
    if (!store)
        return;
    units_free(store->queue);
    fr_timer_free(store->retry);
    fr_store_read_stop(store);
    (void)sqlite3_close(store->reader);
    fr_db_close(&store->db);
    free(store);
}

FR_DEFINE_CLEANUP(struct fr_store *, store, store_free);

static void kick(struct fr_store *store);

static void on_retry(void *arg)
{
    kick(arg);
}

int fr_store_open(uv_loop_t *loop, const char *path, struct fr_store **ret,
                  struct fr_error *err)
{
    _cleanup_(fr_cleanup_store) struct fr_store *store = calloc(1, sizeof(*store));
    int rc;

    if (!store)
        return fr_error_set(err, ENOMEM, FR_CODE_INTERNAL, "No memory for the job store.");
    store->loop = loop;
    store->held = true;
    store->queue_end = &store->queue;
    rc = fr_db_open(path, &store->db, &store->facts, err);
    if (rc == 0)
        rc = fr_db_open_reader(path, &store->reader, err);
    if (rc < 0)
        return rc;
    rc = fr_timer_create(loop, on_retry, store, &store->retry);
    if (rc < 0)
        return fr_error_set(err, -rc, FR_CODE_INTERNAL, "No memory for the job store.");
    *ret = fr_take(store);
    return 0;
}

static void maybe_closed(struct fr_store *store)
{
    void (*closed)(void *arg) = store->closed;
    void *arg = store->closed_arg;

    if (!store->closing || store->busy || store->finishing || store->queue)
        return;
    store_free(store);
    closed(arg);
}

void fr_store_close(struct fr_store *store, void (*closed)(void *arg), void *arg)
{
    store->closing = true;
    store->held = false;
    store->closed = closed;
    store->closed_arg = arg;
    kick(store);
    maybe_closed(store);
}

const char *fr_store_uuid(const struct fr_store *store)
{
    return store->facts.uuid;
}

uint64_t fr_store_epoch(const struct fr_store *store)
{
    return store->facts.epoch;
}

uint64_t fr_store_last_seq(const struct fr_store *store)
{
    return store->facts.last_seq;
}

uint64_t fr_store_last_id(const struct fr_store *store)
{
    return store->facts.last_id;
}

void fr_store_release(struct fr_store *store)
{
    store->held = false;
    kick(store);
}

void fr_store_put(struct fr_store *store, struct fr_unit *unit)
{
    unit->next = NULL;
    *store->queue_end = unit;
    store->queue_end = &unit->next;
    kick(store);
}

static int commit_work(void *arg)
{
    struct fr_store *store = arg;

    return fr_db_commit(&store->db, store->batch, &store->error);
}

/*
 * Moves units from the queue into the batch and numbers their events. While the store cannot be
 * written, every other attempt takes all: those behind many that are kept are to be told, too.
 */
static void batch_fill(struct fr_store *store)
{
    struct fr_unit **end = &store->queue;
    uint64_t seq = store->facts.last_seq;
    size_t max = store->failures % 2 ? SIZE_MAX : BATCH_UNITS;

    for (size_t i = 0; i < max && *end; i++) {
        for (size_t k = 0; k < (*end)->nevents; k++)
            (*end)->events[k].seq = ++seq;
        end = &(*end)->next;
    }
    store->batch = store->queue;
    store->queue = *end;
    *end = NULL;
    if (!store->queue)
        store->queue_end = &store->queue;
}

/* Puts a list back before all that waits, in its order. */
static void queue_prepend(struct fr_store *store, struct fr_unit *list)
{
    struct fr_unit **end = &list;

    while (*end)
        end = &(*end)->next;
    *end = store->queue;
    if (!store->queue)
        store->queue_end = end == &list ? &store->queue : end;
    store->queue = list;
}

/* Tells each unit of the batch what became of it; returns those to be tried again. */
static struct fr_unit *batch_tell(struct fr_store *store, int result)
{
    struct fr_unit *list = fr_take(store->batch);
    struct fr_unit *kept = NULL;
    struct fr_unit **kept_end = &kept;

    while (list) {
        struct fr_unit *unit = list;
        bool keep;

        list = unit->next;
        unit->next = NULL;
        if (result == 0 && unit->nevents > 0)
            store->facts.last_seq = unit->events[unit->nevents - 1].seq;
        keep = unit->done(unit->arg, unit, result, result < 0 ? &store->error : NULL);
        if (keep && result < 0 && !store->closing) {
            *kept_end = unit;
            kept_end = &unit->next;
        } else {
            fr_unit_free(unit);
        }
    }
    return kept;
}

static void on_committed(void *arg, int result)
{
    struct fr_store *store = arg;
    struct fr_unit *kept;

    store->busy = false;
    store->failures = result < 0 ? store->failures + 1 : 0;
    store->finishing = true; /* whatever is put from the callbacks waits for the kept ones */
    kept = batch_tell(store, result);
    /* What waits may build on what has just been given up: it is not to be there without it. */
    while (result < 0 && store->closing && store->queue) {
        store->batch = fr_take(store->queue);
        store->queue_end = &store->queue;
        (void)batch_tell(store, result);
    }
    store->finishing = false;
    if (kept) {
        queue_prepend(store, kept);
        fr_timer_start(store->retry, RETRY_MS, 0);
    } else {
        kick(store);
    }
    maybe_closed(store);
}

static void kick(struct fr_store *store)
{
    if (store->held || store->busy || store->finishing || !store->queue)
        return;
    fr_timer_stop(store->retry);
    batch_fill(store);
    if (fr_work_queue(store->loop, commit_work, on_committed, store) < 0) {
        queue_prepend(store, fr_take(store->batch));
        fr_timer_start(store->retry, RETRY_MS, 0);
        return;
    }
    store->busy = true;
}
