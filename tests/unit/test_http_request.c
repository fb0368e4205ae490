// SPDX-License-Identifier: LGPL-3.0-only
#include "http_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"

static void echoed(struct client *client, const char *request, const char *body)
{
    unsigned int status;

    client_send(client, request);
    char *reply = client_reply(client, &status);
    assert_int_equal(status, 200);
    assert_string_equal(body_of(reply), body);
    free(reply);
}

static void test_bodies_on_one_connection(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *client = client_open(fix);

    echoed(client, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "hello");
    echoed(client, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "");
    echoed(client, "POST /echo HTTP/1.1\r\nHost: a\r\n\r\n", "");
    echoed(client,
           "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
           "5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: t\r\n\r\n",
           "hello!");
    echoed(client,
           "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", "");
    assert_int_equal(fix->handled, 5);
    assert_int_equal(fix->admitted, 5);
    client_close(client);
    fix_end(fix);
}

static void test_byte_by_byte(void **state)
{
    static const char request[] =
        "POST /echo?a=b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *client = client_open(fix);

    for (size_t i = 0; i + 1 < sizeof request; i++)
        client_send_bytes(client, request + i, 1);
    echoed(client, "", "abc");
    assert_string_equal(fix->last_query, "a=b;");
    client_close(client);
    fix_end(fix);
}

static void test_pipelining(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *client = client_open(fix);
    unsigned int status;

    client_send(client, "GET /now HTTP/1.1\r\nHost: a\r\n\r\n"
                        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab"
                        "GET /later HTTP/1.1\r\nHost: a\r\n\r\n"
                        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "2\r\ncd\r\n0\r\n\r\n"
                        "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n");
    echoed(client, "", "hello\n");
    echoed(client, "", "ab");
    fix_wait(fix, fix->held);
    /* The next ones wait for their turn. */
    assert_int_equal(fix->handled, 3);
    fr_req_reply(fix->held, 204, NULL, NULL);
    free(client_head(client, &status));
    assert_int_equal(status, 204);
    echoed(client, "", "cd");
    free(client_reply(client, &status));
    assert_int_equal(status, 404);
    fix_wait(fix, fix->logged == 5);
    client_close(client);
    fix_end(fix);
}

