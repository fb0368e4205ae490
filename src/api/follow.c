// SPDX-License-Identifier: LGPL-3.0-only
/*
 * GET /v1/jobs/{id}/output/stream as SSE: what a job writes, piece by piece, each with the
 * place after it as its id, and last how the job ended.
 */
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "api/api.h"
#include "api/follow.h"
#include "api/held.h"
#include "api/params.h"
#include "api/problem.h"
#include "api/sender.h"
#include "base/log.h"
#include "base/text.h"
#include "model/rset.h"

/* A piece that is sent, base64 and JSON around it included. */
#define PIECE_MAX (3 * 1024 * 1024)

struct follow {
    struct fr_held held; /* until the first piece tells that there is something to follow */
    struct fr_sender *sender; /* from then on */
    const struct fr_engine_ops *ops;
    struct fr_output_watch *watch; /* NULL once it has told all */
    struct fr_subscription *subscription;
    uint64_t id;
    uint64_t offset; /* after the last piece that came */
    bool outs, errs; /* which streams are wanted */
    long rank;       /* the task that is wanted, -1: every one */
};

static const struct fr_job *job_of(const struct follow *follow)
{
    return fr_table_find(fr_service_table(follow->held.api->service), follow->id);
}

static void free_follow(struct follow *follow)
{
    if (follow->watch)
        follow->ops->output_free(follow->watch);
    fr_hub_unsubscribe(follow->subscription);
    free(follow);
}

static void break_off(struct follow *follow)
{
    fr_log_warning("an output stream was broken off: no memory");
    fr_sender_abort(follow->sender);
    free_follow(follow);
}

/* --- what is sent --- */

static bool is_text(const char *data, size_t len)
{
    for (size_t at = 0, n; at < len; at += n) {
        n = fr_text_utf8(data + at, len - at);
        if (n == 0)
            return false;
    }
    return true;
}

static void put_data(struct fr_buf *text, const struct fr_output *piece)
{
    size_t len = sodium_base64_ENCODED_LEN(piece->len, sodium_base64_VARIANT_ORIGINAL);

    if (is_text(piece->data, piece->len)) {
        fr_buf_put_json_stringn(text, piece->data, piece->len);
        return;
    }
    fr_buf_putc(text, '"');
    char *to = fr_buf_reserve(text, len);
    if (to) {
        sodium_bin2base64(to, len, (const unsigned char *)piece->data, piece->len,
                          sodium_base64_VARIANT_ORIGINAL);
        fr_buf_commit(text, len - 1);
    }
    fr_buf_puts(text, "\",\"encoding\":\"base64\"");
}

static void put_head(const struct follow *follow, struct fr_buf *text, const char *event)
{
    fr_buf_printf(text, "event: %s\nid: %" PRIu64 "\ndata: {", event, follow->offset);
}

/* Sends what was put together. False if that ended and freed follow. */
static bool send_text(struct follow *follow, struct fr_buf *text)
{
    int rc = fr_buf_status(text);

    if (rc == 0)
        rc = fr_sender_put(follow->sender, text->data, text->len);
    fr_buf_done(text);
    if (rc < 0)
        break_off(follow);
    else if (follow->watch && !fr_sender_is_ready(follow->sender))
        follow->ops->output_pause(follow->watch, true);
    return rc == 0;
}

static int is_rank(unsigned int id, void *arg)
{
    return (long)id == *(long *)arg ? 1 : 0;
}

static bool is_wanted(const struct follow *follow, const struct fr_output *piece)
{
    long rank = follow->rank;

    if (!(piece->is_stderr ? follow->errs : follow->outs))
        return false;
    return rank < 0 ||
           (piece->rank && fr_idset_each(piece->rank, UINT32_MAX, is_rank, &rank) == 1);
}

static void send_data(struct follow *follow, const struct fr_output *piece)
{
    struct fr_buf text = FR_BUF_INIT(PIECE_MAX);

    follow->offset = piece->offset;
    if (!is_wanted(follow, piece))
        return;
    put_head(follow, &text, piece->is_stderr ? "stderr" : "stdout");
    fr_buf_puts(&text, "\"rank\":");
    fr_buf_put_json_string(&text, piece->rank);
    fr_buf_puts(&text, ",\"data\":");
    put_data(&text, piece);
    fr_buf_puts(&text, "}\n\n");
    (void)send_text(follow, &text);
}

