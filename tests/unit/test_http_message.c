// SPDX-License-Identifier: LGPL-3.0-only
#include "http_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"

static void test_reply_now(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    char *reply;

    assert_int_equal(ask(fix, "GET /now HTTP/1.1\r\nHost: a\r\n\r\n", &reply), 200);
    assert_string_equal(body_of(reply), "hello\n");
    assert_non_null(strstr(reply, "\r\nContent-Type: text/plain\r\n"));
    assert_non_null(strstr(reply, "\r\nContent-Length: 6\r\n"));
    assert_null(strstr(reply, "Connection: close"));
    free(reply);
    fix_wait(fix, fix->logged == 1);
    assert_int_equal(fix->last_status, 200);
    assert_int_equal(fix->last_bytes, 6);
    assert_int_equal(fix->admitted, 1);
    fix_end(fix);
}

static void test_head_tells_the_length_and_sends_no_body(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *client = client_open(fix);
    unsigned int status;

    client_send(client, "HEAD /now HTTP/1.1\r\nHost: a\r\n\r\n"
                        "GET /now HTTP/1.1\r\nHost: a\r\n\r\n");
    char *head = client_head(client, &status);
    assert_int_equal(status, 200);
    assert_non_null(strstr(head, "Content-Length: 6"));
    /* What follows is the next reply, not a body. */
    char *reply = client_reply(client, &status);
    assert_int_equal(status, 200);
    assert_string_equal(body_of(reply), "hello\n");
    free(head);
    free(reply);
    client_close(client);
    fix_end(fix);
}

