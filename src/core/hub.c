// SPDX-License-Identifier: LGPL-3.0-only
#include "core/hub.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/loop.h"
#include "core/backlog.h"
#include "model/fluid.h"

struct fr_subscription {
    struct fr_subscription *prev, *next;
    struct fr_hub *hub;
    uint64_t id;
    fr_hub_f cb; /* NULL: ended while the hub was telling; freed after that */
    void *arg;
};

struct fr_hub {
    size_t bytes_max, bytes;
    struct fr_kept **slots; /* a ring: position p is in slot p modulo cap */
    size_t cap;             /* a power of two, or 0 */
    uint64_t first, end;    /* positions */
    uint64_t live;          /* the first position that did not come with the backlog */
    uint64_t total;         /* bytes kept since the hub began */
    uint64_t seq;           /* of the latest event */
    uint64_t gone_seq;      /* the latest event that is not kept any more */
    double gone_time;       /* the latest timestamp of those */
    uint64_t instance;      /* hash of the instance's text; 0: not known yet */
    uint64_t epoch;         /* random: this run of the daemon; 0: the engine's own numbers */
    double time;            /* for cursors: all that was stamped a minute before was told */
    bool loading;
    struct fr_backlog backlog;
    struct fr_subscription head; /* of a ring */
    int telling;                 /* depth of telling: subscriptions are only marked meanwhile */
};

#define EVENT_TEXT_MAX (1024 * 1024)
/* Of a first backlog, so that a long past costs neither time nor memory at every start. */
#define BACKLOG_MAX (1024 * 1024)
/* Seconds by which events of different jobs may arrive out of the order of their timestamps. */
#define DISORDER 60

int fr_hub_create(size_t bytes_max, struct fr_hub **ret)
{
    struct fr_hub *hub = calloc(1, sizeof *hub);

    if (!hub)
        return -ENOMEM;
    hub->bytes_max = bytes_max;
    hub->head.prev = hub->head.next = &hub->head;
    fr_backlog_init(&hub->backlog, bytes_max < BACKLOG_MAX ? bytes_max : BACKLOG_MAX);
    randombytes_buf(&hub->epoch, sizeof hub->epoch);
    *ret = hub;
    return 0;
}

/* --- what is kept --- */

static struct fr_kept **slot(const struct fr_hub *hub, uint64_t position)
{
    return &hub->slots[position & (hub->cap - 1)];
}

static void note_gone(struct fr_hub *hub, uint64_t seq, double timestamp)
{
    hub->gone_seq = seq;
    if (timestamp > hub->gone_time)
        hub->gone_time = timestamp;
}

static size_t cost(const struct fr_kept *kept)
{
    return sizeof *kept + kept->len + 3 * sizeof(void *); /* its slot, malloc's own */
}

static void forget_first(struct fr_hub *hub)
{
    struct fr_kept *kept = *slot(hub, hub->first++);

    note_gone(hub, kept->seq, kept->timestamp);
    hub->bytes -= cost(kept);
    free(kept);
}

static void forget_all(struct fr_hub *hub)
{
    while (hub->first < hub->end)
        forget_first(hub);
}

void fr_hub_free(struct fr_hub *hub)
{
    if (!hub)
        return;
    forget_all(hub);
    while (hub->head.next != &hub->head)
        fr_hub_unsubscribe(hub->head.next);
    fr_backlog_done(&hub->backlog);
    free(hub->slots);
    free(hub);
}

static int grow(struct fr_hub *hub)
{
    size_t cap = hub->cap ? hub->cap * 2 : 256;
    struct fr_kept **slots = calloc(cap, sizeof *slots);

    if (!slots)
        return -ENOMEM;
    for (uint64_t p = hub->first; p < hub->end; p++)
        slots[p & (cap - 1)] = *slot(hub, p);
    free(hub->slots);
    hub->slots = slots;
    hub->cap = cap;
    return 0;
}

static const char *format_cursor(const struct fr_hub *hub, uint64_t seq, double time, char *buf)
{
    snprintf(buf, FR_CURSOR_TEXT, "%" PRIx64 ".%" PRIx64 ".%" PRIu64 ".%.0f", hub->instance,
             hub->epoch, seq, time > 0 ? time * 1e3 : 0.);
    return buf;
}

