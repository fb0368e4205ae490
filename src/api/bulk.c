// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Many jobs of one request. A window of them is at the engine, whether the client reads or not.
 * Lines are read and submitted as they come, and no more of them are read than the engine
 * takes. Their results are kept (results.h) until the reply can begin, which in HTTP is when
 * the request is whole.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/fields.h"
#include "api/params.h"
#include "api/post.h"
#include "api/problem.h"
#include "api/results.h"
#include "api/routes.h"
#include "api/submission.h"
#include "base/loop.h"
#include "base/util.h"

/* Jobs at the engine. Flux wants many in flight. */
#define WINDOW 512
/* Jobs begun before the loop's other business gets its turn. */
#define SLICE 32
/* Longest line. */
#define LONGEST_LINE (1024 * 1024)
/* Whole lines that wait for their turn: beyond that, reading pauses. */
#define AHEAD (128 * 1024)
/* What is read in a piece beyond either. */
#define PIECE_MAX (16 * 1024 * 1024)

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

/* A job at the engine. */
struct slot {
    struct fr_bulk *bulk;
    size_t index;
    struct slot *next_free;
};

struct fr_bulk {
    struct fr_api *api;
    struct fr_req *req;       /* while its body comes, else NULL */
    struct fr_stream *stream; /* NULL: not yet, or the client has left */
    struct fr_timer *turn;
    struct fr_actor actor;
    bool dry_run;
    json_t *list;        /* or */
    struct fr_buf lines; /* what has come and was not taken */
    size_t at;           /* of the next line in it */
    bool skipping;       /* what comes up to the next end of line belongs to no job */
    bool whole;          /* there will be no more lines */
    bool full;           /* what follows is not submitted */
    size_t in_flight;    /* at the engine: each calls back */
    struct fr_results *results;
    struct slot *free_slots;
    struct slot slots[WINDOW];
};

static void free_bulk(struct fr_bulk *bulk)
{
    fr_results_free(bulk->results);
    fr_timer_free(bulk->turn);
    json_decref(bulk->list);
    fr_buf_done(&bulk->lines);
    free(bulk);
}

/* --- the engine's side --- */

static void on_submitted(void *arg, uint64_t id, const struct fr_error *err)
{
    struct slot *slot = arg;
    struct fr_bulk *bulk = slot->bulk;

    bulk->in_flight--;
    slot->next_free = bulk->free_slots;
    bulk->free_slots = slot;
    if (err)
        fr_results_set_error(bulk->results, slot->index, err);
    else
        fr_results_set_id(bulk->results, slot->index, 201, id);
    fr_timer_start(bulk->turn, 0, 0);
}

static void submit(struct fr_bulk *bulk, size_t index, json_t *fields,
                   struct fr_problems *problems)
{
    const struct fr_submission_request request = {
        .api = bulk->api, .actor = &bulk->actor, .fields = fields, .dry_run = bulk->dry_run};
    struct slot *slot = bulk->free_slots;
    struct fr_error err;
    uint64_t id = 0;

    slot->index = index;
    switch (fr_submission_begin(&request, on_submitted, slot, &id, problems, &err)) {
    case FR_SUBMISSION_PENDING:
        bulk->free_slots = slot->next_free;
        bulk->in_flight++;
        break;
    case FR_SUBMISSION_KNOWN:
        fr_results_set_id(bulk->results, index, 200, id);
        break;
    case FR_SUBMISSION_VALID:
        fr_results_set_valid(bulk->results, index);
        break;
    case FR_SUBMISSION_INVALID:
        fr_results_set_problems(bulk->results, index, problems);
        break;
    case FR_SUBMISSION_FAILED:
        fr_results_set_error(bulk->results, index, &err);
        break;
    }
}

/* --- what comes --- */

/* One result for all that is not submitted any more. */
static void give_up(struct fr_bulk *bulk, enum fr_code code, const char *why)
{
    struct fr_error err;

    (void)fr_error_set(&err, EMSGSIZE, code,
                       "%s: this job and those after it were not submitted", why);
    fr_results_set_error(bulk->results, fr_results_add(bulk->results), &err);
    bulk->full = true;
    fr_buf_done(&bulk->lines);
    bulk->at = 0;
}

/* The next whole line that is not blank, which stays in the buffer; NULL if there is none. */
static const char *next_line(struct fr_bulk *bulk, size_t *ret_len)
{
    const char *data = bulk->lines.data;
    size_t len = bulk->lines.len;

    while (bulk->at < len && strchr(" \t\r\n", data[bulk->at]) && data[bulk->at])
        bulk->at++;
    if (bulk->full || bulk->at == len)
        return NULL;
    const char *end = memchr(data + bulk->at, '\n', len - bulk->at);
    if (!end && !bulk->whole && len - bulk->at <= LONGEST_LINE)
        return NULL;
    *ret_len = (end ? (size_t)(end - data) : len) - bulk->at;
    return data + bulk->at;
}

