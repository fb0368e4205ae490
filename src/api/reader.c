// SPDX-License-Identifier: LGPL-3.0-only
#include "api/reader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/accept.h"
#include "api/problem.h"
#include "api/snapshot.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/util.h"
#include "model/fluid.h"

/* Time that one turn of the loop spends on readers. */
#define SLICE_NS 2000000
/* Events that one reader is taken over at a time, wanted or not. */
#define SLICE_EVENTS 4096
/* What sending to one reader costs, about: rounds keep that much of a pause. */
#define READER_US 15
#define PAUSE_MAX_US 20000
/* A reader that was up to date is cut off when this share of the ring has come since. */
#define LAG_SHARE 4

struct reader {
    LIST_ENTRY(reader) link;
    TAILQ_ENTRY(reader) due; /* while is_due */
    struct fr_readers *readers;
    struct fr_sender *sender;
    struct fr_reader_plan plan;   /* position and index move on */
    struct fr_snapshot *snapshot; /* NULL: none, or passed */
    bool is_open;                 /* every job passes the filter */
    bool is_due;
    bool caught_up; /* and told so */
};

struct fr_readers {
    struct fr_api *api;
    struct fr_hub *hub;
    LIST_HEAD(readers_all, reader) all;
    TAILQ_HEAD(readers_due, reader) due;
    struct fr_timer *timer;
    struct fr_subscription *subscription;
    bool scheduled;
    bool stirred;        /* something came since the round began */
    uint64_t not_before; /* uv_hrtime(): when the next round may begin */
    unsigned int told;   /* readers in this round */
};

/* --- one reader --- */

static void free_reader(struct reader *reader)
{
    if (reader->is_due)
        TAILQ_REMOVE(&reader->readers->due, reader, due);
    LIST_REMOVE(reader, link);
    fr_snapshot_free(reader->snapshot);
    fr_filter_done(&reader->plan.filter);
    free(reader);
}

/* No memory: the client sees that the stream is not whole, and comes back. */
static void break_off(struct reader *reader)
{
    fr_log_warning("a stream of events was broken off: no memory");
    fr_sender_abort(reader->sender);
    free_reader(reader);
}

/* What the reader comes back with: NULL if it cannot, or not without a gap. */
static const char *cursor_of(const struct reader *reader, char *buf)
{
    const struct fr_hub *hub = reader->readers->hub;

    if (reader->plan.of_job) {
        snprintf(buf, FR_CURSOR_TEXT, "%" PRId64, reader->plan.index);
        return buf;
    }
    if (reader->plan.position < fr_hub_first(hub) ||
        (reader->snapshot && !fr_snapshot_is_told(reader->snapshot)))
        return NULL;
    return fr_hub_cursor_at(hub, reader->plan.position, buf);
}

static void say_and_end(struct reader *reader, const char *word, const char *reason,
                        bool with_cursor)
{
    char cursor[FR_CURSOR_TEXT];
    int rc = fr_sender_control(reader->sender, word, reason,
                               with_cursor ? cursor_of(reader, cursor) : NULL);

    if (rc < 0) {
        break_off(reader);
        return;
    }
    fr_sender_end(reader->sender);
    free_reader(reader);
}

/* Whether the reader is too far behind; then it is cut off and freed. */
static bool cut_if_lagging(struct reader *reader)
{
    const struct fr_hub *hub = reader->readers->hub;
    uint64_t position = reader->plan.position;

    if (position < fr_hub_first(hub) && reader->plan.oldest) {
        reader->plan.position = fr_hub_first(hub);
        return false;
    }
    if (position < fr_hub_first(hub)) {
        say_and_end(reader, "lagging",
                    "events were lost because this client read too slowly; list again", true);
        return true;
    }
    if (!reader->caught_up || fr_hub_behind(hub, position) <= fr_hub_bytes_max(hub) / LAG_SHARE)
        return false;
    say_and_end(reader, "lagging", "this client reads too slowly; go on from the cursor", true);
    return true;
}

static bool wants(struct reader *reader, const struct fr_kept *kept)
{
    const struct fr_reader_plan *plan = &reader->plan;

    if (plan->of_job)
        return kept->id == plan->id && (kept->index < 0 || kept->index >= plan->index);
    if (plan->names && (kept->name < 0 || !(plan->names & 1u << kept->name)))
        return false;
    if (!(plan->filter.states & kept->state))
        return false;
    if (reader->snapshot && fr_snapshot_has(reader->snapshot, kept->id, kept->seq))
        return false;
    if (reader->is_open)
        return true;
    if (!fr_filter_has_id(&plan->filter, kept->id))
        return false;
    const struct fr_table *table = fr_service_table(reader->readers->api->service);
    const struct fr_job *job = fr_table_find(table, kept->id);
    return job && fr_filter_passes(&plan->filter, job);
}

