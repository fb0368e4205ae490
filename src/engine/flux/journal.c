// SPDX-License-Identifier: LGPL-3.0-only
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "engine/flux/scan.h"
#include "engine/flux/thread.h"

/* Jobs of the backlog that are told together. */
#define TOGETHER 8
/* How long the backlog waits for annotations. */
#define ANNOTATIONS_SECONDS 10.

static const char no_memory[] = "There is no memory to read Flux's journal of jobs.";

FR_DEFINE_CLEANUP(json_t *, json, json_decref);
FR_DEFINE_CLEANUP(flux_future_t *, future, flux_future_destroy);

/* An event's name where it stands, or NULL. Ends its text: what follows must have been read. */
static const char *end_name(struct fr_flux_span span)
{
    if (!span.at || span.len < 2 || *span.at != '"')
        return NULL;
    span.at[span.len - 1] = '\0';
    if (!memchr(span.at, '\\', span.len))
        return span.at + 1;
    /* Never seen yet, but a plugin of Flux may name events as it likes. */
    span.at[span.len - 1] = '"';
    _cleanup_(fr_cleanup_json) json_t *json =
        json_loadb(span.at, span.len, JSON_DECODE_ANY, NULL);
    if (!json)
        return NULL;
    memcpy(span.at, json_string_value(json), strlen(json_string_value(json)) + 1);
    return span.at; /* it never becomes longer */
}

/* Reads an event out of its text, which is cut up. */
static int read_event(struct fr_flux_span text, struct fr_event *event)
{
    struct fr_flux_scan scan = fr_flux_scan_begin(text);
    struct fr_flux_span key, value, name = {0}, context = {0}, timestamp = {0};

    while (fr_flux_scan_next(&scan, &key, &value)) {
        if (fr_flux_span_is(key, "name"))
            name = value;
        else if (fr_flux_span_is(key, "context"))
            context = value;
        else if (fr_flux_span_is(key, "timestamp"))
            timestamp = value;
    }
    if (scan.failed || !timestamp.at || !(*timestamp.at >= '0' && *timestamp.at <= '9'))
        return -EPROTO;
    event->timestamp = strtod(timestamp.at, NULL);
    event->name = end_name(name);
    if (context.at && *context.at == '{') {
        context.at[context.len] = '\0';
        event->context = context.at;
    }
    return event->name ? 0 : -EPROTO;
}

static size_t count_elements(struct fr_flux_span array)
{
    struct fr_flux_scan scan = fr_flux_scan_begin(array);
    struct fr_flux_span value;
    size_t count = 0;

    while (fr_flux_scan_next(&scan, NULL, &value))
        count++;
    return count;
}

/* The events keep to a copy of their text, in which names and contexts are ended in place. */
static int read_events(struct fr_flux_span array, struct fr_flux_entry *news)
{
    size_t count = count_elements(array), i = 0;
    struct fr_flux_span value, texts = {malloc(array.len + 1), array.len};
    int rc = 0;

    news->texts = texts.at;
    news->events = calloc(count + 1, sizeof *news->events);
    if (!news->events || !texts.at)
        return -ENOMEM;
    memcpy(texts.at, array.at, array.len);
    texts.at[array.len] = '\0';
    struct fr_flux_scan scan = fr_flux_scan_begin(texts);
    while (rc == 0 && i < count && fr_flux_scan_next(&scan, NULL, &value))
        rc = read_event(value, &news->events[i++]);
    news->entry.nevents = count;
    news->entry.events = news->events;
    return scan.failed || i < count ? -EPROTO : rc;
}

/* What a response of the journal is made of; spans are empty where a member is not there. */
struct response {
    struct fr_flux_span id, events, jobspec, R;
};

static int read_members(const char *text, struct response *ret)
{
    /* The text is the message's and is not written to: spans are never const. */
    struct fr_flux_span whole = {(char *)text, strlen(text)}, key, value;
    struct fr_flux_scan scan = fr_flux_scan_begin(whole);

    while (fr_flux_scan_next(&scan, &key, &value)) {
        if (fr_flux_span_is(key, "id"))
            ret->id = value;
        else if (fr_flux_span_is(key, "events"))
            ret->events = value;
        else if (fr_flux_span_is(key, "jobspec"))
            ret->jobspec = value;
        else if (fr_flux_span_is(key, "R"))
            ret->R = value;
    }
    if (scan.failed || !ret->id.at || !ret->events.at || *ret->events.at != '[')
        return -EPROTO;
    return 0;
}

/* NULL if the text cannot be understood, or is not there. 0 or -ENOMEM. */
static int load(struct fr_flux_span text, json_t **ret)
{
    json_error_t error;

    *ret = text.at ? json_loadb(text.at, text.len, 0, &error) : NULL;
    if (text.at && !*ret && json_error_code(&error) == json_error_out_of_memory)
        return -ENOMEM;
    return 0;
}

/* A jobspec or R that cannot be understood here is left out: the job is there all the same. */
static int read_extras(const struct response *response, struct fr_flux_entry *news)
{
    _cleanup_(fr_cleanup_json) json_t *R = NULL;
    json_t *jobspec;
    int rc = load(response->jobspec, &jobspec);

    if (rc == 0 && jobspec)
        rc = fr_jobspec_create(jobspec, &news->jobspec, NULL);
    if (rc != -ENOMEM)
        rc = load(response->R, &R);
    if (rc == 0 && R)
        rc = fr_rset_parse(R, &news->R, NULL);
    news->entry.jobspec = news->jobspec;
    news->entry.R = news->R;
    return rc == -ENOMEM ? rc : 0;
}

static int read_entry(const struct response *response, uint64_t id, struct fr_flux_entry **ret)
{
    struct fr_flux_entry *news = calloc(1, sizeof *news);
    int rc;

    if (!news)
        return -ENOMEM;
    news->item.kind = FR_FLUX_ENTRY;
    news->entry.id = id;
    rc = read_events(response->events, news);
    if (rc == 0)
        rc = read_extras(response, news);
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
    _cleanup_(fr_cleanup_json) json_t *events = NULL;
    _cleanup_(fr_cleanup_str) char *text = NULL;
    struct response response = {0};
    struct fr_flux_entry *news;

    if (!is_lacking(thread, (uint64_t)id, annotations))
        return;
    events = json_pack("[{s:f s:s s:{s:O}}]", "timestamp", flux_reactor_now(thread->reactor),
                       "name", "annotations", "context", "annotations", annotations);
    text = events ? json_dumps(events, JSON_COMPACT) : NULL;
    if (text)
        response.events = (struct fr_flux_span){text, strlen(text)};
    if (!text || read_entry(&response, (uint64_t)id, &news) < 0) {
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
    struct response response = {0};
    struct fr_flux_entry *news;
    uint64_t id;
    int rc = read_members(text, &response);

    if (rc < 0)
        return rc;
    id = *response.id.at == '-' ? FLUX_JOBID_ANY : strtoull(response.id.at, NULL, 10);
    if (id == FLUX_JOBID_ANY)
        return complete_backlog(thread);
    rc = read_entry(&response, id, &news);
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
