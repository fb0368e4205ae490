// SPDX-License-Identifier: LGPL-3.0-only
/*
 * GET /v1/jobs/{id}/output (what is there now) and …/output/stream (lines until the job ends).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/accept.h"
#include "api/api.h"
#include "api/follow.h"
#include "api/handlers.h"
#include "api/held.h"
#include "api/jobs.h"
#include "api/lines.h"
#include "api/problem.h"
#include "base/log.h"
#include "base/util.h"
#include "model/fluid.h"

#define NOTHING_THERE "The output does not exist yet, or the jobid is incorrect."

/* Bytes of JSON after which a list of lines is cut: the stream is for more. */
#define LIST_MAX (16 * 1024 * 1024)

/* Bytes of JSON after which no more files are named: each task may have its own. */
#define REDIRECTED_MAX (64 * 1024)

/* Bytes that may wait for a client that reads slowly; the engine is paused above it. */
#define QUEUE_MAX (256 * 1024)
#define WRITE_MAX (64 * 1024)
/* Bytes that one piece of output may add on top before the pause takes effect. */
#define PENDING_MAX (64 * 1024 * 1024)

static bool job_is_known(const struct fr_req *req, uint64_t id)
{
    return fr_table_find(fr_service_table(fr_api_call(req)->api->service), id);
}

/* --- the list --- */

struct list {
    struct fr_held held;
    const struct fr_engine_ops *ops;
    struct fr_output_watch *watch;
    struct fr_lines lines;
    struct fr_buf body;
    struct fr_buf redirected; /* elements that name files; empty: there are none */
    bool any, cut;
};

static void free_list(struct list *list)
{
    if (list->watch)
        list->ops->output_free(list->watch);
    fr_lines_done(&list->lines);
    fr_buf_done(&list->body);
    fr_buf_done(&list->redirected);
    free(list);
}

static void add_line(void *arg, bool continues, const char *text, size_t len)
{
    struct list *list = arg;

    if (list->cut)
        return;
    if (list->body.len + len > LIST_MAX) {
        list->cut = true;
        return;
    }
    fr_buf_puts(&list->body, list->any ? ",\n" : "{\"Output\":[");
    fr_buf_put_json_stringn(&list->body, text, len);
    list->any = true;
}

static void add_file(struct list *list, const struct fr_output *piece)
{
    struct fr_buf *files = &list->redirected;

    if (files->len > REDIRECTED_MAX)
        return;
    fr_buf_puts(files, files->len ? "," : ",\"redirected\":[");
    fr_buf_printf(files, "{\"stream\":\"%s\",", piece->is_stderr ? "stderr" : "stdout");
    if (piece->rank) {
        fr_buf_puts(files, "\"rank\":");
        fr_buf_put_json_string(files, piece->rank);
        fr_buf_putc(files, ',');
    }
    fr_buf_puts(files, "\"path\":");
    fr_buf_put_json_string(files, piece->path);
    fr_buf_putc(files, '}');
}

static void put_redirected(struct list *list)
{
    if (list->redirected.len == 0)
        return;
    fr_buf_put(&list->body, list->redirected.data, list->redirected.len);
    fr_buf_putc(&list->body, ']');
}

static void reply_list(struct list *list)
{
    fr_lines_flush(&list->lines);
    if (list->any) {
        fr_buf_putc(&list->body, ']');
        put_redirected(list);
        if (list->cut)
            fr_buf_printf(&list->body,
                          ",\"Message\":\"The output is longer than %d bytes and was cut here; "
                          "/output/stream has all of it.\"",
                          LIST_MAX);
    } else { /* older clients read this to the letter, whatever else is said */
        fr_buf_puts(&list->body, "{\"Message\":\"" NOTHING_THERE "\"");
        put_redirected(list);
    }
    fr_buf_puts(&list->body, "}\n");
    fr_reply_json(fr_held_take(&list->held), 200, &list->body);
    free_list(list);
}

