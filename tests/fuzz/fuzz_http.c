// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Bytes of a client, over a socket pair, to a server whose handler answers in every way there
 * is. The first byte of the input says how many bytes are sent at a time (modulo 64; 0: all).
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "http/internal.h"
#include "http/message.h"
#include "http/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uv_loop_t loop;
static struct fr_server *server;
static struct fr_req *held;
static struct fr_stream *stream;

static void must(bool truth, const char *what)
{
    if (truth)
        return;
    (void)fprintf(stderr, "fuzz_http: not so: %s\n", what);
    abort();
}

static void held_gone(void *arg)
{
    held = NULL;
}

static void stream_gone(void *arg)
{
    stream = NULL;
}

static void touch(void *arg, const char *name, const char *value)
{
    *(size_t *)arg += strlen(name) + strlen(value);
}

static void reply_echo(struct fr_req *req)
{
    struct fr_buf buf = FR_BUF_INIT(1 << 20);
    size_t len;
    const char *body = fr_req_body(req, &len);

    fr_buf_put(&buf, body, len);
    fr_req_reply(req, 200, "text/plain", &buf);
}

static void handle(void *arg, struct fr_req *req)
{
    const struct fr_stream_hooks hooks = {.gone = stream_gone};
    const char *path = fr_req_path(req);
    size_t sum = 0;

    must(path[0] == '/', "the path begins with a slash");
    fr_req_query_each(req, touch, &sum);
    if (strcmp(path, "/l") == 0 && !held) {
        held = req;
        fr_req_on_gone(req, held_gone, NULL);
    } else if (strcmp(path, "/s") == 0 && !stream) {
        stream = fr_req_stream(req, 200, "text/plain", 1000, &hooks);
    } else {
        reply_echo(req);
    }
}

static bool admit(void *arg, struct fr_req *req)
{
    if (strcmp(fr_req_path(req), "/d") != 0)
        return true;
    fr_req_reply_static(req, 401, NULL, "", 0);
    return false;
}

static void refuse(void *arg, struct fr_req *req, unsigned int status,
                   const struct fr_error *err)
{
    fr_req_reply_static(req, status, NULL, "", 0);
}

static void start(void)
{
    const struct fr_server_limits limits = {.header_block = 2048,
                                            .body = 1000,
                                            .connections = 10,
                                            .per_address = 10,
                                            .request_seconds = 60,
                                            .replies = 1 << 20,
                                            .handshake_seconds = 10,
                                            .idle_seconds = 60,
                                            .reply_seconds = 60,
                                            .parameters = 10};
    const struct fr_server_hooks hooks = {.admit = admit, .handle = handle, .refuse = refuse};

    must(uv_loop_init(&loop) == 0 && fr_server_create(&loop, &limits, &hooks, &server) == 0,
         "the server starts");
}

/* Runs until everything that is ready has been done; answers what waits. */
static void settle(int fd)
{
    char reply[4096];

    for (int i = 0; i < 10; i++) {
        (void)uv_run(&loop, UV_RUN_NOWAIT);
        while (fd >= 0 && recv(fd, reply, sizeof reply, MSG_DONTWAIT) > 0)
            ;
        if (held) {
            fr_req_reply_static(held, 200, NULL, "later", 5);
            held = NULL;
        }
        if (stream) {
            (void)fr_stream_write(stream, "stream", 6);
            fr_stream_end(stream);
            stream = NULL;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int ends[2];

    if (!server)
        start();
    if (size < 2)
        return 0;
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0,
         "there are sockets");
    fr_conn_adopt(server, ends[0], ends[0], (const struct sockaddr *)&addr, sizeof addr);
    const size_t piece = data[0] % 64 ? data[0] % 64 : size;
    for (size_t at = 1; at < size; at += piece) {
        const size_t n = size - at < piece ? size - at : piece;
        if (send(ends[1], data + at, n, MSG_NOSIGNAL) < 0)
            break;
        settle(ends[1]);
    }
    (void)close(ends[1]);
    for (int i = 0; i < 100 && server->n_conns > 0; i++)
        settle(-1);
    must(server->n_conns == 0, "the connection ends with its client");
    fr_linger_close(server);
    return 0;
}