static void send_redirect(struct follow *follow, const struct fr_output *piece)
{
    struct fr_buf text = FR_BUF_INIT(PIECE_MAX);

    put_head(follow, &text, "redirect");
    fr_buf_printf(&text, "\"stream\":\"%s\",\"path\":", piece->is_stderr ? "stderr" : "stdout");
    fr_buf_put_json_string(&text, piece->path);
    fr_buf_puts(&text, "}\n\n");
    (void)send_text(follow, &text);
}

/* --- the end --- */

static void say_and_end(struct follow *follow, const char *reason)
{
    char offset[24];

    snprintf(offset, sizeof offset, "%" PRIu64, follow->offset);
    if (fr_sender_control(follow->sender, "closing", reason, offset) < 0) {
        break_off(follow);
        return;
    }
    fr_sender_end(follow->sender);
    free_follow(follow);
}

/* The signal that ended a task: the shell turns it into an exit status. */
static int signal_of(const struct fr_job *job)
{
    if (job->waitstatus < 0)
        return 0;
    if (WIFSIGNALED(job->waitstatus))
        return WTERMSIG(job->waitstatus);
    return WEXITSTATUS(job->waitstatus) > 128 ? WEXITSTATUS(job->waitstatus) - 128 : 0;
}

static void put_exception(struct fr_buf *text, const struct fr_job *job)
{
    fr_buf_puts(text, ",\"exception\":");
    if (job->exception_severity < 0) {
        fr_buf_puts(text, "null");
        return;
    }
    fr_buf_printf(text, "{\"severity\":%d,\"type\":", job->exception_severity);
    fr_buf_put_json_string(text, job->exception_type);
    fr_buf_puts(text, ",\"note\":");
    fr_buf_put_json_string(text, job->exception_note);
    fr_buf_putc(text, '}');
}

static void send_exit(struct follow *follow, const struct fr_job *job)
{
    struct fr_buf text = FR_BUF_INIT(PIECE_MAX);
    int code = fr_job_returncode(job), signum = signal_of(job);

    put_head(follow, &text, "exit");
    fr_buf_puts(&text, "\"returncode\":");
    if (code == FR_JOB_NO_RETURNCODE)
        fr_buf_puts(&text, "null");
    else
        fr_buf_put_i64(&text, code);
    fr_buf_puts(&text, ",\"signal\":");
    if (signum > 0)
        fr_buf_put_i64(&text, signum);
    else
        fr_buf_puts(&text, "null");
    put_exception(&text, job);
    fr_buf_printf(&text, ",\"state\":\"%s\",\"result\":\"%s\"}\n\n", fr_state_word(job->state),
                  fr_result_word(job->result));
    if (!send_text(follow, &text))
        return;
    fr_sender_end(follow->sender);
    free_follow(follow);
}

/* All output was told: the job's end may still be on its way. */
static void end_with_job(struct follow *follow)
{
    const struct fr_job *job = job_of(follow);

    follow->ops->output_free(follow->watch);
    follow->watch = NULL;
    if (job && job->state == FR_STATE_INACTIVE)
        send_exit(follow, job);
    else if (!job)
        say_and_end(follow, "the job was purged from the instance");
}

static void on_news(void *arg, const struct fr_news *news)
{
    struct follow *follow = arg;

    if (!follow->sender)
        return; /* the engine will answer */
    if (news->kind == FR_NEWS_PURGED)
        say_and_end(follow, "the job was purged from the instance");
    else if (!follow->watch && news->state == FR_STATE_INACTIVE && news->job)
        send_exit(follow, news->job);
}

/* --- the sender's hooks --- */

static void on_gone(void *arg)
{
    free_follow(arg);
}

static void on_ready(void *arg)
{
    struct follow *follow = arg;

    if (follow->watch)
        follow->ops->output_pause(follow->watch, false);
}

