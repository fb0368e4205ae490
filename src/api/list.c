// SPDX-License-Identifier: LGPL-3.0-only
/*
 * GET /v1/jobs. What matches is chosen at once, as a list of ids; the jobs are then written in
 * slices that yield to the loop, each as it is when its turn comes. So a list may hold a job's
 * state of a moment later than its cursor; who follows from the cursor sees that event again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/accept.h"
#include "api/api.h"
#include "api/handlers.h"
#include "api/held.h"
#include "api/jobs.h"
#include "api/pack.h"
#include "api/page.h"
#include "api/params.h"
#include "api/problem.h"
#include "api/select.h"
#include "api/tag.h"
#include "api/wait.h"
#include "base/loop.h"
#include "base/util.h"
#include "model/job_json.h"

/* Jobs written before the loop's other business gets its turn: some milliseconds. */
#define SLICE 1000
#define CHUNK (64 * 1024)
#define QUEUE_MAX (256 * 1024)

enum shape { SHAPE_PAGE, SHAPE_BY_ID, SHAPE_LIST, SHAPE_LINES };

struct listing {
    struct fr_held held;
    struct fr_api *api;
    struct fr_timer *turn;    /* once it takes more than one */
    struct fr_stream *stream; /* of SHAPE_LINES */
    enum shape shape;
    unsigned int status;
    struct fr_selection selection;
    size_t at;
    bool any;
    struct fr_buf body, scratch;
    size_t sent; /* bytes of body that the stream has taken */
};

static void free_listing(struct listing *listing)
{
    fr_timer_free(listing->turn);
    fr_selection_done(&listing->selection);
    fr_buf_done(&listing->body);
    fr_buf_done(&listing->scratch);
    free(listing);
}

static void put_job(struct listing *listing, const struct fr_job *job, double now)
{
    const struct fr_selection *selection = &listing->selection;
    struct fr_buf *body = &listing->body;

    if (listing->any && listing->shape != SHAPE_LINES)
        fr_buf_put_short(body, ",\n", 2);
    if (listing->shape == SHAPE_BY_ID) {
        fr_buf_putc(body, '"');
        fr_buf_put_u64(body, job->id);
        fr_buf_puts(body, "\":");
    }
    if (selection->nfields == 0) {
        fr_jobs_put(listing->api, job, now, body);
    } else {
        fr_buf_reset(&listing->scratch);
        fr_jobs_put(listing->api, job, now, &listing->scratch);
        if (fr_buf_status(&listing->scratch) < 0)
            body->failed = fr_buf_status(&listing->scratch);
        else
            fr_job_json_pick(listing->scratch.data, selection->fields, selection->nfields,
                             body);
    }
    if (listing->shape == SHAPE_LINES)
        fr_buf_putc(body, '\n');
    listing->any = true;
}

/* Writes some more jobs, up to so many bytes. */
static void put_slice(struct listing *listing, size_t bytes)
{
    const struct fr_table *table = fr_service_table(listing->api->service);
    const struct fr_selection *selection = &listing->selection;
    double now = fr_time_now();

    for (size_t n = 0; n < SLICE && listing->at < selection->count && listing->body.len < bytes;
         n++) {
        const struct fr_job *job = fr_table_find(table, selection->ids[listing->at++]);
        if (job)
            put_job(listing, job, now);
    }
}

static void put_end(struct listing *listing)
{
    static const char *const closing[] = {"]", "}\n", "]\n"};
    const struct fr_selection *selection = &listing->selection;

    fr_buf_puts(&listing->body, closing[listing->shape]);
    if (listing->shape != SHAPE_PAGE)
        return;
    fr_buf_printf(&listing->body, ",\"cursor\":\"%s\",\"next\":", selection->cursor);
    fr_buf_put_json_string(&listing->body, selection->next[0] ? selection->next : NULL);
    if (selection->counted)
        fr_buf_printf(&listing->body, ",\"total\":%zu", selection->total);
    fr_buf_puts(&listing->body, "}\n");
}

/* --- as one reply --- */

static void reply(struct listing *listing, struct fr_req *req)
{
    put_end(listing);
    fr_pack_reply_json(req, listing->status, &listing->body);
    free_listing(listing);
}

static void take_turn(void *arg)
{
    struct listing *listing = arg;

    put_slice(listing, SIZE_MAX);
    if (fr_req_hold(listing->held.req, listing->body.cap) < 0) {
        fr_req_reply_busy(fr_held_take(&listing->held));
        free_listing(listing);
    } else if (listing->at < listing->selection.count) {
        fr_timer_start(listing->turn, 0, 0);
    } else {
        reply(listing, fr_held_take(&listing->held));
    }
}

static void on_dropped(struct fr_held *held)
{
    free_listing((struct listing *)held);
}