static void on_list_piece(void *arg, const struct fr_output *piece)
{
    struct list *list = arg;

    switch (piece->kind) {
    case FR_OUTPUT_DATA:
        if (fr_lines_feed(&list->lines, piece) < 0) {
            fr_reply_no_memory(fr_held_take(&list->held));
            free_list(list);
        } else if (fr_req_hold(list->held.req, list->body.cap + list->lines.bytes) < 0) {
            fr_req_reply_busy(fr_held_take(&list->held));
            free_list(list);
        } else if (list->cut) {
            reply_list(list);
        }
        return;
    case FR_OUTPUT_REDIRECT:
        add_file(list, piece);
        return;
    case FR_OUTPUT_ERROR:
        /* Nobody may take a part for the whole. */
        if (list->any || list->lines.bytes > 0 || piece->err->code != FR_CODE_JOB_NOT_FOUND) {
            fr_reply_problem(fr_held_take(&list->held), 0, piece->err);
            free_list(list);
            return;
        }
        break;
    case FR_OUTPUT_CAUGHT_UP:
    case FR_OUTPUT_END:
        break;
    }
    reply_list(list);
}

static void on_list_dropped(struct fr_held *held)
{
    free_list((struct list *)held);
}

void fr_handle_output(struct fr_req *req)
{
    struct fr_engine *engine = fr_service_engine(fr_api_call(req)->api->service);
    uint64_t id;

    if (!fr_jobs_readable(req) || !fr_jobs_read_id(req, &id))
        return;
    if (!job_is_known(req, id)) {
        fr_reply_message(req, 200, NOTHING_THERE);
        return;
    }
    struct list *list = calloc(1, sizeof *list);
    if (list) {
        list->ops = engine->ops;
        fr_buf_init(&list->body, FR_REPLY_MAX);
        fr_buf_init(&list->redirected, FR_REPLY_MAX);
        fr_lines_init(&list->lines, add_line, list);
        list->watch = engine->ops->output(engine, id, 0, on_list_piece, list);
    }
    if (!list || !list->watch) {
        free(list);
        fr_reply_no_memory(req);
        return;
    }
    fr_held_init(&list->held, req, FR_CODE_UNAVAILABLE, on_list_dropped);
}

/* --- the stream --- */

struct follow {
    struct fr_held held; /* until the first piece tells that there is something to follow */
    struct fr_stream *stream; /* from then on */
    const struct fr_engine_ops *ops;
    struct fr_output_watch *watch;
    struct fr_lines lines;
    struct fr_buf pending; /* what the stream's queue has not taken yet, from `sent` on */
    size_t sent;
    bool unfinished; /* the last line of what was queued has no end yet */
    bool ended; /* all was told: the stream ends when pending is sent and the job is over */
    uint64_t id;
    struct fr_auth *auth;
    struct fr_identity who;
    struct fr_subscription *subscription; /* while the job is not over, once all was told */
};

static void free_follow(struct follow *follow)
{
    if (follow->watch)
        follow->ops->output_free(follow->watch);
    fr_hub_unsubscribe(follow->subscription);
    fr_lines_done(&follow->lines);
    fr_buf_done(&follow->pending);
    free(follow);
}

static void end_follow(struct follow *follow)
{
    fr_stream_end(follow->stream);
    free_follow(follow);
}

/* The job goes on, or nobody knows: the client must not take this for the whole. */
static void break_off(struct follow *follow)
{
    fr_stream_abort(follow->stream);
    free_follow(follow);
}

static void on_job_news(void *arg, const struct fr_news *news)
{
    struct follow *follow = arg;

    bool over = news->kind == FR_NEWS_PURGED || news->state == FR_STATE_INACTIVE;

    if (over && follow->sent == follow->pending.len)
        end_follow(follow);
}

/*
 * Ends the stream, or waits for the job's last event: with Flux the output ends some
 * milliseconds before the job does, and whoever has read the stream to its end and asks for the
 * job should find it ended.
 */
static void end_with_job(struct follow *follow)
{
    struct fr_service *service = follow->held.api->service;
    const struct fr_job *job = fr_table_find(fr_service_table(service), follow->id);

    if (job && job->state != FR_STATE_INACTIVE && !follow->subscription)
        follow->subscription =
            fr_hub_subscribe(fr_service_hub(service), follow->id, on_job_news, follow);
    if (!job || job->state == FR_STATE_INACTIVE || !follow->subscription)
        end_follow(follow);
}

/* Hands what is pending to the stream, as much as it takes; may end and free follow. */
static void send_pending(struct follow *follow)
{
    while (follow->sent < follow->pending.len) {
        size_t rest = follow->pending.len - follow->sent;
        size_t n = rest < WRITE_MAX ? rest : WRITE_MAX;
        int rc = fr_stream_write(follow->stream, follow->pending.data + follow->sent, n);
        if (rc == -EAGAIN) {
            follow->ops->output_pause(follow->watch, true);
            return;
        }
        if (rc < 0) {
            break_off(follow);
            return;
        }
        follow->sent += n;
    }
    fr_buf_reset(&follow->pending);
    follow->sent = 0;
    if (follow->ended)
        end_with_job(follow);
}