static struct fr_kept *make_kept(const struct fr_hub *hub, const struct fr_news *news,
                                 double time)
{
    struct fr_buf text = FR_BUF_INIT(EVENT_TEXT_MAX);
    char cursor[FR_CURSOR_TEXT];
    struct fr_kept *kept = NULL;

    format_cursor(hub, news->seq, time, cursor);
    fr_buf_puts(&text, "event: job\nid: ");
    fr_buf_puts(&text, cursor);
    fr_buf_puts(&text, "\ndata: ");
    size_t json = text.len;
    fr_event_json(news->event, news->id, fr_state_word(news->state), cursor, &text);
    fr_buf_puts(&text, "\n\n");
    if (fr_buf_status(&text) == 0)
        kept = malloc(sizeof *kept + text.len);
    if (kept) {
        *kept = (struct fr_kept){.seq = news->seq,
                                 .id = news->id,
                                 .before = hub->total,
                                 .timestamp = news->event->timestamp,
                                 .index = news->event->index,
                                 .state = news->state,
                                 .name = fr_event_known(news->event->name, NULL),
                                 .len = text.len,
                                 .json = json};
        memcpy(kept->text, text.data, text.len);
    }
    fr_buf_done(&text);
    return kept;
}

static void keep(struct fr_hub *hub, const struct fr_news *news, double time)
{
    struct fr_kept *kept = NULL;

    if (hub->end - hub->first < hub->cap || grow(hub) == 0)
        kept = make_kept(hub, news, time);
    if (!kept) {
        forget_all(hub); /* a gap: nothing before it may be read across it */
        note_gone(hub, news->seq, news->event->timestamp);
        return;
    }
    *slot(hub, hub->end++) = kept;
    hub->bytes += cost(kept);
    hub->total += cost(kept);
    while (hub->bytes > hub->bytes_max)
        forget_first(hub);
}

void fr_hub_forget(struct fr_hub *hub)
{
    forget_all(hub);
    fr_backlog_done(&hub->backlog);
    hub->gone_seq = hub->seq;
}

/* --- the order --- */

bool fr_hub_set_instance(struct fr_hub *hub, const char *instance, bool numbered)
{
    uint64_t hash;

    crypto_generichash((unsigned char *)&hash, sizeof hash, (const unsigned char *)instance,
                       strlen(instance), NULL, 0);
    hash = hash ? hash : 1;
    bool other = hub->instance && hub->instance != hash;
    hub->instance = hash;
    if (numbered)
        hub->epoch = 0;
    if (!other)
        return false;
    if (!numbered)
        randombytes_buf(&hub->epoch, sizeof hub->epoch);
    fr_hub_forget(hub);
    hub->gone_time = 0;
    fr_hub_tell(hub, &(struct fr_news){.kind = FR_NEWS_VOID});
    return true;
}

void fr_hub_set_loading(struct fr_hub *hub, bool loading)
{
    hub->loading = loading;
    if (!loading)
        hub->time = fr_time_now();
}

uint64_t fr_hub_number(struct fr_hub *hub, const struct fr_event *event)
{
    uint64_t seq = event->seq > 0 ? event->seq : hub->seq + 1;

    if (seq > hub->seq)
        hub->seq = seq;
    return seq;
}

void fr_hub_preload(struct fr_hub *hub, const struct fr_news *news)
{
    fr_backlog_add(&hub->backlog, news->id, news->event, news->state);
}

void fr_hub_pass(struct fr_hub *hub, uint64_t seq)
{
    if (seq > hub->seq)
        hub->seq = seq;
    if (seq > hub->gone_seq)
        hub->gone_seq = seq;
}

/*
 * The number of the latest event before those that can be told without a gap; *ret_first is
 * the first of them.
 */