static void on_beat(void *arg)
{
    struct follow *follow = arg;
    char offset[24];

    snprintf(offset, sizeof offset, "%" PRIu64, follow->offset);
    if (fr_sender_beat(follow->sender, offset) < 0)
        break_off(follow);
}

static void on_closing(void *arg)
{
    say_and_end(arg, "the service is stopping");
}

/* --- the beginning --- */

/* The first piece decides between a stream and a problem. False: follow is freed. */
static bool begin(struct follow *follow, const struct fr_output *piece)
{
    const struct fr_sender_hooks hooks = {on_gone, on_ready, on_beat, on_closing, follow};
    struct fr_req *req = fr_held_take(&follow->held);

    if (piece->kind == FR_OUTPUT_ERROR)
        fr_reply_problem(req, 0, piece->err);
    else
        follow->sender = fr_sender_open(req, true, &hooks);
    if (follow->sender)
        return true;
    free_follow(follow);
    return false;
}

static void on_piece(void *arg, const struct fr_output *piece)
{
    struct follow *follow = arg;
    char offset[24];

    if (!follow->sender && !begin(follow, piece))
        return;
    switch (piece->kind) {
    case FR_OUTPUT_DATA:
        send_data(follow, piece);
        break;
    case FR_OUTPUT_CAUGHT_UP:
        snprintf(offset, sizeof offset, "%" PRIu64, follow->offset);
        if (fr_sender_control(follow->sender, "caught-up", NULL, offset) < 0)
            break_off(follow);
        break;
    case FR_OUTPUT_REDIRECT:
        send_redirect(follow, piece);
        break;
    case FR_OUTPUT_ERROR:
        say_and_end(follow, piece->err->text);
        break;
    case FR_OUTPUT_END:
        end_with_job(follow);
        break;
    }
}

static void on_dropped(struct fr_held *held)
{
    free_follow((struct follow *)held);
}

static bool read_offset(const char *text, uint64_t *ret)
{
    size_t len = strspn(text, "0123456789");

    *ret = strtoull(text, NULL, 10);
    return len > 0 && len < 20 && text[len] == '\0';
}

/* Reads the query into follow. False if the request was answered. */
static bool read_query(struct fr_req *req, struct follow *follow)
{
    const char *stream = fr_req_query(req, "stream"), *offset = fr_req_query(req, "offset");
    const char *last = fr_req_header(req, "Last-Event-ID");
    struct fr_problems problems;

    fr_problems_init(&problems);
    follow->outs = !stream || strcmp(stream, "stdout") == 0;
    follow->errs = !stream || strcmp(stream, "stderr") == 0;
    follow->rank = fr_param_count(req, "rank", -1);
    if (!follow->outs && !follow->errs)
        fr_problems_add(&problems, FR_CODE_INVALID, "?stream",
                        "stream must be stdout or stderr, not \"%.64s\"", stream);
    offset = last && last[0] ? last : offset;
    if (offset && !read_offset(offset, &follow->offset))
        fr_problems_add(&problems, FR_CODE_INVALID, "?offset",
                        "\"%.64s\" is no offset; give the id of the last event that came, or 0",
                        offset);
    bool good = problems.count == 0 && problems.left_out == 0;
    if (!good)
        fr_reply_problems(req, 0, NULL, &problems);
    fr_problems_done(&problems);
    return good;
}

void fr_output_follow(struct fr_req *req, uint64_t id)
{
    struct fr_api *api = fr_api_call(req)->api;
    struct fr_engine *engine = fr_service_engine(api->service);
    struct follow *follow = calloc(1, sizeof *follow);

    if (follow && !read_query(req, follow)) {
        free(follow);
        return;
    }
    if (follow) {
        follow->ops = engine->ops;
        follow->id = id;
        follow->subscription =
            fr_hub_subscribe(fr_service_hub(api->service), id, on_news, follow);
        follow->watch = engine->ops->output(engine, id, follow->offset, on_piece, follow);
    }
    if (!follow || !follow->subscription || !follow->watch) {
        if (follow)
            free_follow(follow);
        fr_reply_no_memory(req);
        return;
    }
    fr_held_init(&follow->held, req, FR_CODE_UNAVAILABLE, on_dropped);
}
