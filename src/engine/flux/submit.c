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

/* Flux has one errno for several refusals of a verb on a job; its text tells them apart. */
static enum fr_code code_of_text(const char *text)
{
    static const struct {
        const char *text;
        enum fr_code code;
    } known[] = {
        {"unknown job id", FR_CODE_JOB_NOT_FOUND},
        {"job is inactive", FR_CODE_JOB_INACTIVE},
        {"job is not running", FR_CODE_JOB_STATE},
        {"Invalid signal number", FR_CODE_INVALID},
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(text, known[i].text) == 0)
            return known[i].code;
    return FR_CODE_REFUSED;
}

static void refuse(struct fr_flux_request *request, int errnum, const char *text)
{
    enum fr_code code = code_of_text(text);

    request->failed = true;
    if (errnum == EPERM)
        code = FR_CODE_FORBIDDEN;
    else if (errnum == ENOSYS) /* the service is not loaded, so nobody has seen it */
        code = FR_CODE_UNAVAILABLE;
    (void)fr_error_set(&request->err, errnum, code, "%s", text);
}

/* Errors by which the way to Flux, not Flux, says that there will be no answer. */
static bool is_lost_on_the_way(int errnum)
{
    return errnum == ECONNRESET || errnum == EHOSTUNREACH || errnum == EPIPE || errnum == EIO ||
           errnum == ETIMEDOUT;
}

static void on_answer(flux_future_t *f, void *arg)
{
    struct fr_flux_request *request = arg;
    struct fr_flux_thread *thread = flux_future_aux_get(f, "thread");
    flux_jobid_t id = 0;
    int rc;

    if (request->item.kind == FR_FLUX_SUBMIT)
        rc = flux_job_submit_get_id(f, &id);
    else
        rc = flux_rpc_get(f, NULL);
    if (rc < 0 && is_lost_on_the_way(errno))
        fr_flux_request_unanswered(request, true, "The connection to Flux broke.");
    else if (rc < 0)
        refuse(request, errno, fr_flux_why(f, errno));
    request->ret_id = id;
    TAILQ_REMOVE(&thread->flight, request, flight);
    fr_flux_return(thread, request);
}

static flux_future_t *send_submit(struct fr_flux_thread *thread,
                                  const struct fr_flux_request *request)
{
    _cleanup_(fr_cleanup_str) char *J = fr_flux_wrap(request->text, getuid());

    if (!J) {
        errno = ENOMEM;
        return NULL;
    }
    return flux_job_submit(thread->h, J, request->number, FLUX_JOB_PRE_SIGNED);
}

static flux_future_t *send_verb(struct fr_flux_thread *thread, struct fr_flux_request *request)
{
    switch (request->item.kind) {
    case FR_FLUX_SUBMIT:
        return send_submit(thread, request);
    case FR_FLUX_CANCEL:
        return flux_job_cancel(thread->h, request->id, request->text);
    case FR_FLUX_KILL:
        return flux_job_kill(thread->h, request->id, request->number);
    default:
        return flux_rpc_pack(thread->h, "shutdown.start", FLUX_NODEID_ANY, 0, "{s:i}",
                             "loglevel", 3);
    }
}

/* 0; -1 with errno if the request did not go out. */
static int send_request(struct fr_flux_thread *thread, struct fr_flux_request *request)
{
    flux_future_t *f;

    if (request->item.kind == FR_FLUX_NODES)
        return fr_flux_nodes_send(thread, request);
    f = send_verb(thread, request);
    if (!f)
        return -1;
    request->futures[0] = f;
    if (flux_future_aux_set(f, "thread", thread, NULL) < 0 ||
        flux_future_then(f, -1., on_answer, request) < 0) {
        /* It went out, but nothing will ever tell what became of it. */
        fr_flux_request_unanswered(request, true, "There is no memory.");
        fr_flux_return(thread, request);
        return 0;
    }
    TAILQ_INSERT_TAIL(&thread->flight, request, flight);
    return 0;
}

void fr_flux_send(struct fr_flux_thread *thread, struct fr_flux_request *request)
{
    int waiting = FR_FLUX_WAITING;

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
    if (send_request(thread, request) < 0) {
        char why[200];
        (void)snprintf(why, sizeof why, "Flux cannot be written to: %.100s.", strerror(errno));
        fr_flux_request_unanswered(request, false, why);
        fr_flux_return(thread, request);
    }
}
