// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The whole way of a request: raw bytes of a client, over a socket pair, to a server with all
 * routes, above an engine that is played. The first byte of the input says in its low six bits
 * how many bytes are sent at a time (0: all), by 0x40 that credentials are demanded, by 0x80
 * that the engine answers only once the client has left.
 *
 * Beside what the sanitizers see it must hold that nothing is asked of the engine by a client
 * that does not show the token, and that the token is in no reply.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "api/api.h"
#include "base/log.h"
#include "http/internal.h"
#include "played.h"

#define USER "somebody"
#define TOKEN "0penSesame0penSesame"
#define BASIC "c29tZWJvZHk6MHBlblNlc2FtZTBwZW5TZXNhbWU"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A whole service; one is open to its own user, the other demands credentials. */
struct stack {
    struct fr_service *service;
    struct played *played;
    struct fr_auth *auth;
    struct fr_api *api;
    struct fr_server *server;
    bool stopped;
};

static uv_loop_t loop;
static struct stack stacks[2];

static void must(bool truth, const char *what)
{
    if (truth)
        return;
    (void)fprintf(stderr, "fuzz_api: not so: %s\n", what);
    abort();
}

static void on_ready(void *arg)
{
}

static void on_engine_state(void *arg, const char *lost_reason)
{
}

static void on_stop(void *arg, bool with_instance, const struct fr_error *err)
{
    ((struct stack *)arg)->stopped = true;
}

static void open_stack(struct stack *stack, bool required)
{
    static char *no_environ[] = {NULL};
    const struct fr_server_limits limits = {.header_block = 4096,
                                            .body = 65536,
                                            .connections = 10,
                                            .per_address = 10,
                                            .request_seconds = 60,
                                            .replies = 1 << 22,
                                            .handshake_seconds = 10,
                                            .idle_seconds = 60,
                                            .reply_seconds = 60,
                                            .parameters = 32};
    const struct fr_service_hooks hooks = {on_ready, on_engine_state, on_stop, stack};
    const struct fr_auth_options auth = {.user = USER, .token = TOKEN, .required = required};

    *stack = (struct stack){0};
    must(fr_service_create(1 << 18, &hooks, &stack->service) == 0, "there is a service");
    stack->played = played_create(fr_service_sink(stack->service));
    fr_service_set_engine(stack->service, played_engine(stack->played));
    played_open(stack->played);
    must(fr_auth_create(&auth, &stack->auth, NULL) == 0, "there is an auth");
    const struct fr_api_options options = {.service = stack->service,
                                           .auth = stack->auth,
                                           .environ = no_environ,
                                           .json_depth = 16,
                                           .streams = 10,
                                           .streams_per_client = 10,
                                           .bulk_jobs = 1000,
                                           .access_log = true};
    must(fr_api_create(&loop, &options, &stack->api) == 0, "there is an API");
    const struct fr_server_hooks server_hooks = fr_api_hooks(stack->api);
    must(fr_server_create(&loop, &limits, &server_hooks, &stack->server) == 0,
         "there is a server");
}

static void close_stack(struct stack *stack)
{
    fr_server_free(stack->server);
    fr_api_free(stack->api);
    fr_auth_free(stack->auth);
    fr_service_free(stack->service);
    played_free(stack->played);
    for (int i = 0; i < 10; i++)
        (void)uv_run(&loop, UV_RUN_NOWAIT);
}

static void start(void)
{
    fr_log_set_level(FR_LOG_ERR);
    must(uv_loop_init(&loop) == 0, "there is a loop");
    open_stack(&stacks[0], false);
    open_stack(&stacks[1], true);
}

struct client {
    int fd;
    bool shows_token, shows_anything; /* what it sends; the token, or the word of it */
};

static void read_replies(const struct client *client)
{
    char reply[65536];

    for (ssize_t n; (n = recv(client->fd, reply, sizeof reply, MSG_DONTWAIT)) > 0;)
        must(client->shows_anything || !memmem(reply, (size_t)n, TOKEN, strlen(TOKEN)),
             "no reply has the token");
}

/* Runs until everything that is ready has been done. */
static void settle(struct stack *stack, const struct client *client, bool slow)
{
    for (int i = 0; i < 6; i++) {
        (void)uv_run(&loop, UV_RUN_NOWAIT);
        if (client)
            read_replies(client);
        if (!slow)
            played_go_on(stack->played);
    }
}

/* The client has left: whoever waits is told. */
static void finish(struct stack *stack)
{
    struct conn *conn;

    for (int i = 0; i < 100 && stack->server->n_conns > 0; i++) {
        LIST_FOREACH(conn, &stack->server->conns, link)
        fr_conn_abandon(conn);
        settle(stack, NULL, false);
    }
    must(stack->server->n_conns == 0, "the connection ends with its client");
    fr_linger_close(stack->server);
    settle(stack, NULL, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int ends[2];

    if (!stacks[0].server)
        start();
    if (size < 2)
        return 0;
    const bool required = data[0] & 0x40, slow = data[0] & 0x80;
    struct stack *stack = &stacks[required];
    const size_t asked = played_asked(stack->played);
    const size_t piece = data[0] % 64 ? data[0] % 64 : size;

    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0,
         "there are sockets");
    fr_conn_adopt(stack->server, ends[0], ends[0], (const struct sockaddr *)&addr, sizeof addr);
    struct client client = {.fd = ends[1]};
    client.shows_anything = memmem(data, size, "Sesame", 6) || memmem(data, size, "%", 1);
    client.shows_token =
        memmem(data, size, TOKEN, strlen(TOKEN)) || memmem(data, size, BASIC, strlen(BASIC));
    for (size_t at = 1; at < size; at += piece) {
        const size_t n = size - at < piece ? size - at : piece;
        if (send(ends[1], data + at, n, MSG_NOSIGNAL) < 0)
            break;
        settle(stack, &client, slow);
    }
    settle(stack, &client, slow);
    (void)close(ends[1]);
    finish(stack);
    must(!required || client.shows_token || played_asked(stack->played) == asked,
         "without the token nothing is asked of the engine");
    played_forget(stack->played);
    if (stack->stopped) {
        close_stack(stack);
        open_stack(stack, required);
    }
    return 0;
}
