// SPDX-License-Identifier: LGPL-3.0-only
#include "http_client.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

const struct fr_server_limits fix_limits = {
    .header_block = 16384,
    .body = 65536,
    .replies = 64 << 20,
    .connections = 100,
    .per_address = 100,
    .request_seconds = 60,
    .handshake_seconds = 10,
    .idle_seconds = 60,
    .reply_seconds = 60,
    .parameters = 50,
};

unsigned int count_fds(void)
{
    unsigned int n = 0;
    DIR *dir = opendir("/proc/self/fd");

    assert_non_null(dir);
    while (readdir(dir))
        n++;
    (void)closedir(dir);
    return n;
}

static void on_gone(void *arg)
{
    struct http_fix *fix = arg;

    fix->gone++;
    fix->held = NULL;
}

static void stream_gone(void *arg)
{
    struct http_fix *fix = arg;

    fix->stream_gone++;
    fix->stream = NULL;
}

static void stream_drained(void *arg)
{
    ((struct http_fix *)arg)->drained++;
}

static void stream_closing(void *arg)
{
    struct http_fix *fix = arg;

    fix->closing++;
    if (fix->end_on_closing) {
        assert_int_equal(fr_stream_write(fix->stream, "bye", 3), 0);
        fr_stream_end(fix->stream);
        fix->stream = NULL;
    }
}

static void reply_text(struct fr_req *req, unsigned int status, const char *text)
{
    struct fr_buf body = FR_BUF_INIT(4096);

    fr_buf_puts(&body, text);
    fr_req_reply(req, status, "text/plain", &body);
}

static void reply_big(struct http_fix *fix, struct fr_req *req)
{
    struct fr_buf body = FR_BUF_INIT(fix->big_size);
    char *at = fr_buf_reserve(&body, fix->big_size);

    assert_non_null(at);
    memset(at, 'x', fix->big_size);
    fr_buf_commit(&body, fix->big_size);
    fr_req_reply(req, 200, "text/plain", &body);
}

static void reply_echo(struct fr_req *req)
{
    struct fr_buf body = FR_BUF_INIT(1 << 20);
    size_t len;
    const char *data = fr_req_body(req, &len);

    assert_int_equal(data[len], '\0');
    fr_buf_put(&body, data, len);
    fr_req_reply(req, 200, "application/octet-stream", &body);
}

static void start_stream(struct http_fix *fix, struct fr_req *req)
{
    const struct fr_stream_hooks hooks = {
        .gone = stream_gone, .drained = stream_drained, .closing = stream_closing, .arg = fix};

    fix->stream = fr_req_stream(req, 200, "text/event-stream", fix->queue_max, &hooks);
}

static void add_parameter(void *arg, const char *name, const char *value)
{
    struct http_fix *fix = arg;
    size_t len = strlen(fix->last_query);

    (void)snprintf(fix->last_query + len, sizeof fix->last_query - len, "%s=%s;", name, value);
}

static void remember(struct http_fix *fix, struct fr_req *req)
{
    (void)snprintf(fix->last_path, sizeof fix->last_path, "%s", fr_req_path(req));
    (void)snprintf(fix->last_id, sizeof fix->last_id, "%s", fr_req_id(req));
    (void)snprintf(fix->last_method, sizeof fix->last_method, "%s", fr_req_method_word(req));
    fix->last_peer = *fr_req_peer(req);
    fix->last_query[0] = '\0';
    fr_req_query_each(req, add_parameter, fix);
}

static void on_stopped(void *arg)
{
    struct http_fix *fix = arg;

    assert_false(fix->stopped);
    fix->stopped = true;
}

