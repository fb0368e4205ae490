// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Replies that tell events as they come: text/event-stream (SSE) or NDJSON. A sender bounds
 * what waits for its client, keeps the connection honest while nothing happens, and says why it
 * ends. There are limits on how many there are, in all and for each client.
 */
#ifndef FR_API_SENDER_H
#define FR_API_SENDER_H

#include <stdbool.h>
#include <stddef.h>

#include "api/api.h"

struct fr_sender;

struct fr_sender_hooks {
    /* The client went away or stood still too long: the sender is dead after this. */
    void (*gone)(void *arg);
    /* All that waited has been taken: there is room for more. */
    void (*ready)(void *arg);
    /* Nothing was sent for some seconds: send a sign of life. Only while there is room. */
    void (*beat)(void *arg);
    /* The daemon ends: say so and end. */
    void (*closing)(void *arg);
    void *arg;
};

/*
 * Answers the request with a stream (SSE, or NDJSON), or with a problem (429, 503, 500) and
 * NULL; HEAD is answered without a stream, also by NULL.
 */
struct fr_sender *fr_sender_open(struct fr_req *req, bool sse,
                                 const struct fr_sender_hooks *hooks);

bool fr_sender_is_sse(const struct fr_sender *sender);

/* Whether there is room: all that was put has been handed to the connection's queue. */
bool fr_sender_is_ready(const struct fr_sender *sender);

/*
 * Sends bytes, whole: what has no room now waits and `ready` is told when it is gone, so put no
 * more while there is no room but a last word. 0, or -ENOMEM: break it off.
 */
int fr_sender_put(struct fr_sender *sender, const void *data, size_t len);

/*
 * Sends a control event: its word, the reason (may be NULL), and the cursor or id to go on
 * from (may be NULL). 0 or -ENOMEM.
 */
int fr_sender_control(struct fr_sender *sender, const char *word, const char *reason,
                      const char *cursor);

/* Sends a sign of life: a comment, or in NDJSON a control line. id as above. */
int fr_sender_beat(struct fr_sender *sender, const char *cursor);

/* Ends in order once all was taken; or breaks off. Dead to the caller then, without `gone`. */
void fr_sender_end(struct fr_sender *sender);
void fr_sender_abort(struct fr_sender *sender);

/* How many are open, and the bytes that wait for the client that is furthest behind. */
size_t fr_senders_count(const struct fr_api *api, size_t *ret_behind);

/* Makes the timer; called by fr_api_create(). 0 or a negative errno. */
int fr_senders_init(struct fr_api *api);

#endif
