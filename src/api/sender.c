// SPDX-License-Identifier: LGPL-3.0-only
#include "api/sender.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/accept.h"
#include "api/problem.h"
#include "base/util.h"

/* Bytes that wait in the connection's queue for a client that reads slowly. */
#define QUEUE_MAX 65536
/* Beyond that: the rest of one event, the longest that there is, and a last word. */
#define REST_MAX (4 * 1024 * 1024)
#define BEAT_MS 5000

struct fr_sender {
    LIST_ENTRY(fr_sender) link;
    struct fr_api *api;
    struct fr_stream *stream;
    struct fr_sender_hooks hooks;
    bool sse;
    bool quiet;  /* nothing was put since the last look */
    bool ending; /* the owner has let go of it: ends when the rest is sent */
    struct fr_buf rest;
    size_t sent; /* of rest */
    struct fr_identity who;
    char client[]; /* who counts as one: address and user */
};

/* --- who may have one --- */

static struct fr_sender *make_sender(const struct fr_req *req)
{
    const char *address = fr_req_peer(req)->address;
    const char *port = strrchr(address, ':');
    int len = port ? (int)(port - address) : (int)strlen(address);
    size_t size = sizeof(struct fr_sender) + (size_t)len + strlen(fr_req_user(req)) + 2;
    struct fr_sender *sender = calloc(1, size);

    if (sender)
        (void)snprintf(sender->client, size - sizeof *sender, "%.*s %s", len, address,
                       fr_req_user(req));
    return sender;
}

/* Whether there may be one more; else answers. */
static bool may_open(struct fr_req *req, const struct fr_sender *sender)
{
    const struct fr_api *api = fr_api_call(req)->api;
    const struct fr_sender *other;
    unsigned int all = 0, same = 0;
    struct fr_error err;

    LIST_FOREACH(other, &api->senders, link)
    {
        all++;
        same += strcmp(other->client, sender->client) == 0;
    }
    if (same >= api->streams_per_client)
        fr_error_set(&err, EAGAIN, FR_CODE_TOO_MANY,
                     "this client has %u streams open already; close one, or raise "
                     "--streams-per-client",
                     same);
    else if (all >= api->streams)
        fr_error_set(&err, EAGAIN, FR_CODE_UNAVAILABLE,
                     "%u streams are open already; try again later, or raise --streams", all);
    else
        return true;
    fr_reply_problem(req, 0, &err);
    return false;
}

/* --- sending --- */

static void free_sender(struct fr_sender *sender)
{
    LIST_REMOVE(sender, link);
    if (LIST_EMPTY(&sender->api->senders))
        fr_timer_stop(sender->api->beat_timer); /* or it would keep the loop at the end */
    fr_buf_done(&sender->rest);
    free(sender);
}

/* Hands on what waits, as much as the queue takes. */
static int send_rest(struct fr_sender *sender)
{
    while (sender->sent < sender->rest.len) {
        size_t left = sender->rest.len - sender->sent;
        size_t n = left < QUEUE_MAX / 2 ? left : QUEUE_MAX / 2;
        int rc = fr_stream_write(sender->stream, sender->rest.data + sender->sent, n);
        if (rc < 0)
            return rc;
        sender->sent += n;
    }
    fr_buf_done(&sender->rest);
    sender->sent = 0;
    return 0;
}

static void on_gone(void *arg)
{
    struct fr_sender *sender = arg;
    struct fr_sender_hooks hooks = sender->hooks;
    bool ending = sender->ending;

    free_sender(sender);
    if (!ending)
        hooks.gone(hooks.arg);
}

static void on_drained(void *arg)
{
    struct fr_sender *sender = arg;
    int rc = send_rest(sender);

    if (rc == -EAGAIN)
        return;
    if (rc == 0 && !sender->ending) {
        sender->hooks.ready(sender->hooks.arg);
        return;
    }
    if (rc == 0)
        fr_stream_end(sender->stream);
    else
        fr_stream_abort(sender->stream);
    on_gone(sender);
}

static void on_closing(void *arg)
{
    struct fr_sender *sender = arg;

    if (!sender->ending)
        sender->hooks.closing(sender->hooks.arg);
}

struct fr_sender *fr_sender_open(struct fr_req *req, bool sse,
                                 const struct fr_sender_hooks *hooks)
{
    struct fr_sender *sender = make_sender(req);

    if (!sender) {
        fr_reply_no_memory(req);
        return NULL;
    }
    if (!may_open(req, sender)) {
        free(sender);
        return NULL;
    }
    sender->api = fr_api_call(req)->api;
    sender->hooks = *hooks;
    sender->sse = sse;
    sender->who = fr_api_call(req)->who;
    fr_buf_init(&sender->rest, REST_MAX);
    (void)fr_req_set_header(req, "Cache-Control", "no-store");
    (void)fr_req_set_header(req, "X-Accel-Buffering", "no"); /* nginx would hold it back */
    sender->stream = fr_req_stream(
        req, 200, sender->sse ? FR_TYPE_EVENTS : FR_TYPE_LINES, QUEUE_MAX,
        &(struct fr_stream_hooks){
            .gone = on_gone, .drained = on_drained, .closing = on_closing, .arg = sender});
    if (!sender->stream) {
        free(sender);
        return NULL;
    }
    if (LIST_EMPTY(&sender->api->senders))
        fr_timer_start(sender->api->beat_timer, BEAT_MS, BEAT_MS);
    LIST_INSERT_HEAD(&sender->api->senders, sender, link);
    return sender;
}

