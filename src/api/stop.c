// SPDX-License-Identifier: LGPL-3.0-only
/*
 * POST /v1/service/stop. At once, or when no job runs any more: drain waits for those that run,
 * cancel ends all that have not ended. Nothing is submitted meanwhile, and a second call that
 * asks for neither ends the service at once.
 */
#include "api/stop.h"

#include <errno.h>
#include <stdlib.h>

#include "api/api.h"
#include "api/body.h"
#include "api/handlers.h"
#include "api/problem.h"
#include "base/loop.h"
#include "base/util.h"

/* How often it is looked whether jobs have ended, and jobs cancelled each time. */
#define LOOK_MS 50
#define SLICE 200
/* After so many looks with nothing to cancel, what did not take is cancelled again: 3 s. */
#define AGAIN_LOOKS 60

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

struct fr_winding_down {
    struct fr_service *service;
    struct fr_timer *timer;
    bool with_instance;
    int states; /* none may be in one of these */
    bool cancel;
    uint64_t newest; /* of the jobs that were noted; 0: none was, or all are to be again */
    uint64_t *ids;   /* to be cancelled; owned */
    size_t count, cap, next;
    unsigned int idle; /* looks since the last of them */
};

struct wanted {
    bool with_instance, drain, cancel;
};

void fr_winding_down_free(struct fr_winding_down *down)
{
    if (!down)
        return;
    fr_timer_free(down->timer);
    free(down->ids);
    free(down);
}

/* What it says does not matter: what became of the job is seen in the table. */
static void on_cancelled(void *arg, const struct fr_error *err)
{
}

/*
 * Notes the jobs that are to be cancelled: those that go on, which one with a grave exception
 * does not, and are newer than all that were noted before, for some may have been on their way
 * to the engine then.
 */
static int note_active(struct fr_winding_down *down)
{
    struct fr_table_walk walk =
        fr_table_walk(fr_service_table(down->service), FR_STATES_ACTIVE);
    uint64_t newest = down->newest;
    const struct fr_job *job;

    down->count = down->next = 0;
    while ((job = fr_table_next(&walk))) {
        if (job->id <= down->newest || job->exception_severity == 0)
            continue;
        if (down->count == down->cap) {
            size_t cap = down->cap ? 2 * down->cap : 256;
            uint64_t *ids = realloc(down->ids, cap * sizeof *ids);
            if (!ids)
                return -ENOMEM;
            down->ids = ids;
            down->cap = cap;
        }
        down->ids[down->count++] = job->id;
        newest = job->id > newest ? job->id : newest;
    }
    down->newest = newest;
    return 0;
}

/*
 * Once a while all are noted again that go on: an engine that is slow may have taken no cancel,
 * and a job may have come late with an id that is not the newest.
 */
static int note_next(struct fr_winding_down *down)
{
    if (++down->idle > AGAIN_LOOKS)
        down->newest = down->idle = 0;
    int r = note_active(down);
    if (down->count > 0)
        down->idle = 0;
    return r;
}

static bool is_over(const struct fr_winding_down *down)
{
    struct fr_table_walk walk = fr_table_walk(fr_service_table(down->service), down->states);

    return down->next == down->count && !fr_table_next(&walk);
}

static void look(void *arg)
{
    struct fr_winding_down *down = arg;
    struct fr_engine *engine = fr_service_engine(down->service);

    if (fr_service_is_ending(down->service)) { /* somebody did not want to wait */
        fr_timer_stop(down->timer);
        return;
    }
    /* While a lost engine's jobs are read again the table is the old one. */
    if (fr_service_is_loading(down->service) || fr_service_lost(down->service))
        return;
    if (down->cancel && down->next == down->count && note_next(down) < 0)
        return; /* tried again at the next look */
    for (size_t n = 0; n < SLICE && down->next < down->count; n++)
        engine->ops->cancel(engine, down->ids[down->next++], "the service is stopping",
                            on_cancelled, NULL);
    if (is_over(down))
        fr_service_stop(down->service, down->with_instance, NULL);
}

/* NULL: no memory. */
static struct fr_winding_down *wind_down(struct fr_api *api, const struct wanted *wanted)
{
    struct fr_winding_down *down = calloc(1, sizeof *down);

    if (!down)
        return NULL;
    down->service = api->service;
    down->with_instance = wanted->with_instance;
    down->states = wanted->cancel ? FR_STATES_ACTIVE : FR_STATES_RUNNING;
    down->cancel = wanted->cancel;
    if (fr_timer_create(api->loop, look, down, &down->timer) < 0) {
        fr_winding_down_free(down);
        return NULL;
    }
    return down;
}

void fr_handle_stop(struct fr_req *req)
{
    struct fr_api *api = fr_api_call(req)->api;
    _cleanup_(fr_cleanup_json) json_t *fields = NULL;
    struct wanted wanted = {.with_instance = true};
    const struct fr_member members[] = {{"instance", FR_MEMBER_BOOL, &wanted.with_instance},
                                        {"drain", FR_MEMBER_BOOL, &wanted.drain},
                                        {"cancel", FR_MEMBER_BOOL, &wanted.cancel}};

    if (!fr_body_read(req, members, FR_ARRAY_SIZE(members), &fields))
        return;
    if (wanted.drain || wanted.cancel) {
        struct fr_winding_down *down = wind_down(api, &wanted);
        if (!down) {
            fr_reply_no_memory(req);
            return;
        }
        fr_winding_down_free(api->winding_down);
        api->winding_down = down;
        fr_service_refuse_submits(api->service);
        fr_timer_start(down->timer, 0, LOOK_MS);
    }
    fr_req_set_header(req, "Connection", "close");
    fr_reply_message(req, 200, "The service is stopping.");
    if (!wanted.drain && !wanted.cancel)
        fr_service_stop(api->service, wanted.with_instance, NULL);
}