static void handle(void *arg, struct fr_req *req)
{
    struct http_fix *fix = arg;
    const char *path = fr_req_path(req);

    fix->handled++;
    remember(fix, req);
    if (strcmp(path, "/now") == 0) {
        reply_text(req, 200, "hello\n");
    } else if (strcmp(path, "/echo") == 0) {
        reply_echo(req);
    } else if (strcmp(path, "/pieces") == 0) {
        reply_text(req, 200, "all\n");
    } else if (strcmp(path, "/later") == 0) {
        fix->held = req;
        fr_req_on_gone(req, on_gone, fix);
    } else if (strcmp(path, "/big") == 0) {
        reply_big(fix, req);
    } else if (strcmp(path, "/stream") == 0) {
        start_stream(fix, req);
    } else if (strcmp(path, "/stop") == 0) {
        fr_server_stop(fix->server, 60000, on_stopped, fix);
        reply_text(req, 200, "stopping\n");
    } else {
        reply_text(req, 404, "no such path\n");
    }
}

/* A piece of a body that is taken as it comes. */
static void on_piece(void *arg, const char *data, size_t len)
{
    struct http_fix *fix = arg;

    fix->taken += len;
    fr_req_pause_body(fix->held, fix->paused);
}

static bool admit(void *arg, struct fr_req *req)
{
    struct http_fix *fix = arg;

    fix->admitted++;
    if (strcmp(fr_req_path(req), "/pieces") == 0) {
        fix->held = req;
        fr_req_stream_body(req, on_piece, fix);
        fr_req_on_gone(req, on_gone, fix);
    }
    if (strcmp(fr_req_path(req), "/denied") != 0)
        return true;
    reply_text(req, 401, "denied\n");
    return false;
}

static void refuse(void *arg, struct fr_req *req, unsigned int status,
                   const struct fr_error *err)
{
    struct http_fix *fix = arg;

    fix->refused++;
    reply_text(req, status, err->text);
}

static void log_request(void *arg, const struct fr_req *req, unsigned int status,
                        uint64_t bytes, double seconds)
{
    struct http_fix *fix = arg;

    assert_true(seconds >= 0);
    assert_non_null(fr_req_path(req));
    fix->logged++;
    fix->last_status = status;
    fix->last_bytes = bytes;
}

/* libuv opens two descriptors for the process's life with the first loop. */
static void warm_up(void)
{
    uv_loop_t loop;

    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(uv_loop_close(&loop), 0);
}

struct http_fix *fix_start(const struct fr_server_limits *limits, const char *address)
{
    struct http_fix *fix = calloc(1, sizeof *fix);
    struct fr_error err;

    assert_non_null(fix);
    warm_up();
    fix->fds = count_fds();
    fix->queue_max = 65536;
    const struct fr_server_hooks hooks = {
        .admit = admit, .handle = handle, .refuse = refuse, .log = log_request, .arg = fix};
    assert_int_equal(uv_loop_init(&fix->loop), 0);
    assert_int_equal(
        fr_server_create(&fix->loop, limits ? limits : &fix_limits, &hooks, &fix->server), 0);
    if (fr_server_listen(fix->server, address ? address : "127.0.0.1:0", &err) < 0)
        fail_msg("%s", err.text);
    (void)snprintf(fix->address, sizeof fix->address, "%s", fr_server_address(fix->server, 0));
    return fix;
}

void fix_stop(struct http_fix *fix, unsigned int grace_ms)
{
    fr_server_stop(fix->server, grace_ms, on_stopped, fix);
    fix_wait(fix, fix->stopped);
}

void fix_end(struct http_fix *fix)
{
    if (!fix->stopped)
        fix_stop(fix, 0);
    fr_server_free(fix->server);
    assert_int_equal(uv_run(&fix->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&fix->loop), 0);
    assert_int_equal(count_fds(), fix->fds);
    free(fix);
}

void fix_turn(struct http_fix *fix)
{
    struct pollfd backend = {.fd = uv_backend_fd(&fix->loop), .events = POLLIN};

    (void)poll(&backend, 1, 1);
    (void)uv_run(&fix->loop, UV_RUN_NOWAIT);
}

static socklen_t parse_address(const char *text, struct sockaddr_storage *ret)
{
    struct sockaddr_un *un = (struct sockaddr_un *)ret;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;
    struct sockaddr_in *four = (struct sockaddr_in *)ret;
    const in_port_t port = htons((in_port_t)atoi(strrchr(text, ':') + 1));

    memset(ret, 0, sizeof *ret);
    if (strncmp(text, "unix:", 5) == 0) {
        un->sun_family = AF_UNIX;
        (void)snprintf(un->sun_path, sizeof un->sun_path, "%s", text + 5);
        return sizeof *un;
    }
    if (*text == '[') {
        six->sin6_family = AF_INET6;
        six->sin6_addr = in6addr_loopback;
        six->sin6_port = port;
        return sizeof *six;
    }
    four->sin_family = AF_INET;
    four->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    four->sin_port = port;
    return sizeof *four;
}

