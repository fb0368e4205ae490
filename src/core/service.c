// SPDX-License-Identifier: LGPL-3.0-only
#include "core/service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/text.h"
#include "model/fluid.h"

struct fr_service {
    struct fr_service_hooks hooks;
    struct fr_engine_sink sink;
    struct fr_engine *engine;
    struct fr_hub *hub;
    struct fr_keys *keys;
    uint64_t version;
    double caught_up; /* when the engine's backlog was in last; 0: not yet */
    /*
     * Reads are answered from `table`. A backlog is read into `loading`, which takes its place
     * when the engine has caught up: so a lost engine's jobs stay readable until the new
     * picture is whole, and what the engine has forgotten meanwhile goes with the old one.
     */
    struct fr_table *table;
    struct fr_table *loading; /* NULL once caught up */
    bool fresh; /* `loading` is the first picture of its instance: nothing in it is news */
    bool lost;
    char lost_reason[512];
    bool ready;
    bool stopping;
    bool refusing; /* going to stop: no more submissions */
    double started;
};

static void fail(struct fr_service *service, const char *what, int rc,
                 const struct fr_error *err)
{
    struct fr_error fatal;

    fr_error_set(&fatal, -rc, FR_CODE_INTERNAL, "%s: %s", what,
                 err ? err->text : strerror(-rc));
    fr_service_stop(service, false, &fatal);
}

/* Whether the table that is being read knew of the event before this backlog. */
static bool is_news(const struct fr_service *service, const struct fr_journal_entry *entry,
                    const struct fr_event *event)
{
    const struct fr_job *known;

    if (!service->loading)
        return true;
    known = fr_table_find(service->table, entry->id);
    return !known || event->index >= known->nevents;
}

static const json_t *user_of(const struct fr_jobspec *spec)
{
    return json_object_get(json_object_get(spec->json, "attributes"), "user");
}

static void apply(struct fr_service *service, struct fr_table *table,
                  const struct fr_journal_entry *entry, const struct fr_event *event)
{
    struct fr_error err = {.text = ""};
    const struct fr_job *job = NULL;
    bool news = is_news(service, entry, event);
    uint64_t seq = fr_hub_number(service->hub, event);
    struct fr_news telling = {.seq = seq, .id = entry->id, .event = event};

    int rc = fr_table_apply(table, entry->id, event, entry->jobspec, entry->R, seq, &job, &err);
    if (rc == -EALREADY)
        return;
    if (rc == -ENOMEM) {
        fail(service, "no memory for a job's event", rc, NULL);
        return;
    }
    if (rc == -EPROTO)
        fr_log_warning("event %s of job %llu: %s", event->name, (unsigned long long)entry->id,
                       err.text);
    if (rc == -ENOENT) {
        fr_log_debug("event %s of unknown job %llu", event->name,
                     (unsigned long long)entry->id);
        return;
    }
    if (rc >= 0 && entry->jobspec && strcmp(event->name, "submit") == 0)
        fr_keys_note(service->keys, user_of(entry->jobspec), entry->id);
    telling.job = job;
    telling.state = job ? job->state : FR_STATE_INACTIVE;
    if (service->fresh)
        fr_hub_preload(service->hub, &telling);
    else if (news)
        fr_hub_publish(service->hub, &telling);
}

/* A job of a backlog that has ended long ago: its events are not told. */
static void add_ended(struct fr_service *service, struct fr_table *table,
                      const struct fr_journal_entry *entry)
{
    int rc = fr_table_add(table, entry->ended, entry->seq);

    if (rc < 0) {
        if (rc == -ENOMEM)
            fail(service, "no memory for a job", rc, NULL);
        return;
    }
    fr_keys_note(service->keys, entry->user, entry->id);
    fr_hub_pass(service->hub, entry->seq);
}

/* Whether it is another one than before. */
static bool name_instance(struct fr_service *service)
{
    const struct fr_engine_ops *ops = service->engine->ops;

    return fr_hub_set_instance(service->hub, ops->instance(service->engine), ops->numbered);
}

static void on_journal(void *arg, const struct fr_journal_entry *entry)
{
    struct fr_service *service = arg;
    struct fr_table *table = service->loading ? service->loading : service->table;

    if (service->fresh)
        (void)name_instance(service);
    if (entry->ended)
        add_ended(service, table, entry);
    for (size_t i = 0; i < entry->nevents; i++)
        apply(service, table, entry, &entry->events[i]);
}

static void tell_purged(struct fr_service *service, uint64_t id)
{
    fr_hub_tell(service->hub, &(struct fr_news){.kind = FR_NEWS_PURGED, .id = id});
}

/* Tells which jobs the engine has forgotten while it could not be heard. */
static void tell_forgotten(struct fr_service *service, const struct fr_table *old)
{
    struct fr_table_walk walk = fr_table_walk(old, FR_STATES_ALL);
    const struct fr_job *job;

    while ((job = fr_table_next(&walk)))
        if (!fr_table_find(service->table, job->id))
            tell_purged(service, job->id);
}

static void on_caught_up(void *arg, uint64_t seq)
{
    struct fr_service *service = arg;
    struct fr_table *old = service->table;
    bool fresh = service->fresh;

    if (!service->loading)
        return;
    int rc = fr_table_settle(service->loading);
    if (rc < 0) {
        fail(service, "no memory for the job table", rc, NULL);
        return;
    }
    service->table = service->loading;
    service->loading = NULL;
    service->fresh = false;
    service->caught_up = fr_time_now();
    (void)name_instance(service);
    if (seq > fr_hub_seq(service->hub))
        fr_hub_pass(service->hub, seq);
    if (fresh) {
        fr_hub_settle(service->hub);
    } else {
        fr_hub_set_loading(service->hub, false);
        tell_forgotten(service, old);
    }
    if (service->ready)
        fr_hub_tell(service->hub, &(struct fr_news){.kind = FR_NEWS_BACK});
    fr_table_free(old);
    service->version++;
    if (!service->ready) {
        service->ready = true;
        service->hooks.ready(service->hooks.arg);
    }
}

