// SPDX-License-Identifier: LGPL-3.0-only
/*
 * What the files of http/ share, and nobody else sees.
 *
 * Who owns what: the server owns listeners and connections; a connection lives from accept to
 * libmicrohttpd's "closed" notice and holds at most one request; a request lives from its
 * request line to libmicrohttpd's "completed" notice, which is after the reply was sent or
 * given up. The layer above holds a request only between `handle` and its answer.
 *
 * libmicrohttpd frees connections only inside MHD_run() and MHD_stop_daemon(). Everything else
 * here may therefore keep a pointer to one for the length of a callback.
 */
#ifndef FR_HTTP_INTERNAL_H
#define FR_HTTP_INTERNAL_H

#include <microhttpd.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/loop.h"
#include "http/message.h"
#include "http/reply.h"
#include "http/server.h"
#include "http/tls.h"

/* Longest client-chosen X-Request-ID, and longest method word that is not refused. */
enum { FR_ID_MAX = FR_REQ_ID_MAX, FR_METHOD_MAX = 23 };
#define FR_ID_HEADER "X-Request-ID"

/* A descriptor in the server's own epoll set (watch.c). */
struct watched {
    int fd;
    bool on; /* in the set */
    void (*event)(struct watched *watched, uint32_t events);
};

enum conn_phase {
    CONN_IDLE,      /* between two requests */
    CONN_RECEIVING, /* a request is arriving; also the time from accept to the first one */
    CONN_HANDLING,  /* the layer above has it */
    CONN_SENDING,   /* answered, or streaming */
};

/*
 * Whom a connection is counted for: on this machine the user, whatever loopback address it
 * comes from, else the address.
 */
struct conn_key {
    struct in6_addr addr; /* :: for this machine */
    int64_t uid;          /* -1: of this machine, nobody knows whose; -2: of another */
};

struct conn {
    LIST_ENTRY(conn) link;
    struct fr_server *server;
    struct MHD_Connection *mhd;
    struct fr_peer peer;
    struct conn_key key;
    struct watched watched;
    enum conn_phase phase;
    uint64_t since;   /* uv_now() when the phase began */
    bool fresh;       /* no request line yet */
    bool timed;       /* libmicrohttpd's idle timeout is on */
    bool half_closed; /* the peer sends no more but is still there */
    bool linger;      /* what it still sends must be read away after the reply */
    struct fr_req *req;
};

struct fr_req {
    struct conn *conn;
    enum fr_method method;
    const char *method_word;
    char method_text[FR_METHOD_MAX + 1];
    const char *path; /* decoded; libmicrohttpd's, for as long as the request */
    size_t origin;    /* length of the "http://host" that the target began with */
    bool seen;        /* its headers have been looked at */
    bool body_due;    /* it announces a body */
    bool handed;      /* admit or handle was called for the whole request */
    bool suspended;   /* libmicrohttpd does not look at it until it is answered */
    bool answered;    /* by reply or stream: the layer above has let go of it */
    bool dead;        /* on_gone has run */
    bool paused;      /* of its body, which is handed on as it comes, no more is wanted now */
    bool crowded;     /* it had too many query parameters, and has none now */
    const char *bad;  /* what is wrong with the target, found while it was decoded */
    struct fr_buf body;
    void (*on_data)(void *arg, const char *data, size_t len); /* NULL: the body is kept */
    void *data_arg;
    uint64_t paused_at;    /* uv_now() */
    uint64_t body_length;  /* as announced; 0 in chunks */
    uint64_t overflow;     /* bytes of the body beyond the limit, thrown away */
    struct fr_buf headers; /* of the reply: name NUL value NUL … */
    const char *user;      /* borrowed, as long as the data */
    void *data;
    void (*free_data)(void *data);
    void (*gone)(void *arg);
    void *gone_arg;
    struct MHD_Response *response; /* owned until the request ends, unless it is the reply's */
    struct fr_reply *reply;        /* that it is answered with, or NULL */
    unsigned int status;
    uint64_t bytes; /* of the reply's body */
    uint64_t held;  /* its share of the server's reply_bytes */
    struct fr_stream *stream;
    uint64_t started;           /* uv_hrtime() */
    char etag[FR_ETAG_MAX + 1]; /* "": none */
    char id[FR_ID_MAX + 1];
};

struct fr_stream {
    struct fr_req *req;
    struct fr_stream_hooks hooks;
    struct fr_buf queue;
    size_t sent; /* bytes at the queue's start that have been read out */
    size_t max;
    bool ended;   /* the caller has let go of it */
    bool aborted; /* ends as broken off */
    bool wanted;  /* a write was refused: say when there is room */
};

struct listener {
    struct fr_server *server;
    int fd;
    struct fr_poll *poll;
    char *address;
    char *path; /* a Unix socket's, to be removed at the end; else NULL */
    dev_t dev;
    ino_t ino;
    bool is_tls;
    bool is_remote;
};

LIST_HEAD(conn_list, conn);

struct secure;
LIST_HEAD(secure_list, secure);

struct lingerer;
LIST_HEAD(linger_list, lingerer);

