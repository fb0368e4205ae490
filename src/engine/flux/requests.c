// SPDX-License-Identifier: LGPL-3.0-only
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "engine/flux/front.h"

static struct fr_flux *of(struct fr_engine *engine)
{
    return fr_container_of(engine, struct fr_flux, base);
}

/* The caller may do anything in its callback, so the request is in no list then. */
static void answer(struct fr_flux_request *request)
{
    const struct fr_error *err = request->failed ? &request->err : NULL;

    request->answered = true;
    switch (request->item.kind) {
    case FR_FLUX_SUBMIT:
        request->cb.submit(request->arg, request->ret_id, err);
        break;
    case FR_FLUX_NODES:
        request->cb.nodes(request->arg, err ? NULL : request->nodes->nodes,
                          err ? 0 : request->nodes->count, err);
        break;
    case FR_FLUX_QUEUES:
        request->cb.queues(request->arg, err ? NULL : request->queues->queues,
                           err ? 0 : request->queues->count, err);
        break;
    case FR_FLUX_LOOKUP:
        request->cb.lookup(request->arg, err ? NULL : request->found,
                           err ? 0 : strlen(request->found), err);
        break;
    default:
        request->cb.done(request->arg, err);
    }
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
    char why[80];

    (void)snprintf(why, sizeof why, "Flux did not answer within %" PRIu64 " seconds.",
                   flux->patience_ms / 1000);
    while ((request = TAILQ_FIRST(&flux->waiting)) && request->due <= now)
        give_up_on(flux, request, why);
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
    if (flux->lost && !(flux->silent && request->item.kind == FR_FLUX_PING)) {
        fr_flux_request_unanswered(request, false, flux->lost_text);
        return -ENOTCONN;
    }
    if (flux->nrequests > flux->requests_max || flux->bytes > FR_FLUX_BYTES_MAX) {
        fr_flux_request_unanswered(request, false,
                                   "Flux is behind with what it was asked before.");
        return -EAGAIN;
    }
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
    request->due = uv_now(flux->loop) + flux->patience_ms;
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

/* What a verb without a result says of itself; 0 and NULL for what it does not need. */
struct verb {
    enum fr_flux_kind kind;
    uint64_t id;
    int number;
    double seconds;
    const char *text, *reason;
};

static int copy(const char *text, char **ret)
{
    *ret = text ? strdup(text) : NULL;
    return text && !*ret ? -ENOMEM : 0;
}

static void lend_verb(struct fr_engine *engine, const struct verb *verb, fr_done_f cb,
                      void *arg)
{
    struct fr_flux *flux = of(engine);
    struct fr_flux_request *request = request_create(flux, verb->kind, arg);

    if (!request) {
        cb(arg, &out_of_memory);
        return;
    }
    request->cb.done = cb;
    request->id = verb->id;
    request->number = verb->number;
    request->seconds = verb->seconds;
    if (copy(verb->text, &request->text) < 0 || copy(verb->reason, &request->reason) < 0)
        no_memory(flux, request);
    else
        lend(flux, request);
}

void fr_flux_cancel(struct fr_engine *engine, uint64_t id, const char *note, fr_done_f cb,
                    void *arg)
{
    lend_verb(engine, &(struct verb){.kind = FR_FLUX_CANCEL, .id = id, .text = note}, cb, arg);
}

void fr_flux_kill(struct fr_engine *engine, uint64_t id, int signum, fr_done_f cb, void *arg)
{
    lend_verb(engine, &(struct verb){.kind = FR_FLUX_KILL, .id = id, .number = signum}, cb,
              arg);
}

void fr_flux_urgency(struct fr_engine *engine, uint64_t id, int urgency, fr_done_f cb,
                     void *arg)
{
    lend_verb(engine, &(struct verb){.kind = FR_FLUX_URGENCY, .id = id, .number = urgency}, cb,
              arg);
}

void fr_flux_duration(struct fr_engine *engine, uint64_t id, double seconds, fr_done_f cb,
                      void *arg)
{
    lend_verb(engine, &(struct verb){.kind = FR_FLUX_DURATION, .id = id, .seconds = seconds},
              cb, arg);
}

void fr_flux_drain(struct fr_engine *engine, const char *targets, const char *reason,
                   fr_done_f cb, void *arg)
{
    lend_verb(engine, &(struct verb){.kind = FR_FLUX_DRAIN, .text = targets, .reason = reason},
              cb, arg);
}

void fr_flux_undrain(struct fr_engine *engine, const char *targets, fr_done_f cb, void *arg)
{
    lend_verb(engine, &(struct verb){.kind = FR_FLUX_UNDRAIN, .text = targets}, cb, arg);
}

void fr_flux_ping(struct fr_flux *flux, fr_done_f cb, void *arg)
{
    lend_verb(&flux->base, &(struct verb){.kind = FR_FLUX_PING}, cb, arg);
}

void fr_flux_shutdown(struct fr_engine *engine, fr_done_f cb, void *arg)
{
    lend_verb(engine, &(struct verb){.kind = FR_FLUX_SHUTDOWN}, cb, arg);
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

void fr_flux_queues(struct fr_engine *engine, fr_queues_f cb, void *arg)
{
    struct fr_flux *flux = of(engine);
    struct fr_flux_request *request = request_create(flux, FR_FLUX_QUEUES, arg);

    if (!request) {
        cb(arg, NULL, 0, &out_of_memory);
        return;
    }
    request->cb.queues = cb;
    lend(flux, request);
}

void fr_flux_lookup(struct fr_engine *engine, uint64_t id, enum fr_lookup what, fr_lookup_f cb,
                    void *arg)
{
    struct fr_flux *flux = of(engine);
    struct fr_flux_request *request = request_create(flux, FR_FLUX_LOOKUP, arg);

    if (!request) {
        cb(arg, NULL, 0, &out_of_memory);
        return;
    }
    request->cb.lookup = cb;
    request->id = id;
    request->number = what;
    lend(flux, request);
}
