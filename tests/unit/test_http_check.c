// SPDX-License-Identifier: LGPL-3.0-only
#include "http_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"

/* Refused in our own words, before any other hook, and the connection closed. */
static void refused(struct http_fix *fix, unsigned int status, const char *request,
                    const char *why)
{
    struct client *client = client_open(fix);
    const unsigned int handled = fix->handled, admitted = fix->admitted;
    const unsigned int refusals = fix->refused;
    unsigned int got;

    client_send(client, request);
    char *reply = client_reply(client, &got);
    if (got != status || !strstr(reply, why))
        fail_msg("for %s\ngot %s", request, reply);
    assert_non_null(strstr(reply, "Connection: close"));
    client_expect_end(client);
    assert_int_equal(client->len, 0);
    assert_int_equal(fix->handled, handled);
    assert_int_equal(fix->admitted, admitted);
    assert_int_equal(fix->refused, refusals + 1);
    free(reply);
    client_close(client);
}

static void taken(struct http_fix *fix, const char *request, const char *path)
{
    char *reply;
    const unsigned int handled = fix->handled;
    const unsigned int status = ask(fix, request, &reply);

    if (fix->handled != handled + 1 || (status != 200 && status != 404))
        fail_msg("for %s\ngot %s", request, reply ? reply : "nothing");
    assert_string_equal(fix->last_path, path);
    free(reply);
}

static void test_framing(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);

    refused(fix, 400,
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
            "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            "Transfer-Encoding");
    refused(fix, 400,
            "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
            "Content-Length: 0\r\n\r\n0\r\n\r\n",
            "Transfer-Encoding");
    refused(
        fix, 400,
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "more than one Content-Length");
    refused(
        fix, 400,
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\ncontent-length: 3\r\n\r\nabc",
        "more than one Content-Length");
    refused(
        fix, 400,
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "chunked");
    refused(fix, 400, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
            "chunked");
    refused(fix, 400,
            "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
            "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "chunked");
    refused(fix, 400,
            "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0b"
            "chunked\r\n\r\n0\r\n\r\n",
            "chunked");
    /* A reader that does not trim the name would not see this length. */
    refused(fix, 400, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length : 3\r\n\r\nabc",
            "name");
    refused(fix, 400, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n",
            "name");
    fix_end(fix);
}

static void test_hosts(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);

    refused(fix, 400, "GET /now HTTP/1.1\r\n\r\n", "no Host");
    refused(fix, 400, "GET /now HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "more than one Host");
    refused(fix, 400, "GET /now HTTP/1.0\r\nHost: a\r\nhost: a\r\n\r\n", "more than one Host");
    taken(fix, "GET /now HTTP/1.0\r\n\r\n", "/now");
    taken(fix, "GET http://a.b:80/now?x=1 HTTP/1.1\r\nHost: A.b:80\r\n\r\n", "/now");
    assert_string_equal(fix->last_query, "x=1;");
    taken(fix, "GET http://a.b HTTP/1.1\r\nHost: a.b\r\n\r\n", "/");
    taken(fix, "GET https://a.b?q HTTP/1.1\r\nHost: a.b\r\n\r\n", "/");
    refused(fix, 400, "GET http://a.b/now HTTP/1.1\r\nHost: b.a\r\n\r\n", "another host");
    refused(fix, 400, "GET http://a%2eb/now HTTP/1.1\r\nHost: a.b\r\n\r\n", "encoded");
    fix_end(fix);
}

static void test_targets(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);

    taken(fix, "GET /jobs/%C6%922kNPTLf HTTP/1.1\r\nHost: a\r\n\r\n", "/jobs/\u01922kNPTLf");
    taken(fix, "GET /jobs/\xC6\x92x HTTP/1.1\r\nHost: a\r\n\r\n", "/jobs/\u0192x");
    taken(fix, "GET /a+b%2Fc%25 HTTP/1.1\r\nHost: a\r\n\r\n", "/a+b/c%");
    taken(fix, "GET /\xF0\x9F\x98\x80 HTTP/1.1\r\nHost: a\r\n\r\n", "/\U0001F600");
    refused(fix, 400, "GET /%ff HTTP/1.1\r\nHost: a\r\n\r\n", "UTF-8");
    refused(fix, 400, "GET /%C0%AF HTTP/1.1\r\nHost: a\r\n\r\n", "UTF-8");
    refused(fix, 400, "GET /%ED%A0%80 HTTP/1.1\r\nHost: a\r\n\r\n", "UTF-8");
    refused(fix, 400, "GET /%F4%90%80%80 HTTP/1.1\r\nHost: a\r\n\r\n", "UTF-8");
    refused(fix, 400, "GET /%E2%82 HTTP/1.1\r\nHost: a\r\n\r\n", "UTF-8");
    refused(fix, 400, "GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n", "NUL");
    refused(fix, 400, "GET /a%0d%0ab HTTP/1.1\r\nHost: a\r\n\r\n", "control");
    refused(fix, 400, "GET /a%7f HTTP/1.1\r\nHost: a\r\n\r\n", "control");
    refused(fix, 400, "GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", "control");
    refused(fix, 400, "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", "space");
    refused(fix, 400, "GET /a%2 HTTP/1.1\r\nHost: a\r\n\r\n", "hex");
    refused(fix, 400, "GET /a%zz HTTP/1.1\r\nHost: a\r\n\r\n", "hex");
    refused(fix, 400, "GET /a%-1 HTTP/1.1\r\nHost: a\r\n\r\n", "hex");
    refused(fix, 400, "GET /now?a=%00 HTTP/1.1\r\nHost: a\r\n\r\n", "NUL");
    refused(fix, 400, "GET /now?%ff=a HTTP/1.1\r\nHost: a\r\n\r\n", "UTF-8");
    refused(fix, 400, "GET /now?a=%ff HTTP/1.1\r\nHost: a\r\n\r\n", "UTF-8");
    refused(fix, 400, "GET now HTTP/1.1\r\nHost: a\r\n\r\n", "'/'");
    refused(fix, 400, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "'/'");
    refused(fix, 400, "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", "'/'");
    refused(fix, 400, "G(T /now HTTP/1.1\r\nHost: a\r\n\r\n", "method");
    refused(fix, 400, "GETGETGETGETGETGETGETGETGET /now HTTP/1.1\r\nHost: a\r\n\r\n", "method");
    fix_end(fix);
}

