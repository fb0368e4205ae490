// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Many jobs of one request: a window of them is on its way to the engine, their results are
 * told in the order of the request, and the next ones are begun as the client reads.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/fields.h"
#include "api/params.h"
#include "api/post.h"
#include "api/problem.h"
#include "api/submission.h"
#include "base/loop.h"
#include "base/util.h"
#include "model/fluid.h"

/* Jobs at the engine, or whose result waits for one before it. Flux wants many in flight. */
#define WINDOW 512
/* Jobs begun before the loop's other business gets its turn. */
#define SLICE 32
#define QUEUE_MAX (256 * 1024)
#define RESULT_MAX 16384

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

struct bulk;

struct slot {
    struct bulk *bulk;
    size_t index;
    bool done;
    struct fr_buf result;
};

struct bulk {
    struct fr_api *api;
    struct fr_stream *stream; /* NULL: the client has left */
    struct fr_timer *turn;
    char user[sizeof((struct fr_identity *)0)->user];
    bool dry_run, as_list;
    json_t *list;     /* or */
    char *text;       /* the lines, NUL-terminated beyond len */
    size_t at, len;   /* of the next line */
    size_t begun;     /* jobs that were begun */
    size_t told;      /* jobs whose result was told */
    size_t in_flight; /* at the engine: each calls back */
    bool ended;       /* there are no more to begin */
    struct slot slots[WINDOW];
};

static void free_bulk(struct bulk *bulk)
{
    for (size_t i = 0; i < WINDOW; i++)
        fr_buf_done(&bulk->slots[i].result);
    fr_timer_free(bulk->turn);
    json_decref(bulk->list);
    free(bulk->text);
    free(bulk);
}

/* --- results --- */

static void put_head(struct slot *slot, unsigned int status)
{
    if (slot->bulk->as_list)
        fr_buf_putc(&slot->result, slot->index ? ',' : '[');
    fr_buf_printf(&slot->result, "{\"index\":%zu,\"status\":%u", slot->index, status);
}

static void put_id(struct slot *slot, uint64_t id, unsigned int status)
{
    char f58[FR_FLUID_TEXT];

    put_head(slot, status);
    fr_buf_puts(&slot->result, ",\"id\":");
    fr_buf_put_u64(&slot->result, id);
    fr_buf_printf(&slot->result, ",\"jobid\":\"%s\"}", fr_fluid_f58(id, f58));
}

static void put_error(struct slot *slot, const struct fr_error *err)
{
    put_head(slot, fr_problem_status(err->code));
    fr_buf_printf(&slot->result, ",\"code\":\"%s\",\"detail\":", fr_code_word(err->code));
    fr_buf_put_json_string(&slot->result, err->text);
    fr_buf_puts(&slot->result, ",\"errors\":[]}");
}

static void put_problems(struct slot *slot, const struct fr_problems *problems)
{
    enum fr_code code = problems->count ? problems->items[0].code : FR_CODE_INVALID;

    put_head(slot, fr_problem_status(code));
    fr_buf_printf(&slot->result, ",\"code\":\"%s\",\"detail\":", fr_code_word(code));
    fr_buf_put_json_string(&slot->result,
                           problems->count ? problems->items[0].detail : fr_code_title(code));
    fr_problem_put_errors(&slot->result, problems);
    fr_buf_putc(&slot->result, '}');
}

/* A result that could not be kept is told without its text. */
static void finish_slot(struct slot *slot)
{
    const struct fr_error err = {FR_CODE_INTERNAL, "there was no memory for this result"};

    if (fr_buf_status(&slot->result) < 0) {
        fr_buf_done(&slot->result);
        put_error(slot, &err);
    }
    fr_buf_putc(&slot->result, '\n');
    slot->done = true;
}

/* --- the client's side --- */

/* Tells the results that are due. -EAGAIN if the client must read first, -ENOMEM. */
static int tell(struct bulk *bulk)
{
    while (bulk->told < bulk->begun) {
        struct slot *slot = &bulk->slots[bulk->told % WINDOW];
        if (!slot->done)
            return 0;
        struct fr_buf *out = &slot->result;
        if (fr_buf_status(out) < 0)
            return fr_buf_status(out);
        int rc = fr_stream_write(bulk->stream, out->data, out->len);
        if (rc < 0)
            return rc;
        fr_buf_done(out);
        bulk->told++;
    }
    return 0;
}