static bool has_more(struct fr_bulk *bulk)
{
    size_t len;

    if (bulk->list)
        return !bulk->full && fr_results_count(bulk->results) < json_array_size(bulk->list);
    return next_line(bulk, &len);
}

/* The next line's JSON, to be released; NULL with a problem if it has none. */
static json_t *take_line(struct fr_bulk *bulk, struct fr_problems *problems)
{
    json_t *json = NULL;
    size_t len = 0;
    const char *line = next_line(bulk, &len);

    if (len > LONGEST_LINE)
        fr_problems_add(problems, FR_CODE_TOO_LARGE, "", "a line may have %d bytes",
                        LONGEST_LINE);
    else if (fr_fields_parse_json(line, len, bulk->api->json_depth, &json, problems) == -ENOMEM)
        fr_problems_add(problems, FR_CODE_INTERNAL, "", "no memory to read the line");
    bulk->at += len;
    bulk->skipping = bulk->at == bulk->lines.len && !bulk->whole;
    return json;
}

/* The next job's object, to be released; NULL with a problem if it is none. */
static json_t *next_object(struct fr_bulk *bulk, size_t index, struct fr_problems *problems)
{
    json_t *json =
        bulk->list ? json_incref(json_array_get(bulk->list, index)) : take_line(bulk, problems);

    if (json && !json_is_object(json)) {
        fr_problems_add(problems, FR_CODE_INVALID, "",
                        "this must be a JSON object with the job's fields");
        json_decref(json);
        return NULL;
    }
    return json;
}

/* There is one more job. */
static void begin_one(struct fr_bulk *bulk)
{
    struct fr_problems problems;

    if (fr_results_count(bulk->results) == bulk->api->bulk_jobs) {
        char why[64];
        (void)snprintf(why, sizeof why, "a request may have %u jobs", bulk->api->bulk_jobs);
        give_up(bulk, FR_CODE_TOO_LARGE, why);
        return;
    }
    size_t index = fr_results_add(bulk->results);
    fr_problems_init(&problems);
    _cleanup_(fr_cleanup_json) json_t *fields = next_object(bulk, index, &problems);
    if (fields)
        submit(bulk, index, fields, &problems);
    else
        fr_results_set_problems(bulk->results, index, &problems);
    fr_problems_done(&problems);
}

static void on_data(void *arg, const char *data, size_t len)
{
    struct fr_bulk *bulk = arg;
    struct fr_buf *lines = &bulk->lines;

    if (bulk->skipping) {
        const char *end = memchr(data, '\n', len);
        len -= end ? (size_t)(end - data) : len;
        data = end;
        bulk->skipping = !end;
    }
    if (bulk->full || len == 0)
        return;
    if (bulk->at > 0) {
        memmove(lines->data, lines->data + bulk->at, lines->len - bulk->at);
        lines->len -= bulk->at;
        bulk->at = 0;
    }
    fr_buf_put(lines, data, len);
    if (fr_buf_status(lines) < 0)
        give_up(bulk, FR_CODE_INTERNAL, "there was no memory to read on");
    else if (lines->len > AHEAD && has_more(bulk))
        fr_req_pause_body(bulk->req, true);
    fr_timer_start(bulk->turn, 0, 0);
}

/* --- turns --- */

/* Tells what is due. -EAGAIN: there is more to come; 0: all is told. */
static int tell(struct fr_bulk *bulk)
{
    int rc = fr_results_tell(bulk->results, bulk->stream);

    if (rc < 0)
        return rc;
    if (has_more(bulk) || !fr_results_are_told(bulk->results))
        return -EAGAIN;
    return fr_results_tell_end(bulk->results, bulk->stream);
}

/* One turn: begins some more jobs, tells what is due, and ends when all is told. */
static void take_turn(void *arg)
{
    struct fr_bulk *bulk = arg;
    size_t n = 0;

    if (!bulk->req &&
        !bulk->stream) { /* what is at the engine goes on; the rest is not begun */
        if (bulk->in_flight == 0)
            free_bulk(bulk);
        return;
    }
    while (n < SLICE && bulk->free_slots && has_more(bulk)) {
        begin_one(bulk);
        n++;
    }
    if (n > 0)
        fr_timer_start(bulk->turn, 0, 0);
    if (bulk->req) {
        if (!has_more(bulk))
            fr_req_pause_body(bulk->req, false);
        return;
    }
    int rc = tell(bulk);
    if (rc == -EAGAIN)
        return; /* until the client has read, or the engine has answered */
    if (rc == 0)
        fr_stream_end(fr_take(bulk->stream));
    else /* the client sees that it was not told all */
        fr_stream_abort(fr_take(bulk->stream));
    fr_timer_start(bulk->turn, 0, 0);
}

static void on_gone(void *arg)
{
    struct fr_bulk *bulk = arg;

    bulk->req = NULL;
    bulk->stream = NULL;
    fr_timer_start(bulk->turn, 0, 0);
}

