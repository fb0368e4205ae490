// SPDX-License-Identifier: LGPL-3.0-only
#include "http_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static struct client *open_stream(struct http_fix *fix, const char *request)
{
    struct client *client = client_open(fix);

    client_send(client, request);
    fix_wait(fix, fix->stream);
    return client;
}

static const char get[] = "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n";

static void test_pieces_arrive_as_they_are_written(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *client = open_stream(fix, get);
    unsigned int status;

    client_expect(client, "\r\n\r\n");
    assert_non_null(strstr(client->in, "Transfer-Encoding: chunked"));
    assert_non_null(strstr(client->in, "Content-Type: text/event-stream"));
    assert_int_equal(fr_stream_write(fix->stream, "one", 3), 0);
    client_expect(client, "3\r\none\r\n");
    for (int i = 0; i < 20; i++)
        fix_turn(fix);
    assert_int_equal(fr_stream_write(fix->stream, "two", 3), 0);
    assert_int_equal(fr_stream_write(fix->stream, "three", 5), 0);
    client_expect(client, "8\r\ntwothree\r\n");
    fr_stream_end(fix->stream);
    client_expect(client, "0\r\n\r\n");
    fix_wait(fix, fix->logged == 1);
    assert_int_equal(fix->last_status, 200);
    assert_int_equal(fix->last_bytes, 11);
    assert_int_equal(fix->stream_gone, 0);
    /* In order, and so the connection stays good. */
    client->len = 0;
    client_send(client, "GET /now HTTP/1.1\r\nHost: a\r\n\r\n");
    free(client_reply(client, &status));
    assert_int_equal(status, 200);
    client_close(client);
    fix_end(fix);
}

static void test_written_and_ended_at_once(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *client = client_open(fix);

    client_send(client, get);
    while (!fix->stream)
        uv_run(&fix->loop, UV_RUN_ONCE);
    assert_int_equal(fr_stream_write(fix->stream, "all", 3), 0);
    fr_stream_end(fix->stream);
    client_expect(client, "3\r\nall\r\n0\r\n\r\n");
    client_close(client);
    fix_end(fix);
}

static void test_empty_stream(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *client = open_stream(fix, get);

    client_expect(client, "\r\n\r\n");
    fr_stream_end(fix->stream);
    client_expect(client, "\r\n\r\n0\r\n\r\n");
    client_close(client);
    fix_end(fix);
}