bool fr_sender_is_sse(const struct fr_sender *sender)
{
    return sender->sse;
}

bool fr_sender_is_ready(const struct fr_sender *sender)
{
    return sender->rest.len == 0;
}

int fr_sender_put(struct fr_sender *sender, const void *data, size_t len)
{
    sender->quiet = false;
    if (sender->rest.len == 0 && len <= QUEUE_MAX) {
        int rc = fr_stream_write(sender->stream, data, len);
        if (rc != -EAGAIN)
            return rc;
    }
    bool waits = sender->rest.len > 0;
    fr_buf_put(&sender->rest, data, len);
    if (fr_buf_status(&sender->rest) < 0)
        return -ENOMEM;
    /* A text that no queue takes whole: its beginning goes now, and the refusal of more makes
     * the stream tell when there is room. */
    int rc = waits ? 0 : send_rest(sender);
    return rc == -EAGAIN ? 0 : rc;
}

int fr_sender_control(struct fr_sender *sender, const char *word, const char *reason,
                      const char *cursor)
{
    struct fr_buf text = FR_BUF_INIT(4096);

    if (sender->sse) {
        fr_buf_printf(&text, "event: %s\n", word);
        if (cursor)
            fr_buf_printf(&text, "id: %s\n", cursor);
        fr_buf_puts(&text, "data: ");
    }
    fr_buf_printf(&text, "{\"control\":\"%s\"", word);
    if (reason) {
        fr_buf_puts(&text, ",\"reason\":");
        fr_buf_put_json_string(&text, reason);
    }
    if (cursor)
        fr_buf_printf(&text, ",\"cursor\":\"%s\"", cursor);
    fr_buf_puts(&text, sender->sse ? "}\n\n" : "}\n");
    int rc = fr_buf_status(&text) < 0 ? -ENOMEM : fr_sender_put(sender, text.data, text.len);
    fr_buf_done(&text);
    return rc;
}

int fr_sender_beat(struct fr_sender *sender, const char *cursor)
{
    char text[160];

    if (!sender->sse)
        return fr_sender_control(sender, "heartbeat", NULL, cursor);
    /* An id without data is no event, but it is what a client comes back with. */
    int len = cursor ? snprintf(text, sizeof text, ":\nid: %s\n\n", cursor)
                     : snprintf(text, sizeof text, ":\n\n");
    return fr_sender_put(sender, text, (size_t)len);
}

void fr_sender_end(struct fr_sender *sender)
{
    sender->ending = true;
    if (sender->rest.len > 0)
        return; /* on_drained ends it */
    fr_stream_end(sender->stream);
    free_sender(sender);
}

void fr_sender_abort(struct fr_sender *sender)
{
    fr_stream_abort(sender->stream);
    free_sender(sender);
}

/* --- all of them --- */

/* Whose credentials have ended is told no more. */
static void cut_off(struct fr_sender *sender)
{
    bool told = fr_sender_is_ready(sender) &&
                fr_sender_control(sender, "closing", "the credentials have ended", NULL) == 0;

    if (told && fr_sender_is_ready(sender))
        fr_stream_end(sender->stream);
    else
        fr_stream_abort(sender->stream);
    on_gone(sender);
}

static void on_beat(void *arg)
{
    struct fr_api *api = arg;
    struct fr_sender *sender = LIST_FIRST(&api->senders), *next;

    /* A beat may end its own sender and no other. */
    for (; sender; sender = next) {
        next = LIST_NEXT(sender, link);
        if (!sender->ending && !fr_auth_holds(api->auth, &sender->who)) {
            cut_off(sender);
            continue;
        }
        bool quiet = sender->quiet;
        sender->quiet = true;
        if (quiet && !sender->ending && fr_sender_is_ready(sender))
            sender->hooks.beat(sender->hooks.arg);
    }
}

int fr_senders_init(struct fr_api *api)
{
    LIST_INIT(&api->senders);
    return fr_timer_create(api->loop, on_beat, api, &api->beat_timer);
}

size_t fr_senders_count(const struct fr_api *api, size_t *ret_behind)
{
    const struct fr_sender *sender;
    size_t count = 0, most = 0;

    LIST_FOREACH(sender, &api->senders, link)
    {
        size_t behind =
            QUEUE_MAX - fr_stream_room(sender->stream) + sender->rest.len - sender->sent;
        if (behind > most)
            most = behind;
        count++;
    }
    *ret_behind = most;
    return count;
}