static void on_drained(void *arg)
{
    fr_timer_start(((struct fr_bulk *)arg)->turn, 0, 0);
}

/* --- the request --- */

/* NULL if the request was answered. */
static struct fr_bulk *make_bulk(struct fr_req *req, size_t most, bool as_list)
{
    struct fr_api *api = fr_api_call(req)->api;
    struct fr_bulk *bulk = NULL;

    if (fr_req_hold(req, sizeof *bulk + FR_RESULTS_QUEUE + LONGEST_LINE +
                             fr_results_size(most)) < 0) {
        fr_req_reply_busy(req);
        return NULL;
    }
    bulk = calloc(1, sizeof *bulk);
    if (bulk)
        bulk->results = fr_results_create(most, as_list);
    if (!bulk || !bulk->results ||
        fr_timer_create(api->loop, take_turn, bulk, &bulk->turn) < 0) {
        if (bulk)
            fr_results_free(bulk->results);
        free(bulk);
        fr_reply_no_memory(req);
        return NULL;
    }
    bulk->api = api;
    bulk->dry_run = fr_param_bool(req, "dry_run", false);
    fr_api_get_actor(req, &bulk->actor);
    fr_buf_init(&bulk->lines, LONGEST_LINE + AHEAD + PIECE_MAX);
    for (size_t i = 0; i < WINDOW; i++) {
        bulk->slots[i] = (struct slot){.bulk = bulk, .next_free = bulk->free_slots};
        bulk->free_slots = &bulk->slots[i];
    }
    return bulk;
}

/* All that was asked for is here: the reply begins. */
static void begin_reply(struct fr_req *req, struct fr_bulk *bulk)
{
    bulk->req = NULL;
    bulk->whole = true;
    bulk->stream = fr_req_stream(
        req, 200, bulk->list ? "application/json" : FR_TYPE_LINES, FR_RESULTS_QUEUE,
        &(struct fr_stream_hooks){.gone = on_gone, .drained = on_drained, .arg = bulk});
    fr_timer_start(bulk->turn, 0, 0);
}

/* What concerns one job cannot be said for many. */
static void check_for_many(const struct fr_req *req, struct fr_problems *problems)
{
    static const char *const names[] = {"wait", "timeout"};

    for (size_t i = 0; i < FR_ARRAY_SIZE(names); i++)
        if (fr_req_query(req, names[i]))
            fr_problems_add(
                problems, FR_CODE_INVALID, i ? "?timeout" : "?wait",
                "%s goes with one job only; wait for many with GET /v1/jobs?ids=", names[i]);
    if (fr_req_header(req, "Idempotency-Key"))
        fr_problems_add(problems, FR_CODE_INVALID, "",
                        "Idempotency-Key goes with one job only; give each job a key of its "
                        "own");
}

/* False if the request was answered. */
static bool is_for_many(struct fr_req *req)
{
    struct fr_problems problems;

    fr_problems_init(&problems);
    check_for_many(req, &problems);
    bool ok = problems.count == 0 && problems.left_out == 0;
    if (!ok)
        fr_reply_problems(req, 0, NULL, &problems);
    fr_problems_done(&problems);
    return ok;
}

void fr_bulk_list(struct fr_req *req, json_t *list)
{
    struct fr_bulk *bulk = NULL;
    struct fr_error err;

    const unsigned int most = fr_api_call(req)->api->bulk_jobs;
    if (json_array_size(list) > most) {
        fr_error_set(&err, EMSGSIZE, FR_CODE_TOO_LARGE, "a request may have %u jobs, not %zu",
                     most, json_array_size(list));
        fr_reply_problem(req, 0, &err);
    } else if (is_for_many(req)) {
        bulk = make_bulk(req, json_array_size(list), true);
    }
    if (bulk) {
        bulk->list = json_incref(list);
        begin_reply(req, bulk);
    }
    json_decref(list);
}

bool fr_bulk_begin_lines(struct fr_req *req)
{
    struct fr_call *call = fr_api_call(req);
    struct fr_problems problems;

    fr_problems_init(&problems);
    fr_route_check_query(call->route, req, &problems);
    check_for_many(req, &problems);
    bool ok = problems.count == 0 && problems.left_out == 0;
    fr_problems_done(&problems);
    if (!ok)
        return true; /* it is refused when it is whole */
    call->bulk = make_bulk(req, call->api->bulk_jobs + (size_t)1, false);
    if (!call->bulk)
        return false;
    call->bulk->req = req;
    fr_req_stream_body(req, on_data, call->bulk);
    fr_req_on_gone(req, on_gone, call->bulk);
    return true;
}

void fr_bulk_lines(struct fr_req *req)
{
    struct fr_bulk *bulk = fr_api_call(req)->bulk;

    if (bulk)
        begin_reply(req, bulk);
    else if (is_for_many(req)) /* there was none left to say so when the lines began */
        fr_reply_no_memory(req);
}
