// SPDX-License-Identifier: LGPL-3.0-only
/*
 * One HTTP request and the reply to it, as handlers see them.
 *
 * A request is handed to the handler once its body is complete (or at once, for the admit
 * hook). The handler answers now, or keeps the pointer and answers later, from a callback on
 * the loop: until then the connection is suspended and costs nothing. A client that goes away
 * in the meantime is noticed: on_gone runs, and after it the request is dead. Every request
 * ends in exactly one of: fr_req_reply(), fr_req_stream(), on_gone.
 *
 * All on the loop's thread.
 */
#ifndef FR_HTTP_MESSAGE_H
#define FR_HTTP_MESSAGE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

struct fr_req;

enum fr_method {
    FR_GET = 1,
    FR_HEAD = 2,
    FR_POST = 4,
    FR_PUT = 8,
    FR_PATCH = 16,
    FR_DELETE = 32,
    FR_OPTIONS = 64,
    FR_METHOD_OTHER = 128
};

/* Who is at the other end of the connection, as the kernel told when it was accepted. */
struct fr_peer {
    bool is_unix; /* over a Unix socket */
    bool is_tls;
    bool is_loopback; /* over TCP from a loopback address to a loopback address */
    /*
     * The owner of the other end: over a Unix socket by SO_PEERCRED; over loopback TCP by
     * sock_diag, and only if that socket was ESTABLISHED with an inode other than 0 when it
     * was accepted. -1 if not known, which is never a reason to let somebody in.
     */
    int64_t uid;
    char address[INET6_ADDRSTRLEN + 10]; /* "127.0.0.1:4711", "[::1]:80", "unix" */
};

enum fr_method fr_req_method(const struct fr_req *req);
const char *fr_req_method_word(const struct fr_req *req);

/* The path, percent-decoded, valid UTF-8 without NUL; begins with '/'. Borrowed. */
const char *fr_req_path(const struct fr_req *req);

/* Longest request id, in bytes. */
#define FR_REQ_ID_MAX 128

/* The request's id: the client's X-Request-ID if it is a tame one, else made. Borrowed. */
const char *fr_req_id(const struct fr_req *req);

const struct fr_peer *fr_req_peer(const struct fr_req *req);

/* Connections that are open to the server that has the request, this one included. */
unsigned int fr_req_connections(const struct fr_req *req);

/* A header by name in any case, or NULL. The first if there are several. Borrowed. */
const char *fr_req_header(const struct fr_req *req, const char *name);

/* A query parameter, percent-decoded, or NULL; "" if it has no value. Borrowed. */
const char *fr_req_query(const struct fr_req *req, const char *name);

/* Calls each for every query parameter in order. */
void fr_req_query_each(const struct fr_req *req,
                       void (*each)(void *arg, const char *name, const char *value), void *arg);

/* The whole body; NUL-terminated beyond len. Never NULL. Borrowed. */
const char *fr_req_body(const struct fr_req *req, size_t *ret_len);

/*
 * In the admit hook: the body is to be handed on as it comes, all of each piece, and is neither
 * kept nor limited in size; the handle hook still comes when it is whole. Set fr_req_on_gone()
 * too, which runs also if the body does not come to its end.
 */
void fr_req_stream_body(struct fr_req *req,
                        void (*data)(void *arg, const char *data, size_t len), void *arg);

/*
 * Nothing more of such a body is read while it is paused, but for what libmicrohttpd has read
 * already. The time does not count as the client's.
 */
void fr_req_pause_body(struct fr_req *req, bool paused);

/*
 * Remembers who asks, for the access log and for handlers; "" until set. Borrowed: must live as
 * long as the request, as what fr_req_set_data() keeps does.
 */
void fr_req_set_user(struct fr_req *req, const char *user);
const char *fr_req_user(const struct fr_req *req);

/*
 * A pointer of the layer above, kept with the request and freed with it.
 */
void fr_req_set_data(struct fr_req *req, void *data, void (*free_data)(void *data));
void *fr_req_data(const struct fr_req *req);

/*
 * Adds a header to the reply to come. Control characters make it be dropped (and say so by
 * -EINVAL): no client can split a reply. 0 or -ENOMEM.
 */
int fr_req_set_header(struct fr_req *req, const char *name, const char *value);

/* Sets the reply's ETag; cut at FR_ETAG_MAX bytes. Cheaper than fr_req_set_header(). */
#define FR_ETAG_MAX 63
void fr_req_set_etag(struct fr_req *req, const char *etag);

/*
 * Says how many bytes are held for this request's reply, in place of what was said before;
 * fr_req_reply() does so by itself. 0, or -ENOBUFS (and nothing is changed) if all replies
 * together would hold more than the server's limit. Small replies always fit.
 */
int fr_req_hold(struct fr_req *req, size_t bytes);

/* Answers, through the server's refuse hook, that fr_req_hold() would not: 503. */
void fr_req_reply_busy(struct fr_req *req);

/*
 * Answers: status, a content type (NULL: none), and the body, whose bytes are taken from
 * `body` (NULL: empty). A failed buffer turns into a plain 500, one that cannot be held
 * (fr_req_hold()) into a refusal with 503. The request is dead afterwards,
 * whatever happens. For HEAD the body's length is told and the body not sent.
 */
void fr_req_reply(struct fr_req *req, unsigned int status, const char *content_type,
                  struct fr_buf *body);

/* Answers with bytes that live as long as the process. */
void fr_req_reply_static(struct fr_req *req, unsigned int status, const char *content_type,
                         const void *data, size_t len);

/*
 * Called if the client goes away, or the server ends, before the request is answered; the
 * request is dead then. Set it whenever the request is kept beyond the handler. cb may be NULL.
 */
void fr_req_on_gone(struct fr_req *req, void (*cb)(void *arg), void *arg);

/*
 * A reply without an end known yet. Turns the request into a stream: the request is dead, the
 * stream lives until fr_stream_end(), or until on_gone has run.
 */
struct fr_stream;

struct fr_stream_hooks {
    /* The client went away, or stood still too long: the stream is dead after this. */
    void (*gone)(void *arg);
    /* What was queued has fallen below half of the limit after a write said -EAGAIN. */
    void (*drained)(void *arg);
    /* The server is ending: write a last word if you like and end soon. May be NULL. */
    void (*closing)(void *arg);
    void *arg;
};

/*
 * queue_max: most bytes that may wait for the client. NULL with the request answered as 500
 * when there is no memory. For HEAD the stream is NULL too: answered without a body.
 */
struct fr_stream *fr_req_stream(struct fr_req *req, unsigned int status,
                                const char *content_type, size_t queue_max,
                                const struct fr_stream_hooks *hooks);

/*
 * Queues bytes for the client (copied, whole or not at all). 0; -EAGAIN if they do not fit
 * now (wait for drained); -EMSGSIZE if len alone is over queue_max; -ENOMEM.
 */
int fr_stream_write(struct fr_stream *stream, const void *data, size_t len);

/* Bytes that still fit. */
size_t fr_stream_room(const struct fr_stream *stream);

/* Ends the reply in order once the queue has been sent. The stream is dead to the caller. */
void fr_stream_end(struct fr_stream *stream);

/*
 * Breaks the reply off once the queue has been sent, so that the client sees that it is not
 * whole: the connection is closed without the mark of the end. The stream is dead to the
 * caller.
 */
void fr_stream_abort(struct fr_stream *stream);

#endif