static void queue_line(void *arg, bool continues, const char *text, size_t len)
{
    struct follow *follow = arg;

    if (follow->unfinished && !continues)
        fr_buf_putc(&follow->pending, '\n');
    fr_buf_put(&follow->pending, text, len);
    follow->unfinished = text[len - 1] != '\n';
}

static void on_stream_gone(void *arg)
{
    free_follow(arg);
}

static void on_stream_drained(void *arg)
{
    struct follow *follow = arg;

    follow->ops->output_pause(follow->watch, false);
    send_pending(follow);
}

static void on_stream_closing(void *arg)
{
    break_off(arg);
}

/* The first piece decides between a stream and a problem. False: follow is freed. */
static bool begin_stream(struct follow *follow, const struct fr_output *piece)
{
    struct fr_req *req = fr_held_take(&follow->held);

    if (piece->kind == FR_OUTPUT_ERROR)
        fr_reply_problem(req, 0, piece->err);
    else
        follow->stream = fr_req_stream(req, 200, "text/plain; charset=utf-8", QUEUE_MAX,
                                       &(struct fr_stream_hooks){.gone = on_stream_gone,
                                                                 .drained = on_stream_drained,
                                                                 .closing = on_stream_closing,
                                                                 .arg = follow});
    if (follow->stream)
        return true;
    free_follow(follow);
    return false;
}

static void on_follow_piece(void *arg, const struct fr_output *piece)
{
    struct follow *follow = arg;

    if (!follow->stream && !begin_stream(follow, piece))
        return;
    if (!fr_auth_holds(follow->auth, &follow->who)) {
        break_off(follow);
        return;
    }
    switch (piece->kind) {
    case FR_OUTPUT_DATA:
        if (fr_lines_feed(&follow->lines, piece) < 0 || fr_buf_status(&follow->pending) < 0) {
            fr_log_warning("an output stream was broken off: no memory");
            break_off(follow);
            return;
        }
        break;
    case FR_OUTPUT_CAUGHT_UP:
    case FR_OUTPUT_REDIRECT:
        return;
    case FR_OUTPUT_ERROR:
        break_off(follow);
        return;
    case FR_OUTPUT_END:
        fr_lines_flush(&follow->lines);
        follow->ended = true;
        break;
    }
    send_pending(follow);
}

static void on_follow_dropped(struct fr_held *held)
{
    free_follow((struct follow *)held);
}

/* Plain text is the whole, in lines. False if the request was answered. */
static bool only_for_events(struct fr_req *req)
{
    static const char *const names[] = {"stream", "rank", "offset"};
    struct fr_error err;

    for (size_t i = 0; i < FR_ARRAY_SIZE(names); i++) {
        if (!fr_req_query(req, names[i]))
            continue;
        fr_error_set(&err, EINVAL, FR_CODE_INVALID,
                     "%s is for the stream of events: send Accept: text/event-stream",
                     names[i]);
        fr_reply_problem(req, 0, &err);
        return false;
    }
    return true;
}

void fr_handle_output_stream(struct fr_req *req)
{
    struct fr_engine *engine = fr_service_engine(fr_api_call(req)->api->service);
    uint64_t id;

    if (!fr_jobs_readable(req) || !fr_jobs_read_id(req, &id))
        return;
    if (!job_is_known(req, id)) {
        fr_jobs_reply_unknown(req);
        return;
    }
    if (fr_accepts_events(req)) {
        fr_output_follow(req, id);
        return;
    }
    if (!only_for_events(req))
        return;
    struct follow *follow = calloc(1, sizeof *follow);
    if (follow) {
        follow->ops = engine->ops;
        follow->auth = fr_api_call(req)->api->auth;
        follow->who = fr_api_call(req)->who;
        follow->id = id;
        fr_buf_init(&follow->pending, PENDING_MAX);
        fr_lines_init(&follow->lines, queue_line, follow);
        follow->watch = engine->ops->output(engine, id, 0, on_follow_piece, follow);
    }
    if (!follow || !follow->watch) {
        free(follow);
        fr_reply_no_memory(req);
        return;
    }
    fr_held_init(&follow->held, req, FR_CODE_UNAVAILABLE, on_follow_dropped);
}