struct fr_server {
    uv_loop_t *loop;
    struct fr_server_limits limits;
    struct fr_server_hooks hooks;
    struct MHD_Daemon *mhd;
    struct fr_poll *mhd_poll;
    struct fr_timer *kick; /* runs libmicrohttpd at the next turn of the loop */
    struct fr_timer *tick; /* deadlines, once a second while there is anything to watch */
    struct fr_timer *grace;
    bool running; /* in MHD_run() */
    bool pending; /* a connection was resumed: MHD_run() has work */
    bool ticking;
    bool paused; /* out of descriptors: not accepting until the next tick */
    int watch_fd;
    struct fr_poll *watch_poll;
    int diag_fd; /* sock_diag, or -1 */
    struct listener **listeners;
    size_t n_listeners;
    struct conn_list conns;
    unsigned int n_conns;
    uint64_t reply_bytes;  /* held by replies that are made or not sent yet */
    struct conn *adopting; /* handed to MHD_add_connection() */
    struct linger_list lingerers;
    unsigned int n_lingerers;
    struct fr_tls *tls; /* NULL: TCP is plain */
    struct secure_list secured;
    unsigned int n_secured;
    uint64_t id_state;
    bool stopping;
    bool stop_begun;
    bool stopped;
    uint64_t grace_ms;
    void (*done)(void *arg);
    void *done_arg;
};

/* server.c */
void fr_server_kick(struct fr_server *server);
void fr_server_need_tick(struct fr_server *server);

/* accept.c: listeners, and what becomes of an accepted socket. */
void fr_accept_pause(struct fr_server *server, bool paused);
void fr_accept_close(struct fr_server *server);

/* conn.c */
/*
 * Takes an accepted, non-blocking socket; closes it if it cannot be served. outer is the
 * client's own socket, borrowed for the call: fd itself, or what TLS was taken off.
 */
void fr_conn_adopt(struct fr_server *server, int fd, int outer, const struct sockaddr *addr,
                   socklen_t len);
void fr_conn_notify(void *cls, struct MHD_Connection *mhd, void **context,
                    enum MHD_ConnectionNotificationCode code);
struct conn *fr_conn_of(struct MHD_Connection *mhd);
void fr_conn_enter(struct conn *conn, enum conn_phase phase);
/* Breaks the connection; libmicrohttpd notices and cleans up. */
void fr_conn_cut(struct conn *conn);
void fr_conn_tick(struct fr_server *server);
/* The client has left, or the server ends: whoever waits is told, the connection broken. */
void fr_conn_abandon(struct conn *conn);

/* secure.c: TLS before a connection. */
/* Takes an accepted, non-blocking socket, as fr_conn_adopt() does. */
void fr_secure_adopt(struct fr_server *server, int fd, const struct sockaddr *addr,
                     socklen_t len);
void fr_secure_tick(struct fr_server *server);
void fr_secure_close(struct fr_server *server);

/* watch.c */
int fr_watch_open(struct fr_server *server);
void fr_watch_close(struct fr_server *server);
int fr_watch_set(struct fr_server *server, struct watched *watched, uint32_t events);
void fr_watch_drop(struct fr_server *server, struct watched *watched);

/* linger.c: reads away what a refused client still sends, so that it gets to see the reply. */
void fr_linger_add(struct fr_server *server, int fd);
void fr_linger_tick(struct fr_server *server);
void fr_linger_close(struct fr_server *server);

/* request.c: libmicrohttpd's callbacks for one request. */
void *fr_request_begin(void *cls, const char *target, struct MHD_Connection *mhd);
size_t fr_request_unescape(void *cls, struct MHD_Connection *mhd, char *text);
enum MHD_Result fr_request_access(void *cls, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **context);
void fr_request_completed(void *cls, struct MHD_Connection *mhd, void **context,
                          enum MHD_RequestTerminationCode code);
/* Tells whoever waits for it, logs it, and frees it. */
void fr_request_end(struct fr_req *req);

/* check.c: 0, or the status to refuse the request with. */
unsigned int fr_check_request(struct fr_req *req, const char *version, struct fr_error *err);
/* The same, once it is known whether the body is to be kept: by the length that it announces.
 */
unsigned int fr_check_length(const struct fr_req *req, struct fr_error *err);
/* libmicrohttpd's memory for one connection. */
size_t fr_check_pool_size(const struct fr_server_limits *limits);

/* message.c */
/* Takes response (NULL: out of memory); the request is answered. */
void fr_req_answer(struct fr_req *req, unsigned int status, const char *content_type,
                   struct MHD_Response *response);
/* The headers that are the same for whoever gets it. content_type may be NULL, etag "". */
void fr_message_add_fixed(struct MHD_Response *response, const char *content_type,
                          const char *etag);
/* The last step of every answer: the response has all its headers. */
void fr_message_send(struct fr_req *req, unsigned int status, struct MHD_Response *response);
/* Lets libmicrohttpd look at a suspended request again. */
void fr_req_wake(struct fr_req *req);
void fr_req_free(struct fr_req *req);

/* reply.c: the request that it was given to, by this response or none, has ended. */
void fr_reply_taken(struct fr_reply *reply, struct MHD_Response *response);

/* stream.c */
/* The connection has ended: the stream is freed, its owner told if it had not let go. */
void fr_stream_closed(struct fr_stream *stream);
void fr_stream_closing(struct fr_stream *stream);

#endif
