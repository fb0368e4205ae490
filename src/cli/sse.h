// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Reads text/event-stream out of the bytes as they come. An event whose end did not come is
 * none: whoever comes back with the place gets it whole.
 */
#ifndef FR_CLI_SSE_H
#define FR_CLI_SSE_H

#include "base/buf.h"

/* Room for a place with its NUL; a longer one is not taken. */
#define FR_SSE_PLACE 200

struct fr_sse {
    struct fr_buf line;       /* one whose end has not come */
    struct fr_buf data;       /* of the event that is being read */
    char kind[40];            /* of that event; "" where it has none */
    char next[FR_SSE_PLACE];  /* the place after that event */
    char place[FR_SSE_PLACE]; /* after the last whole event: what to come back with, or "" */
};

void fr_sse_init(struct fr_sse *sse);
void fr_sse_done(struct fr_sse *sse);

/* Forgets what is half read: a new connection begins. The place stays. */
void fr_sse_restart(struct fr_sse *sse);

/*
 * Takes bytes, and calls on_event for each whole event that has data; data ends with NUL. 0;
 * -ENOMEM; -EMSGSIZE for an event that is too long; or the first value other than 0 of
 * on_event, after which nothing more may be fed. The place is after the event that on_event was
 * called for.
 */
int fr_sse_feed(struct fr_sse *sse, const char *bytes, size_t len,
                int (*on_event)(void *arg, const char *kind, const char *data, size_t len),
                void *arg);

#endif
