// SPDX-License-Identifier: LGPL-3.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "engine/flux/thread.h"
#include "engine/flux/wrap.h"

void fr_flux_return(struct fr_flux_thread *thread, struct fr_flux_request *request)
{
    for (size_t i = 0; i < sizeof request->futures / sizeof request->futures[0]; i++) {
        flux_future_destroy(request->futures[i]);
        request->futures[i] = NULL;
    }
    fr_flux_tell(thread, &request->item);
}

void fr_flux_return_all(struct fr_flux_thread *thread, const char *why)
{
    struct fr_flux_request *request;

    while ((request = TAILQ_FIRST(&thread->flight))) {
        TAILQ_REMOVE(&thread->flight, request, flight);
        fr_flux_request_unanswered(request, true, why);
        fr_flux_return(thread, request);
    }
}

/* Flux has one errno for several refusals of a verb; its text tells them apart. */
static enum fr_code code_of_text(const char *text)
{
    static const struct {
        const char *text;
        enum fr_code code;
    } known[] = {
        {"unknown job", FR_CODE_JOB_NOT_FOUND}, /* urgency; the next is all others */
        {"unknown job id", FR_CODE_JOB_NOT_FOUND},
        {"job is inactive", FR_CODE_JOB_INACTIVE},
        {"job is not running", FR_CODE_JOB_STATE},
        {"urgency cannot be changed once resources are allocated", FR_CODE_JOB_STATE},
        {"Invalid signal number", FR_CODE_INVALID},
        {"requested duration places job expiration in the past", FR_CODE_INVALID},
    };

    for (size_t i = 0; i < FR_ARRAY_SIZE(known); i++)
        if (strcmp(text, known[i].text) == 0)
            return known[i].code;
    return FR_CODE_REFUSED;
}

/* Targets that are no nodes of the instance are told in several ways, with their names. */
static bool is_about_targets(const char *text)
{
    static const char *const known[] = {"invalid targets", "idset is empty",
                                        "idset is out of range"};

    for (size_t i = 0; i < FR_ARRAY_SIZE(known); i++)
        if (strncmp(text, known[i], strlen(known[i])) == 0)
            return true;
    return false;
}

/* Errors by which the way to Flux, not Flux, says that there will be no answer. */
static bool is_lost_on_the_way(int errnum)
{
    return errnum == ECONNRESET || errnum == EHOSTUNREACH || errnum == EPIPE || errnum == EIO ||
           errnum == ETIMEDOUT;
}

void fr_flux_refused(struct fr_flux_request *request, flux_future_t *f, int errnum)
{
    const char *text = fr_flux_why(f, errnum);
    enum fr_code code = code_of_text(text);

    if (is_lost_on_the_way(errnum)) {
        fr_flux_request_unanswered(request, true, "The connection to Flux broke.");
        return;
    }
    request->failed = true;
    if (code == FR_CODE_JOB_NOT_FOUND)
        text = "unknown job id";
    else if (is_about_targets(text))
        code = FR_CODE_NOT_FOUND;
    else if (errnum == EPERM && request->item.kind != FR_FLUX_SUBMIT)
        code = FR_CODE_FORBIDDEN; /* of a submit: something in the jobspec is not accepted */
    else if (errnum == ENOSYS)    /* the service is not loaded, so nobody has seen it */
        code = FR_CODE_UNAVAILABLE;
    (void)fr_error_set(&request->err, errnum, code, "%s", text);
}

int fr_flux_then(struct fr_flux_request *request, size_t i, flux_future_t *f,
                 flux_continuation_f on_answer)
{
    request->futures[i] = f;
    return f ? flux_future_then(f, -1., on_answer, request) : -1;
}

void fr_flux_answered(struct fr_flux_request *request)
{
    TAILQ_REMOVE(&request->thread->flight, request, flight);
    fr_flux_return(request->thread, request);
}

