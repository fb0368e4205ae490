// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The HTTP API: what api's own files share, and what the daemon needs of it.
 *
 * A request goes: the server's checks → admit (route, Host, Origin, credentials, role) → the
 * body → handle (query parameters against the route's table, then the route's handler).
 * Every route is a row in routes.c; one file per resource has the handlers.
 */
#ifndef FR_API_API_H
#define FR_API_API_H

#include <sys/queue.h>

#include "api/finished.h"
#include "api/stats.h"
#include "base/loop.h"
#include "core/audit.h"
#include "core/auth.h"
#include "core/service.h"
#include "http/server.h"

struct fr_api_options {
    struct fr_service *service;      /* borrowed */
    struct fr_auth *auth;            /* borrowed */
    struct fr_tokens *tokens;        /* borrowed; NULL: there is no place to keep them */
    struct fr_audit *audit;          /* borrowed; NULL: none is kept */
    char *const *environ;            /* what a job's environment starts from; borrowed */
    unsigned int json_depth;         /* most levels of nesting in a body */
    unsigned int streams;            /* most event streams at a time */
    unsigned int streams_per_client; /* of one user at one address */
    unsigned int bulk_jobs;          /* most jobs of one request */
    bool access_log;
};

struct fr_api {
    uv_loop_t *loop;
    struct fr_service *service;
    struct fr_auth *auth;
    struct fr_tokens *tokens;
    struct fr_audit *audit;
    char *const *environ;
    char *cwd; /* of the daemon: where a job starts if it does not say */
    unsigned int json_depth;
    unsigned int streams, streams_per_client;
    unsigned int bulk_jobs;
    bool access_log;
    LIST_HEAD(fr_held_list, fr_held) held; /* requests that wait for the engine (held.h) */
    struct fr_timer *held_timer;
    struct fr_finished finished;
    LIST_HEAD(fr_senders, fr_sender) senders; /* open streams (sender.h) */
    struct fr_timer *beat_timer;
    struct fr_readers *readers; /* those of them that tell events (reader.h) */
    struct fr_stats stats;
    struct fr_winding_down *winding_down; /* the service waits for jobs to end (stop.c) */
};

/* What is known of a request once it is admitted: the request's data (fr_req_data()). */
struct fr_call {
    struct fr_api *api;
    const struct fr_route *route;
    struct fr_identity who;
    struct fr_bulk *bulk; /* what becomes of its lines, as they come (bulk.c), or NULL */
    char param[256];      /* what stood for the route's {…}, "" if it has none */
};

/* Who does what the request asks for. */
void fr_api_get_actor(const struct fr_req *req, struct fr_actor *ret);

/* 0 or -ENOMEM. */
int fr_api_create(uv_loop_t *loop, const struct fr_api_options *options, struct fr_api **ret);
void fr_api_free(struct fr_api *api); /* NULL is allowed */

/*
 * Answers every request that still waits for the engine with what is known: for the end, when
 * there is no more time to wait.
 */
void fr_api_answer_held(struct fr_api *api);

/* Makes the timer of held requests; called by fr_api_create(). 0 or a negative errno. */
int fr_api_watch_held(struct fr_api *api);

/* The hooks for fr_server_create(). */
struct fr_server_hooks fr_api_hooks(struct fr_api *api);

/* The call that belongs to an admitted request. */
static inline struct fr_call *fr_api_call(const struct fr_req *req)
{
    return fr_req_data(req);
}

#endif
