// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Places of events in the logs of jobs. Flux does not number its events, so those of a live
 * job are counted: from the backlog, which has the stored ones only, then one by one. A job
 * that has ended needs no counter.
 */
#include <errno.h>
#include <jansson.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "engine/flux/thread.h"

struct counter {
    uint64_t id; /* first: the tree compares by it */
    struct fr_flux_thread *thread;
    int64_t next;
    bool started;
    bool annotated; /* since the backlog */
    /* Entries that wait until it is known which of them are stored. */
    struct fr_flux_entries held;
    flux_future_t *f;
};

static int compare(const void *a, const void *b)
{
    uint64_t left = ((const struct counter *)a)->id, right = ((const struct counter *)b)->id;

    return left < right ? -1 : left > right;
}

static struct counter *find(struct fr_flux_thread *thread, uint64_t id)
{
    struct counter key = {.id = id};
    struct counter **node = tfind(&key, &thread->numbers, compare);

    return node ? *node : NULL;
}

static struct counter *find_or_add(struct fr_flux_thread *thread, uint64_t id)
{
    struct counter *counter = find(thread, id);

    if (counter)
        return counter;
    counter = calloc(1, sizeof *counter);
    if (!counter)
        return NULL;
    counter->id = id;
    counter->thread = thread;
    TAILQ_INIT(&counter->held);
    if (!tsearch(counter, &thread->numbers, compare)) {
        free(counter);
        return NULL;
    }
    return counter;
}

static void counter_free(void *node)
{
    struct counter *counter = node;
    struct fr_flux_entry *news;

    while ((news = TAILQ_FIRST(&counter->held))) {
        TAILQ_REMOVE(&counter->held, news, held);
        fr_flux_item_free(&news->item);
    }
    flux_future_destroy(counter->f);
    free(counter);
}

void fr_flux_numbers_end(struct fr_flux_thread *thread)
{
    tdestroy(thread->numbers, counter_free);
    thread->numbers = NULL;
}

enum fr_flux_known fr_flux_numbers_knows(struct fr_flux_thread *thread, uint64_t id)
{
    struct counter *counter = find(thread, id);

    if (counter)
        return counter->started ? FR_FLUX_ACTIVE : FR_FLUX_PENDING;
    return thread->live ? FR_FLUX_OVER : FR_FLUX_UNKNOWN;
}

bool fr_flux_numbers_annotated(struct fr_flux_thread *thread, uint64_t id)
{
    struct counter *counter = find(thread, id);

    return !counter || counter->annotated;
}

static bool is(const struct fr_event *event, const char *name)
{
    return strcmp(event->name, name) == 0;
}

/* Whether log, what is stored of the job, has the event in its place. */
static bool has_event(const json_t *log, int64_t place, const struct fr_event *event)
{
    const json_t *stored = json_array_get(log, (size_t)place);
    const char *name = json_string_value(json_object_get(stored, "name"));
    const json_t *timestamp = json_object_get(stored, "timestamp");

    return name && is(event, name) && json_number_value(timestamp) == event->timestamp;
}

/*
 * Annotations and the end of an invalid job are streamed but not stored. A memo may be either,
 * and nothing in it says which: the log tells. Without a log it counts as stored, as most are.
 */
static bool is_stored(const struct counter *counter, const json_t *log,
                      const struct fr_event *event)
{
    if (is(event, "annotations") || is(event, "invalidate"))
        return false;
    return !log || !is(event, "memo") || has_event(log, counter->next, event);
}

/* Numbers and tells; true if no more can come of this job. */
static bool tell(struct counter *counter, const json_t *log, struct fr_flux_entry *news)
{
    bool over = false;

    for (size_t i = 0; i < news->entry.nevents; i++) {
        struct fr_event *event = &news->events[i];
        event->index = is_stored(counter, log, event) ? counter->next++ : -1;
        counter->started = counter->started || is(event, "start");
        over = over || is(event, "clean") || is(event, "invalidate");
    }
    if (!counter->started && !over)
        fr_flux_stream_waits(counter->thread, counter->id);
    fr_flux_journal_tell(counter->thread, news);
    return over;
}

static void drop(struct counter *counter)
{
    (void)tdelete(counter, &counter->thread->numbers, compare);
    counter_free(counter);
}

/* Whatever is held came before this answer, so that the log has all that is stored of it. */
static void on_log(flux_future_t *f, void *arg)
{
    struct counter *counter = arg;
    struct fr_flux_entry *news;
    json_t *log = NULL;
    bool over = false;

    if (flux_rpc_get_unpack(f, "{s:o}", "eventlog", &log) < 0)
        log = NULL;
    while ((news = TAILQ_FIRST(&counter->held))) {
        TAILQ_REMOVE(&counter->held, news, held);
        over = tell(counter, log, news) || over;
    }
    if (over) {
        drop(counter);
        return;
    }
    flux_future_destroy(fr_take(counter->f));
}

static bool ask_log(struct counter *counter)
{
    counter->f =
        flux_rpc_pack(counter->thread->h, "job-manager.getattr", FLUX_NODEID_ANY, 0,
                      "{s:I s:[s]}", "id", (json_int_t)counter->id, "attrs", "eventlog");
    if (counter->f && flux_future_then(counter->f, -1., on_log, counter) == 0)
        return true;
    flux_future_destroy(fr_take(counter->f));
    return false;
}

/* Whether the entry has to wait: its places cannot be told yet. */
static bool must_wait(struct counter *counter, const struct fr_flux_entry *news)
{
    bool memo = false;

    if (counter->f)
        return true;
    for (size_t i = 0; counter->thread->live && i < news->entry.nevents; i++) {
        memo = memo || is(&news->events[i], "memo");
        counter->annotated = counter->annotated || memo || is(&news->events[i], "annotations");
    }
    return memo && ask_log(counter);
}

int fr_flux_numbers_tell(struct fr_flux_thread *thread, struct fr_flux_entry *news)
{
    struct counter *counter = find_or_add(thread, news->entry.id);

    if (!counter) {
        fr_flux_item_free(&news->item);
        return -ENOMEM;
    }
    if (must_wait(counter, news))
        TAILQ_INSERT_TAIL(&counter->held, news, held);
    else if (tell(counter, NULL, news))
        drop(counter);
    return 0;
}
