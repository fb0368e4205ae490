// SPDX-License-Identifier: LGPL-3.0-only
#include "api/held.h"

#include <errno.h>

#include "api/problem.h"

/* The engines keep deadlines of their own for what they send; this is for what has none. */
#define WAIT_MS 40000
#define TICK_MS 1000

static void drop(struct fr_held *held)
{
    LIST_REMOVE(held, link);
    held->req = NULL;
    if (held->dropped)
        held->dropped(held);
}

static void on_gone(void *arg)
{
    drop(arg);
}

static void give_up(struct fr_held *held)
{
    struct fr_error err;
    struct fr_req *req = held->req;

    if (held->expired) {
        held->expired(held);
        return;
    }
    if (held->code == FR_CODE_OUTCOME_UNKNOWN)
        fr_error_set(&err, ETIMEDOUT, held->code,
                     "the engine has not answered: it may have been done or not; look before "
                     "you ask again");
    else
        fr_error_set(&err, ETIMEDOUT, held->code,
                     "the engine has not answered; ask again later");
    drop(held);
    fr_reply_problem(req, 0, &err);
}

static void on_tick(void *arg)
{
    struct fr_api *api = arg;
    struct fr_held *held = LIST_FIRST(&api->held), *next;

    for (; held; held = next) {
        next = LIST_NEXT(held, link);
        if (!held->expired && uv_now(api->loop) - held->since > WAIT_MS)
            give_up(held);
    }
    if (LIST_EMPTY(&api->held))
        fr_timer_stop(api->held_timer);
}

int fr_api_watch_held(struct fr_api *api)
{
    return fr_timer_create(api->loop, on_tick, api, &api->held_timer);
}

void fr_api_answer_held(struct fr_api *api)
{
    while (!LIST_EMPTY(&api->held))
        give_up(LIST_FIRST(&api->held));
}

void fr_held_init(struct fr_held *held, struct fr_req *req, enum fr_code code,
                  void (*dropped)(struct fr_held *held))
{
    struct fr_api *api = fr_api_call(req)->api;

    *held = (struct fr_held){
        .api = api, .req = req, .code = code, .since = uv_now(api->loop), .dropped = dropped};
    if (LIST_EMPTY(&api->held))
        fr_timer_start(api->held_timer, TICK_MS, TICK_MS);
    LIST_INSERT_HEAD(&api->held, held, link);
    fr_req_on_gone(req, on_gone, held);
}

void fr_held_set_expired(struct fr_held *held, void (*expired)(struct fr_held *held))
{
    held->expired = expired;
}

struct fr_req *fr_held_take(struct fr_held *held)
{
    struct fr_req *req = held->req;

    if (req) {
        LIST_REMOVE(held, link);
        fr_req_on_gone(req, NULL, NULL);
    }
    held->req = NULL;
    return req;
}

struct fr_req *fr_held_take_unless(struct fr_held *held, const struct fr_error *err)
{
    struct fr_req *req = fr_held_take(held);

    if (req && err) {
        fr_reply_problem(req, 0, err);
        return NULL;
    }
    return req;
}