/* The same text with the index of the next event for its id and cursor. */
static int put_of_job(struct reader *reader, const struct fr_kept *kept)
{
    struct fr_buf text = FR_BUF_INIT(kept->len + 128);
    const char *id = kept->text + strlen("event: job\nid: ");
    size_t cursor = strcspn(id, "\n");
    size_t json = kept->len - kept->json - cursor - strlen("\"}\n\n");

    if (kept->index >= 0)
        reader->plan.index = kept->index + 1;
    if (fr_sender_is_sse(reader->sender))
        fr_buf_printf(&text, "event: job\nid: %" PRId64 "\ndata: ", reader->plan.index);
    fr_buf_put(&text, kept->text + kept->json, json);
    fr_buf_put_i64(&text, reader->plan.index);
    fr_buf_puts(&text, fr_sender_is_sse(reader->sender) ? "\"}\n\n" : "\"}\n");
    int rc = fr_buf_status(&text);
    if (rc == 0)
        rc = fr_sender_put(reader->sender, text.data, text.len);
    fr_buf_done(&text);
    return rc;
}

static int put_event(struct reader *reader, const struct fr_kept *kept)
{
    if (reader->plan.of_job)
        return put_of_job(reader, kept);
    if (fr_sender_is_sse(reader->sender))
        return fr_sender_put(reader->sender, kept->text, kept->len);
    return fr_sender_put(reader->sender, kept->text + kept->json, kept->len - kept->json - 1);
}

enum progress { PROGRESS_NONE, PROGRESS_MORE, PROGRESS_OVER };

/* There is nothing more to tell now. */
static enum progress at_end(struct reader *reader)
{
    const struct fr_service *service = reader->readers->api->service;
    const struct fr_reader_plan *plan = &reader->plan;
    char cursor[FR_CURSOR_TEXT];

    if (!reader->caught_up &&
        fr_sender_control(reader->sender, "caught-up", NULL, cursor_of(reader, cursor)) < 0) {
        break_off(reader);
        return PROGRESS_OVER;
    }
    reader->caught_up = true;
    if (!plan->of_job)
        return PROGRESS_NONE;
    const struct fr_job *job = fr_table_find(fr_service_table(service), plan->id);
    if (plan->follow && job && job->state != FR_STATE_INACTIVE)
        return PROGRESS_NONE;
    fr_sender_end(reader->sender);
    free_reader(reader);
    return PROGRESS_OVER;
}

/* Tells what comes next. 0; 1 at the end of what there is; -ENOMEM. */
static int step(struct reader *reader)
{
    struct fr_readers *readers = reader->readers;

    if (reader->snapshot && !fr_snapshot_is_told(reader->snapshot))
        return fr_snapshot_put_next(reader->snapshot, readers->api, reader->sender);
    if (reader->plan.position == fr_hub_end(readers->hub)) {
        if (reader->snapshot && !fr_service_is_loading(readers->api->service))
            fr_snapshot_free(fr_take(reader->snapshot));
        return 1;
    }
    const struct fr_kept *kept = fr_hub_get(readers->hub, reader->plan.position);
    reader->plan.oldest = false;
    int rc = wants(reader, kept) ? put_event(reader, kept) : 0;
    reader->plan.position++;
    return rc;
}

static enum progress pump(struct reader *reader)
{
    /* What the table does not show yet cannot be held against a filter. */
    bool blind = !reader->is_open && fr_service_is_loading(reader->readers->api->service);

    if (cut_if_lagging(reader))
        return PROGRESS_OVER;
    for (int n = 0; n < SLICE_EVENTS && !blind; n++) {
        if (!fr_sender_is_ready(reader->sender))
            return PROGRESS_NONE;
        int rc = step(reader);
        if (rc > 0)
            return at_end(reader);
        if (rc < 0) {
            break_off(reader);
            return PROGRESS_OVER;
        }
    }
    return blind ? PROGRESS_NONE : PROGRESS_MORE;
}

/* --- rounds --- */

static void schedule(struct fr_readers *readers)
{
    uint64_t now = uv_hrtime();
    uint64_t wait = readers->not_before > now ? readers->not_before - now : 0;

    if (!readers->scheduled)
        fr_timer_start(readers->timer, wait / 1000000, 0);
    readers->scheduled = true;
}

static void make_due(struct reader *reader)
{
    if (!reader->is_due)
        TAILQ_INSERT_TAIL(&reader->readers->due, reader, due);
    reader->is_due = true;
}

static void begin_round(struct fr_readers *readers)
{
    struct reader *reader = LIST_FIRST(&readers->all), *next;

    readers->stirred = false;
    for (; reader; reader = next) {
        next = LIST_NEXT(reader, link);
        if (fr_sender_is_ready(reader->sender))
            make_due(reader);
        else
            (void)cut_if_lagging(reader);
    }
}

static void end_round(struct fr_readers *readers)
{
    uint64_t pause = (uint64_t)readers->told * READER_US;

    if (pause > PAUSE_MAX_US)
        pause = PAUSE_MAX_US;
    readers->told = 0;
    readers->not_before = uv_hrtime() + pause * 1000;
    if (readers->stirred)
        schedule(readers);
}

