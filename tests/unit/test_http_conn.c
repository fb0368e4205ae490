// SPDX-License-Identifier: LGPL-3.0-only
#include "http_client.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"

static const char later[] = "GET /later HTTP/1.1\r\nHost: a\r\n\r\n";
static const char now[] = "GET /now HTTP/1.1\r\nHost: a\r\n\r\n";

static void run_for(struct http_fix *fix, unsigned int ms)
{
    const uint64_t end = uv_hrtime() + ms * UINT64_C(1000000);

    while (uv_hrtime() < end)
        fix_turn(fix);
}

static void leaves(const char *address)
{
    struct http_fix *fix = fix_start(NULL, address);
    struct client *client = client_open(fix);

    client_send(client, later);
    fix_wait(fix, fix->held);
    client_close(client);
    fix_wait(fix, fix->gone == 1);
    fix_wait(fix, fix->logged == 1);
    assert_int_equal(fix->last_status, 0);
    fix_end(fix);
}

static void test_waiting_client_leaves(void **state)
{
    leaves(NULL);
    leaves("unix:./test_http_conn.sock");
}

static void stays(const char *address)
{
    struct http_fix *fix = fix_start(NULL, address);
    struct client *client = client_open(fix);
    unsigned int status;

    client_send(client, later);
    fix_wait(fix, fix->held);
    shutdown(client->fd, SHUT_WR);
    run_for(fix, 3500);
    assert_int_equal(fix->gone, 0);
    fr_req_reply(fix->held, 204, NULL, NULL);
    free(client_head(client, &status));
    assert_int_equal(status, 204);
    client_expect_end(client);
    client_close(client);
    /* And one that leaves after all. */
    client = client_open(fix);
    client_send(client, later);
    fix_wait(fix, fix->handled == 2);
    shutdown(client->fd, SHUT_WR);
    run_for(fix, 2500);
    assert_int_equal(fix->gone, 0);
    client_close(client);
    fix_wait(fix, fix->gone == 1);
    fix_end(fix);
}

static void test_half_closed_client_is_still_there(void **state)
{
    stays(NULL);
    stays("unix:./test_http_conn.sock");
}

/* A client that is reset tells so at once. */
static void test_reset_while_waiting(void **state)
{
    const struct linger none = {.l_onoff = 1};
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *client = client_open(fix);

    client_send(client, later);
    fix_wait(fix, fix->held);
    setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    client_close(client);
    fix_wait(fix, fix->gone == 1);
    fix_end(fix);
}

static struct fr_server_limits short_of(unsigned int request, unsigned int idle,
                                        unsigned int reply)
{
    struct fr_server_limits limits = fix_limits;

    limits.request_seconds = request;
    limits.idle_seconds = idle;
    limits.reply_seconds = reply;
    return limits;
}

/* A byte now and then keeps any idle timeout away, but not the deadline of the request. */
static void trickle(const char *start, const char *byte)
{
    const struct fr_server_limits limits = short_of(1, 60, 60);
    struct http_fix *fix = fix_start(&limits, NULL);
    struct client *client = client_open(fix);

    client_send(client, start);
    const bool has_line = strchr(start, '\n');
    const uint64_t end = uv_hrtime() + 20000000000u;
    while (!client->ended && uv_hrtime() < end) {
        client_try_send(client, byte, strlen(byte));
        run_for(fix, 50);
        client_poll(client);
    }
    assert_true(client->ended);
    assert_int_equal(fix->handled, 0);
    /* Whoever has begun a request is told, and the log has it. */
    assert_int_equal(strncmp(client->in, "HTTP/1.1 408 ", 13) == 0, has_line);
    if (strstr(start, "\r\n\r\n")) {
        fix_wait(fix, fix->logged == 1);
        assert_int_equal(fix->last_status, 408);
    }
    client_close(client);
    fix_end(fix);
}

