// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The routes: one table of what is served. Matching, the check of query parameters, roles and
 * the OpenAPI document all come from it.
 */
#ifndef FR_API_ROUTES_H
#define FR_API_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

#include "core/role.h"
#include "http/message.h"
#include "model/problems.h"

enum fr_param_type {
    FR_PARAM_TEXT,
    FR_PARAM_BOOL,
    FR_PARAM_COUNT,        /* a whole number, not negative */
    FR_PARAM_COUNT_OR_ALL, /* likewise, or -1 for all */
    FR_PARAM_WAIT,         /* run, inactive or change */
    FR_PARAM_TIMEOUT       /* seconds or an RFC 23 duration */
};

#define FR_ROUTE_PARAMS_MAX 32

/* A query parameter of a route. */
struct fr_param {
    const char *name;
    enum fr_param_type type;
    const char *summary;
};

struct fr_route {
    enum fr_method method; /* GET serves HEAD too */
    const char *path;      /* with "/v1" or without; may hold one "{…}" segment */
    bool bare;             /* served without the "/v1" too, for older clients */
    bool any_param;        /* ignores query parameters that it does not know */
    bool submit_fields;    /* its query parameters may be fields of a submit request */
    bool acts_on_jobs;     /* each job that it was done to has an audit line of its own */
    enum fr_role role;
    const char *id;           /* operationId in the OpenAPI document */
    const char *summary;      /* a sentence */
    const char *body;         /* name of the request body's schema, or NULL */
    unsigned short status;    /* of a reply that is none of a fault; 0: 200 */
    unsigned short others[2]; /* more of these, with the same reply */
    const char *reply;        /* name of the reply's schema, or a media type if it has a '/' */
    const char *event; /* of a stream: name of the schema of each line, or of an event's data */
    const struct fr_param *params;
    size_t nparams;
    /* Asked when the request is let in and its body begins; may take that as it comes
     * (fr_req_stream_body()). False if it answered. NULL: nothing to do. */
    bool (*begin)(struct fr_req *req);
    void (*handle)(struct fr_req *req);
};

/* All routes, in the order of the documentation. Static. */
const struct fr_route *fr_routes(size_t *ret_count);

/*
 * Finds the route for a method and a path. 0 with the route and what stood for its {…} (into
 * param of size bytes); -ENOENT: nothing at this path; -ENOTSUP: not that method, and
 * *ret_allow is a mask of the methods (enum fr_method) that are.
 */
int fr_route_find(enum fr_method method, const char *path, const struct fr_route **ret,
                  char *param, size_t size, int *ret_allow);

/* Adds a problem for every query parameter that the route does not know or that is no count
 * or boolean where it should be one. */
void fr_route_check_query(const struct fr_route *route, const struct fr_req *req,
                          struct fr_problems *problems);

#endif
