// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The HTTP/1.1 server: libmicrohttpd, driven by our loop through its epoll descriptor.
 *
 * Knows nothing of jobs, routes or users. What libmicrohttpd lets through and should not
 * (Content-Length with Transfer-Encoding, two lengths or hosts, other encodings, control
 * characters in a header) is refused here, before any hook sees the request.
 *
 * A client that left while its request waits or its stream is silent is noticed within about
 * two seconds. One that only shut down its sending side still gets its reply where it can be
 * told from one that left: over Unix sockets and loopback. From another machine it gets a reply
 * that is ready within a second, and counts as gone after that; so it does over TLS. Over
 * loopback one that shut down its sending side before it was accepted is not known by its user
 * (message.h), so that it needs credentials like anybody.
 */
#ifndef FR_HTTP_SERVER_H
#define FR_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "base/error.h"
#include "http/message.h"

struct fr_server;

/*
 * Every size that a client controls. Deadlines are looked at once a second. A connection over a
 * limit is answered 503 or 429 in plain text and closed, without a hook being asked; so is a
 * request that takes too long to arrive, with 408. One connection in eight is kept for the user
 * who runs this process (and root, over a Unix socket).
 */
struct fr_server_limits {
    size_t header_block;          /* bytes of request line and headers; also costs CPU: the
                                     memory for them is cleared for every request */
    size_t body;                  /* bytes of a request body, chunked or not */
    unsigned int connections;     /* in all */
    unsigned int per_address;     /* of one peer: on this machine a user, else an address */
    uint64_t replies;             /* bytes of all replies that are made or being sent */
    unsigned int request_seconds; /* for a whole request to arrive, from the connection's start
                                     or, if it is not the first, from its request line */
    unsigned int
        handshake_seconds;      /* of that, for the TLS handshake and the first request line */
    unsigned int idle_seconds;  /* a kept-alive connection without a request */
    unsigned int reply_seconds; /* without progress of a reply being sent */
    unsigned int parameters;    /* query parameters and headers, each */
};

struct fr_server_hooks {
    /*
     * Asked when the headers are in and no body has been read. Answers the request itself
     * (fr_req_reply) and returns false to refuse it: then the body is not read, and the
     * connection is closed after the reply where one was announced. true lets it in. May not
     * keep the request. NULL lets everything in.
     */
    bool (*admit)(void *arg, struct fr_req *req);
    /* The request is whole. See message.h for what is expected. */
    void (*handle)(void *arg, struct fr_req *req);
    /*
     * This layer refuses a request itself: answers it with the status (400, 413, 408, …), the
     * code and the text, in the form that the layer above gives its errors. Must answer at
     * once. The path may be anything here, for it may be what is refused.
     */
    void (*refuse)(void *arg, struct fr_req *req, unsigned int status,
                   const struct fr_error *err);
    /*
     * One line of the access log. Called once per request whose headers were read, after the
     * reply; status 0: the connection ended without one. May be NULL.
     */
    void (*log)(void *arg, const struct fr_req *req, unsigned int status, uint64_t bytes,
                double seconds);
    void *arg;
};

/* Makes a server that listens nowhere yet. limits and hooks are copied. 0 or -ENOMEM. */
int fr_server_create(uv_loop_t *loop, const struct fr_server_limits *limits,
                     const struct fr_server_hooks *hooks, struct fr_server **ret);

/*
 * Takes a certificate and its key, PEM texts (tls.h). From the first time on, what listens at a
 * TCP address speaks TLS alone: call it before those listen. Later calls change what new
 * connections are shown. 0; with err -EINVAL or -ENOMEM, and then nothing has changed.
 */
int fr_server_set_tls(struct fr_server *server, const char *cert, const char *key,
                      struct fr_error *err);

/*
 * Listens at "ADDR:PORT", "[v6]:PORT" or "unix:PATH" (made with mode 0600; a dead socket file
 * of ours is replaced, a living one or another kind of file is -EADDRINUSE). Port 0 takes a
 * free one. 0, or a negative errno with err naming the address and the remedy.
 */
int fr_server_listen(struct fr_server *server, const char *address, struct fr_error *err);

/*
 * Takes a socket that listens already, such as a service manager passes; its file stays when
 * the server ends. 0, or a negative errno with err and without fd being taken.
 */
int fr_server_adopt(struct fr_server *server, int fd, struct fr_error *err);

/* Number of listeners, and where the i-th listens ("127.0.0.1:5000", "unix:/…"). Borrowed. */
size_t fr_server_listeners(const struct fr_server *server);
const char *fr_server_address(const struct fr_server *server, size_t i);
/* Whether the i-th speaks TLS. */
bool fr_server_is_tls(const struct fr_server *server, size_t i);
/* Whether the i-th is reachable from beyond this machine. */
bool fr_server_is_remote(const struct fr_server *server, size_t i);

/*
 * Stops listening, tells streams (closing), lets replies finish for up to grace_ms, then cuts
 * what is left and calls done() once. May be called once.
 */
void fr_server_stop(struct fr_server *server, unsigned int grace_ms, void (*done)(void *arg),
                    void *arg);

/* After done(), or for a server that never listened. NULL is allowed. */
void fr_server_free(struct fr_server *server);

#endif