static void test_headers(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);

    refused(fix, 400, "GET /now HTTP/1.1\r\nHost: a\r\nX: a\x01\r\n\r\n", "control");
    refused(fix, 400, "GET /now HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", "control");
    refused(fix, 400, "GET /now HTTP/1.1\r\nHost: a\r\nX: a\x7f\r\n\r\n", "control");
    refused(fix, 400, "GET /now HTTP/1.1\r\nHost: a\r\nX y: a\r\n\r\n", "name");
    refused(fix, 400, "GET /now HTTP/1.1\r\n Host: a\r\nHost: a\r\n\r\n", "name");
    taken(fix, "GET /now HTTP/1.1\r\nHost: a\r\nX: a\tb \xe9\r\n\r\n", "/now");
    fix_end(fix);
}

static void repeat(struct fr_buf *buf, unsigned int n, const char *text)
{
    for (unsigned int i = 0; i < n; i++)
        fr_buf_puts(buf, text);
}

static void test_counts(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct fr_buf buf = FR_BUF_INIT(1 << 20);

    fr_buf_puts(&buf, "GET /now HTTP/1.1\r\nHost: a\r\n");
    repeat(&buf, 49, "X: y\r\n");
    fr_buf_puts(&buf, "\r\n");
    taken(fix, buf.data, "/now");
    fr_buf_reset(&buf);
    fr_buf_puts(&buf, "GET /now HTTP/1.1\r\nHost: a\r\n");
    repeat(&buf, 50, "X: y\r\n");
    fr_buf_puts(&buf, "\r\n");
    refused(fix, 431, buf.data, "too many headers");
    fr_buf_reset(&buf);
    fr_buf_puts(&buf, "GET /now?a");
    repeat(&buf, 50, "&a=1");
    fr_buf_puts(&buf, " HTTP/1.1\r\nHost: a\r\n\r\n");
    refused(fix, 400, buf.data, "too many query parameters");
    fr_buf_done(&buf);
    fix_end(fix);
}