static void on_timer(void *arg)
{
    struct fr_readers *readers = arg;
    uint64_t begun = uv_hrtime();
    struct reader *reader;

    readers->scheduled = false;
    if (TAILQ_EMPTY(&readers->due))
        begin_round(readers);
    while ((reader = TAILQ_FIRST(&readers->due)) && uv_hrtime() - begun < SLICE_NS) {
        TAILQ_REMOVE(&readers->due, reader, due);
        reader->is_due = false;
        readers->told++;
        if (pump(reader) == PROGRESS_MORE)
            make_due(reader);
    }
    if (reader) {
        readers->not_before = 0;
        schedule(readers);
    } else {
        end_round(readers);
    }
}

/* --- news --- */

static void on_other_news(struct fr_readers *readers, const struct fr_news *news)
{
    struct reader *reader = LIST_FIRST(&readers->all), *next;
    char cursor[FR_CURSOR_TEXT];

    for (; reader; reader = next) {
        next = LIST_NEXT(reader, link);
        if (news->kind == FR_NEWS_VOID)
            say_and_end(reader, "closing", "this is another instance now; list again", false);
        else if (news->kind == FR_NEWS_BACK)
            reader->caught_up = false; /* to be told again, when it is so */
        else if (news->kind == FR_NEWS_LOST &&
                 fr_sender_control(reader->sender, "lost", news->reason,
                                   cursor_of(reader, cursor)) < 0)
            break_off(reader);
        else if (news->kind == FR_NEWS_PURGED && reader->plan.of_job &&
                 reader->plan.id == news->id)
            say_and_end(reader, "closing", "the job was purged from the instance", false);
    }
}

static void on_news(void *arg, const struct fr_news *news)
{
    struct fr_readers *readers = arg;

    if (LIST_EMPTY(&readers->all))
        return;
    if (news->kind != FR_NEWS_EVENT)
        on_other_news(readers, news);
    if (news->kind == FR_NEWS_EVENT || news->kind == FR_NEWS_BACK) {
        readers->stirred = true;
        schedule(readers);
    }
}

int fr_readers_create(struct fr_api *api, struct fr_readers **ret)
{
    struct fr_readers *readers = calloc(1, sizeof *readers);

    if (!readers)
        return -ENOMEM;
    readers->api = api;
    readers->hub = fr_service_hub(api->service);
    LIST_INIT(&readers->all);
    TAILQ_INIT(&readers->due);
    readers->subscription = fr_hub_subscribe(readers->hub, FR_FLUID_ANY, on_news, readers);
    if (!readers->subscription ||
        fr_timer_create(api->loop, on_timer, readers, &readers->timer) < 0) {
        fr_readers_free(readers);
        return -ENOMEM;
    }
    *ret = readers;
    return 0;
}

void fr_readers_free(struct fr_readers *readers)
{
    if (!readers)
        return;
    fr_hub_unsubscribe(readers->subscription);
    fr_timer_free(readers->timer);
    free(readers);
}

/* --- the sender's hooks, and the beginning --- */

static void on_gone(void *arg)
{
    free_reader(arg);
}

static void on_ready(void *arg)
{
    struct reader *reader = arg;

    make_due(reader);
    schedule(reader->readers);
}

static void on_beat(void *arg)
{
    struct reader *reader = arg;
    char cursor[FR_CURSOR_TEXT];

    if (fr_sender_beat(reader->sender, cursor_of(reader, cursor)) < 0)
        break_off(reader);
}

static void on_closing(void *arg)
{
    say_and_end(arg, "closing", "the service is stopping", true);
}

void fr_reader_open(struct fr_req *req, struct fr_reader_plan *plan)
{
    struct fr_api *api = fr_api_call(req)->api;
    struct reader *reader = calloc(1, sizeof *reader);
    const struct fr_sender_hooks hooks = {on_gone, on_ready, on_beat, on_closing, reader};
    int rc = reader ? 0 : -ENOMEM;

    if (rc == 0 && plan->snapshot)
        rc = fr_snapshot_create(fr_service_table(api->service), &plan->filter,
                                &reader->snapshot);
    if (rc < 0)
        fr_reply_no_memory(req);
    struct fr_sender *sender =
        rc < 0 ? NULL : fr_sender_open(req, fr_accepts_events(req), &hooks);
    if (!sender) {
        fr_snapshot_free(reader ? reader->snapshot : NULL);
        fr_filter_done(&plan->filter);
        free(reader);
        return;
    }
    reader->readers = api->readers;
    reader->sender = sender;
    reader->plan = *plan;
    reader->is_open = plan->of_job || fr_filter_is_open(&plan->filter);
    LIST_INSERT_HEAD(&api->readers->all, reader, link);
    const char *lost = fr_service_lost(api->service);
    if (lost && fr_sender_control(sender, "lost", lost, NULL) < 0) {
        break_off(reader);
        return;
    }
    on_ready(reader);
}
