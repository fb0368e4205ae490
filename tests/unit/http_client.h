// SPDX-License-Identifier: LGPL-3.0-only
/*
 * What the tests of http/ share: a server with a handler that does what the path says, on a
 * loop that runs only while a test waits for something; and raw bytes sent to it.
 *
 *   /now        200 "hello\n"
 *   /echo       200 with the body of the request
 *   /later      kept in fix->held until the test answers it
 *   /big        200 with fix->big_size bytes
 *   /stream     a stream, kept in fix->stream
 *   /stop       200, and the server stops
 *   /denied     refused by the admit hook with 401
 *   others      404
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <uv.h>

#include "http/message.h"
#include "http/server.h"

struct http_fix {
    uv_loop_t loop;
    struct fr_server *server;
    char address[300]; /* where it listens */
    unsigned int fds;  /* open descriptors before it was made */

    /* What the handler did and was told. */
    unsigned int handled, admitted, refused, logged;
    unsigned int last_status;
    uint64_t last_bytes;
    char last_path[256];
    struct fr_peer last_peer;
    char last_id[130];
    char last_query[512];
    char last_method[24];

    struct fr_req *held;
    unsigned int gone; /* on_gone of a held request has run */

    size_t big_size;

    size_t taken; /* bytes of a body that was taken in pieces */
    bool paused;  /* no more of it is wanted after the next piece */

    struct fr_stream *stream;
    size_t queue_max;
    unsigned int drained, stream_gone, closing;
    bool end_on_closing;

    bool stopped;
};

/* Limits that no ordinary test reaches; change them and pass them to fix_start(). */
extern const struct fr_server_limits fix_limits;

/* Starts a server at a free loopback port, or at address if not NULL. */
struct http_fix *fix_start(const struct fr_server_limits *limits, const char *address);
/* Stops it, and checks that no descriptor and no handle is left. */
void fix_end(struct http_fix *fix);
/* Stops it and runs the loop until it says that it is done. */
void fix_stop(struct http_fix *fix, unsigned int grace_ms);

/* Runs the loop until the condition holds; fails the test after 20 seconds. */
#define fix_wait(fix, condition)                                                               \
    do {                                                                                       \
        uint64_t fix_wait_end = uv_hrtime() + 20000000000u;                                    \
        while (!(condition)) {                                                                 \
            if (uv_hrtime() > fix_wait_end)                                                    \
                fail_msg("waited in vain for: %s", #condition);                                \
            fix_turn(fix);                                                                     \
        }                                                                                      \
    } while (0)
void fix_turn(struct http_fix *fix);

unsigned int count_fds(void);

/* A client's end. */
struct client {
    struct http_fix *fix;
    int fd;
    char in[1 << 20]; /* what came and has not been taken; NUL-terminated */
    size_t len;
    bool ended; /* the server sends no more */
};

struct client *client_open(struct http_fix *fix);
void client_close(struct client *client);
void client_send(struct client *client, const char *text);
void client_send_bytes(struct client *client, const void *data, size_t len);
/* As client_send_bytes, but gives up where the server has closed. */
void client_try_send(struct client *client, const void *data, size_t len);
/* Reads what is there now. */
void client_poll(struct client *client);
/* Waits for one whole reply, takes it, and returns it with its body; the status in ret. */
char *client_reply(struct client *client, unsigned int *ret_status);
/* The same for a reply without a body (to HEAD). */
char *client_head(struct client *client, unsigned int *ret_status);
/* Waits until text has come. */
void client_expect(struct client *client, const char *text);
/* Waits until the server has closed the connection. */
void client_expect_end(struct client *client);

/* One request on a connection of its own; returns the status. 0: closed without a reply. */
unsigned int ask(struct http_fix *fix, const char *request, char **ret_reply);

/* The body of a reply. */
const char *body_of(const char *reply);

#endif
