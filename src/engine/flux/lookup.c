// SPDX-License-Identifier: LGPL-3.0-only
/*
 * What is kept of one job. It is asked of the KVS by way of job-info; but the job manager
 * writes a log there a little after it tells the journal, so a log is asked of itself, first.
 * And a jobspec is kept without its environment, which is still in what was submitted, J.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/util.h"
#include "engine/flux/thread.h"
#include "engine/flux/wrap.h"

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

#define LOG_MAX ((size_t)256 << 20)

static const char *const keys[] = {
    [FR_LOOKUP_EVENTLOG] = "eventlog", [FR_LOOKUP_JOBSPEC] = "jobspec", [FR_LOOKUP_R] = "R"};

static flux_future_t *ask(struct fr_flux_request *request, const char *key)
{
    /* With the changes that came after the submit, as everything else shows it. */
    const char *also = strcmp(key, "jobspec") == 0 ? "J" : NULL;

    return flux_rpc_pack(request->thread->h, "job-info.lookup", FLUX_NODEID_ANY, 0,
                         "{s:I s:[s s*] s:i}", "id", (json_int_t)request->id, "keys", key, also,
                         "flags", FLUX_JOB_LOOKUP_CURRENT);
}

static void fail(struct fr_flux_request *request, enum fr_code code, const char *text)
{
    request->failed = true;
    (void)fr_error_set(&request->err, ENOENT, code, "%s", text);
}

/* Asks for the log as a second question; if that cannot be, that is the answer. */
static void ask_log(struct fr_flux_request *request, flux_continuation_f on_answer)
{
    if (fr_flux_then(request, 1, ask(request, "eventlog"), on_answer) == 0)
        return;
    fr_flux_refused(request, NULL, errno);
    fr_flux_answered(request);
}

/* There is no such thing: is there such a job? */
static void on_job(flux_future_t *f, void *arg)
{
    struct fr_flux_request *request = arg;

    if (flux_rpc_get(f, NULL) == 0)
        fail(request, FR_CODE_NOT_FOUND,
             request->number == FR_LOOKUP_R ? "The job has no R: it was not given resources."
                                            : "The job has no such thing.");
    else if (errno == ENOENT)
        fail(request, FR_CODE_JOB_NOT_FOUND, "unknown job id");
    else
        fr_flux_refused(request, f, errno);
    fr_flux_answered(request);
}

/* The jobspec that J (RFC 15: three parts with dots between) carries; NULL if none. */
static json_t *open_J(const char *J)
{
    const char *begin = strchr(J, '.');
    const char *end = begin ? strchr(++begin, '.') : NULL;
    _cleanup_(fr_cleanup_str) char *text = NULL;
    ssize_t len;

    if (!end || !(text = malloc((size_t)(end - begin) / 4 * 3 + 1)))
        return NULL;
    len = fr_flux_base64_decode(begin, (size_t)(end - begin), text);
    return len < 0 ? NULL : json_loadb(text, (size_t)len, 0, NULL);
}

static json_t *system_of(const json_t *jobspec)
{
    return json_object_get(json_object_get(jobspec, "attributes"), "system");
}

/* The jobspec with the environment that J has. Without one to be had, as it is. */
static char *with_environment(const char *text, const char *J)
{
    _cleanup_(fr_cleanup_json) json_t *jobspec = json_loads(text, 0, NULL);
    _cleanup_(fr_cleanup_json) json_t *whole = open_J(J);
    json_t *environment = json_object_get(system_of(whole), "environment");
    json_t *system = system_of(jobspec);

    if (!system || !environment || json_object_get(system, "environment") ||
        json_object_set(system, "environment", environment) < 0)
        return strdup(text);
    return json_dumps(jobspec, JSON_COMPACT);
}

static void on_found(flux_future_t *f, void *arg)
{
    struct fr_flux_request *request = arg;
    const char *text, *J = NULL;

    if (flux_rpc_get_unpack(f, "{s:s s?s}", keys[request->number], &text, "J", &J) == 0) {
        request->found = J ? with_environment(text, J) : strdup(text);
        if (!request->found)
            fr_flux_refused(request, NULL, ENOMEM);
    } else if (errno != ENOENT) {
        fr_flux_refused(request, f, errno);
    } else if (request->number == FR_LOOKUP_EVENTLOG) {
        fail(request, FR_CODE_JOB_NOT_FOUND, "unknown job id");
    } else {
        ask_log(request, on_job);
        return;
    }
    fr_flux_answered(request);
}

static int put_json(const char *data, size_t len, void *arg)
{
    fr_buf_put(arg, data, len);
    return 0;
}

/* Before 0.65 the job manager's own log had annotations too, which are never stored. */
static bool is_stored(const json_t *event)
{
    const char *name = json_string_value(json_object_get(event, "name"));

    return !name || strcmp(name, "annotations") != 0;
}

/* The log as RFC 18 has it: a line for each event. 0 or -ENOMEM. */
static int format_log(const json_t *events, char **ret)
{
    struct fr_buf text = FR_BUF_INIT(LOG_MAX);
    const json_t *event;
    size_t i, len;
    int rc = 0;

    json_array_foreach (events, i, event) {
        if (!is_stored(event))
            continue;
        if (json_dump_callback(event, put_json, &text, JSON_COMPACT) < 0)
            rc = -ENOMEM;
        fr_buf_putc(&text, '\n');
    }
    fr_buf_putc(&text, '\0');
    if (rc == 0)
        rc = fr_buf_take(&text, ret, &len);
    fr_buf_done(&text);
    return rc;
}

static void on_log(flux_future_t *f, void *arg)
{
    struct fr_flux_request *request = arg;
    json_t *events;

    if (flux_rpc_get_unpack(f, "{s:o}", "eventlog", &events) < 0) {
        /* It may just not be able to tell. */
        ask_log(request, on_found);
        return;
    }
    if (format_log(events, &request->found) < 0)
        fr_flux_refused(request, NULL, ENOMEM);
    fr_flux_answered(request);
}

int fr_flux_lookup_send(struct fr_flux_request *request)
{
    flux_future_t *f;

    if (request->number != FR_LOOKUP_EVENTLOG)
        return fr_flux_then(request, 0, ask(request, keys[request->number]), on_found);
    f = flux_rpc_pack(request->thread->h, "job-manager.getattr", FLUX_NODEID_ANY, 0,
                      "{s:I s:[s]}", "id", (json_int_t)request->id, "attrs", "eventlog");
    return fr_flux_then(request, 0, f, on_log);
}
