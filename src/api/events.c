// SPDX-License-Identifier: LGPL-3.0-only
/*
 * GET /v1/events, and GET /v1/jobs/{id}/events as a stream.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/accept.h"
#include "api/api.h"
#include "api/events.h"
#include "api/handlers.h"
#include "api/jobs.h"
#include "api/params.h"
#include "api/problem.h"
#include "api/reader.h"

/* Whether a stream can begin; else answers. */
static bool may_begin(struct fr_req *req)
{
    struct fr_error err;

    if (!fr_service_is_stopping(fr_api_call(req)->api->service))
        return fr_jobs_readable(req);
    fr_error_set(&err, EAGAIN, FR_CODE_STOPPING,
                 "the service is stopping and begins no more streams");
    fr_reply_problem(req, 0, &err);
    return false;
}

/* Where the client goes on: what it says itself counts before the address that it was given. */
static const char *resumes_from(const struct fr_req *req)
{
    const char *header = fr_req_header(req, "Last-Event-ID");

    return header && header[0] ? header : fr_req_query(req, "since");
}

static void read_names(const struct fr_req *req, uint32_t *ret_names,
                       struct fr_problems *problems)
{
    const char *text = fr_req_query(req, "event");
    char word[40];

    while (text) {
        size_t len = strcspn(text, ",");
        size_t n = len < sizeof word ? len : sizeof word - 1;
        const char *nearest = NULL;
        memcpy(word, text, n);
        word[n] = '\0';
        int known = fr_event_known(word, &nearest);
        if (known >= 0)
            *ret_names |= 1u << known;
        else
            fr_problems_add(problems, FR_CODE_INVALID, "?event",
                            "\"%s\" is no event of a job%s%s%s", word,
                            nearest ? "; did you mean \"" : "", nearest ? nearest : "",
                            nearest ? "\"?" : "");
        text = text[len] ? text + len + 1 : NULL;
    }
}

/* Finds where to begin. False if the request was answered. */
static bool find_place(struct fr_req *req, const char *since, struct fr_reader_plan *plan,
                       struct fr_problems *problems)
{
    const struct fr_hub *hub = fr_service_hub(fr_api_call(req)->api->service);
    struct fr_error err;

    plan->position = fr_hub_end(hub);
    if (!since)
        return true;
    plan->snapshot = false; /* it was told before */
    plan->oldest = strcmp(since, "0") == 0;
    int rc = fr_hub_find(hub, since, &plan->position, &err);
    if (rc == -EINVAL)
        fr_problems_add(problems, FR_CODE_INVALID, "?since", "%s", err.text);
    if (rc != -ESTALE)
        return true;
    fr_reply_problem(req, 0, &err);
    return false;
}

/* What the list's filter has under "since" is a time; here it is a cursor. */
static const char *get(void *arg, const char *name)
{
    const bool is_time = strcmp(name, "since") == 0 || strcmp(name, "until") == 0;

    return is_time ? NULL : fr_req_query(arg, name);
}

void fr_handle_all_events(struct fr_req *req)
{
    struct fr_reader_plan plan = {.snapshot = fr_param_bool(req, "snapshot", false)};
    struct fr_problems problems;

    if (!may_begin(req))
        return;
    fr_problems_init(&problems);
    int rc = fr_filter_read(get, req, &plan.filter, &problems);
    read_names(req, &plan.names, &problems);
    bool found = find_place(req, resumes_from(req), &plan, &problems);
    bool good = found && rc == 0 && problems.count == 0 && problems.left_out == 0;
    if (good)
        fr_reader_open(req, &plan);
    else if (found && rc < 0)
        fr_reply_no_memory(req);
    else if (found)
        fr_reply_problems(req, 0, NULL, &problems);
    if (!good)
        fr_filter_done(&plan.filter);
    fr_problems_done(&problems);
}

/* --- one job --- */

/* Reads the index of the first event to tell. False if the request was answered. */
static bool read_index(struct fr_req *req, int64_t *ret)
{
    const char *text = resumes_from(req);
    struct fr_error err;

    *ret = 0;
    if (!text)
        return true;
    size_t len = strspn(text, "0123456789");
    if (len > 0 && len < 10 && text[len] == '\0') {
        *ret = strtol(text, NULL, 10);
        return true;
    }
    fr_error_set(
        &err, EINVAL, FR_CODE_INVALID,
        "\"%.80s\" is no place in a job's log: give the id of the last event that came, "
        "or 0 for all",
        text);
    fr_reply_problem(req, 0, &err);
    return false;
}

/* Finds the job's events from an index on. False if not all are kept. */
static bool find_log(const struct fr_hub *hub, const struct fr_job *job,
                     struct fr_reader_plan *plan)
{
    uint64_t position = fr_hub_find_time(hub, job->t_submit);
    int64_t next = plan->index;

    plan->position = fr_hub_end(hub);
    for (; next < job->nevents && position < fr_hub_end(hub); position++) {
        const struct fr_kept *kept = fr_hub_get(hub, position);
        if (kept->id != job->id || kept->index != next)
            continue;
        if (next++ == plan->index)
            plan->position = position;
    }
    return next >= job->nevents;
}

void fr_events_follow_job(struct fr_req *req, uint64_t id)
{
    const struct fr_service *service = fr_api_call(req)->api->service;
    const struct fr_job *job = fr_table_find(fr_service_table(service), id);
    struct fr_reader_plan plan = {.of_job = true, .id = id};
    struct fr_error err;

    if (!may_begin(req) || !read_index(req, &plan.index))
        return;
    plan.follow = fr_param_bool(req, "follow", fr_accepts_events(req));
    if (!job) {
        fr_jobs_reply_unknown(req);
    } else if (!find_log(fr_service_hub(service), job, &plan)) {
        fr_error_set(&err, ESTALE, FR_CODE_GONE,
                     "not all events of this job are kept any more; ask for it without follow");
        fr_reply_problem(req, 0, &err);
    } else {
        fr_reader_open(req, &plan);
    }
}
