// SPDX-License-Identifier: LGPL-3.0-only
/*
 * One event of a job's log (RFC 18 form, RFC 21 meaning).
 */
#ifndef FR_MODEL_EVENT_H
#define FR_MODEL_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct fr_event {
    double timestamp;    /* seconds since the epoch */
    const char *name;    /* RFC 21 name; borrowed from whoever hands the event on */
    const char *context; /* JSON object text (compact), or NULL if the event has none */
    /*
     * Its place among the job's stored events, from 0, or -1 for an event that is streamed
     * but not stored (annotations and the like).
     */
    int64_t index;
    /*
     * The engine's own number of the event in its instance, rising in the order of arrival
     * and kept over restarts; 0 if the engine has none (Flux), then the hub counts.
     */
    uint64_t seq;
};

/* Appends the RFC 18 object {"timestamp":…,"name":…[,"context":…]}, without a newline. */
void fr_event_format(const struct fr_event *event, struct fr_buf *out);

#endif
