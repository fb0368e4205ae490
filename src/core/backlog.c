// SPDX-License-Identifier: LGPL-3.0-only
#include "core/backlog.h"

#include <stdlib.h>
#include <string.h>

void fr_backlog_init(struct fr_backlog *backlog, size_t bytes_max)
{
    *backlog = (struct fr_backlog){.bytes_max = bytes_max};
}

void fr_backlog_done(struct fr_backlog *backlog)
{
    for (size_t i = 0; i < backlog->count; i++)
        free(backlog->items[i].texts);
    free(backlog->items);
    fr_backlog_init(backlog, backlog->bytes_max);
}

static int compare(const void *a, const void *b)
{
    const struct fr_backlog_item *left = a, *right = b;

    if (left->event.seq != right->event.seq)
        return left->event.seq < right->event.seq ? -1 : 1;
    if (left->event.timestamp != right->event.timestamp)
        return left->event.timestamp < right->event.timestamp ? -1 : 1;
    return left->order < right->order ? -1 : 1;
}

static void note_gone(struct fr_backlog *backlog, const struct fr_event *event)
{
    if (event->timestamp > backlog->gone_time)
        backlog->gone_time = event->timestamp;
    if (event->seq > backlog->gone_seq)
        backlog->gone_seq = event->seq;
}

static size_t cost(const struct fr_event *event)
{
    return sizeof(struct fr_backlog_item) + strlen(event->name) + 2 +
           (event->context ? strlen(event->context) : 0);
}

void fr_backlog_sort(struct fr_backlog *backlog)
{
    size_t drop = 0;

    if (backlog->count > 0)
        qsort(backlog->items, backlog->count, sizeof *backlog->items, compare);
    for (; backlog->bytes > backlog->bytes_max; drop++) {
        struct fr_backlog_item *item = &backlog->items[drop];
        backlog->bytes -= cost(&item->event);
        note_gone(backlog, &item->event);
        free(item->texts);
    }
    backlog->count -= drop;
    if (drop > 0)
        memmove(backlog->items, backlog->items + drop, backlog->count * sizeof *backlog->items);
}

static int grow(struct fr_backlog *backlog)
{
    size_t cap = backlog->cap ? 2 * backlog->cap : 64;
    struct fr_backlog_item *items = reallocarray(backlog->items, cap, sizeof *items);

    if (!items)
        return -1;
    backlog->items = items;
    backlog->cap = cap;
    return 0;
}

/* What was not kept leaves no gap among what is. */
static void drop_all(struct fr_backlog *backlog)
{
    for (size_t i = 0; i < backlog->count; i++) {
        note_gone(backlog, &backlog->items[i].event);
        free(backlog->items[i].texts);
    }
    backlog->count = 0;
    backlog->bytes = 0;
}

void fr_backlog_add(struct fr_backlog *backlog, uint64_t id, const struct fr_event *event,
                    enum fr_state state)
{
    size_t name = strlen(event->name) + 1;
    size_t context = event->context ? strlen(event->context) + 1 : 0;
    char *texts = malloc(name + context);

    if (!texts || (backlog->count == backlog->cap && grow(backlog) < 0)) {
        free(texts);
        drop_all(backlog);
        note_gone(backlog, event);
        return;
    }
    memcpy(texts, event->name, name);
    if (context)
        memcpy(texts + name, event->context, context);
    struct fr_backlog_item *item = &backlog->items[backlog->count++];
    *item = (struct fr_backlog_item){
        .id = id, .event = *event, .state = state, .order = backlog->added++, .texts = texts};
    item->event.name = texts;
    item->event.context = context ? texts + name : NULL;
    backlog->bytes += cost(event);
    if (backlog->bytes / 2 > backlog->bytes_max)
        fr_backlog_sort(backlog);
}
