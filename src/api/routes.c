// SPDX-License-Identifier: LGPL-3.0-only
#include "api/routes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/filter.h"
#include "api/handlers.h"
#include "api/params.h"
#include "base/text.h"
#include "base/util.h"

#define PARAMS(array) .params = (array), .nparams = FR_ARRAY_SIZE(array)

#define WAIT_PARAMS                                                                            \
    {"wait", FR_PARAM_WAIT,                                                                    \
     "Answer when the job runs, has ended, or anything is new of it: 200;"                     \
     " 202 if the time is over before."},                                                      \
    {                                                                                          \
        "timeout", FR_PARAM_TIMEOUT, "How long to wait: 30 s if not given, at most an hour."   \
    }

/* What says which jobs are meant. */
#define FILTER_PARAMS                                                                          \
    {"state", FR_PARAM_TEXT,                                                                   \
     "Only jobs in these states: RFC 21 names, pending, running, active or inactive, "         \
     "separated by commas."},                                                                  \
        {"result", FR_PARAM_TEXT,                                                              \
         "Only jobs that ended so: completed, failed, canceled or timeout, separated by "      \
         "commas."},                                                                           \
        {"name", FR_PARAM_TEXT, "Only jobs whose name matches this pattern of * and ?."},      \
        {"user", FR_PARAM_TEXT,                                                                \
         "Only this user's jobs (name or number), or all; the daemon's own user's if neither " \
         "this nor ids is given."},                                                            \
        {"ids", FR_PARAM_TEXT, "Only these jobs, separated by commas."},                       \
        {"queue", FR_PARAM_TEXT, "Only jobs of this queue."},                                  \
    {                                                                                          \
        "q", FR_PARAM_TEXT, "Part of an id, name, command or node list, in any case."          \
    }

/* And when; not for events, where since is a cursor. */
#define TIME_PARAMS                                                                            \
    {"since", FR_PARAM_TEXT, "Only jobs that had not ended at this time (epoch)."},            \
    {                                                                                          \
        "until", FR_PARAM_TEXT, "Only jobs that were submitted by this time (epoch)."          \
    }

static const struct fr_param list_params[] = {
    {"details", FR_PARAM_BOOL, "An object keyed by id instead, as older clients read it."},
    {"detail", FR_PARAM_BOOL, "The same as details."},
    {"listing", FR_PARAM_BOOL, "With details: a list."},
    {"limit", FR_PARAM_COUNT, "Most jobs in the reply: 1000 if not given, at most 10000."},
    FILTER_PARAMS,
    TIME_PARAMS,
    {"sort", FR_PARAM_TEXT, "The job's field to sort by; with - before it, backwards."},
    {"fields", FR_PARAM_TEXT, "Only these fields of each job, separated by commas."},
    {"page", FR_PARAM_TEXT, "The page that next of an earlier one named."},
    {"start", FR_PARAM_COUNT,
     "Jobs to pass over, in place of page: total then says how many match, and next is null."},
    WAIT_PARAMS,
    {"all", FR_PARAM_BOOL, "With wait: when all jobs got there, not just one."},
};

static const struct fr_param output_params[] = {
    {"stream", FR_PARAM_TEXT, "As SSE: only stdout, or only stderr."},
    {"rank", FR_PARAM_COUNT, "As SSE: only the task of this rank."},
    {"offset", FR_PARAM_TEXT,
     "As SSE: the id of the last event that came, to go on after. The header Last-Event-ID "
     "does the same, and counts first."},
};

static const struct fr_param events_params[] = {
    {"since", FR_PARAM_TEXT,
     "The cursor to go on after, of a list or an event; 0: from the oldest event that is kept. "
     "The header Last-Event-ID does the same, and counts first."},
    {"snapshot", FR_PARAM_BOOL, "The jobs that match come first, as they are."},
    {"event", FR_PARAM_TEXT, "Only events of these names, separated by commas."},
    FILTER_PARAMS,
};

static const struct fr_param log_params[] = {
    {"follow", FR_PARAM_BOOL, "As a stream that goes on until the job ends."},
    {"since", FR_PARAM_TEXT,
     "In a stream: the id of the last event that came. The header Last-Event-ID does the same, "
     "and counts first."},
};

static const struct fr_param search_params[] = {
    {"start", FR_PARAM_COUNT, "Jobs to pass over: 0 if not given."},
    {"length", FR_PARAM_COUNT_OR_ALL, "Most jobs in the reply; -1: all, up to 10000."},
    {"draw", FR_PARAM_COUNT,
     "Given back as it came; with it recordsFiltered counts all matches."},
    {"search[value]", FR_PARAM_TEXT, "Part of an id, name, command or node list, in any case."},
    {"search", FR_PARAM_TEXT, "The same as search[value]."},
    {"query", FR_PARAM_TEXT, "The same as search[value]."},
};

