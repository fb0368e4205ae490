// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The API over an engine that is played by hand: a real server, clients over loopback, and a
 * table of jobs that the test fills through the engine's sink.
 */
#ifndef API_FIXTURE_H
#define API_FIXTURE_H

#include "api/api.h"
#include "http_client.h"

struct api_fix {
    struct http_fix http; /* for client_open() and fix_wait() */
    struct fr_service *service;
    const struct fr_engine_sink *sink;
    struct fr_engine engine;
    struct fr_engine_ops ops; /* may be changed by the test */
    struct fr_auth *auth;
    struct fr_api *api;

    unsigned int stops; /* the service was told to stop */
    bool with_instance;

    uint64_t latest;      /* the job that was added last */
    int64_t latest_index; /* of its next event */

    /* The watch on a job's output that the API holds, if any. */
    bool watching;
    fr_output_f output_cb;
    void *output_arg;
};

/* Started, caught up, without jobs. */
struct api_fix *api_start(void);
void api_end(struct api_fix *fix);

/* Adds a job that waits for resources. */
void api_add_waiting(struct api_fix *fix, uint64_t id, const char *name);
/* Adds a job that has begun to run. */
void api_add_job(struct api_fix *fix, uint64_t id, const char *name);
/* One more event of a job. */
void api_event(struct api_fix *fix, uint64_t id, const char *name, const char *context);

/* A request without a body, of one line such as "GET /v1/jobs", on a connection of its own;
 * returns the whole reply, to be freed, and its status. */
char *api_ask(struct api_fix *fix, const char *line, unsigned int *ret_status);
/* The same with a JSON body. */
char *api_post(struct api_fix *fix, const char *line, const char *json,
               unsigned int *ret_status);

#endif
