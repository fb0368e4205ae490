// SPDX-License-Identifier: LGPL-3.0-only
#include <errno.h>
#include <jansson.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/util.h"
#include "engine/flux/thread.h"

/* Bytes of one job's events; a response cannot be larger by much. */
#define TEXTS_MAX ((size_t)256 << 20)

FR_DEFINE_CLEANUP(json_t *, json, json_decref);
FR_DEFINE_CLEANUP(flux_future_t *, future, flux_future_destroy);

/*
 * Places in a job's log. Flux does not number its events, so those of a live job are counted:
 * from the backlog, then one by one. A job that has ended needs no counter.
 */
struct counter {
    uint64_t id; /* first: the tree compares by it */
    int64_t next;
    bool started;
};

static int compare(const void *a, const void *b)
{
    uint64_t left = ((const struct counter *)a)->id, right = ((const struct counter *)b)->id;

    return left < right ? -1 : left > right;
}

static struct counter *find_counter(struct fr_flux_thread *thread, uint64_t id)
{
    struct counter key = {.id = id};
    struct counter **node = tfind(&key, &thread->counters, compare);

    return node ? *node : NULL;
}

static struct counter *add_counter(struct fr_flux_thread *thread, uint64_t id)
{
    struct counter *counter = find_counter(thread, id);

    if (counter)
        return counter;
    counter = calloc(1, sizeof *counter);
    if (!counter)
        return NULL;
    counter->id = id;
    if (!tsearch(counter, &thread->counters, compare)) {
        free(counter);
        return NULL;
    }
    return counter;
}

static void remove_counter(struct fr_flux_thread *thread, struct counter *counter)
{
    (void)tdelete(counter, &thread->counters, compare);
    free(counter);
}

enum fr_flux_known fr_flux_journal_knows(struct fr_flux_thread *thread, uint64_t id)
{
    struct counter *counter = find_counter(thread, id);

    if (counter)
        return counter->started ? FR_FLUX_ACTIVE : FR_FLUX_PENDING;
    return thread->caught_up ? FR_FLUX_OVER : FR_FLUX_UNKNOWN;
}

/*
 * Annotations and the end of an invalid job are streamed but not stored. (So is a memo that
 * was sent as volatile, but nothing in it says so: it counts as stored.)
 */
static bool is_stored(const char *name)
{
    return strcmp(name, "annotations") != 0 && strcmp(name, "invalidate") != 0;
}

static void count_event(struct counter *counter, struct fr_event *event)
{
    event->index = is_stored(event->name) ? counter->next++ : -1;
    if (strcmp(event->name, "start") == 0)
        counter->started = true;
}

/* Counts the events of an entry; the last one tells whether more can come. */
static int number_events(struct fr_flux_thread *thread, struct fr_flux_entry *news)
{
    struct counter *counter = add_counter(thread, news->entry.id);
    bool over = false;

    if (!counter)
        return -ENOMEM;
    for (size_t i = 0; i < news->entry.nevents; i++) {
        const char *name = news->events[i].name;
        count_event(counter, &news->events[i]);
        over = over || strcmp(name, "clean") == 0 || strcmp(name, "invalidate") == 0;
    }
    if (!counter->started && !over)
        fr_flux_stream_waits(thread, counter->id);
    if (over)
        remove_counter(thread, counter);
    return 0;
}

static int put_json(const char *data, size_t len, void *arg)
{
    fr_buf_put(arg, data, len);
    return 0;
}

/* Where an event's texts are while the buffer that holds them still grows. */
struct places {
    size_t name, context;
};

FR_DEFINE_CLEANUP(struct places *, places, free);

static int read_event(const json_t *json, struct fr_event *event, struct places *places,
                      struct fr_buf *texts)
{
    const json_t *timestamp = json_object_get(json, "timestamp");
    const json_t *context = json_object_get(json, "context");
    const char *name = json_string_value(json_object_get(json, "name"));

    if (!json_is_number(timestamp) || !name)
        return -EPROTO;
    event->timestamp = json_number_value(timestamp);
    places->name = texts->len;
    fr_buf_put(texts, name, strlen(name) + 1);
    if (json_is_object(context)) {
        places->context = texts->len;
        if (json_dump_callback(context, put_json, texts, JSON_COMPACT) < 0)
            return -ENOMEM;
        fr_buf_putc(texts, '\0');
    }
    return fr_buf_status(texts);
}

static int read_events(const json_t *array, struct fr_flux_entry *news)
{
    struct fr_buf texts = FR_BUF_INIT(TEXTS_MAX);
    size_t count = json_array_size(array), len;
    _cleanup_(fr_cleanup_places) struct places *places = calloc(count + 1, sizeof *places);
    int rc = 0;

    news->events = calloc(count + 1, sizeof *news->events);
    if (!news->events || !places)
        return -ENOMEM;
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = read_event(json_array_get(array, i), &news->events[i], &places[i], &texts);
    if (rc == 0)
        rc = fr_buf_take(&texts, &news->texts, &len);
    fr_buf_done(&texts);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < count; i++) {
        news->events[i].name = news->texts + places[i].name;
        if (places[i].context > 0) /* 0 is always a name */
            news->events[i].context = news->texts + places[i].context;
    }
    news->entry.nevents = count;
    news->entry.events = news->events;
    return 0;
}

/*
 * A jobspec or R that cannot be understood here is left out: the job is there all the same.
 * json's reference is given away whole, with nothing else left that points into it.
 */