static uint64_t find_gap(struct fr_hub *hub, size_t *ret_first)
{
    const struct fr_backlog *backlog = &hub->backlog;
    uint64_t gone = backlog->gone_seq > hub->gone_seq ? backlog->gone_seq : hub->gone_seq;
    uint64_t last = gone;

    *ret_first = 0;
    for (size_t i = 0; i < backlog->count; i++) {
        uint64_t seq = backlog->items[i].event.seq;

        if (seq > last + 1)
            gone = seq - 1; /* forgotten by the engine */
        if (seq > last)
            last = seq;
        if (seq <= gone + 1)
            *ret_first = seq <= gone ? i + 1 : i;
    }
    return gone;
}

void fr_hub_settle(struct fr_hub *hub)
{
    struct fr_backlog *backlog = &hub->backlog;
    bool numbered = hub->epoch == 0;
    uint64_t before;
    size_t first = 0;

    fr_backlog_sort(backlog);
    /* Without numbers of their engine they get the latest of ours, in their new order. */
    before = numbered ? find_gap(hub, &first) : hub->seq - backlog->count;
    note_gone(hub, before, backlog->gone_time);
    for (size_t i = first; i < backlog->count; i++) {
        const struct fr_backlog_item *item = &backlog->items[i];
        keep(hub,
             &(struct fr_news){.seq = numbered ? item->event.seq : before + i + 1,
                               .id = item->id,
                               .event = &item->event,
                               .state = item->state},
             item->event.timestamp);
    }
    fr_backlog_done(backlog);
    hub->live = hub->end;
    fr_hub_set_loading(hub, false);
}

/* --- telling --- */

static void unlink_subscription(struct fr_subscription *sub)
{
    sub->prev->next = sub->next;
    sub->next->prev = sub->prev;
    free(sub);
}

static void sweep(struct fr_hub *hub)
{
    for (struct fr_subscription *sub = hub->head.next, *next; sub != &hub->head; sub = next) {
        next = sub->next;
        if (!sub->cb)
            unlink_subscription(sub);
    }
}

void fr_hub_tell(struct fr_hub *hub, const struct fr_news *news)
{
    bool of_job = news->kind == FR_NEWS_EVENT || news->kind == FR_NEWS_PURGED;

    hub->telling++;
    for (struct fr_subscription *sub = hub->head.next; sub != &hub->head; sub = sub->next)
        if (sub->cb && (sub->id == FR_FLUID_ANY || (of_job && sub->id == news->id)))
            sub->cb(sub->arg, news);
    if (--hub->telling == 0)
        sweep(hub);
}

void fr_hub_publish(struct fr_hub *hub, const struct fr_news *news)
{
    if (!hub->loading)
        hub->time = fr_time_now();
    /* Where the number is enough, a cursor is the same text in every run of the daemon. */
    keep(hub, news, hub->epoch ? hub->time : news->event->timestamp);
    fr_hub_tell(hub, news);
}

struct fr_subscription *fr_hub_subscribe(struct fr_hub *hub, uint64_t id, fr_hub_f cb,
                                         void *arg)
{
    struct fr_subscription *sub = calloc(1, sizeof *sub);

    if (!sub)
        return NULL;
    *sub = (struct fr_subscription){hub->head.prev, &hub->head, hub, id, cb, arg};
    sub->prev->next = sub->next->prev = sub;
    return sub;
}

void fr_hub_unsubscribe(struct fr_subscription *sub)
{
    if (!sub)
        return;
    if (sub->hub->telling > 0)
        sub->cb = NULL;
    else
        unlink_subscription(sub);
}

size_t fr_hub_subscribers(const struct fr_hub *hub)
{
    size_t count = 0;

    for (const struct fr_subscription *sub = hub->head.next; sub != &hub->head; sub = sub->next)
        count += sub->cb != NULL;
    return count;
}

/* --- reading --- */

uint64_t fr_hub_seq(const struct fr_hub *hub)
{
    return hub->seq;
}

uint64_t fr_hub_first(const struct fr_hub *hub)
{
    return hub->first;
}

uint64_t fr_hub_end(const struct fr_hub *hub)
{
    return hub->end;
}

const struct fr_kept *fr_hub_get(const struct fr_hub *hub, uint64_t position)
{
    return *slot(hub, position);
}

size_t fr_hub_behind(const struct fr_hub *hub, uint64_t position)
{
    return position < hub->end ? hub->total - (*slot(hub, position))->before : 0;
}