static void test_http_1_0_and_close(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *client = client_open(fix);

    echoed(client, "GET /now HTTP/1.0\r\n\r\n", "hello\n");
    client_expect_end(client);
    client_close(client);
    client = client_open(fix);
    echoed(client, "GET /now HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "hello\n");
    client_expect_end(client);
    client_close(client);
    fix_end(fix);
}

/* `printf … | nc -N`: the client has said all, and still reads. */
static void test_half_closed_client_gets_its_reply(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *client = client_open(fix);
    unsigned int status;

    client_send(client, "GET /now HTTP/1.1\r\nHost: a\r\n\r\n");
    shutdown(client->fd, SHUT_WR);
    free(client_reply(client, &status));
    assert_int_equal(status, 200);
    client_expect_end(client);
    client_close(client);
    fix_end(fix);
}

static void test_refused_by_admit(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *client = client_open(fix);
    unsigned int status;

    /* Without a body the connection stays. */
    client_send(client, "GET /denied HTTP/1.1\r\nHost: a\r\n\r\n");
    free(client_reply(client, &status));
    assert_int_equal(status, 401);
    echoed(client, "GET /now HTTP/1.1\r\nHost: a\r\n\r\n", "hello\n");
    /* With one it ends, and the body is not read. */
    client_send(client, "POST /denied HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n");
    char *reply = client_reply(client, &status);
    assert_int_equal(status, 401);
    assert_non_null(strstr(reply, "Connection: close"));
    free(reply);
    client_expect_end(client);
    assert_int_equal(fix->handled, 1);
    assert_int_equal(fix->admitted, 3);
    client_close(client);
    fix_end(fix);
}

static void test_expect_continue(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *client = client_open(fix);
    unsigned int status;

    client_send(client, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                        "Expect: 100-continue\r\n\r\n");
    free(client_head(client, &status));
    assert_int_equal(status, 100);
    echoed(client, "abc", "abc");
    /* No 100 where the answer is known: refused by admit, and too large. */
    client_send(client, "POST /denied HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                        "Expect: 100-continue\r\n\r\n");
    free(client_reply(client, &status));
    assert_int_equal(status, 401);
    client_close(client);
    client = client_open(fix);
    client_send(client, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n"
                        "Expect: 100-continue\r\n\r\n");
    free(client_reply(client, &status));
    assert_int_equal(status, 413);
    client_close(client);
    fix_end(fix);
}

/* A whole body of n bytes, chunked, in pieces of 1000 bytes. */
static void put_chunked(struct fr_buf *buf, size_t n)
{
    char piece[1000];

    memset(piece, 'y', sizeof piece);
    while (n > 0) {
        const size_t now = n < sizeof piece ? n : sizeof piece;
        fr_buf_printf(buf, "%zx\r\n", now);
        fr_buf_put(buf, piece, now);
        fr_buf_puts(buf, "\r\n");
        n -= now;
    }
    fr_buf_puts(buf, "0\r\n\r\n");
}

static void test_body_limit(void **state)
{
    static const char head[] = "POST /echo HTTP/1.1\r\nHost: a\r\n";
    struct http_fix *fix = fix_start(NULL, NULL);
    struct fr_buf buf = FR_BUF_INIT(8 << 20);
    struct client *client = client_open(fix);
    unsigned int status;

    /* Just the limit, both ways. */
    fr_buf_printf(&buf, "%sContent-Length: 65536\r\n\r\n%065536d", head, 0);
    client_send_bytes(client, buf.data, buf.len);
    char *reply = client_reply(client, &status);
    assert_int_equal(status, 200);
    assert_int_equal(strlen(body_of(reply)), 65536);
    free(reply);
    fr_buf_reset(&buf);
    fr_buf_printf(&buf, "%sTransfer-Encoding: chunked\r\n\r\n", head);
    put_chunked(&buf, 65536);
    client_send_bytes(client, buf.data, buf.len);
    reply = client_reply(client, &status);
    assert_int_equal(status, 200);
    assert_int_equal(strlen(body_of(reply)), 65536);
    free(reply);
    /* Chunked and one byte more: only its end shows that, and the connection stays good. */
    fr_buf_reset(&buf);
    fr_buf_printf(&buf, "%sTransfer-Encoding: chunked\r\n\r\n", head);
    put_chunked(&buf, 65537);
    client_send_bytes(client, buf.data, buf.len);
    free(client_reply(client, &status));
    assert_int_equal(status, 413);
    assert_int_equal(fix->refused, 1);
    echoed(client, "GET /now HTTP/1.1\r\nHost: a\r\n\r\n", "hello\n");
    /* Much more: cut. */
    fr_buf_reset(&buf);
    fr_buf_printf(&buf, "%sTransfer-Encoding: chunked\r\n\r\n", head);
    put_chunked(&buf, 4 << 20);
    client_try_send(client, buf.data, buf.len);
    client_expect_end(client);
    assert_int_equal(fix->handled, 3);
    fr_buf_done(&buf);
    client_close(client);
    fix_end(fix);
}

/* The client has sent megabytes before it reads why it was refused. */
static void test_refused_upload_can_read_the_reply(void **state)
{
    static const char *const heads[] = {
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n",
        "POST /denied HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n",
    };
    static const unsigned int statuses[] = {413, 401};
    static const size_t sizes[] = {3000000, 60000};
    struct http_fix *fix = fix_start(NULL, NULL);
    char *body = malloc(3000000);

    assert_non_null(body);
    memset(body, 'z', 3000000);
    for (size_t i = 0; i < 2; i++) {
        struct client *client = client_open(fix);
        unsigned int status;
        client_send(client, heads[i]);
        client_send_bytes(client, body, sizes[i]);
        free(client_reply(client, &status));
        assert_int_equal(status, statuses[i]);
        client_expect_end(client);
        client_close(client);
    }
    free(body);
    fix_end(fix);
}

/* Left in the midst of a request, at every place there is. */
/* A body that is taken as it comes, larger than any that is kept, is read no faster than that.
 */
static void test_body_in_pieces(void **state)
{
    static char body[32 * 1024 * 1024]; /* more than sockets hold */
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *client = client_open(fix);
    unsigned int status;
    char head[128];

    memset(body, 'x', sizeof body);
    assert_true(sizeof body > fix_limits.body);
    snprintf(head, sizeof head,
             "POST /pieces HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n", sizeof body);
    client_send(client, head);
    fix->paused = true;
    size_t sent = 0;
    /* As much as fits into the sockets: nobody reads it. */
    for (int idle = 0; idle < 100; fix_turn(fix)) {
        ssize_t n = send(client->fd, body + sent, sizeof body - sent, MSG_DONTWAIT);
        idle = n > 0 ? 0 : idle + 1;
        sent += n > 0 ? (size_t)n : 0;
    }
    const size_t taken = fix->taken;
    assert_true(taken > 0 && sent < sizeof body);
    assert_int_equal(fix->handled, 0);
    fix->paused = false;
    fr_req_pause_body(fix->held, false);
    client_send_bytes(client, body + sent, sizeof body - sent);
    char *reply = client_reply(client, &status);
    assert_int_equal(status, 200);
    free(reply);
    assert_int_equal(fix->taken, sizeof body);
    assert_int_equal(fix->gone, 0);
    /* The next request on the connection is read as ever. */
    client_send(client, "GET /now HTTP/1.1\r\nHost: h\r\n\r\n");
    free(client_reply(client, &status));
    assert_int_equal(status, 200);
    client_close(client);
    fix_end(fix);
}

/* Chunks are one piece each; what was read already comes in spite of a pause. */
static void test_chunks_in_pieces(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *client = client_open(fix);
    unsigned int status;

    fix->paused = true;
    client_send(client, "POST /pieces HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "3\r\nabc\r\n3\r\ndef\r\n3\r\nghi\r\n0\r\n\r\n");
    fix_wait(fix, fix->taken > 0);
    for (int i = 0; i < 50; i++)
        fix_turn(fix);
    assert_int_equal(fix->handled, 0);
    fix->paused = false;
    fr_req_pause_body(fix->held, false);
    char *reply = client_reply(client, &status);
    assert_int_equal(status, 200);
    free(reply);
    assert_int_equal(fix->taken, 9);
    client_close(client);
    fix_end(fix);
}

/* While the body is paused the time is not the client's; afterwards it is. */
static void test_patience_with_pieces(void **state)
{
    struct fr_server_limits limits = fix_limits;
    unsigned int status;

    limits.request_seconds = 1;
    struct http_fix *fix = fix_start(&limits, NULL);
    struct client *client = client_open(fix);
    fix->paused = true;
    client_send(client, "POST /pieces HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabc");
    fix_wait(fix, fix->taken == 3);
    const uint64_t end = uv_hrtime() + 3000000000u;
    while (uv_hrtime() < end)
        fix_turn(fix);
    assert_int_equal(fix->gone, 0);
    fix->paused = false;
    fr_req_pause_body(fix->held, false);
    client_send(client, "def");
    free(client_reply(client, &status));
    assert_int_equal(status, 200);
    client_send(client, "POST /pieces HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabc");
    fix_wait(fix, fix->taken == 9);
    fix_wait(fix, fix->gone == 1);
    client_expect(client, "HTTP/1.1 408 ");
    client_expect_end(client);
    client_close(client);
    fix_end(fix);
}

/* A client that leaves in the midst of it, whether it is read just then or not. */
static void test_leaving_in_pieces(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);

    for (unsigned int i = 0; i < 2; i++) {
        struct client *client = client_open(fix);
        fix->taken = 0;
        fix->paused = i;
        client_send(client, "POST /pieces HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabc");
        fix_wait(fix, fix->taken == 3);
        client_close(client);
        fix_wait(fix, fix->gone == i + 1);
    }
    assert_int_equal(fix->handled, 0);
    fix_end(fix);
}

/* The server ends while a body is paused. */
static void test_stopping_in_pieces(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *client = client_open(fix);

    fix->paused = true;
    client_send(client, "POST /pieces HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabc");
    fix_wait(fix, fix->taken == 3);
    fix_stop(fix, 100);
    assert_int_equal(fix->gone, 1);
    client_close(client);
    fix_end(fix);
}

static void test_client_leaves_early(void **state)
{
    static const char request[] =
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
        "\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    struct http_fix *fix = fix_start(NULL, NULL);

    for (size_t n = 0; n < sizeof request - 1; n++) {
        struct client *client = client_open(fix);
        client_send_bytes(client, request, n);
        client_close(client);
        fix_turn(fix);
    }
    assert_int_equal(ask(fix, "GET /now HTTP/1.1\r\nHost: a\r\n\r\n", NULL), 200);
    assert_int_equal(fix->handled, 1);
    fix_end(fix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies_on_one_connection),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_pipelining),
        cmocka_unit_test(test_http_1_0_and_close),
        cmocka_unit_test(test_half_closed_client_gets_its_reply),
        cmocka_unit_test(test_refused_by_admit),
        cmocka_unit_test(test_expect_continue),
        cmocka_unit_test(test_body_limit),
        cmocka_unit_test(test_refused_upload_can_read_the_reply),
        cmocka_unit_test(test_body_in_pieces),
        cmocka_unit_test(test_chunks_in_pieces),
        cmocka_unit_test(test_patience_with_pieces),
        cmocka_unit_test(test_leaving_in_pieces),
        cmocka_unit_test(test_stopping_in_pieces),
        cmocka_unit_test(test_client_leaves_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