static void on_purged(void *arg, const uint64_t *ids, size_t count)
{
    struct fr_service *service = arg;

    service->version++;
    for (size_t i = 0; i < count; i++) {
        fr_table_remove(service->table, ids[i]);
        if (service->loading)
            fr_table_remove(service->loading, ids[i]);
        tell_purged(service, ids[i]);
    }
}

static void on_lost(void *arg, const char *reason)
{
    struct fr_service *service = arg;

    if (service->lost && strcmp(service->lost_reason, reason) == 0)
        return;
    service->lost = true;
    (void)snprintf(service->lost_reason, sizeof service->lost_reason, "%s", reason);
    fr_text_trim(service->lost_reason);
    fr_hub_set_loading(service->hub, true); /* what comes from now on comes late */
    fr_hub_tell(service->hub,
                &(struct fr_news){.kind = FR_NEWS_LOST, .reason = service->lost_reason});
    service->hooks.engine_state(service->hooks.arg, reason);
}

static void on_resumed(void *arg)
{
    struct fr_service *service = arg;

    service->lost = false;
    fr_hub_set_loading(service->hub, service->loading);
    fr_hub_tell(service->hub, &(struct fr_news){.kind = FR_NEWS_BACK});
    service->hooks.engine_state(service->hooks.arg, NULL);
}

static void on_back(void *arg)
{
    struct fr_service *service = arg;
    struct fr_table *fresh;

    service->lost = false;
    int rc = fr_table_create(&fresh);
    if (rc < 0) {
        fail(service, "no memory for the job table", rc, NULL);
        return;
    }
    fr_table_free(service->loading);
    service->loading = fresh;
    fr_hub_set_loading(service->hub, true);
    if (service->fresh)
        fr_hub_forget(service->hub); /* a first backlog that broke off: it comes again */
    else
        service->fresh = name_instance(service);
    service->hooks.engine_state(service->hooks.arg, NULL);
}

static void on_ended(void *arg, const struct fr_error *err)
{
    fr_service_stop(arg, false, err);
}

static bool is_known(void *arg, uint64_t id)
{
    const struct fr_service *service = arg;

    return fr_table_find(service->table, id) ||
           (service->loading && fr_table_find(service->loading, id));
}

int fr_service_create(size_t events_max, const struct fr_service_hooks *hooks,
                      struct fr_service **ret)
{
    struct fr_service *service = calloc(1, sizeof *service);

    if (!service)
        return -ENOMEM;
    service->hooks = *hooks;
    service->started = fr_time_now();
    service->fresh = true;
    service->sink = (struct fr_engine_sink){
        .journal = on_journal,
        .caught_up = on_caught_up,
        .purged = on_purged,
        .lost = on_lost,
        .resumed = on_resumed,
        .back = on_back,
        .ended = on_ended,
        .arg = service,
    };
    int rc = fr_hub_create(events_max, &service->hub);
    if (rc == 0)
        rc = fr_keys_create(is_known, service, &service->keys);
    if (rc == 0)
        rc = fr_table_create(&service->table);
    if (rc == 0)
        rc = fr_table_create(&service->loading);
    if (rc < 0) {
        fr_service_free(service);
        return rc;
    }
    *ret = service;
    return 0;
}

void fr_service_free(struct fr_service *service)
{
    if (!service)
        return;
    fr_table_free(service->table);
    fr_table_free(service->loading);
    fr_hub_free(service->hub);
    fr_keys_free(service->keys);
    free(service);
}

const struct fr_engine_sink *fr_service_sink(struct fr_service *service)
{
    return &service->sink;
}

void fr_service_set_engine(struct fr_service *service, struct fr_engine *engine)
{
    service->engine = engine;
}

struct fr_engine *fr_service_engine(const struct fr_service *service)
{
    return service->engine;
}

const struct fr_table *fr_service_table(const struct fr_service *service)
{
    return service->table;
}

struct fr_hub *fr_service_hub(const struct fr_service *service)
{
    return service->hub;
}

struct fr_keys *fr_service_keys(const struct fr_service *service)
{
    return service->keys;
}

double fr_service_caught_up(const struct fr_service *service)
{
    return service->caught_up;
}

uint64_t fr_service_version(const struct fr_service *service)
{
    return service->version;
}

bool fr_service_is_ready(const struct fr_service *service)
{
    return service->ready && !service->fresh;
}

bool fr_service_is_loading(const struct fr_service *service)
{
    return service->loading;
}

const char *fr_service_lost(const struct fr_service *service)
{
    return service->lost ? service->lost_reason : NULL;
}

bool fr_service_is_stopping(const struct fr_service *service)
{
    return service->stopping || service->refusing;
}

double fr_service_started(const struct fr_service *service)
{
    return service->started;
}

bool fr_service_is_ending(const struct fr_service *service)
{
    return service->stopping;
}

void fr_service_refuse_submits(struct fr_service *service)
{
    service->refusing = true;
}

void fr_service_stop(struct fr_service *service, bool with_instance, const struct fr_error *err)
{
    if (service->stopping)
        return;
    service->stopping = true;
    service->hooks.stop(service->hooks.arg, with_instance, err);
}
