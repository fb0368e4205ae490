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
#include "model/fluid.h"

/* One kept event: this head, then its text. */
struct kept {
    struct kept *next;
    uint64_t seq;
    uint64_t id;
    size_t len;
    char text[];
};

struct fr_subscription {
    struct fr_subscription *prev, *next;
    struct fr_hub *hub;
    uint64_t id;
    fr_hub_f cb; /* NULL: ended while the hub was telling; freed after that */
    void *arg;
};

struct fr_hub {
    size_t bytes_max, bytes;
    struct kept *oldest, *latest;
    uint64_t seq;                /* of the latest event */
    uint64_t gone_seq;           /* the latest event that is not kept any more */
    uint64_t instance;           /* hash of the instance's text */
    uint64_t epoch;              /* random: this run of the daemon beside this instance */
    double latest_time;          /* arrival of the latest event */
    struct fr_subscription head; /* of a ring */
    int telling; /* depth of publishing: subscriptions are only marked meanwhile */
};

#define EVENT_TEXT_MAX (1024 * 1024)

int fr_hub_create(size_t bytes_max, struct fr_hub **ret)
{
    struct fr_hub *hub = calloc(1, sizeof *hub);

    if (!hub)
        return -ENOMEM;
    hub->bytes_max = bytes_max;
    hub->head.prev = hub->head.next = &hub->head;
    randombytes_buf(&hub->epoch, sizeof hub->epoch);
    *ret = hub;
    return 0;
}

static void forget_oldest(struct fr_hub *hub)
{
    struct kept *kept = hub->oldest;

    hub->oldest = kept->next;
    if (!hub->oldest)
        hub->latest = NULL;
    hub->gone_seq = kept->seq;
    hub->bytes -= sizeof *kept + kept->len;
    free(kept);
}

void fr_hub_free(struct fr_hub *hub)
{
    if (!hub)
        return;
    while (hub->oldest)
        forget_oldest(hub);
    while (hub->head.next != &hub->head)
        fr_hub_unsubscribe(hub->head.next);
    free(hub);
}

void fr_hub_forget(struct fr_hub *hub)
{
    while (hub->oldest)
        forget_oldest(hub);
    hub->gone_seq = hub->seq;
}

bool fr_hub_set_instance(struct fr_hub *hub, const char *instance)
{
    uint64_t hash;

    crypto_generichash((unsigned char *)&hash, sizeof hash, (const unsigned char *)instance,
                       strlen(instance), NULL, 0);

    bool is_another = hub->instance && hub->instance != hash;
    if (is_another) {
        fr_hub_forget(hub);
        randombytes_buf(&hub->epoch, sizeof hub->epoch);
    }
    hub->instance = hash;
    return is_another;
}

uint64_t fr_hub_number(struct fr_hub *hub, const struct fr_event *event)
{
    uint64_t seq = event->seq > 0 ? event->seq : hub->seq + 1;

    if (seq > hub->seq)
        hub->seq = seq;
    hub->latest_time = fr_time_now();
    return seq;
}

static void keep(struct fr_hub *hub, const struct fr_news *news)
{
    struct fr_buf text = FR_BUF_INIT(EVENT_TEXT_MAX);
    struct kept *kept = NULL;

    fr_event_format(news->event, &text);
    if (fr_buf_status(&text) == 0)
        kept = malloc(sizeof *kept + text.len);
    if (!kept) {
        fr_buf_done(&text);
        while (hub->oldest) /* a gap: nothing before it may be replayed across it */
            forget_oldest(hub);
        hub->gone_seq = news->seq;
        return;
    }
    *kept = (struct kept){.seq = news->seq, .id = news->id, .len = text.len};
    memcpy(kept->text, text.data, text.len);
    fr_buf_done(&text);
    if (hub->latest)
        hub->latest->next = kept;
    else
        hub->oldest = kept;
    hub->latest = kept;
    hub->bytes += sizeof *kept + kept->len;
    while (hub->bytes > hub->bytes_max)
        forget_oldest(hub);
}

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

void fr_hub_publish(struct fr_hub *hub, const struct fr_news *news)
{
    keep(hub, news);
    hub->telling++;
    for (struct fr_subscription *sub = hub->head.next; sub != &hub->head; sub = sub->next)
        if (sub->cb && (sub->id == FR_FLUID_ANY || sub->id == news->id))
            sub->cb(sub->arg, news);
    if (--hub->telling == 0)
        sweep(hub);
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

uint64_t fr_hub_seq(const struct fr_hub *hub)
{
    return hub->seq;
}

const char *fr_hub_cursor(const struct fr_hub *hub, uint64_t seq, char *buf)
{
    snprintf(buf, FR_CURSOR_TEXT, "%016" PRIx64 ".%016" PRIx64 ".%" PRIu64 ".%.0f",
             hub->instance, hub->epoch, seq, hub->latest_time * 1e3);
    return buf;
}

int fr_hub_read_cursor(const struct fr_hub *hub, const char *text, uint64_t *ret_seq,
                       struct fr_error *err)
{
    uint64_t instance, epoch, seq;
    double when;
    int end = 0;

    if (strlen(text) >= FR_CURSOR_TEXT ||
        sscanf(text, "%16" SCNx64 ".%16" SCNx64 ".%20" SCNu64 ".%16lf%n", &instance, &epoch,
               &seq, &when, &end) != 4 ||
        text[end] != '\0')
        return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                            "this is not a cursor of this service; take one from a list or an "
                            "event");
    if (instance != hub->instance || epoch != hub->epoch || seq > hub->seq)
        return fr_error_set(err, ESTALE, FR_CODE_GONE,
                            "this cursor is of another instance or of an earlier run; list "
                            "again and follow from the new cursor");
    *ret_seq = seq;
    return 0;
}

int fr_hub_since(const struct fr_hub *hub, uint64_t seq, fr_hub_each_f each, void *arg)
{
    if (seq < hub->gone_seq)
        return -ESTALE;
    for (const struct kept *kept = hub->oldest; kept; kept = kept->next) {
        if (kept->seq <= seq)
            continue;
        int rc = each(arg, kept->seq, kept->id, kept->text, kept->len);
        if (rc != 0)
            return rc;
    }
    return 0;
}