static void test_slow_senders(void **state)
{
    trickle("", "");
    trickle("G", "E");
    trickle("GET /now HTTP/1.1\r\nHost: a\r\n", "X: y\r\n");
    trickle("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n", "x");
    trickle("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            "1\r\nx\r\n");
}

static void test_idle_connection(void **state)
{
    const struct fr_server_limits limits = short_of(60, 1, 60);
    struct http_fix *fix = fix_start(&limits, NULL);
    struct client *client = client_open(fix);
    unsigned int status;

    client_send(client, now);
    free(client_reply(client, &status));
    assert_int_equal(status, 200);
    client_expect_end(client);
    client_close(client);
    fix_end(fix);
}

/* However long the layer above takes, it is not the client's fault. */
static void test_no_deadline_while_handling(void **state)
{
    const struct fr_server_limits limits = short_of(1, 1, 1);
    struct http_fix *fix = fix_start(&limits, NULL);
    struct client *client = client_open(fix);
    unsigned int status;

    client_send(client, later);
    fix_wait(fix, fix->held);
    run_for(fix, 3500);
    assert_int_equal(fix->gone, 0);
    fr_req_reply(fix->held, 204, NULL, NULL);
    free(client_head(client, &status));
    assert_int_equal(status, 204);
    client_close(client);
    fix_end(fix);
}

static void stalls(const char *address)
{
    const struct fr_server_limits limits = short_of(60, 60, 1);
    struct http_fix *fix = fix_start(&limits, address);
    struct client *client = client_open(fix);

    fix->big_size = 32 << 20;
    client_send(client, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    fix_wait(fix, fix->logged == 1);
    client_close(client);
    fix_end(fix);
}

static void test_stalled_reader_is_cut(void **state)
{
    stalls(NULL);
    stalls("unix:./test_http_conn.sock");
}

static void test_big_reply_is_whole(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *client = client_open(fix);
    size_t got = 0;

    fix->big_size = 32 << 20;
    client_send(client, "GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    client_expect(client, "\r\n\r\n");
    assert_non_null(strstr(client->in, "Content-Length: 33554432\r\n"));
    got = client->len - (size_t)(body_of(client->in) - client->in);
    client->len = 0;
    while (!client->ended) {
        fix_turn(fix);
        client_poll(client);
        got += client->len;
        client->len = 0;
    }
    assert_int_equal(got, 32 << 20);
    client_close(client);
    fix_end(fix);
}

static void test_limit_per_address(void **state)
{
    struct fr_server_limits limits = fix_limits;
    limits.per_address = 2;
    struct http_fix *fix = fix_start(&limits, NULL);
    struct client *first = client_open(fix), *second = client_open(fix);
    unsigned int status;

    client_send(first, now);
    free(client_reply(first, &status));
    client_send(second, now);
    free(client_reply(second, &status));
    assert_int_equal(status, 200);
    assert_int_equal(ask(fix, now, NULL), 429);
    assert_int_equal(ask(fix, now, NULL), 429);
    /* The two are served as before, and a place that is free can be had. */
    client_send(first, now);
    free(client_reply(first, &status));
    assert_int_equal(status, 200);
    client_close(second);
    fix_wait(fix, ask(fix, now, NULL) == 200);
    client_close(first);
    fix_end(fix);
}

/* Another user's connections, made by a process of that user's, held until it is told to end.
 */
static pid_t hold_as_other_user(struct http_fix *fix, unsigned int count, int *ret_end)
{
    int ends[2], ready[2];
    char byte;

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(ends[1]);
        if (setuid(65534) < 0)
            _exit(1);
        for (unsigned int i = 0; i < count; i++)
            (void)client_open(fix);
        (void)write(ready[1], "x", 1);
        (void)read(ends[0], &byte, 1);
        _exit(0);
    }
    (void)close(ends[0]);
    (void)close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    *ret_end = ends[1];
    return pid;
}

static void let_go(pid_t pid, int end)
{
    int status;

    (void)close(end);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* One local user cannot lock the owner out: each is counted alone, whatever the address. */
static void test_other_users_are_counted_alone(void **state)
{
    struct fr_server_limits limits = fix_limits;
    int end;

    if (geteuid() != 0) {
        print_message("only root can become another user\n");
        skip();
    }
    limits.per_address = 3;
    struct http_fix *fix = fix_start(&limits, NULL);
    pid_t pid = hold_as_other_user(fix, 10, &end);
    struct client *clients[3];
    for (int i = 0; i < 3; i++) {
        unsigned int status;
        clients[i] = client_open(fix);
        client_send(clients[i], now);
        free(client_reply(clients[i], &status));
        assert_int_equal(status, 200);
    }
    assert_int_equal(ask(fix, now, NULL), 429);
    for (int i = 0; i < 3; i++)
        client_close(clients[i]);
    let_go(pid, end);
    fix_end(fix);
}

/* However many others come, some places are the owner's. */
static void test_places_are_kept_for_the_owner(void **state)
{
    struct fr_server_limits limits = fix_limits;
    int end;

    if (geteuid() != 0) {
        print_message("only root can become another user\n");
        skip();
    }
    limits.connections = 16;
    struct http_fix *fix = fix_start(&limits, NULL);
    pid_t pid = hold_as_other_user(fix, 40, &end);
    assert_int_equal(ask(fix, now, NULL), 200);
    assert_int_equal(ask(fix, now, NULL), 200);
    let_go(pid, end);
    fix_end(fix);
}

/* All replies together have a limit; who comes too late is told to come again. */
static void test_limit_of_replies(void **state)
{
    struct fr_server_limits limits = fix_limits;
    unsigned int status;
    char *reply;

    limits.replies = 40 << 20;
    struct http_fix *fix = fix_start(&limits, NULL);
    fix->big_size = 32 << 20;
    struct client *first = client_open(fix);
    client_send(first, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    fix_wait(fix, fix->handled == 1);
    assert_int_equal(ask(fix, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n", &reply), 503);
    assert_non_null(strstr(reply, "try again later"));
    free(reply);
    assert_int_equal(ask(fix, now, NULL), 200); /* small ones always fit */
    client_close(first);
    fix_wait(fix, fix->logged == 3);
    fix->big_size = 20 << 20; /* the place that the first had is free again */
    struct client *second = client_open(fix);
    client_send(second, "HEAD /big HTTP/1.1\r\nHost: a\r\n\r\n");
    free(client_head(second, &status));
    assert_int_equal(status, 200);
    client_close(second);
    fix_end(fix);
}

static void test_limit_of_connections(void **state)
{
    struct fr_server_limits limits = fix_limits;
    limits.connections = 1;
    struct http_fix *fix = fix_start(&limits, NULL);
    struct client *first = client_open(fix);
    unsigned int status;
    char *reply;

    client_send(first, now);
    free(client_reply(first, &status));
    assert_int_equal(status, 200);
    assert_int_equal(ask(fix, now, &reply), 503);
    assert_non_null(strstr(reply, "Retry-After"));
    assert_string_equal(body_of(reply), "Too many connections.\n");
    free(reply);
    client_close(first);
    fix_wait(fix, ask(fix, now, NULL) == 200);
    fix_end(fix);
}

static void test_many_connections_come_and_go(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);

    for (int i = 0; i < 300; i++) {
        struct client *client = client_open(fix);
        if (i % 3)
            client_send(client, i % 3 == 1 ? now : later);
        client_close(client);
    }
    fix_wait(fix, ask(fix, now, NULL) == 200); /* those that left are noticed in time */
    fix_end(fix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waiting_client_leaves),
        cmocka_unit_test(test_half_closed_client_is_still_there),
        cmocka_unit_test(test_reset_while_waiting),
        cmocka_unit_test(test_slow_senders),
        cmocka_unit_test(test_idle_connection),
        cmocka_unit_test(test_no_deadline_while_handling),
        cmocka_unit_test(test_stalled_reader_is_cut),
        cmocka_unit_test(test_big_reply_is_whole),
        cmocka_unit_test(test_limit_per_address),
        cmocka_unit_test(test_limit_of_connections),
        cmocka_unit_test(test_other_users_are_counted_alone),
        cmocka_unit_test(test_places_are_kept_for_the_owner),
        cmocka_unit_test(test_limit_of_replies),
        cmocka_unit_test(test_many_connections_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