/* A request of n bytes up to the end of its headers. */
static void sized(struct fr_buf *buf, size_t n)
{
    fr_buf_reset(buf);
    fr_buf_puts(buf, "GET /now HTTP/1.1\r\nHost: a\r\nX: ");
    while (buf->len < n - 4)
        fr_buf_putc(buf, 'x');
    fr_buf_puts(buf, "\r\n\r\n");
}

static void test_header_block(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct fr_buf buf = FR_BUF_INIT(1 << 20);

    sized(&buf, fix_limits.header_block);
    taken(fix, buf.data, "/now");
    sized(&buf, fix_limits.header_block + 1);
    refused(fix, 431, buf.data, "too many bytes");
    /* Far beyond, libmicrohttpd refuses it in its own words. */
    sized(&buf, 200000);
    struct client *client = client_open(fix);
    client_try_send(client, buf.data, buf.len);
    client_expect(client, " 431 ");
    client_close(client);
    fr_buf_done(&buf);
    fix_end(fix);
}

/*
 * libmicrohttpd runs out of memory over the query, fails over its own reply, and would keep the
 * connection as long as an older one lives.
 */
static void test_query_beyond_memory(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct fr_buf buf = FR_BUF_INIT(1 << 20);
    struct client *older = client_open(fix);
    unsigned int status;

    client_send(older, "GET /now HTTP/1.1\r\nHost: a\r\n\r\n");
    free(client_reply(older, &status));
    fr_buf_puts(&buf, "GET /now HTTP/1.1\r\nHost: a\r\n\r\nGET /%41?");
    repeat(&buf, 5000, "&");
    fr_buf_puts(&buf, " HTTP/1.1\r\nHost: a\r\n\r\n");
    struct client *client = client_open(fix);
    client_try_send(client, buf.data, buf.len);
    client_expect_end(client);
    assert_int_equal(fix->handled, 2);
    client_send(older, "GET /now HTTP/1.1\r\nHost: a\r\n\r\n");
    free(client_reply(older, &status));
    assert_int_equal(status, 200);
    fr_buf_done(&buf);
    client_close(client);
    client_close(older);
    fix_end(fix);
}

/* Whatever its answer, libmicrohttpd must not hand these on. */
static void test_left_to_the_library(void **state)
{
    static const char *const requests[] = {
        "\r\n\r\n\r\n",
        "GET\r\n\r\n",
        "GET /now\r\n\r\n",
        "GET /now HTTP/2.0\r\nHost: a\r\n\r\n",
        "GET /now HTTP/0.9\r\nHost: a\r\n\r\n",
        "GET /now HTTP/1.1x\r\nHost: a\r\n\r\n",
        "GET /now HTTP/1.1\r\nHost a\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: abc\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        ("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
         "fffffffffffffffff\r\n"),
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n",
    };
    struct http_fix *fix = fix_start(NULL, NULL);

    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        struct client *client = client_open(fix);
        client_send(client, requests[i]);
        shutdown(client->fd, SHUT_WR);
        client_expect_end(client);
        if (fix->handled)
            fail_msg("handled: %s", requests[i]);
        client_close(client);
    }
    fix_end(fix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_framing),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_header_block),
        cmocka_unit_test(test_query_beyond_memory),
        cmocka_unit_test(test_left_to_the_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