struct client *client_open(struct http_fix *fix)
{
    struct client *client = calloc(1, sizeof *client);
    struct sockaddr_storage addr;
    const socklen_t len = parse_address(fix->address, &addr);

    assert_non_null(client);
    client->fix = fix;
    client->fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(client->fd >= 0);
    assert_int_equal(connect(client->fd, (struct sockaddr *)&addr, len), 0);
    return client;
}

void client_close(struct client *client)
{
    if (client->fd >= 0)
        (void)close(client->fd);
    free(client);
}

void client_try_send(struct client *client, const void *data, size_t len)
{
    const char *at = data;
    const uint64_t end = uv_hrtime() + 20000000000u;

    while (len > 0) {
        ssize_t n = send(client->fd, at, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            return;
        if (n > 0) {
            at += n;
            len -= (size_t)n;
        }
        if (uv_hrtime() > end)
            fail_msg("the server takes no more");
        fix_turn(client->fix);
    }
}

void client_send_bytes(struct client *client, const void *data, size_t len)
{
    client_try_send(client, data, len);
}

void client_send(struct client *client, const char *text)
{
    client_send_bytes(client, text, strlen(text));
}

void client_poll(struct client *client)
{
    while (!client->ended && client->len + 1 < sizeof client->in) {
        ssize_t n = recv(client->fd, client->in + client->len,
                         sizeof client->in - 1 - client->len, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0)
            client->ended = true;
        else
            client->len += (size_t)n;
        client->in[client->len] = '\0';
    }
}

void client_expect(struct client *client, const char *text)
{
    fix_wait(client->fix, (client_poll(client), strstr(client->in, text) || client->ended));
    if (!strstr(client->in, text))
        fail_msg("the connection ended without '%s'; got: %s", text, client->in);
}

void client_expect_end(struct client *client)
{
    fix_wait(client->fix, (client_poll(client), client->ended));
}

static char *take(struct client *client, size_t len)
{
    char *reply = malloc(len + 1);

    assert_non_null(reply);
    memcpy(reply, client->in, len);
    reply[len] = '\0';
    memmove(client->in, client->in + len, client->len - len + 1);
    client->len -= len;
    return reply;
}

static char *take_reply(struct client *client, bool with_body, unsigned int *ret_status)
{
    client_expect(client, "\r\n\r\n");
    size_t len = (size_t)(strstr(client->in, "\r\n\r\n") + 4 - client->in);
    const char *told = strstr(client->in, "Content-Length: ");

    assert_memory_equal(client->in, "HTTP/1.1 ", 9);
    *ret_status = (unsigned int)atoi(client->in + 9);
    if (with_body && told && told < client->in + len)
        len += (size_t)atol(told + 16);
    fix_wait(client->fix, (client_poll(client), client->len >= len || client->ended));
    assert_true(client->len >= len);
    return take(client, len);
}

char *client_reply(struct client *client, unsigned int *ret_status)
{
    return take_reply(client, true, ret_status);
}

char *client_head(struct client *client, unsigned int *ret_status)
{
    return take_reply(client, false, ret_status);
}

unsigned int ask(struct http_fix *fix, const char *request, char **ret_reply)
{
    struct client *client = client_open(fix);
    unsigned int status = 0;
    char *reply = NULL;

    client_send(client, request);
    fix_wait(fix, (client_poll(client), strstr(client->in, "\r\n\r\n") || client->ended));
    if (client->len > 0)
        reply = client_reply(client, &status);
    client_close(client);
    if (ret_reply)
        *ret_reply = reply;
    else
        free(reply);
    return status;
}

const char *body_of(const char *reply)
{
    return strstr(reply, "\r\n\r\n") + 4;
}
