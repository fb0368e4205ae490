// SPDX-License-Identifier: LGPL-3.0-only
#include "http_client.h"

#include <stdlib.h>
#include <string.h>

static const char now[] = "GET /now HTTP/1.1\r\nHost: a\r\n\r\n";
static const char later[] = "GET /later HTTP/1.1\r\nHost: a\r\n\r\n";
static const char stream[] = "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n";

static void test_never_listened(void **state)
{
    const struct fr_server_hooks hooks = {0};
    uv_loop_t loop;
    struct fr_server *server;

    assert_int_equal(uv_loop_init(&loop), 0);
    const unsigned int fds = count_fds();
    assert_int_equal(fr_server_create(&loop, &fix_limits, &hooks, &server), 0);
    assert_int_equal(fr_server_listeners(server), 0);
    fr_server_free(server);
    fr_server_free(NULL);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(count_fds(), fds);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void test_stop_without_clients(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);

    fix_stop(fix, 60000);
    fix_end(fix);
}

static void test_stop_closes_idle_connections_and_the_listener(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *used = client_open(fix), *fresh = client_open(fix);
    unsigned int status;

    client_send(used, now);
    free(client_reply(used, &status));
    assert_int_equal(status, 200);
    fix_stop(fix, 60000);
    client_expect_end(used);
    client_expect_end(fresh);
    assert_int_equal(fr_server_listeners(fix->server), 0);
    client_close(used);
    client_close(fresh);
    fix_end(fix);
}

static void on_done(void *arg)
{
    ((struct http_fix *)arg)->stopped = true;
}

static void test_stop_lets_replies_finish(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *client = client_open(fix);
    unsigned int status;

    client_send(client, later);
    fix_wait(fix, fix->held);
    fr_server_stop(fix->server, 60000, on_done, fix);
    for (int i = 0; i < 50; i++)
        fix_turn(fix);
    assert_false(fix->stopped);
    fr_req_reply(fix->held, 204, NULL, NULL);
    char *reply = client_head(client, &status);
    assert_int_equal(status, 204);
    assert_non_null(strstr(reply, "Connection: close"));
    free(reply);
    fix_wait(fix, fix->stopped);
    assert_int_equal(fix->gone, 0);
    client_expect_end(client);
    client_close(client);
    fix_end(fix);
}

static void test_stop_lets_a_big_reply_finish(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *client = client_open(fix);
    size_t got = 0;

    fix->big_size = 32 << 20;
    client_send(client, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    client_expect(client, "\r\n\r\n");
    fr_server_stop(fix->server, 60000, on_done, fix);
    got = client->len - (size_t)(body_of(client->in) - client->in);
    client->len = 0;
    while (!client->ended) {
        fix_turn(fix);
        client_poll(client);
        got += client->len;
        client->len = 0;
    }
    assert_int_equal(got, 32 << 20);
    fix_wait(fix, fix->stopped);
    client_close(client);
    fix_end(fix);
}

static void test_grace_ends(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *waiting = client_open(fix), *streaming = client_open(fix);
    struct client *sending = client_open(fix), *reading = client_open(fix);

    client_send(waiting, later);
    client_send(streaming, stream);
    client_send(sending, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab");
    fix->big_size = 32 << 20;
    client_send(reading, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    fix_wait(fix, fix->held && fix->stream && fix->handled == 3);
    fix_stop(fix, 10);
    assert_int_equal(fix->gone, 1);
    assert_int_equal(fix->closing, 1);
    assert_int_equal(fix->stream_gone, 1);
    assert_int_equal(fix->logged, 4);
    client_expect_end(waiting);
    client_expect_end(streaming);
    client_close(waiting);
    client_close(streaming);
    client_close(sending);
    client_close(reading);
    fix_end(fix);
}

static void test_streams_say_a_last_word(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *client = client_open(fix);

    fix->end_on_closing = true;
    client_send(client, stream);
    fix_wait(fix, fix->stream);
    client_expect(client, "\r\n\r\n");
    fix_stop(fix, 60000);
    assert_int_equal(fix->closing, 1);
    assert_int_equal(fix->stream_gone, 0);
    client_expect_end(client);
    assert_non_null(strstr(client->in, "3\r\nbye\r\n0\r\n\r\n"));
    client_close(client);
    fix_end(fix);
}

static void test_stop_from_a_handler(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *client = client_open(fix);
    unsigned int status;

    client_send(client, "POST /stop HTTP/1.1\r\nHost: a\r\n\r\n");
    free(client_reply(client, &status));
    assert_int_equal(status, 200);
    client_expect_end(client);
    fix_wait(fix, fix->stopped);
    client_close(client);
    fix_end(fix);
}

/* Freed in the midst of everything, without a stop. */
static void test_free_without_stop(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *waiting = client_open(fix), *streaming = client_open(fix);

    client_send(waiting, later);
    client_send(streaming, stream);
    fix_wait(fix, fix->held && fix->stream);
    fr_server_free(fix->server);
    fix->server = NULL;
    fix->stopped = true;
    assert_int_equal(fix->gone, 1);
    assert_int_equal(fix->stream_gone, 1);
    client_close(waiting);
    client_close(streaming);
    fix_end(fix);
}

/* More requests at once than libmicrohttpd handles in one turn, mixed. */
static void test_many_clients_at_once(void **state)
{
    enum { N = 90 };
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *clients[N];
    unsigned int status;

    for (int i = 0; i < N; i++) {
        clients[i] = client_open(fix);
        for (int j = 0; j < 3; j++)
            client_send(clients[i], now);
    }
    for (int j = 0; j < 3; j++)
        for (int i = 0; i < N; i++) {
            free(client_reply(clients[i], &status));
            assert_int_equal(status, 200);
        }
    for (int i = 0; i < N; i++)
        client_close(clients[i]);
    assert_int_equal(fix->handled, 3 * N);
    fix_end(fix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_never_listened),
        cmocka_unit_test(test_stop_without_clients),
        cmocka_unit_test(test_stop_closes_idle_connections_and_the_listener),
        cmocka_unit_test(test_stop_lets_replies_finish),
        cmocka_unit_test(test_stop_lets_a_big_reply_finish),
        cmocka_unit_test(test_grace_ends),
        cmocka_unit_test(test_streams_say_a_last_word),
        cmocka_unit_test(test_stop_from_a_handler),
        cmocka_unit_test(test_free_without_stop),
        cmocka_unit_test(test_many_clients_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
