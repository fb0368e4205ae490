// SPDX-License-Identifier: LGPL-3.0-only
#include "cli/stream.h"

#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "cli/ask.h"
#include "cli/signals.h"

/* One stream over all its connections. */
struct life {
    struct fr_stream *stream;
    struct fr_sse sse;
    double since; /* when it went on last */
    double pause; /* before the next connection */
    bool moved;   /* something came by this connection */
    int failed;   /* 0, or why what came cannot be kept */
};

static int on_event(void *arg, const char *kind, const char *data, size_t len)
{
    struct life *life = arg;

    /* What a server says again and again before it closes is no progress. */
    if (strcmp(kind, "closing") != 0 && strcmp(kind, "caught-up") != 0 &&
        strcmp(kind, "lost") != 0)
        life->moved = true;
    return life->stream->on_event(life->stream->arg, kind, data, len);
}

static int on_data(void *arg, const char *data, size_t len)
{
    struct life *life = arg;
    int r = fr_sse_feed(&life->sse, data, len, on_event, life);

    life->failed = r < 0 ? r : 0;
    return r;
}

static int on_turn(void *arg, double *ret_seconds)
{
    struct life *life = arg;

    return life->stream->on_turn(life->stream->arg, ret_seconds);
}

static void on_interrupt(void *arg)
{
    struct life *life = arg;

    life->stream->on_interrupt(life->stream->arg);
}

/* Waits before the next connection. False: Ctrl-C, or it has been too long. */
static bool pause_before_next(struct life *life, const struct fr_reply *reply)
{
    double pause = life->pause;

    if (fr_ask_now() - life->since > FR_ASK_PATIENCE)
        return false;
    if (reply->retry_after > pause)
        pause = reply->retry_after < FR_ASK_PAUSE_MAX ? reply->retry_after : FR_ASK_PAUSE_MAX;
    life->pause = 2 * life->pause < FR_ASK_PAUSE_MAX ? 2 * life->pause : FR_ASK_PAUSE_MAX;
    return fr_signals_sleep(pause);
}

static bool is_events(const struct fr_reply *reply)
{
    return strcmp(reply->type, "text/event-stream") == 0;
}

/* Whether the stream may go on after a connection that ended so. */
static bool may_go_on(struct life *life, enum fr_outcome outcome, const struct fr_reply *reply)
{
    if (outcome == FR_NOT_THERE)
        return fr_client_has_answered(life->stream->cli->client);
    if (outcome == FR_BROKEN_OFF)
        return true;
    if (outcome != FR_ANSWERED)
        return false;
    return reply->status == 200 ? is_events(reply) : fr_ask_is_passing(reply->status, NULL);
}

/* What a connection came to that the stream does not go on after, as an exit code; told. */
static int give_up(const struct life *life, const struct fr_request *request,
                   enum fr_outcome outcome, const struct fr_reply *reply, struct fr_error *err)
{
    if (outcome != FR_INTERRUPTED && fr_signals_gave_up())
        return FR_EXIT_INTERRUPTED;
    if (outcome == FR_ANSWERED && reply->status == 200) {
        if (!is_events(reply)) {
            fr_say("the server's answer is no stream of events; is it a flux-restd?");
            return FR_EXIT_FAILED;
        }
        outcome = FR_BROKEN_OFF;
        fr_error_set(err, EIO, FR_CODE_UNAVAILABLE, "it ends the stream again and again");
    }
    return fr_ask_tell(life->stream->cli, request, outcome, reply, err);
}

/* One connection to its end. True: *ret is the result. */
static bool connect_once(struct life *life, int *ret)
{
    struct fr_stream *stream = life->stream;
    struct fr_error err = {.text = ""};
    struct fr_reply reply;
    const struct fr_request request = {
        .method = "GET",
        .path = stream->path,
        .accept = "text/event-stream, application/problem+json",
        .place = *life->sse.place ? life->sse.place : NULL,
        .stream = true,
        .on_data = on_data,
        .on_turn = stream->on_turn ? on_turn : NULL,
        .on_interrupt = stream->on_interrupt ? on_interrupt : NULL,
        .arg = life,
    };
    double begun = fr_ask_now();
    bool over = true;

    fr_sse_restart(&life->sse);
    life->moved = false;
    life->failed = 0;
    enum fr_outcome outcome = fr_client_ask(stream->cli->client, &request, &reply, &err);
    if (life->moved || (reply.status == 200 && fr_ask_now() - begun > FR_ASK_PAUSE_MAX)) {
        life->since = fr_ask_now();
        life->pause = FR_ASK_PAUSE_FIRST;
    }
    if (outcome == FR_STOPPED && life->failed) {
        fr_say("cannot keep an event: %s", strerror(-life->failed));
        *ret = FR_EXIT_FAILED;
    } else if (outcome == FR_STOPPED) {
        *ret = FR_EXIT_OK;
    } else if (outcome == FR_ANSWERED && reply.status == 410) {
        *ret = FR_STREAM_GONE;
    } else if (may_go_on(life, outcome, &reply) && pause_before_next(life, &reply)) {
        over = false;
    } else {
        *ret = give_up(life, &request, outcome, &reply, &err);
    }
    fr_reply_done(&reply);
    return over;
}

int fr_stream_follow(struct fr_stream *stream)
{
    struct life life = {.stream = stream, .since = fr_ask_now(), .pause = FR_ASK_PAUSE_FIRST};
    int code = FR_EXIT_FAILED;

    fr_sse_init(&life.sse);
    memcpy(life.sse.place, stream->place, sizeof life.sse.place);
    while (!connect_once(&life, &code))
        continue;
    memcpy(stream->place, life.sse.place, sizeof stream->place);
    fr_sse_done(&life.sse);
    return code;
}
