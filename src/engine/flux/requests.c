// SPDX-License-Identifier: LGPL-3.0-only
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "engine/flux/front.h"

/* Milliseconds until a request that got no answer is answered without Flux. */
#define PATIENCE_MS 30000

static struct fr_flux *of(struct fr_engine *engine)
{
    return fr_container_of(engine, struct fr_flux, base);
}

/* The caller may do anything in its callback, so the request is in no list then. */
static void answer(struct fr_flux_request *request)
{
    const struct fr_error *err = request->failed ? &request->err : NULL;

    request->answered = true;
    if (request->item.kind == FR_FLUX_SUBMIT)
        request->cb.submit(request->arg, request->ret_id, err);
    else if (request->item.kind != FR_FLUX_NODES)
        request->cb.done(request->arg, err);
    else if (err)
        request->cb.nodes(request->arg, NULL, 0, err);
    else
        request->cb.nodes(request->arg, request->nodes->nodes, request->nodes->count, NULL);
}

static void done_with(struct fr_flux *flux, struct fr_flux_request *request)
{
    flux->nrequests--;
    flux->bytes -= request->bytes;
    fr_flux_request_free(request);
}

void fr_flux_requests_back(struct fr_flux *flux, struct fr_flux_request *request)
{
    if (request->answered) {
        TAILQ_REMOVE(&flux->late, request, entry);
    } else {
        TAILQ_REMOVE(&flux->waiting, request, entry);
        if (request->nodes)
            flux->size = request->nodes->size;
        answer(request);
    }
    done_with(flux, request);
}

void fr_flux_requests_decide(struct fr_flux *flux)
{
    struct fr_flux_requests now;
    struct fr_flux_request *request;

    /* What a callback adds comes in the next turn. */
    TAILQ_INIT(&now);
    TAILQ_CONCAT(&now, &flux->decided, entry);
    while ((request = TAILQ_FIRST(&now))) {
        TAILQ_REMOVE(&now, request, entry);
        answer(request);
        done_with(flux, request);
    }
}

/* Answers a lent request without Flux, and takes it back if it has not gone out. */
static void give_up_on(struct fr_flux *flux, struct fr_flux_request *request, const char *why)
{
    int waiting = FR_FLUX_WAITING;
    bool sent = !atomic_compare_exchange_strong(&request->fate, &waiting, FR_FLUX_WITHDRAWN);
    struct fr_flux_request told = {.item = request->item, .cb = request->cb};

    /* The Flux thread may be filling in its own answer, so ours has a place of its own. */
    told.arg = request->arg;
    if (flux->close_due && !sent) {
        told.failed = true;
        (void)fr_error_set(&told.err, ECANCELED, FR_CODE_STOPPING, "%s", why);
    } else {
        fr_flux_request_unanswered(&told, sent, why);
    }
    TAILQ_REMOVE(&flux->waiting, request, entry);
    TAILQ_INSERT_TAIL(&flux->late, request, entry);
    request->answered = true;
    answer(&told);
}

void fr_flux_requests_expire(struct fr_flux *flux, uint64_t now)
{
    struct fr_flux_request *request;

    while ((request = TAILQ_FIRST(&flux->waiting)) && request->due <= now)
        give_up_on(flux, request, "Flux did not answer within 30 seconds.");
}

void fr_flux_requests_stop(struct fr_flux *flux)
{
    struct fr_flux_request *request;

    fr_flux_requests_decide(flux);
    while ((request = TAILQ_FIRST(&flux->waiting)))
        give_up_on(flux, request, "The service is stopping.");
}

static void free_all(struct fr_flux *flux, struct fr_flux_requests *list)
{
    struct fr_flux_request *request;

    while ((request = TAILQ_FIRST(list))) {
        TAILQ_REMOVE(list, request, entry);
        done_with(flux, request);
    }
}

void fr_flux_requests_free(struct fr_flux *flux)
{
    free_all(flux, &flux->late);
    free_all(flux, &flux->waiting);
    free_all(flux, &flux->decided);
}

static struct fr_flux_request *request_create(struct fr_flux *flux, enum fr_flux_kind kind,
                                              void *arg)
{
    struct fr_flux_request *request = calloc(1, sizeof *request);

    if (!request)
        return NULL;
    request->item.kind = kind;
    request->arg = arg;
    atomic_init(&request->fate, FR_FLUX_WAITING);
    flux->nrequests++;
    return request;
}