static int read_extras(json_t *root, struct fr_flux_entry *news)
{
    json_t *jobspec = json_incref(json_object_get(root, "jobspec"));
    const json_t *R = json_object_get(root, "R");
    int rc = 0;

    (void)json_object_del(root, "jobspec");
    if (jobspec)
        rc = fr_jobspec_create(jobspec, &news->jobspec, NULL);
    if (rc != -ENOMEM && R)
        rc = fr_rset_parse(R, &news->R, NULL);
    news->entry.jobspec = news->jobspec;
    news->entry.R = news->R;
    return rc == -ENOMEM ? rc : 0;
}

static int read_entry(struct fr_flux_thread *thread, json_t *root, json_int_t id)
{
    struct fr_flux_entry *news = calloc(1, sizeof *news);
    int rc;

    if (!news)
        return -ENOMEM;
    news->item.kind = FR_FLUX_ENTRY;
    news->entry.id = (uint64_t)id;
    rc = read_events(json_object_get(root, "events"), news);
    if (rc == 0)
        rc = read_extras(root, news);
    if (rc == 0)
        rc = number_events(thread, news);
    if (rc < 0) {
        fr_flux_item_free(&news->item);
        return rc;
    }
    fr_flux_tell(thread, &news->item);
    return 0;
}

static int tell_caught_up(struct fr_flux_thread *thread)
{
    struct fr_flux_item *news = calloc(1, sizeof *news);

    if (!news)
        return -ENOMEM;
    news->kind = FR_FLUX_CAUGHT_UP;
    thread->caught_up = true;
    fr_flux_tell(thread, news);
    return 0;
}

/* One response of the journal: a job and its events, or the mark that the backlog is over. */
static int read_response(struct fr_flux_thread *thread, const char *text)
{
    /* Parsed anew rather than taken from the message, whose tree would be shared. */
    _cleanup_(fr_cleanup_json) json_t *root = json_loads(text, 0, NULL);
    const json_t *id = json_object_get(root, "id");

    if (!json_is_integer(id) || !json_is_array(json_object_get(root, "events")))
        return -EPROTO;
    if ((uint64_t)json_integer_value(id) == FLUX_JOBID_ANY)
        return tell_caught_up(thread);
    return read_entry(thread, root, json_integer_value(id));
}

static void on_response(flux_future_t *f, void *arg)
{
    struct fr_flux_thread *thread = arg;
    const char *text;
    int rc = 0;

    if (flux_rpc_get(f, &text) < 0) {
        bool denied = errno == EPERM;
        char why[400];
        (void)snprintf(why, sizeof why, "Flux ended its journal of jobs: %.200s.%s",
                       fr_flux_why(f, errno),
                       denied ? " Only the owner of the instance may read it." : "");
        fr_flux_give_up(thread, denied, why);
        return;
    }
    if (thread->connected)
        fr_flux_tell(thread, &fr_take(thread->connected)->item);
    if (text)
        rc = read_response(thread, text);
    /* A gap would be worse than reading all of it again. */
    if (rc < 0)
        fr_flux_give_up(thread, false,
                        rc == -ENOMEM ? "There is no memory to read Flux's journal of jobs."
                                      : "Flux's journal of jobs cannot be read.");
    flux_future_reset(f);
}

static void on_purge(flux_t *h, flux_msg_handler_t *handler, const flux_msg_t *msg, void *arg)
{
    struct fr_flux_thread *thread = arg;
    json_t *jobs;

    if (flux_event_unpack(msg, NULL, "{s:o}", "jobs", &jobs) < 0)
        return;
    size_t count = json_array_size(jobs);
    struct fr_flux_purged *news = calloc(1, sizeof *news + count * sizeof news->ids[0]);
    if (!news) {
        fr_flux_give_up(thread, false, "There is no memory for Flux's news.");
        return;
    }
    news->item.kind = FR_FLUX_PURGED;
    news->count = count;
    for (size_t i = 0; i < count; i++)
        news->ids[i] = (uint64_t)json_integer_value(json_array_get(jobs, i));
    fr_flux_tell(thread, &news->item);
}

/* Before the journal begins, so that no job can be purged in between. */
static int begin_purges(struct fr_flux_thread *thread)
{
    struct flux_match match = FLUX_MATCH_EVENT;
    _cleanup_(fr_cleanup_future) flux_future_t *f =
        flux_event_subscribe_ex(thread->h, "job-purge-inactive", 0);

    if (fr_flux_await(thread, f) < 0)
        return -1;
    match.topic_glob = (char *)"job-purge-inactive";
    thread->purges = flux_msg_handler_create(thread->h, match, on_purge, thread);
    if (!thread->purges)
        return -1;
    flux_msg_handler_start(thread->purges);
    return 0;
}

int fr_flux_journal_begin(struct fr_flux_thread *thread)
{
    if (begin_purges(thread) == 0)
        thread->journal =
            flux_rpc_pack(thread->h, "job-manager.events-journal", FLUX_NODEID_ANY,
                          FLUX_RPC_STREAMING, "{s:b}", "full", 1);
    if (!thread->journal || flux_future_then(thread->journal, -1., on_response, thread) < 0) {
        char why[300];
        (void)snprintf(why, sizeof why, "Flux's journal of jobs cannot be had: %.200s.",
                       strerror(errno));
        fr_flux_give_up(thread, false, why);
        return -1;
    }
    return 0;
}

void fr_flux_journal_end(struct fr_flux_thread *thread)
{
    flux_msg_handler_destroy(thread->purges);
    flux_future_destroy(thread->journal);
    thread->purges = NULL;
    thread->journal = NULL;
    thread->caught_up = false;
    tdestroy(thread->counters, free);
    thread->counters = NULL;
}