size_t fr_hub_bytes_max(const struct fr_hub *hub)
{
    return hub->bytes_max;
}

const char *fr_hub_cursor(const struct fr_hub *hub, uint64_t seq, char *buf)
{
    return format_cursor(hub, seq, hub->time, buf);
}

const char *fr_hub_cursor_at(const struct fr_hub *hub, uint64_t position, char *buf)
{
    /* Where time counts, that of the latest event may be long past. */
    if (position >= hub->end && (hub->epoch || hub->first == hub->end))
        return fr_hub_cursor(hub, hub->seq, buf);
    if (position <= hub->first)
        return format_cursor(hub, hub->gone_seq, hub->gone_time, buf);
    /* As the event before it says. */
    const char *at = (*slot(hub, position - 1))->text + strlen("event: job\nid: ");
    snprintf(buf, FR_CURSOR_TEXT, "%.*s", (int)strcspn(at, "\n"), at);
    return buf;
}

struct cursor {
    uint64_t instance, epoch, seq, ms;
};

/* A number, then `end`. No sign, no space, nothing that strtoull would take beside digits. */
static bool read_number(const char **at, int base, char end, uint64_t *ret)
{
    size_t len = strspn(*at, base == 16 ? "0123456789abcdef" : "0123456789");

    if (len == 0 || len > (base == 16 ? 16 : 19) || (*at)[len] != end)
        return false;
    *ret = strtoull(*at, NULL, base);
    *at += len + (end != '\0');
    return true;
}

static bool read_cursor(const char *text, struct cursor *cursor)
{
    return read_number(&text, 16, '.', &cursor->instance) &&
           read_number(&text, 16, '.', &cursor->epoch) &&
           read_number(&text, 10, '.', &cursor->seq) &&
           read_number(&text, 10, '\0', &cursor->ms);
}

/* The first position from `low` on, below `high`, whose event lies beyond, or high. */
static uint64_t search(const struct fr_hub *hub, uint64_t low, uint64_t high,
                       bool (*beyond)(const struct fr_kept *kept, const void *what),
                       const void *what)
{
    while (low < high) {
        uint64_t mid = low + (high - low) / 2;
        if (beyond(*slot(hub, mid), what))
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

static bool has_later_seq(const struct fr_kept *kept, const void *what)
{
    return kept->seq > *(const uint64_t *)what;
}

static bool has_later_time(const struct fr_kept *kept, const void *what)
{
    return kept->timestamp > *(const double *)what;
}

int fr_hub_find(const struct fr_hub *hub, const char *text, uint64_t *ret_position,
                struct fr_error *err)
{
    struct cursor cursor;

    if (strcmp(text, "0") == 0) {
        *ret_position = hub->first;
        return 0;
    }
    if (!read_cursor(text, &cursor))
        return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                            "\"%.80s\" is no cursor of this service; take one from a list or "
                            "an event, or 0 for all events that are kept",
                            text);
    double time = (double)cursor.ms / 1e3 - DISORDER;
    bool exact = cursor.epoch == hub->epoch;
    if (cursor.instance != hub->instance || (exact && cursor.seq > hub->seq) ||
        (!exact && (cursor.epoch == 0 || hub->epoch == 0)))
        return fr_error_set(err, ESTALE, FR_CODE_GONE,
                            "this cursor is of another instance; list again and follow from "
                            "the new cursor");
    if (exact ? cursor.seq < hub->gone_seq : time < hub->gone_time)
        return fr_error_set(err, ESTALE, FR_CODE_GONE,
                            "not all events after this cursor are kept any more; list again "
                            "and follow from the new cursor");
    if (exact)
        *ret_position = search(hub, hub->first, hub->end, has_later_seq, &cursor.seq);
    else /* what came with the backlog is in the order of time; all that came since is told */
        *ret_position = search(hub, hub->first, hub->live > hub->first ? hub->live : hub->first,
                               has_later_time, &time);
    return 0;
}

uint64_t fr_hub_find_time(const struct fr_hub *hub, double timestamp)
{
    double time = timestamp - DISORDER;

    return search(hub, hub->first, hub->end, has_later_time, &time);
}
