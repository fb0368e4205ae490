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

/*
 * Appends the event of a job as the API tells it, an object without a newline:
 * {"id":…,"jobid":…[,"index":…],"timestamp":…,"name":…[,"context":…],"state":…,"cursor":…}.
 * state is the word for the job's state after it.
 */
void fr_event_json(const struct fr_event *event, uint64_t id, const char *state,
                   const char *cursor, struct fr_buf *out);

/*
 * A number for the name of an event that RFC 21 or Flux knows, below FR_EVENTS_KNOWN; -1 for
 * any other, and then the nearest known one, if any, through ret_nearest (which may be NULL).
 */
#define FR_EVENTS_KNOWN 26
int fr_event_known(const char *name, const char **ret_nearest);

#endif