static const struct fr_param stop_params[] = {
    {"instance", FR_PARAM_BOOL, "Whether the Flux instance ends too: true if not given."},
    {"drain", FR_PARAM_BOOL, "When no job runs any more; nothing is submitted meanwhile."},
    {"cancel", FR_PARAM_BOOL, "When all jobs have ended, for which they are cancelled."},
};

static const struct fr_param nodes_params[] = {
    {"details", FR_PARAM_BOOL, "Each node's rank, state, drain reason, cores, GPUs and jobs."},
};

static const struct fr_param job_params[] = {WAIT_PARAMS};

static const struct fr_param post_params[] = {
    {"dry_run", FR_PARAM_BOOL, "Submit nothing; say whether and why (not) the job could run."},
    WAIT_PARAMS};

static const struct fr_param cancel_many_params[] = {
    FILTER_PARAMS,
    TIME_PARAMS,
    {"reason", FR_PARAM_TEXT, "Why, as the note of each job's exception."},
};

static const struct fr_param kill_params[] = {
    {"signal", FR_PARAM_TEXT, "A signal's name or number; SIGTERM if not given."},
};

static const struct fr_param urgency_params[] = {
    {"urgency", FR_PARAM_TEXT, "0 (held) to 31, or hold, default or expedite."},
};

static const struct fr_param duration_params[] = {
    {"duration", FR_PARAM_TEXT, "Seconds, or a text such as 1.5h; 0 is no limit."},
};

static const struct fr_param jobspec_params[] = {
    {"environment", FR_PARAM_BOOL, "With the job's environment, which may hold secrets."},
};

static const struct fr_param drain_params[] = {
    {"reason", FR_PARAM_TEXT, "Why, for whoever looks at the node."},
};

static const struct fr_param stats_params[] = {
    {"history", FR_PARAM_TIMEOUT,
     "With the points of that long a past, such as 1h; one every "
     "ten seconds, an hour at most."},
};

static const struct fr_param cancel_params[] = {
    {"reason", FR_PARAM_TEXT, "Why, as the note of the job's exception."},
};