static void test_reply_later(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *client = client_open(fix);
    struct fr_buf body = FR_BUF_INIT(100);
    unsigned int status;

    client_send(client, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    fix_wait(fix, fix->held);
    for (int i = 0; i < 20; i++)
        fix_turn(fix);
    assert_int_equal(client->len, 0);
    fr_buf_puts(&body, "at last");
    fr_req_reply(fix->held, 202, "text/plain", &body);
    char *reply = client_reply(client, &status);
    assert_int_equal(status, 202);
    assert_string_equal(body_of(reply), "at last");
    free(reply);
    /* The connection is still good. */
    client_send(client, "GET /now HTTP/1.1\r\nHost: a\r\n\r\n");
    free(client_reply(client, &status));
    assert_int_equal(status, 200);
    assert_int_equal(fix->gone, 0);
    client_close(client);
    fix_end(fix);
}

/* Answered in the same turn of the loop, before libmicrohttpd has suspended it. */
static void test_reply_from_another_handler(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *first = client_open(fix), *second = client_open(fix);
    unsigned int status;

    client_send(first, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    client_send(second, "GET /now HTTP/1.1\r\nHost: a\r\n\r\n");
    while (!fix->held)
        uv_run(&fix->loop, UV_RUN_ONCE);
    fr_req_reply(fix->held, 204, NULL, NULL);
    free(client_head(first, &status));
    assert_int_equal(status, 204);
    free(client_reply(second, &status));
    assert_int_equal(status, 200);
    client_close(first);
    client_close(second);
    fix_end(fix);
}

static void test_failed_buffer_becomes_500(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *client = client_open(fix);
    struct fr_buf body = FR_BUF_INIT(4);
    unsigned int status;

    client_send(client, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    fix_wait(fix, fix->held);
    fr_buf_puts(&body, "more than four");
    fr_req_reply(fix->held, 200, "text/plain", &body);
    free(client_reply(client, &status));
    assert_int_equal(status, 500);
    fr_buf_done(&body);
    client_close(client);
    fix_end(fix);
}

static void test_reply_headers(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *client = client_open(fix);
    unsigned int status;

    client_send(client, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    fix_wait(fix, fix->held);
    assert_int_equal(fr_req_set_header(fix->held, "X-One", "1"), 0);
    assert_int_equal(fr_req_set_header(fix->held, "X-Empty", ""), 0);
    assert_int_equal(fr_req_set_header(fix->held, "X-Split", "a\r\nSet-Cookie: b"), -EINVAL);
    assert_int_equal(fr_req_set_header(fix->held, "X-Na\nme", "a"), -EINVAL);
    assert_int_equal(fr_req_set_header(fix->held, "X Name", "a"), -EINVAL);
    assert_int_equal(fr_req_set_header(fix->held, "", "a"), -EINVAL);
    fr_req_reply_static(fix->held, 200, "text/html", "<p>", 3);
    char *reply = client_reply(client, &status);
    assert_non_null(strstr(reply, "\r\nX-One: 1\r\n"));
    assert_null(strstr(reply, "Set-Cookie"));
    assert_null(strstr(reply, "X-Split"));
    assert_string_equal(body_of(reply), "<p>");
    free(reply);
    client_close(client);
    fix_end(fix);
}

static void expect_id(struct http_fix *fix, const char *sent, bool taken)
{
    char request[600];
    char *reply;

    (void)snprintf(request, sizeof request,
                   "GET /now HTTP/1.1\r\nHost: a\r\nx-request-id: %s\r\n\r\n", sent);
    assert_int_equal(ask(fix, request, &reply), 200);
    if (taken)
        assert_string_equal(fix->last_id, sent);
    else
        assert_int_equal(strlen(fix->last_id), 16);
    const char *told = strstr(reply, "\r\nX-Request-ID: ");
    assert_non_null(told);
    assert_memory_equal(told + 16, fix->last_id, strlen(fix->last_id));
    free(reply);
}

static void test_request_id(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    char text[140];

    expect_id(fix, "abc-DEF_1.2:3", true);
    expect_id(fix, "with space", false);
    expect_id(fix, "slash/", false);
    expect_id(fix, "", false);
    expect_id(fix, "@", false);
    expect_id(fix, "[", false);
    memset(text, 'x', sizeof text);
    text[128] = '\0';
    expect_id(fix, text, true);
    text[128] = 'x';
    text[129] = '\0';
    expect_id(fix, text, false);
    /* Made ones differ. */
    strcpy(text, fix->last_id);
    expect_id(fix, "no good", false);
    assert_string_not_equal(text, fix->last_id);
    fix_end(fix);
}

static void test_query(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *client = client_open(fix);

    client_send(client,
                "GET /later?a=1&b=x%20y+z&c&d=&a=2&B=%C6%92%0A HTTP/1.1\r\nHost: h\r\n\r\n");
    fix_wait(fix, fix->held);
    assert_string_equal(fix->last_query, "a=1;b=x y z;c=;d=;a=2;B=\u0192\n;");
    assert_string_equal(fr_req_query(fix->held, "a"), "1");
    assert_string_equal(fr_req_query(fix->held, "b"), "x y z");
    assert_string_equal(fr_req_query(fix->held, "B"), "\u0192\n");
    assert_string_equal(fr_req_query(fix->held, "c"), "");
    assert_null(fr_req_query(fix->held, "A"));
    assert_null(fr_req_query(fix->held, "host"));
    assert_string_equal(fr_req_header(fix->held, "hOST"), "h");
    assert_null(fr_req_header(fix->held, "a"));
    fr_req_reply(fix->held, 204, NULL, NULL);
    client_close(client);
    fix_end(fix);
}

static void test_methods(void **state)
{
    static const char *const words[] = {"GET",    "POST",    "PUT",  "PATCH",
                                        "DELETE", "OPTIONS", "PURGE"};
    static const enum fr_method methods[] = {FR_GET,    FR_POST,    FR_PUT,         FR_PATCH,
                                             FR_DELETE, FR_OPTIONS, FR_METHOD_OTHER};
    struct http_fix *fix = fix_start(NULL, NULL);

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        struct client *client = client_open(fix);
        client_send(client, words[i]);
        client_send(client, " /later HTTP/1.1\r\nHost: a\r\n\r\n");
        fix_wait(fix, fix->held);
        assert_int_equal(fr_req_method(fix->held), methods[i]);
        assert_string_equal(fr_req_method_word(fix->held), words[i]);
        fr_req_reply(fix->held, 204, NULL, NULL);
        fix->held = NULL;
        client_close(client);
    }
    fix_end(fix);
}

static unsigned int freed;

static void count_free(void *data)
{
    freed++;
    free(data);
}

static void test_data_and_user(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *client = client_open(fix);

    freed = 0;
    client_send(client, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    fix_wait(fix, fix->held);
    assert_string_equal(fr_req_user(fix->held), "");
    fr_req_set_user(fix->held, "alice");
    fr_req_set_user(fix->held, "bob");
    assert_string_equal(fr_req_user(fix->held), "bob");
    assert_null(fr_req_data(fix->held));
    fr_req_set_data(fix->held, malloc(1), count_free);
    fr_req_set_data(fix->held, malloc(1), count_free);
    assert_int_equal(freed, 1);
    fr_req_reply(fix->held, 204, NULL, NULL);
    fix_wait(fix, freed == 2);
    client_close(client);
    fix_end(fix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reply_now),
        cmocka_unit_test(test_head_tells_the_length_and_sends_no_body),
        cmocka_unit_test(test_reply_later),
        cmocka_unit_test(test_reply_from_another_handler),
        cmocka_unit_test(test_failed_buffer_becomes_500),
        cmocka_unit_test(test_reply_headers),
        cmocka_unit_test(test_request_id),
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_data_and_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