/* The results are all told: the end of the list. As tell(). */
static int close_list(const struct bulk *bulk)
{
    const char *text = bulk->begun ? "]\n" : "[]\n";

    return bulk->as_list ? fr_stream_write(bulk->stream, text, strlen(text)) : 0;
}

/* The client cannot be told all: it sees that the reply is broken off. */
static void break_off(struct bulk *bulk)
{
    fr_stream_abort(fr_take(bulk->stream));
    fr_timer_start(bulk->turn, 0, 0);
}

/* --- the engine's side --- */

static void on_submitted(void *arg, uint64_t id, const struct fr_error *err)
{
    struct slot *slot = arg;
    struct bulk *bulk = slot->bulk;

    bulk->in_flight--;
    if (err)
        put_error(slot, err);
    else
        put_id(slot, id, 201);
    finish_slot(slot);
    fr_timer_start(bulk->turn, 0, 0);
}

static void submit(struct slot *slot, json_t *fields, struct fr_problems *problems)
{
    struct bulk *bulk = slot->bulk;
    const struct fr_submission_request request = {
        .api = bulk->api, .user = bulk->user, .fields = fields, .dry_run = bulk->dry_run};
    struct fr_error err;
    uint64_t id = 0;

    switch (fr_submission_begin(&request, on_submitted, slot, &id, problems, &err)) {
    case FR_SUBMISSION_PENDING:
        bulk->in_flight++;
        return;
    case FR_SUBMISSION_KNOWN:
        put_id(slot, id, 200);
        break;
    case FR_SUBMISSION_VALID:
        put_head(slot, 200);
        fr_buf_puts(&slot->result, ",\"valid\":true}");
        break;
    case FR_SUBMISSION_INVALID:
        put_problems(slot, problems);
        break;
    case FR_SUBMISSION_FAILED:
        put_error(slot, &err);
        break;
    }
    finish_slot(slot);
}

/* The next job's object, to be released; NULL with a problem if it is none. */
static json_t *next_object(struct bulk *bulk, struct fr_problems *problems)
{
    json_t *json = NULL;

    if (bulk->list) {
        json = json_incref(json_array_get(bulk->list, bulk->begun));
    } else {
        const char *line = bulk->text + bulk->at;
        const char *newline = memchr(line, '\n', bulk->len - bulk->at);
        size_t n = newline ? (size_t)(newline - line) : bulk->len - bulk->at;
        if (fr_fields_parse_json(line, n, bulk->api->json_depth, &json, problems) == -ENOMEM)
            fr_problems_add(problems, FR_CODE_INTERNAL, "", "no memory to read the line");
        bulk->at += n;
    }
    if (json && !json_is_object(json)) {
        fr_problems_add(problems, FR_CODE_INVALID, "",
                        "this must be a JSON object with the job's fields");
        json_decref(json);
        return NULL;
    }
    return json;
}

/* Whether there is one more job, which is then next. */
static bool has_more(struct bulk *bulk)
{
    if (bulk->list)
        return bulk->begun < json_array_size(bulk->list);
    bulk->at += strspn(bulk->text + bulk->at, " \t\r\n");
    return bulk->at < bulk->len && bulk->begun <= FR_BULK_MAX;
}

static void begin_one(struct bulk *bulk)
{
    struct slot *slot = &bulk->slots[bulk->begun % WINDOW];
    struct fr_problems problems;

    *slot = (struct slot){.bulk = bulk, .index = bulk->begun};
    fr_buf_init(&slot->result, RESULT_MAX);
    fr_problems_init(&problems);
    if (bulk->begun == FR_BULK_MAX) {
        bulk->at = bulk->len;
        fr_problems_add(&problems, FR_CODE_TOO_LARGE, "",
                        "a request may have %d jobs; this one and those after it were not "
                        "submitted",
                        FR_BULK_MAX);
    }
    _cleanup_(fr_cleanup_json) json_t *fields =
        problems.count ? NULL : next_object(bulk, &problems);
    bulk->begun++;
    if (fields) {
        submit(slot, fields, &problems);
    } else {
        put_problems(slot, &problems);
        finish_slot(slot);
    }
    fr_problems_done(&problems);
}