static const struct fr_route routes[] = {
    {.method = FR_POST,
     .path = "/v1/jobs/submit",
     .bare = true,
     .submit_fields = true,
     .acts_on_jobs = true,
     .role = FR_ROLE_SUBMIT,
     .id = "submitJob",
     .summary = "Submit a job: fields as a JSON object, a form, or query parameters.",
     .body = "SubmitRequest",
     .reply = "Submitted",
     .handle = fr_handle_submit},
    {.method = FR_POST,
     .path = "/v1/jobs",
     .bare = true,
     .acts_on_jobs = true,
     .role = FR_ROLE_SUBMIT,
     .id = "createJobs",
     .summary = "Submit one job (an object), or many (a list, or lines of objects).",
     .body = "CreateRequest",
     .status = 201,
     .others = {200, 202},
     .reply = "CreateReply",
     PARAMS(post_params),
     .begin = fr_begin_post,
     .handle = fr_handle_post},
    {.method = FR_GET,
     .path = "/v1/jobs",
     .bare = true,
     .role = FR_ROLE_READ,
     .id = "listJobs",
     .summary = "List jobs: waiting, running, then finished with the newest first; with "
                "Accept: application/x-ndjson all that match, as lines.",
     .others = {202},
     .reply = "JobList",
     PARAMS(list_params),
     .handle = fr_handle_jobs},
    {.method = FR_GET,
     .path = "/v1/jobs/search",
     .bare = true,
     .any_param = true,
     .role = FR_ROLE_READ,
     .id = "searchJobs",
     .summary = "Search jobs, in the form that DataTables asks and reads.",
     .reply = "JobSearch",
     PARAMS(search_params),
     .handle = fr_handle_search},
    {.method = FR_POST,
     .path = "/v1/jobs/cancel",
     .bare = true,
     .acts_on_jobs = true,
     .role = FR_ROLE_SUBMIT,
     .id = "cancelJobs",
     .summary = "Ask for many jobs to be cancelled, by ids or by what a list filters by.",
     .body = "CancelManyRequest",
     .reply = "CancelledMany",
     PARAMS(cancel_many_params),
     .handle = fr_handle_cancel_many},
    {.method = FR_GET,
     .path = "/v1/jobs/{id}",
     .bare = true,
     .role = FR_ROLE_READ,
     .id = "getJob",
     .summary = "One job with all that is known of it.",
     .others = {202},
     .reply = "Job",
     PARAMS(job_params),
     .handle = fr_handle_job},
    {.method = FR_DELETE,
     .path = "/v1/jobs/{id}",
     .bare = true,
     .role = FR_ROLE_SUBMIT,
     .id = "deleteJob",
     .summary = "Ask for a waiting or running job to be cancelled; 409 if it has ended.",
     .status = 202,
     .reply = "JobAction",
     PARAMS(cancel_params),
     .handle = fr_handle_delete},
    {.method = FR_POST,
     .path = "/v1/jobs/{id}/cancel",
     .bare = true,
     .role = FR_ROLE_SUBMIT,
     .id = "cancelJob",
     .summary = "Ask for a waiting or running job to be cancelled.",
     .body = "CancelRequest",
     .reply = "Cancelled",
     PARAMS(cancel_params),
     .handle = fr_handle_cancel},
    {.method = FR_POST,
     .path = "/v1/jobs/{id}/kill",
     .bare = true,
     .role = FR_ROLE_SUBMIT,
     .id = "killJob",
     .summary = "Send a signal to a running job's tasks.",
     .body = "KillRequest",
     .reply = "JobAction",
     PARAMS(kill_params),
     .handle = fr_handle_kill},
    {.method = FR_POST,
     .path = "/v1/jobs/{id}/urgency",
     .bare = true,
     .role = FR_ROLE_SUBMIT,
     .id = "setUrgency",
     .summary = "Change a waiting job's urgency.",
     .body = "UrgencyRequest",
     .reply = "JobAction",
     PARAMS(urgency_params),
     .handle = fr_handle_urgency},
    {.method = FR_POST,
     .path = "/v1/jobs/{id}/duration",
     .bare = true,
     .role = FR_ROLE_SUBMIT,
     .id = "setDuration",
     .summary = "Change the time limit of a waiting or running job.",
     .body = "DurationRequest",
     .reply = "JobAction",
     PARAMS(duration_params),
     .handle = fr_handle_duration},
    {.method = FR_GET,
     .path = "/v1/jobs/{id}/events",
     .bare = true,
     .role = FR_ROLE_READ,
     .id = "getEvents",
     .summary = "A job's log (RFC 18): as JSON, or with Accept: application/x-ndjson as lines.",
     .reply = "EventLog",
     PARAMS(log_params),
     .handle = fr_handle_events},
    {.method = FR_GET,
     .path = "/v1/jobs/{id}/jobspec",
     .bare = true,
     .role = FR_ROLE_READ,
     .id = "getJobspec",
     .summary = "A job's jobspec (RFC 25), without its environment unless asked for.",
     .reply = "Jobspec",
     PARAMS(jobspec_params),
     .handle = fr_handle_jobspec},
    {.method = FR_GET,
     .path = "/v1/jobs/{id}/R",
     .bare = true,
     .role = FR_ROLE_READ,
     .id = "getR",
     .summary = "The resources that a job was given (RFC 20).",
     .reply = "ResourceSet",
     .handle = fr_handle_R},
    {.method = FR_GET,
     .path = "/v1/jobs/{id}/output",
     .bare = true,
     .role = FR_ROLE_READ,
     .id = "getOutput",
     .summary = "The lines that a job has written so far.",
     .reply = "Output",
     .handle = fr_handle_output},
    {.method = FR_GET,
     .path = "/v1/jobs/{id}/output/stream",
     .bare = true,
     .role = FR_ROLE_READ,
     .id = "streamOutput",
     .summary = "A job's lines as they come, until it ends; with Accept: text/event-stream as "
                "SSE, piece by piece, and last an event exit that says how it ended.",
     .reply = "text/plain",
     PARAMS(output_params),
     .handle = fr_handle_output_stream},
    {.method = FR_GET,
     .path = "/v1/events",
     .role = FR_ROLE_READ,
     .id = "streamEvents",
     .summary = "Every event of every job as it comes: with Accept: text/event-stream as SSE, "
                "else as lines of JSON.",
     .reply = "application/x-ndjson",
     .event = "Event",
     PARAMS(events_params),
     .handle = fr_handle_all_events},
    {.method = FR_GET,
     .path = "/v1/jobs/{id}/output/stdout",
     .bare = true,
     .role = FR_ROLE_READ,
     .id = "getStdout",
     .summary = "The bytes that a job has written to its standard output; takes Range.",
     .reply = "application/octet-stream",
     .handle = fr_handle_stdout},
    {.method = FR_GET,
     .path = "/v1/jobs/{id}/output/stderr",
     .bare = true,
     .role = FR_ROLE_READ,
     .id = "getStderr",
     .summary = "The bytes that a job has written to its standard error; takes Range.",
     .reply = "application/octet-stream",
     .handle = fr_handle_stderr},
    {.method = FR_GET,
     .path = "/v1/nodes",
     .bare = true,
     .role = FR_ROLE_READ,
     .id = "listNodes",
     .summary = "The nodes that are up.",
     .reply = "NodeList",
     PARAMS(nodes_params),
     .handle = fr_handle_nodes},
    {.method = FR_POST,
     .path = "/v1/nodes/{name}/drain",
     .bare = true,
     .role = FR_ROLE_ADMIN,
     .id = "drainNode",
     .summary = "Take nodes (a hostlist, or ranks) out of service; jobs there go on.",
     .body = "DrainRequest",
     .reply = "NodeAction",
     PARAMS(drain_params),
     .handle = fr_handle_drain},
    {.method = FR_POST,
     .path = "/v1/nodes/{name}/undrain",
     .bare = true,
     .role = FR_ROLE_ADMIN,
     .id = "undrainNode",
     .summary = "Put nodes back into service.",
     .reply = "NodeAction",
     .handle = fr_handle_undrain},
    {.method = FR_GET,
     .path = "/v1/queues",
     .bare = true,
     .role = FR_ROLE_READ,
     .id = "listQueues",
     .summary = "The queues: whether each takes and starts jobs, what one may ask for, and how "
                "many it has.",
     .reply = "QueueList",
     .handle = fr_handle_queues},
    {.method = FR_GET,
     .path = "/v1/service",
     .role = FR_ROLE_READ,
     .id = "getService",
     .summary = "What runs here: version, engine, instance, size, and who you are.",
     .reply = "Service",
     .handle = fr_handle_service},
    {.method = FR_GET,
     .path = "/v1/stats",
     .role = FR_ROLE_READ,
     .id = "getStats",
     .summary = "Jobs by state, cores and GPUs in use, throughput, and how that was.",
     .reply = "Stats",
     PARAMS(stats_params),
     .handle = fr_handle_stats},
    {.method = FR_GET,
     .path = "/metrics",
     .role = FR_ROLE_READ,
     .id = "getMetrics",
     .summary = "Counts and gauges in the form of OpenMetrics.",
     .reply = "application/openmetrics-text",
     .handle = fr_handle_metrics},
    {.method = FR_POST,
     .path = "/v1/service/stop",
     .bare = true,
     .role = FR_ROLE_ADMIN,
     .id = "stopService",
     .summary = "Stop the service, and with Flux the instance.",
     .body = "StopRequest",
     .reply = "Message",
     PARAMS(stop_params),
     .handle = fr_handle_stop},
    {.method = FR_POST,
     .path = "/v1/token",
     .role = FR_ROLE_PUBLIC,
     .id = "exchangeToken",
     .summary = "Exchange a signed JWT with user, pass and scope for an access token, as the "
                "client's release 0.2 does.",
     .reply = "AccessToken",
     .handle = fr_handle_sign_in},
    {.method = FR_GET,
     .path = "/v1/tokens",
     .role = FR_ROLE_ADMIN,
     .id = "listTokens",
     .summary =
         "The scoped tokens: names, roles and ends; of their texts only hashes are kept.",
     .reply = "TokenList",
     .handle = fr_handle_tokens},
    {.method = FR_POST,
     .path = "/v1/tokens",
     .role = FR_ROLE_ADMIN,
     .id = "createToken",
     .summary = "Make a token with a role and an end; its text is told this once.",
     .body = "TokenRequest",
     .status = 201,
     .reply = "NewToken",
     .handle = fr_handle_create_token},
    {.method = FR_DELETE,
     .path = "/v1/tokens/{token}",
     .role = FR_ROLE_ADMIN,
     .id = "revokeToken",
     .summary = "Revoke a token: it lets nobody in any more.",
     .reply = "NodeAction",
     .handle = fr_handle_revoke_token},
    {.method = FR_GET,
     .path = "/livez",
     .role = FR_ROLE_PUBLIC,
     .id = "isAlive",
     .summary = "Whether the daemon answers.",
     .reply = "Health",
     .handle = fr_handle_livez},
    {.method = FR_GET,
     .path = "/readyz",
     .role = FR_ROLE_PUBLIC,
     .id = "isReady",
     .summary = "Whether the engine is reached and its jobs are known.",
     .reply = "Health",
     .handle = fr_handle_readyz},
    {.method = FR_GET,
     .path = "/healthz",
     .role = FR_ROLE_PUBLIC,
     .id = "isHealthy",
     .summary = "The same as /readyz.",
     .reply = "Health",
     .handle = fr_handle_readyz},
    {.method = FR_GET,
     .path = "/openapi.json",
     .role = FR_ROLE_READ,
     .id = "getOpenAPI",
     .summary = "This interface as an OpenAPI 3.1 document.",
     .reply = "application/json",
     .handle = fr_handle_openapi},
    {.method = FR_GET,
     .path = "/",
     .role = FR_ROLE_READ,
     .id = "getStartPage",
     .summary = "A page that says what runs here.",
     .reply = "text/html",
     .handle = fr_handle_root},
    {.method = FR_GET,
     .path = "/docs",
     .role = FR_ROLE_PUBLIC,
     .id = "getDocs",
     .summary = "The page that shows this interface and lets it be tried.",
     .reply = "text/html",
     .handle = fr_handle_web},
};

