// SPDX-License-Identifier: LGPL-3.0-only
#include "api/api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/problem.h"
#include "api/reader.h"
#include "api/routes.h"
#include "api/sender.h"
#include "api/stop.h"
#include "api/web.h"
#include "base/log.h"
#include "base/util.h"
#include "model/fluid.h"

#define SAFE_METHODS (FR_GET | FR_HEAD | FR_OPTIONS)

static void reply_no_route(struct fr_req *req, int rc, int allow)
{
    static const char *const words[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
    struct fr_buf list = FR_BUF_INIT(256);
    struct fr_error err;

    if (rc == -ENOENT) {
        fr_error_set(&err, ENOENT, FR_CODE_NOT_FOUND,
                     "nothing is served at %.200s; /openapi.json lists what is",
                     fr_req_path(req));
        fr_reply_problem(req, 0, &err);
        return;
    }
    for (size_t i = 0; i < FR_ARRAY_SIZE(words); i++)
        if (allow & 1 << i)
            fr_buf_printf(&list, "%s%s", list.len ? ", " : "", words[i]);
    if (fr_buf_status(&list) == 0)
        fr_req_set_header(req, "Allow", list.data);
    fr_error_set(&err, ENOTSUP, FR_CODE_METHOD, "%.200s takes %s, not %.32s", fr_req_path(req),
                 list.data ? list.data : "other methods", fr_req_method_word(req));
    fr_buf_done(&list);
    fr_reply_problem(req, 0, &err);
}

static int check_browser(const struct fr_api *api, const struct fr_req *req,
                         const struct fr_call *call, struct fr_error *err)
{
    const char *host = fr_req_header(req, "Host");
    int rc = 0;

    /* Whoever sends credentials was not brought here by a name that an attacker chose: a
     * browser keeps them for the name that they were entered for. */
    bool has_credentials = call->who.method >= FR_BY_BASIC;
    if (!has_credentials && call->route->role != FR_ROLE_PUBLIC)
        rc = fr_auth_check_host(api->auth, host, err);
    if (rc < 0 || call->route->role == FR_ROLE_PUBLIC)
        return rc;
    const char *site = fr_req_header(req, "Sec-Fetch-Site");
    if (fr_req_method(req) & SAFE_METHODS)
        return fr_auth_check_embedding(site, fr_req_header(req, "Sec-Fetch-Mode"), err);
    return fr_auth_check_origin(host, fr_req_header(req, "Origin"), site, err);
}

static int check_who(const struct fr_api *api, const struct fr_req *req, struct fr_call *call,
                     struct fr_error *err)
{
    call->who = (struct fr_identity){.user = "", .method = FR_BY_PUBLIC};
    int rc = 0;

    if (call->route->role != FR_ROLE_PUBLIC)
        rc = fr_auth_check(api->auth, fr_req_peer(req), fr_req_header(req, "Authorization"),
                           &call->who, err);
    if (rc == 0)
        rc = check_browser(api, req, call, err);
    if (rc == 0 && call->who.role < call->route->role)
        rc = fr_error_set(
            err, EACCES, FR_CODE_FORBIDDEN, "this takes the role %s, and %s has %s",
            fr_role_word(call->route->role), call->who.user, fr_role_word(call->who.role));
    return rc;
}

/* Everything that can be refused before the body is read is refused here. */
static bool admit(void *arg, struct fr_req *req)
{
    struct fr_api *api = arg;
    struct fr_call *call = malloc(sizeof *call);
    struct fr_error err;
    int allow = 0;

    if (!call) {
        fr_reply_no_memory(req);
        return false;
    }
    call->api = api;
    call->bulk = NULL;
    call->param[0] = '\0';
    fr_req_set_data(req, call, free);
    call->route = fr_web_route(req);
    int rc = call->route ? 0
                         : fr_route_find(fr_req_method(req), fr_req_path(req), &call->route,
                                         call->param, sizeof call->param, &allow);
    if (rc < 0) {
        reply_no_route(req, rc, allow);
        return false;
    }
    rc = check_who(api, req, call, &err);
    if (rc == -EBUSY)
        fr_reply_problem_later(req, fr_auth_wait(api->auth, fr_req_peer(req)), &err);
    else if (rc < 0)
        fr_reply_problem(req, 0, &err);
    if (rc < 0) {
        return false;
    }
    fr_req_set_user(req, call->who.user);
    return !call->route->begin || call->route->begin(req);
}

static void handle(void *arg, struct fr_req *req)
{
    const struct fr_route *route = fr_api_call(req)->route;
    struct fr_problems problems;

    fr_problems_init(&problems);
    fr_route_check_query(route, req, &problems);
    if (problems.count || problems.left_out)
        fr_reply_problems(req, 0, NULL, &problems);
    else
        route->handle(req);
    fr_problems_done(&problems);
}

static void refuse(void *arg, struct fr_req *req, unsigned int status,
                   const struct fr_error *err)
{
    fr_reply_problem(req, status, err);
}

void fr_api_get_actor(const struct fr_req *req, struct fr_actor *ret)
{
    const struct fr_peer *peer = fr_req_peer(req);

    ret->who = fr_api_call(req)->who;
    ret->uid = peer->uid;
    (void)snprintf(ret->from, sizeof ret->from, "%s", peer->address);
    (void)snprintf(ret->request, sizeof ret->request, "%s", fr_req_id(req));
}

/*
 * Whether the request is to be noted: what was to change something, and who was refused with
 * credentials in hand. A read by somebody who has none is how a browser asks what is needed.
 */
static bool is_act(const struct fr_req *req, const struct fr_route *route, unsigned int status)
{
    if (fr_req_method(req) & SAFE_METHODS)
        return (status == 401 || status == 403 || status == 429) &&
               fr_req_header(req, "Authorization");
    return !route->acts_on_jobs || status == 0 || status >= 400;
}

static void note_act(const struct fr_api *api, const struct fr_req *req, unsigned int status)
{
    const struct fr_call *call = fr_req_data(req);
    struct fr_actor actor;
    uint64_t id;

    if (!api->audit || !call || !call->route || !call->route->id ||
        !is_act(req, call->route, status))
        return;
    bool has_job = strstr(call->route->path, "{id}") && fr_fluid_parse(call->param, &id) == 0;
    fr_api_get_actor(req, &actor);
    fr_audit_put(api->audit, &actor,
                 &(struct fr_act){.what = call->route->id,
                                  .id = has_job ? &id : NULL,
                                  .target = has_job ? NULL : call->param,
                                  .status = status});
}

/* The query is left out: it may hold what nobody wants in a log. */
static void log_access(void *arg, const struct fr_req *req, unsigned int status, uint64_t bytes,
                       double seconds)
{
    struct fr_api *api = arg;

    fr_stats_note_request(&api->stats, status, seconds);
    note_act(api, req, status);
    if (api->access_log)
        fr_log_info("%s %s \"%s %s\" %u %llu %.3fms %s", fr_req_peer(req)->address,
                    fr_req_user(req)[0] ? fr_req_user(req) : "-", fr_req_method_word(req),
                    fr_req_path(req), status, (unsigned long long)bytes, seconds * 1e3,
                    fr_req_id(req));
}

int fr_api_create(uv_loop_t *loop, const struct fr_api_options *options, struct fr_api **ret)
{
    struct fr_api *api = calloc(1, sizeof *api);

    if (!api)
        return -ENOMEM;
    *api = (struct fr_api){
        .loop = loop,
        .service = options->service,
        .auth = options->auth,
        .tokens = options->tokens,
        .audit = options->audit,
        .environ = options->environ,
        .json_depth = options->json_depth,
        .streams = options->streams,
        .streams_per_client = options->streams_per_client,
        .bulk_jobs = options->bulk_jobs,
        .access_log = options->access_log,
        .cwd = getcwd(NULL, 0),
    };
    if (!api->cwd)
        api->cwd = strdup("/"); /* the daemon's own directory was removed */
    LIST_INIT(&api->held);
    if (!api->cwd || fr_api_watch_held(api) < 0 || fr_senders_init(api) < 0 ||
        fr_readers_create(api, &api->readers) < 0 ||
        fr_stats_init(&api->stats, api->service) < 0) {
        fr_api_free(api);
        return -ENOMEM;
    }
    *ret = api;
    return 0;
}

void fr_api_free(struct fr_api *api)
{
    if (!api)
        return;
    fr_readers_free(api->readers);
    fr_timer_free(api->beat_timer);
    fr_timer_free(api->held_timer);
    fr_winding_down_free(api->winding_down);
    fr_finished_done(&api->finished);
    fr_stats_done(&api->stats);
    free(api->cwd);
    free(api);
}

struct fr_server_hooks fr_api_hooks(struct fr_api *api)
{
    return (struct fr_server_hooks){
        .admit = admit, .handle = handle, .refuse = refuse, .log = log_access, .arg = api};
}