static void on_answer(flux_future_t *f, void *arg)
{
    struct fr_flux_request *request = arg;
    flux_jobid_t id = 0;
    int rc;

    if (request->item.kind == FR_FLUX_SUBMIT)
        rc = flux_job_submit_get_id(f, &id);
    else
        rc = flux_rpc_get(f, NULL);
    if (rc < 0)
        fr_flux_refused(request, f, errno);
    request->ret_id = id;
    fr_flux_answered(request);
}

static flux_future_t *send_submit(const struct fr_flux_request *request)
{
    _cleanup_(fr_cleanup_str) char *J = fr_flux_wrap(request->text, getuid());

    if (!J) {
        errno = ENOMEM;
        return NULL;
    }
    return flux_job_submit(request->thread->h, J, request->number, FLUX_JOB_PRE_SIGNED);
}

static flux_future_t *send_verb(struct fr_flux_request *request)
{
    flux_t *h = request->thread->h;

    switch (request->item.kind) {
    case FR_FLUX_SUBMIT:
        return send_submit(request);
    case FR_FLUX_CANCEL:
        return flux_job_cancel(h, request->id, request->text);
    case FR_FLUX_KILL:
        return flux_job_kill(h, request->id, request->number);
    case FR_FLUX_URGENCY:
        return flux_job_set_urgency(h, request->id, request->number);
    case FR_FLUX_DURATION:
        return flux_rpc_pack(h, "job-manager.update", FLUX_NODEID_ANY, 0, "{s:I s:{s:f}}", "id",
                             (json_int_t)request->id, "updates", "attributes.system.duration",
                             request->seconds);
    case FR_FLUX_DRAIN:
        return flux_rpc_pack(h, "resource.drain", 0, 0, "{s:s s:s*}", "targets", request->text,
                             "reason", request->reason);
    case FR_FLUX_UNDRAIN:
        return flux_rpc_pack(h, "resource.undrain", 0, 0, "{s:s}", "targets", request->text);
    case FR_FLUX_PING:
        /* Of the job manager, for it is what everything else waits for. */
        return flux_rpc_pack(h, "job-manager.ping", FLUX_NODEID_ANY, 0, "{s:i}", "seq", 0);
    default:
        return flux_rpc_pack(h, "shutdown.start", FLUX_NODEID_ANY, 0, "{s:i}", "loglevel", 3);
    }
}

/* 0; -1 with errno if it did not go out, or will never have an answer. */
static int send_request(struct fr_flux_request *request)
{
    switch (request->item.kind) {
    case FR_FLUX_NODES:
        return fr_flux_nodes_send(request);
    case FR_FLUX_QUEUES:
        return fr_flux_queues_send(request);
    case FR_FLUX_LOOKUP:
        return fr_flux_lookup_send(request);
    default:
        return fr_flux_then(request, 0, send_verb(request), on_answer);
    }
}

void fr_flux_send(struct fr_flux_thread *thread, struct fr_flux_request *request)
{
    int waiting = FR_FLUX_WAITING;

    request->thread = thread;
    if (!thread->h) {
        fr_flux_request_unanswered(request, false, thread->failure.text);
        fr_flux_return(thread, request);
        return;
    }
    if (!atomic_compare_exchange_strong(&request->fate, &waiting, FR_FLUX_TAKEN)) {
        fr_flux_return(thread, request); /* withdrawn: the caller has been told */
        return;
    }
    /*
     * As the broker's initial program we end the instance by ending ourselves; asking for it
     * would make flux-start(1) report a failure.
     */
    if (request->item.kind == FR_FLUX_SHUTDOWN && thread->parent != 0) {
        fr_flux_return(thread, request);
        return;
    }
    TAILQ_INSERT_TAIL(&thread->flight, request, flight);
    if (send_request(request) < 0) {
        char why[200];
        (void)snprintf(why, sizeof why, "Flux cannot be asked: %.100s.", strerror(errno));
        fr_flux_request_unanswered(request, request->futures[0], why);
        fr_flux_answered(request);
    }
}
