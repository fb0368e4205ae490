// SPDX-License-Identifier: LGPL-3.0-only
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/util.h"
#include "engine/flux/thread.h"

/* Bytes of one job's events; a response cannot be larger by much. */
#define TEXTS_MAX ((size_t)256 << 20)
/* Jobs of the backlog that are told together. */
#define TOGETHER 8
/* How long the backlog waits for annotations. */
#define ANNOTATIONS_SECONDS 10.

static const char no_memory[] = "There is no memory to read Flux's journal of jobs.";

FR_DEFINE_CLEANUP(json_t *, json, json_decref);
FR_DEFINE_CLEANUP(flux_future_t *, future, flux_future_destroy);

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

static int read_entry(json_t *root, json_int_t id, struct fr_flux_entry **ret)
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
    if (rc < 0) {
        fr_flux_item_free(&news->item);
        return rc;
    }
    *ret = news;
    return 0;
}

static void flush(struct fr_flux_thread *thread)
{
    if (thread->backlog)
        fr_flux_tell(thread, &fr_take(thread->backlog)->item);
    thread->nbacklog = 0;
}

void fr_flux_journal_tell(struct fr_flux_thread *thread, struct fr_flux_entry *news)
{
    if (thread->live) {
        fr_flux_tell(thread, &news->item);
        return;
    }
    if (!thread->backlog)
        thread->backlog_end = &thread->backlog;
    *thread->backlog_end = news;
    thread->backlog_end = &news->next;
    if (++thread->nbacklog == TOGETHER)
        flush(thread);
}

static int tell_caught_up(struct fr_flux_thread *thread)
{
    struct fr_flux_item *news = calloc(1, sizeof *news);

    if (!news)
        return -ENOMEM;
    news->kind = FR_FLUX_CAUGHT_UP;
    fr_flux_tell(thread, news);
    return 0;
}

/* Whether the backlog, and what came after it, may lack annotations that Flux has. */
static bool is_lacking(struct fr_flux_thread *thread, uint64_t id, const json_t *annotations)
{
    /* The scheduler's last word on a job that has ended came with its resources. */
    size_t told = json_object_get(annotations, "sched") ? 1 : 0;

    if (fr_flux_numbers_knows(thread, id) == FR_FLUX_OVER)
        return json_object_size(annotations) > told;
    return json_object_size(annotations) > 0 && !fr_flux_numbers_annotated(thread, id);
}

/* An annotation as the event that would have told it. */
static void tell_annotations(struct fr_flux_thread *thread, const json_t *job)
{
    json_int_t id = json_integer_value(json_object_get(job, "id"));
    json_t *annotations = json_object_get(job, "annotations");
    _cleanup_(fr_cleanup_json) json_t *event = NULL;
    struct fr_flux_entry *news;

    if (!is_lacking(thread, (uint64_t)id, annotations))
        return;
    event = json_pack("{s:[{s:f s:s s:{s:O}}]}", "events", "timestamp",
                      flux_reactor_now(thread->reactor), "name", "annotations", "context",
                      "annotations", annotations);
    if (!event || read_entry(event, id, &news) < 0) {
        fr_flux_give_up(thread, false, no_memory);
        return;
    }
    news->events[0].index = -1;
    fr_flux_tell(thread, &news->item);
}

/* Without an answer the backlog is as good as it can be. */
static void on_annotations(flux_future_t *f, void *arg)
{
    struct fr_flux_thread *thread = arg;
    json_t *jobs;
    const json_t *job;
    size_t i;

    if (flux_rpc_get_unpack(f, "{s:o}", "jobs", &jobs) == 0)
        json_array_foreach (jobs, i, job)
            tell_annotations(thread, job);
    if (tell_caught_up(thread) < 0)
        fr_flux_give_up(thread, false, no_memory);
}

/*
 * The backlog is in but for annotations, by which waiting jobs say what they wait for, and
 * volatile memos: they are not stored. Flux's job-list has heard them; it is asked once.
 */
static int complete_backlog(struct fr_flux_thread *thread)
{
    flush(thread);
    thread->live = true;
    thread->annotations =
        flux_rpc_pack(thread->h, "job-list.list", FLUX_NODEID_ANY, 0, "{s:i s:[s] s:{}}",
                      "max_entries", 0, "attrs", "annotations", "constraint");
    if (thread->annotations &&
        flux_future_then(thread->annotations, ANNOTATIONS_SECONDS, on_annotations, thread) == 0)
        return 0;
    return tell_caught_up(thread);
}

/* One response of the journal: a job and its events, or the mark that the backlog is over. */
static int read_response(struct fr_flux_thread *thread, const char *text)
{
    /* Parsed anew rather than taken from the message, whose tree would be shared. */
    _cleanup_(fr_cleanup_json) json_t *root = json_loads(text, 0, NULL);
    const json_t *id = json_object_get(root, "id");
    struct fr_flux_entry *news;

    if (!json_is_integer(id) || !json_is_array(json_object_get(root, "events")))
        return -EPROTO;
    if ((uint64_t)json_integer_value(id) == FLUX_JOBID_ANY)
        return complete_backlog(thread);
    int rc = read_entry(root, json_integer_value(id), &news);
    return rc < 0 ? rc : fr_flux_numbers_tell(thread, news);
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
                        rc == -ENOMEM ? no_memory : "Flux's journal of jobs cannot be read.");
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
    flux_future_destroy(thread->annotations);
    thread->purges = NULL;
    thread->journal = NULL;
    thread->annotations = NULL;
    thread->live = false;
    if (thread->backlog)
        fr_flux_item_free(&fr_take(thread->backlog)->item);
    thread->nbacklog = 0;
    fr_flux_numbers_end(thread);
}
