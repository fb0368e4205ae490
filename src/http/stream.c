// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Replies without a known end. The owner writes into a bounded queue; libmicrohttpd reads from
 * it when the client takes more, and is suspended while it is empty.
 */
#include "http/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Pieces that a reply to an HTTP/1.0 client is read in; others are as large as the pool. Each
 * stream has that much memory set aside for it by libmicrohttpd, used or not.
 */
enum { BLOCK = 4096 };

/* An empty queue larger than this gives its memory back. */
enum { KEEP = 16384 };

static size_t queued(const struct fr_stream *stream)
{
    return stream->queue.len - stream->sent;
}

static void empty(struct fr_stream *stream)
{
    if (stream->queue.cap > KEEP)
        fr_buf_done(&stream->queue);
    else
        fr_buf_reset(&stream->queue);
    stream->sent = 0;
}

/* Called by libmicrohttpd, which holds the response's lock: nothing here may free that. */
static ssize_t read_stream(void *cls, uint64_t pos, char *to, size_t max)
{
    struct fr_req *req = cls;
    struct fr_stream *stream = req->stream;

    (void)pos;
    if (req->dead || !stream)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    size_t n = queued(stream);
    if (n == 0 && stream->ended)
        return stream->aborted ? MHD_CONTENT_READER_END_WITH_ERROR
                               : MHD_CONTENT_READER_END_OF_STREAM;
    if (n == 0) {
        req->suspended = true;
        MHD_suspend_connection(req->conn->mhd);
        return 0;
    }
    if (n > max)
        n = max;
    memcpy(to, stream->queue.data + stream->sent, n);
    stream->sent += n;
    req->bytes += n;
    if (queued(stream) == 0)
        empty(stream);
    if (stream->wanted && !stream->ended && queued(stream) < stream->max / 2) {
        stream->wanted = false;
        if (stream->hooks.drained)
            stream->hooks.drained(stream->hooks.arg);
    }
    return (ssize_t)n;
}

static struct MHD_Response *make_response(struct fr_req *req)
{
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, read_stream, req, NULL);

    /* To HEAD, libmicrohttpd 0.9.75 would send the last chunk that follows no other. */
    if (response && req->method == FR_HEAD)
        (void)MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    return response;
}

static struct fr_stream *make_stream(struct fr_req *req, size_t max,
                                     const struct fr_stream_hooks *hooks)
{
    struct fr_stream *stream = calloc(1, sizeof *stream);

    if (!stream)
        return NULL;
    stream->req = req;
    stream->max = max;
    if (hooks)
        stream->hooks = *hooks;
    /* Twice the limit, so that what has been sent need not be moved away at each write. */
    fr_buf_init(&stream->queue, 2 * max);
    return stream;
}

struct fr_stream *fr_req_stream(struct fr_req *req, unsigned int status,
                                const char *content_type, size_t queue_max,
                                const struct fr_stream_hooks *hooks)
{
    const bool is_head = req->method == FR_HEAD;
    struct fr_stream *stream = is_head ? NULL : make_stream(req, queue_max, hooks);
    struct MHD_Response *response = stream || is_head ? make_response(req) : NULL;

    if (!response) {
        free(stream);
        fr_req_reply(req, 500, NULL, NULL);
        return NULL;
    }
    req->stream = stream;
    fr_req_answer(req, status, content_type, response);
    return stream;
}

size_t fr_stream_room(const struct fr_stream *stream)
{
    return stream->max - queued(stream);
}

static void drop_sent(struct fr_stream *stream)
{
    const size_t left = queued(stream);

    memmove(stream->queue.data, stream->queue.data + stream->sent, left);
    stream->queue.len = left;
    stream->queue.data[left] = '\0';
    stream->sent = 0;
}

int fr_stream_write(struct fr_stream *stream, const void *data, size_t len)
{
    if (len > stream->max)
        return -EMSGSIZE;
    if (len > fr_stream_room(stream)) {
        stream->wanted = true;
        return -EAGAIN;
    }
    if (stream->sent > 0 && stream->sent >= queued(stream))
        drop_sent(stream);
    char *to = fr_buf_reserve(&stream->queue, len);
    if (!to) {
        stream->queue.failed = 0; /* what is queued is still good, and a later write may fit */
        return -ENOMEM;
    }
    memcpy(to, data, len);
    fr_buf_commit(&stream->queue, len);
    fr_req_wake(stream->req);
    return 0;
}

void fr_stream_end(struct fr_stream *stream)
{
    stream->ended = true;
    fr_req_wake(stream->req);
}

void fr_stream_abort(struct fr_stream *stream)
{
    stream->aborted = true;
    fr_stream_end(stream);
}

void fr_stream_closed(struct fr_stream *stream)
{
    const struct fr_stream_hooks hooks = stream->hooks;
    const bool ended = stream->ended;

    stream->req->stream = NULL;
    fr_buf_done(&stream->queue);
    free(stream);
    if (!ended && hooks.gone)
        hooks.gone(hooks.arg);
}

void fr_stream_closing(struct fr_stream *stream)
{
    if (!stream->ended && stream->hooks.closing)
        stream->hooks.closing(stream->hooks.arg);
}