static void set_bytes(struct fr_flux *flux, struct fr_flux_request *request)
{
    request->bytes = request->text ? strlen(request->text) : 0;
    flux->bytes += request->bytes;
}

/* Why a request is not even lent; 0 if it may be. */
static int check(struct fr_flux *flux, struct fr_flux_request *request)
{
    if (flux->close_due)
        return fr_error_set(&request->err, ECANCELED, FR_CODE_STOPPING,
                            "The service is stopping.");
    if (!flux->has_thread)
        return fr_error_set(&request->err, ENOTCONN, FR_CODE_UNAVAILABLE,
                            "The Flux engine is not open.");
    if (flux->lost)
        return fr_error_set(&request->err, ENOTCONN, FR_CODE_UNAVAILABLE, "%s",
                            flux->lost_text);
    if (flux->nrequests > FR_FLUX_REQUESTS_MAX || flux->bytes > FR_FLUX_BYTES_MAX)
        return fr_error_set(&request->err, EAGAIN, FR_CODE_UNAVAILABLE,
                            "Flux is behind with what it was asked before; try again later.");
    return 0;
}

static void decide(struct fr_flux *flux, struct fr_flux_request *request)
{
    request->failed = true;
    TAILQ_INSERT_TAIL(&flux->decided, request, entry);
    fr_wake_send(flux->wake);
}

static void lend(struct fr_flux *flux, struct fr_flux_request *request)
{
    set_bytes(flux, request);
    if (check(flux, request) < 0) {
        decide(flux, request);
        return;
    }
    request->due = uv_now(flux->loop) + PATIENCE_MS;
    TAILQ_INSERT_TAIL(&flux->waiting, request, entry);
    /* There is room: the queue has as many places as requests are let out. */
    (void)fr_queue_push(flux->link->to_flux, &request->item);
}

static void no_memory(struct fr_flux *flux, struct fr_flux_request *request)
{
    (void)fr_error_set(&request->err, ENOMEM, FR_CODE_INTERNAL, "There is no memory for this.");
    decide(flux, request);
}

static const struct fr_error out_of_memory = {FR_CODE_INTERNAL, "There is no memory for this."};

void fr_flux_submit(struct fr_engine *engine, struct fr_jobspec *spec, int urgency,
                    fr_submit_f cb, void *arg)
{
    struct fr_flux *flux = of(engine);
    struct fr_flux_request *request = request_create(flux, FR_FLUX_SUBMIT, arg);

    if (!request) { /* nothing is left to answer with later */
        fr_jobspec_free(spec);
        cb(arg, 0, &out_of_memory);
        return;
    }
    request->cb.submit = cb;
    request->number = urgency;
    request->text = json_dumps(spec->json, JSON_COMPACT);
    fr_jobspec_free(spec);
    if (request->text)
        lend(flux, request);
    else
        no_memory(flux, request);
}

static void lend_verb(struct fr_engine *engine, enum fr_flux_kind kind, uint64_t id, int number,
                      const char *text, fr_done_f cb, void *arg)
{
    struct fr_flux *flux = of(engine);
    struct fr_flux_request *request = request_create(flux, kind, arg);

    if (!request) {
        cb(arg, &out_of_memory);
        return;
    }
    request->cb.done = cb;
    request->id = id;
    request->number = number;
    if (text && !(request->text = strdup(text)))
        no_memory(flux, request);
    else
        lend(flux, request);
}

void fr_flux_cancel(struct fr_engine *engine, uint64_t id, const char *note, fr_done_f cb,
                    void *arg)
{
    lend_verb(engine, FR_FLUX_CANCEL, id, 0, note, cb, arg);
}

void fr_flux_kill(struct fr_engine *engine, uint64_t id, int signum, fr_done_f cb, void *arg)
{
    lend_verb(engine, FR_FLUX_KILL, id, signum, NULL, cb, arg);
}

void fr_flux_shutdown(struct fr_engine *engine, fr_done_f cb, void *arg)
{
    lend_verb(engine, FR_FLUX_SHUTDOWN, 0, 0, NULL, cb, arg);
}

void fr_flux_nodes(struct fr_engine *engine, fr_nodes_f cb, void *arg)
{
    struct fr_flux *flux = of(engine);
    struct fr_flux_request *request = request_create(flux, FR_FLUX_NODES, arg);

    if (!request) {
        cb(arg, NULL, 0, &out_of_memory);
        return;
    }
    request->cb.nodes = cb;
    lend(flux, request);
}