static void begin_reply(struct listing *listing, struct fr_req *req)
{
    static const char *const opening[] = {"{\"jobs\":[", "{", "["};

    fr_buf_puts(&listing->body, opening[listing->shape]);
    put_slice(listing, SIZE_MAX);
    if (listing->at == listing->selection.count) {
        reply(listing, req);
        return;
    }
    if (fr_timer_create(listing->api->loop, take_turn, listing, &listing->turn) < 0) {
        free_listing(listing);
        fr_reply_no_memory(req);
        return;
    }
    fr_held_init(&listing->held, req, FR_CODE_UNAVAILABLE, on_dropped);
    fr_timer_start(listing->turn, 0, 0);
}

/* --- as a stream of lines --- */

/* Gives the stream what it takes of the body. 0 when it has all, or what the stream says. */
static int send_body(struct listing *listing)
{
    struct fr_buf *body = &listing->body;
    int rc = fr_buf_status(body);

    while (rc == 0 && listing->sent < body->len) {
        size_t rest = body->len - listing->sent;
        size_t n = rest < CHUNK ? rest : CHUNK;
        rc = fr_stream_write(listing->stream, body->data + listing->sent, n);
        if (rc == 0)
            listing->sent += n;
    }
    if (rc == 0) {
        fr_buf_reset(body);
        listing->sent = 0;
    }
    return rc;
}

static void take_lines_turn(void *arg)
{
    struct listing *listing = arg;

    if (listing->body.len == 0)
        put_slice(listing, CHUNK);
    int rc = send_body(listing);
    if (rc == -EAGAIN)
        return; /* until the client has read */
    if (rc == 0 && listing->at < listing->selection.count) {
        fr_timer_start(listing->turn, 0, 0);
        return;
    }
    if (rc == 0)
        fr_stream_end(listing->stream);
    else
        fr_stream_abort(listing->stream);
    free_listing(listing);
}

static void on_gone(void *arg)
{
    free_listing(arg);
}

static void on_drained(void *arg)
{
    fr_timer_start(((struct listing *)arg)->turn, 0, 0);
}

static void begin_lines(struct listing *listing, struct fr_req *req)
{
    if (fr_timer_create(listing->api->loop, take_lines_turn, listing, &listing->turn) < 0) {
        free_listing(listing);
        fr_reply_no_memory(req);
        return;
    }
    fr_req_set_header(req, "Vary", "Accept");
    listing->stream = fr_req_stream(
        req, listing->status, FR_TYPE_LINES, QUEUE_MAX,
        &(struct fr_stream_hooks){.gone = on_gone, .drained = on_drained, .arg = listing});
    if (listing->stream)
        fr_timer_start(listing->turn, 0, 0);
    else
        free_listing(listing);
}

/* --- the request --- */

static enum shape shape_of(const struct fr_req *req)
{
    if (fr_param_bool(req, "details", false) || fr_param_bool(req, "detail", false))
        return fr_param_bool(req, "listing", false) ? SHAPE_LIST : SHAPE_BY_ID;
    return fr_accepts_lines(req) ? SHAPE_LINES : SHAPE_PAGE;
}

static void list(struct fr_req *req, unsigned int status)
{
    struct listing *listing = calloc(1, sizeof *listing);
    enum shape shape = shape_of(req);

    if (!listing) {
        fr_reply_no_memory(req);
        return;
    }
    listing->api = fr_api_call(req)->api;
    listing->shape = shape;
    listing->status = status;
    fr_buf_init(&listing->body, FR_REPLY_MAX);
    fr_buf_init(&listing->scratch, FR_REPLY_MAX);
    if (!fr_select_jobs(req, shape == SHAPE_LINES, &listing->selection))
        free_listing(listing);
    else if (shape == SHAPE_LINES)
        begin_lines(listing, req);
    else
        begin_reply(listing, req);
}

static void on_waited(struct fr_req *req, void *arg, bool reached)
{
    list(req, reached ? 200 : 202);
}

/* Waits for the jobs that ids names. */
static void wait_for_jobs(struct fr_req *req)
{
    struct fr_wait_params params;
    uint64_t *ids;
    size_t count;

    if (!fr_select_ids(req, &ids, &count))
        return;
    fr_wait_read(req, &params);
    fr_wait_begin(req, &params, ids, count, on_waited, NULL, NULL);
}

void fr_handle_jobs(struct fr_req *req)
{
    char tag[FR_TAG_TEXT];

    if (!fr_jobs_readable(req))
        return;
    if (fr_req_query(req, "wait"))
        wait_for_jobs(req);
    else if (!fr_tag_answers(req, fr_tag_of_all(req, tag)))
        list(req, 200);
}