const struct fr_route *fr_routes(size_t *ret_count)
{
    *ret_count = FR_ARRAY_SIZE(routes);
    return routes;
}

/* Whether path is pattern, with one segment, not empty, for its "{…}", if it has one. */
static bool matches(const char *pattern, const char *path, const char **ret_param,
                    size_t *ret_len)
{
    *ret_len = 0;
    for (; *pattern != '{'; pattern++, path++) {
        if (*pattern != *path)
            return false;
        if (!*pattern)
            return true;
    }
    *ret_param = path;
    *ret_len = strcspn(path, "/");
    return *ret_len > 0 && strcmp(strchr(pattern, '}') + 1, path + *ret_len) == 0;
}

static bool is_versioned(const char *path)
{
    return strncmp(path, "/v1/", 4) == 0;
}

static bool route_matches(const struct fr_route *route, const char *path, bool versioned,
                          const char **ret_param, size_t *ret_len)
{
    if (versioned || !route->bare)
        return matches(route->path, path, ret_param, ret_len);
    return matches(route->path + strlen("/v1"), path, ret_param, ret_len);
}

/* This is on the way of every request: the table is gone through once. */
int fr_route_find(enum fr_method method, const char *path, const struct fr_route **ret,
                  char *param, size_t size, int *ret_allow)
{
    const bool versioned = is_versioned(path);
    bool literal = false; /* the path is a route's own text: "/jobs/search" is no job */
    int allow = 0;

    *ret_allow = 0;
    for (size_t i = 0; i < FR_ARRAY_SIZE(routes); i++) {
        const struct fr_route *route = &routes[i];
        const char *at = "";
        size_t len;
        if (!route_matches(route, path, versioned, &at, &len) || (literal && len > 0))
            continue;
        literal |= len == 0;
        const int methods = route->method | (route->method == FR_GET ? FR_HEAD : 0);
        allow |= methods;
        if (!(method & methods))
            continue;
        if (len >= size)
            return -ENOENT; /* longer than anything that could stand here */
        memcpy(param, at, len);
        param[len] = '\0';
        *ret = route;
        return 0;
    }
    *ret_allow = allow;
    return allow ? -ENOTSUP : -ENOENT;
}

struct query_check {
    const struct fr_route *route;
    struct fr_problems *problems;
};

static void check_param(void *arg, const char *name, const char *value)
{
    const struct query_check *check = arg;
    const struct fr_route *route = check->route;
    const char *known[FR_ROUTE_PARAMS_MAX];

    for (size_t i = 0; i < route->nparams; i++) {
        known[i] = route->params[i].name;
        if (strcmp(name, known[i]) != 0)
            continue;
        fr_param_check(route->params[i].type, name, value, check->problems);
        return;
    }
    if (route->any_param)
        return;
    char pointer[80];
    const char *nearest = fr_text_nearest(name, known, route->nparams);
    snprintf(pointer, sizeof pointer, "?%.64s", name);
    fr_problems_add(check->problems, FR_CODE_UNKNOWN_FIELD, pointer,
                    "there is no query parameter \"%.64s\" here%s%s%s", name,
                    nearest ? "; did you mean \"" : "", nearest ? nearest : "",
                    nearest ? "\"?" : "");
}

void fr_route_check_query(const struct fr_route *route, const struct fr_req *req,
                          struct fr_problems *problems)
{
    struct query_check check = {route, problems};

    if (!route->submit_fields)
        fr_req_query_each(req, check_param, &check);
}