/* One turn: tells what is due, begins some more, and ends when all is told. */
static void take_turn(void *arg)
{
    struct bulk *bulk = arg;

    if (!bulk->stream) { /* what is at the engine goes on; the rest is not begun */
        if (bulk->in_flight == 0)
            free_bulk(bulk);
        return;
    }
    int rc = tell(bulk);
    size_t n = 0;
    while (rc == 0 && n < SLICE && bulk->begun - bulk->told < WINDOW && has_more(bulk)) {
        begin_one(bulk);
        n++;
    }
    bool over = rc == 0 && n == 0 && bulk->told == bulk->begun && !has_more(bulk);
    if (over)
        rc = close_list(bulk);
    if (rc == -EAGAIN)
        return; /* until the client has read */
    if (rc < 0) {
        break_off(bulk);
    } else if (over) {
        fr_stream_end(fr_take(bulk->stream));
        free_bulk(bulk);
    } else if (n > 0) {
        fr_timer_start(bulk->turn, 0, 0);
    }
}

static void on_gone(void *arg)
{
    struct bulk *bulk = arg;

    bulk->stream = NULL;
    fr_timer_start(bulk->turn, 0, 0);
}

static void on_drained(void *arg)
{
    fr_timer_start(((struct bulk *)arg)->turn, 0, 0);
}

/* Answers the request as a stream and begins; list or text is taken, also on failure. */
static void begin(struct fr_req *req, json_t *list, char *text, size_t len)
{
    struct fr_api *api = fr_api_call(req)->api;
    struct bulk *bulk = NULL;

    if (fr_req_hold(req, len + sizeof *bulk + QUEUE_MAX) < 0) {
        json_decref(list);
        free(text);
        fr_req_reply_busy(req);
        return;
    }
    bulk = calloc(1, sizeof *bulk);
    if (!bulk || fr_timer_create(api->loop, take_turn, bulk, &bulk->turn) < 0) {
        free(bulk);
        json_decref(list);
        free(text);
        fr_reply_no_memory(req);
        return;
    }
    bulk->api = api;
    bulk->list = list;
    bulk->text = text;
    bulk->len = len;
    bulk->as_list = list;
    bulk->dry_run = fr_param_bool(req, "dry_run", false);
    memcpy(bulk->user, fr_api_call(req)->who.user, sizeof bulk->user);
    bulk->stream = fr_req_stream(
        req, 200, list ? "application/json" : FR_TYPE_LINES, QUEUE_MAX,
        &(struct fr_stream_hooks){.gone = on_gone, .drained = on_drained, .arg = bulk});
    if (bulk->stream)
        fr_timer_start(bulk->turn, 0, 0);
    else
        free_bulk(bulk);
}

/* What concerns one job cannot be said for many. False if the request was answered. */
static bool is_for_many(struct fr_req *req)
{
    static const char *const names[] = {"wait", "timeout"};
    struct fr_problems problems;

    fr_problems_init(&problems);
    for (size_t i = 0; i < FR_ARRAY_SIZE(names); i++)
        if (fr_req_query(req, names[i]))
            fr_problems_add(
                &problems, FR_CODE_INVALID, i ? "?timeout" : "?wait",
                "%s goes with one job only; wait for many with GET /v1/jobs?ids=", names[i]);
    if (fr_req_header(req, "Idempotency-Key"))
        fr_problems_add(&problems, FR_CODE_INVALID, "",
                        "Idempotency-Key goes with one job only; give each job a key of its "
                        "own");
    bool ok = problems.count == 0;
    if (!ok)
        fr_reply_problems(req, 0, NULL, &problems);
    fr_problems_done(&problems);
    return ok;
}

void fr_bulk_list(struct fr_req *req, json_t *list)
{
    struct fr_error err;

    if (json_array_size(list) > FR_BULK_MAX) {
        fr_error_set(&err, EMSGSIZE, FR_CODE_TOO_LARGE, "a request may have %d jobs, not %zu",
                     FR_BULK_MAX, json_array_size(list));
        fr_reply_problem(req, 0, &err);
    } else if (is_for_many(req)) {
        begin(req, json_incref(list), NULL, 0);
    }
    json_decref(list);
}

void fr_bulk_lines(struct fr_req *req)
{
    size_t len;

    if (!is_for_many(req))
        return;
    char *text = fr_req_take_body(req, &len);
    if (text)
        begin(req, NULL, text, len);
    else
        fr_reply_no_memory(req);
}