static void test_head_has_no_stream(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *client = client_open(fix);
    unsigned int status;

    client_send(client, "HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    free(client_head(client, &status));
    assert_int_equal(status, 200);
    client_expect_end(client);
    assert_int_equal(client->len, 0);
    assert_null(fix->stream);
    client_close(client);
    fix_end(fix);
}

static void test_http_1_0_ends_with_the_connection(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *client = open_stream(fix, "GET /stream HTTP/1.0\r\n\r\n");

    assert_int_equal(fr_stream_write(fix->stream, "plain", 5), 0);
    client_expect(client, "\r\n\r\nplain");
    assert_null(strstr(client->in, "chunked"));
    fr_stream_end(fix->stream);
    client_expect_end(client);
    assert_string_equal(body_of(client->in), "plain");
    client_close(client);
    fix_end(fix);
}

/* Fills the queue until it refuses. The client does not read. */
static size_t fill(struct http_fix *fix, char letter)
{
    char piece[1000];
    size_t written = 0;

    memset(piece, letter, sizeof piece);
    for (;;) {
        int rc = fr_stream_write(fix->stream, piece, sizeof piece);
        if (rc == -EAGAIN)
            return written;
        assert_int_equal(rc, 0);
        written += sizeof piece;
        assert_true(written <= fix->queue_max);
    }
}

static void test_bounded_queue(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    fix->queue_max = 10000;
    struct client *client = open_stream(fix, get);
    char *more = calloc(1, 10001);

    assert_non_null(more);
    assert_int_equal(fr_stream_room(fix->stream), 10000);
    assert_int_equal(fr_stream_write(fix->stream, more, 10001), -EMSGSIZE);
    assert_int_equal(fill(fix, 'a'), 10000);
    assert_int_equal(fr_stream_room(fix->stream), 0);
    assert_int_equal(fr_stream_write(fix->stream, "b", 1), -EAGAIN);
    assert_int_equal(fr_stream_write(fix->stream, "", 0), 0);
    fix_wait(fix, fix->drained == 1);
    assert_true(fr_stream_room(fix->stream) > 5000);
    assert_int_equal(fr_stream_write(fix->stream, "b", 1), 0);
    fr_stream_end(fix->stream);
    client_expect(client, "b\r\n0\r\n\r\n");
    assert_int_equal(fix->drained, 1);
    free(more);
    client_close(client);
    fix_end(fix);
}

/* Megabytes through a small queue, every byte in order, the client reading in fits. */
static void test_long_stream_is_whole(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    fix->queue_max = 50000;
    struct client *client = open_stream(fix, "GET /stream HTTP/1.0\r\n\r\n");
    unsigned int written = 0, seen = 0;
    char line[16];
    const unsigned int total = 300000;

    client_expect(client, "\r\n\r\n");
    size_t skip = (size_t)(body_of(client->in) - client->in);
    while (seen < total) {
        while (written < total) {
            int n = snprintf(line, sizeof line, "%010u\n", written);
            if (fr_stream_write(fix->stream, line, (size_t)n) == -EAGAIN)
                break;
            written++;
        }
        fix_turn(fix);
        client_poll(client);
        size_t at = skip;
        for (; at + 11 <= client->len; at += 11)
            assert_int_equal(strtoul(client->in + at, NULL, 10), seen++);
        client->len -= at;
        memmove(client->in, client->in + at, client->len);
        skip = 0;
    }
    fr_stream_end(fix->stream);
    client_expect_end(client);
    client_close(client);
    fix_end(fix);
}

static void test_client_leaves(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *client = open_stream(fix, get);

    client_expect(client, "\r\n\r\n");
    client_close(client);
    fix_wait(fix, fix->stream_gone == 1);
    fix_wait(fix, fix->logged == 1);
    /* And one that is being written to. */
    client = open_stream(fix, get);
    fill(fix, 'x');
    client_close(client);
    fix_wait(fix, fix->stream_gone == 2);
    fix_end(fix);
}

/* It shuts down its sending side, and goes on reading. */
static void test_half_closed_client_goes_on_reading(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *client = open_stream(fix, get);

    shutdown(client->fd, SHUT_WR);
    const uint64_t end = uv_hrtime() + 2500000000u;
    while (uv_hrtime() < end)
        fix_turn(fix);
    assert_int_equal(fix->stream_gone, 0);
    assert_int_equal(fr_stream_write(fix->stream, "still", 5), 0);
    client_expect(client, "still");
    client_close(client);
    fix_wait(fix, fix->stream_gone == 1);
    fix_end(fix);
}

static void test_stalled_reader_is_cut(void **state)
{
    struct fr_server_limits limits = fix_limits;
    limits.reply_seconds = 1;
    struct http_fix *fix = fix_start(&limits, NULL);
    fix->queue_max = 16 << 20;
    struct client *client = open_stream(fix, get);

    fill(fix, 'x');
    fix_wait(fix, fix->stream_gone == 1);
    client_close(client);
    fix_end(fix);
}

/* A stream that has nothing to say is not stalled. */
static void test_silent_stream_is_not_cut(void **state)
{
    struct fr_server_limits limits = fix_limits;
    limits.reply_seconds = limits.idle_seconds = limits.request_seconds = 1;
    struct http_fix *fix = fix_start(&limits, NULL);
    struct client *client = open_stream(fix, get);

    const uint64_t end = uv_hrtime() + 4000000000u;
    while (uv_hrtime() < end)
        fix_turn(fix);
    assert_int_equal(fix->stream_gone, 0);
    assert_int_equal(fr_stream_write(fix->stream, "there", 5), 0);
    client_expect(client, "there");
    client_close(client);
    fix_end(fix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_arrive_as_they_are_written),
        cmocka_unit_test(test_written_and_ended_at_once),
        cmocka_unit_test(test_empty_stream),
        cmocka_unit_test(test_head_has_no_stream),
        cmocka_unit_test(test_http_1_0_ends_with_the_connection),
        cmocka_unit_test(test_bounded_queue),
        cmocka_unit_test(test_long_stream_is_whole),
        cmocka_unit_test(test_client_leaves),
        cmocka_unit_test(test_half_closed_client_goes_on_reading),
        cmocka_unit_test(test_stalled_reader_is_cut),
        cmocka_unit_test(test_silent_stream_is_not_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
