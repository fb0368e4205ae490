// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Requests that wait for an engine's answer. Each is answered once: by the handler, or, when
 * the engine takes too long or the service ends first, with what is known then. One whose
 * client has left is answered to nobody.
 *
 * A handler's own struct begins with a struct fr_held.
 */
#ifndef FR_API_HELD_H
#define FR_API_HELD_H

#include <stdint.h>
#include <sys/queue.h>

#include "api/api.h"

struct fr_held {
    LIST_ENTRY(fr_held) link;
    struct fr_api *api;
    struct fr_req *req; /* NULL once it is answered or its client has left */
    enum fr_code code;  /* what a client is told if no answer comes */
    uint64_t since;     /* uv_now() */
    /*
     * The request was answered without the handler, or its client has left. Frees held if no
     * callback of the engine is due any more. May be NULL.
     */
    void (*dropped)(struct fr_held *held);
    void (*expired)(struct fr_held *held); /* fr_held_set_expired() */
};

/* Begins to hold the request. code: FR_CODE_OUTCOME_UNKNOWN for what may have been done. */
void fr_held_init(struct fr_held *held, struct fr_req *req, enum fr_code code,
                  void (*dropped)(struct fr_held *held));

/*
 * Has its own time: is not given up but for the end of the service, and then answered by
 * expired(), which must do so at once.
 */
void fr_held_set_expired(struct fr_held *held, void (*expired)(struct fr_held *held));

/* Lets go of the request to answer it: returns it, or NULL if there is nobody to answer. */
struct fr_req *fr_held_take(struct fr_held *held);

/* As fr_held_take(); where err is not NULL, answers the request with it, and returns NULL. */
struct fr_req *fr_held_take_unless(struct fr_held *held, const struct fr_error *err);

#endif
