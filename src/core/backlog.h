// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The events of a first backlog, until all are there and can be put in the order in which they
 * happened. The latest are kept where not all can be. The hub's own.
 */
#ifndef FR_CORE_BACKLOG_H
#define FR_CORE_BACKLOG_H

#include <stddef.h>
#include <stdint.h>

#include "model/event.h"
#include "model/job.h"

struct fr_backlog_item {
    uint64_t id;
    struct fr_event event; /* its texts are in `texts` */
    enum fr_state state;
    size_t
        order; /* of arrival, which counts among equal timestamps: a job's own stay in order */
    char *texts;
};

struct fr_backlog {
    struct fr_backlog_item *items;
    size_t count, cap;
    size_t bytes, bytes_max;
    size_t added;
    /* The latest timestamp, and number of the engine, of those that were not kept. */
    double gone_time;
    uint64_t gone_seq;
};

void fr_backlog_init(struct fr_backlog *backlog, size_t bytes_max);
void fr_backlog_done(struct fr_backlog *backlog); /* leaves it empty, to be used again */

/*
 * Notes a copy of an event. One that there is no memory for counts as not kept, and so do all
 * before it.
 */
void fr_backlog_add(struct fr_backlog *backlog, uint64_t id, const struct fr_event *event,
                    enum fr_state state);

/* Puts all in order and lets go of the oldest that are too many. */
void fr_backlog_sort(struct fr_backlog *backlog);

#endif
