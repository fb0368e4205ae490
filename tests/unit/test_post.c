// SPDX-License-Identifier: LGPL-3.0-only
/*
 * POST /v1/jobs against an engine that answers when the test says so.
 */
#include "api_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define JOBS 2000

/* What the engine holds. */
static struct {
    fr_submit_f cb;
    void *arg;
} flying[JOBS];
static size_t n_flying, n_submitted, most_flying;

static void on_submit(struct fr_engine *engine, struct fr_jobspec *spec, int urgency,
                      fr_submit_f cb, void *arg)
{
    assert_true(n_flying < JOBS);
    flying[n_flying].cb = cb;
    flying[n_flying++].arg = arg;
    n_submitted++;
    if (n_flying > most_flying)
        most_flying = n_flying;
    fr_jobspec_free(spec);
}

/* Answers what came last, so that the order of answers is not that of the requests. */
static void answer_one(struct api_fix *fix, enum fr_code code)
{
    static uint64_t next_id = 1000;
    struct fr_error err;
    uint64_t id = ++next_id;

    n_flying--;
    if (code == FR_CODE_COUNT) {
        api_add_job(fix, id, "job");
        flying[n_flying].cb(flying[n_flying].arg, id, NULL);
    } else {
        fr_error_set(&err, EIO, code, "said no");
        flying[n_flying].cb(flying[n_flying].arg, 0, &err);
    }
}

static struct api_fix *start(void)
{
    struct api_fix *fix = api_start();

    fix->ops.submit = on_submit;
    n_flying = n_submitted = most_flying = 0;
    return fix;
}

static struct client *post(struct api_fix *fix, const char *headers, const char *body)
{
    struct client *client = client_open(&fix->http);
    char head[512];

    snprintf(head, sizeof head,
             "POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\n%sContent-Length: %zu\r\n\r\n",
             headers, strlen(body));
    client_send(client, head);
    client_send(client, body);
    return client;
}

static void expect(struct client *client, unsigned int expected, const char *text)
{
    unsigned int status;
    char *reply = client_reply(client, &status);

    if (status != expected || !strstr(reply, text))
        fail_msg("not %u with %s: %s", expected, text, reply);
    free(reply);
    client_close(client);
}

static void test_one(void **state)
{
    struct api_fix *fix = start();
    struct client *client = post(fix, "", "{\"command\": \"true\"}");

    fix_wait(&fix->http, n_flying == 1);
    answer_one(fix, FR_CODE_COUNT);
    expect(client, 201, "Location: /v1/jobs/10");
    expect(post(fix, "", "{\"command\": \"true\", \"nme\": 1}"), 400, "did you mean 'name'?");
    expect(post(fix, "", "{\"command\": \"true\", \"num_nodes\": 99}"), 422, "/num_nodes");
    expect(post(fix, "", "3"), 400, "malformed");
    expect(post(fix, "", "{"), 400, "malformed");
    expect(post(fix, "Content-Type: text/plain\r\n", "{}"), 415, "media-type");
    client = post(fix, "", "{\"command\": \"true\"}");
    fix_wait(&fix->http, n_flying == 1);
    answer_one(fix, FR_CODE_OUTCOME_UNKNOWN);
    expect(client, 503, "outcome-unknown");
    assert_int_equal(n_submitted, 2);
    api_end(fix);
}

static void test_keys(void **state)
{
    const char *key = "Idempotency-Key: k\r\n";
    struct api_fix *fix = start();
    struct client *client = post(fix, key, "{\"command\": \"true\"}");

    fix_wait(&fix->http, n_flying == 1);
    expect(post(fix, key, "{\"command\": \"true\"}"), 409, "key-in-flight");
    answer_one(fix, FR_CODE_COUNT);
    expect(client, 201, "\"name\":\"job\"");
    expect(post(fix, key, "{\"command\": \"true\"}"), 200, "\"name\":\"job\"");
    expect(post(fix, "", "{\"command\": \"true\", \"key\": \"k\"}"), 200, "\"name\":\"job\"");
    expect(post(fix, key, "{\"command\": \"false\"}"), 422, "key-reused");
    expect(post(fix, key, "{\"command\": \"true\", \"key\": \"l\"}"), 400, "Idempotency-Key");
    expect(post(fix, "", "{\"command\": \"true\", \"key\": 3}"), 400, "key must be a text");
    expect(post(fix, "", "{\"command\": \"true\", \"key\": \"\"}"), 400, "1 to 255 bytes");
    assert_int_equal(n_submitted, 1);
    api_end(fix);
}

/* Nothing is submitted with a key while one of an earlier daemon may still be on its way. */
static void test_keys_wait_for_late_submits(void **state)
{
    struct api_fix *fix = start();

    fix->ops.submits_late = true;
    expect(post(fix, "Idempotency-Key: k\r\n", "{\"command\": \"true\"}"), 503, "not-sent");
    assert_int_equal(n_submitted, 0);
    api_end(fix);
}

static void test_dry_run(void **state)
{
    struct api_fix *fix = start();
    unsigned int status;
    char *reply =
        api_post(fix, "POST /v1/jobs?dry_run=true", "{\"command\": \"true\"}", &status);

    assert_int_equal(status, 200);
    assert_non_null(strstr(reply, "\"valid\":true"));
    free(reply);
    reply = api_post(fix, "POST /v1/jobs?dry_run=true",
                     "{\"command\": \"true\", \"num_nodes\": 99}", &status);
    assert_int_equal(status, 422);
    free(reply);
    assert_int_equal(n_submitted, 0);
    api_end(fix);
}

static void test_wait(void **state)
{
    struct api_fix *fix = start();
    struct client *client = client_open(&fix->http);

    client_send(client,
                "POST /v1/jobs?wait=inactive&timeout=100 HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                "Content-Length: 19\r\n\r\n{\"command\": \"true\"}");
    fix_wait(&fix->http, n_flying == 1);
    answer_one(fix, FR_CODE_COUNT);
    const struct fr_table *table = fr_service_table(fix->service);
    struct fr_table_walk walk = fr_table_walk(table, FR_STATES_ALL);
    const uint64_t id = fr_table_next(&walk)->id;
    api_event(fix, id, "finish", "{\"status\":0}");
    api_event(fix, id, "release", "{\"ranks\":\"all\",\"final\":true}");
    api_event(fix, id, "free", NULL);
    fix_turn(&fix->http);
    assert_int_equal(client->len, 0);
    api_event(fix, id, "clean", NULL);
    expect(client, 200, "\"state\":\"INACTIVE\"");
    api_end(fix);
}

/* Many lines: a bounded number at the engine, and the results in the order of the lines. */
static void test_lines(void **state)
{
    static char body[JOBS * 64];
    struct api_fix *fix = start();
    size_t len = 0, seen = 0;

    for (size_t i = 0; i < JOBS; i++)
        len += (size_t)sprintf(body + len, "%s\n",
                               i % 10 == 3   ? "{\"command\": \"true\", \"x\": 1}"
                               : i % 10 == 7 ? "no JSON"
                                             : "{\"command\": \"true\"}");
    /* As an HTTP/1.0 client, for whom the reply is not cut into chunks. */
    struct client *client = client_open(&fix->http);
    char head[256];
    snprintf(head, sizeof head,
             "POST /v1/jobs HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Length: %zu\r\n"
             "Content-Type: application/x-ndjson\r\n\r\n",
             len);
    client_send(client, head);
    client_send(client, body);
    fix_wait(&fix->http, n_flying > 300);
    for (int i = 0; i < 20; i++)
        fix_turn(&fix->http);
    assert_true(n_submitted < 600);
    while (!client->ended) {
        if (n_flying > 0)
            answer_one(fix, n_submitted % 7 ? FR_CODE_COUNT : FR_CODE_REFUSED);
        fix_turn(&fix->http);
        client_poll(client);
    }
    assert_true(most_flying <= 512);
    assert_int_equal(n_submitted, JOBS * 8 / 10);
    for (const char *at = client->in; (at = strstr(at, "{\"index\":")); at++, seen++)
        assert_int_equal(strtoul(at + 9, NULL, 10), seen);
    assert_int_equal(seen, JOBS);
    client_close(client);
    api_end(fix);
}

/* They are submitted as they come; of one that has no end yet nothing is. */
static void test_lines_as_they_come(void **state)
{
    struct api_fix *fix = start();
    struct client *client = client_open(&fix->http);

    client_send(client, "POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 62\r\n"
                        "Content-Type: application/x-ndjson\r\n\r\n"
                        "{\"command\": \"true\"}\n\n{\"comm");
    fix_wait(&fix->http, n_flying == 1);
    answer_one(fix, FR_CODE_COUNT);
    for (int i = 0; i < 20; i++)
        fix_turn(&fix->http);
    assert_int_equal(n_submitted, 1);
    client_send(client, "and\": \"true\"} \r\n{\"command\": \"true\"}");
    fix_wait(&fix->http, n_flying == 2);
    answer_one(fix, FR_CODE_COUNT);
    answer_one(fix, FR_CODE_COUNT);
    client_expect(client, "{\"index\":2,\"status\":201,");
    client_close(client);
    client = client_open(&fix->http);
    client_send(client, "POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 62\r\n"
                        "Content-Type: application/x-ndjson\r\n\r\n"
                        "{\"command\": \"true\"}\n{\"command\": \"true\"}");
    fix_wait(&fix->http, n_flying == 1);
    client_close(client);
    for (int i = 0; i < 50; i++)
        fix_turn(&fix->http);
    assert_int_equal(n_submitted, 4);
    answer_one(fix, FR_CODE_COUNT);
    api_end(fix);
}

/* More than is kept waits in the client, as long as the engine takes no more. */
static void test_many_long_lines(void **state)
{
    static char body[JOBS * 1024];
    struct api_fix *fix = start();
    size_t len = 0, sent = 0, seen = 0;
    char head[160];

    for (size_t i = 0; i < JOBS; i++)
        len += (size_t)sprintf(body + len, "{\"command\": [\"true\", \"%0900zu\"]}\n", i);
    struct client *client = client_open(&fix->http);
    snprintf(head, sizeof head,
             "POST /v1/jobs HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Length: %zu\r\n"
             "Content-Type: application/x-ndjson\r\n\r\n",
             len);
    client_send(client, head);
    while (!client->ended) {
        ssize_t n = send(client->fd, body + sent, len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        if (n_flying == 512 || (n_flying > 0 && sent == len))
            answer_one(fix, FR_CODE_COUNT);
        fix_turn(&fix->http);
        client_poll(client);
    }
    assert_int_equal(most_flying, 512);
    assert_int_equal(n_submitted, JOBS);
    for (const char *at = client->in; (at = strstr(at, "{\"index\":")); at++, seen++)
        assert_int_equal(strtoul(at + 9, NULL, 10), seen);
    assert_int_equal(seen, JOBS);
    client_close(client);
    api_end(fix);
}

/* A line that is too long is one failure, wherever its end is. */
static void test_long_line(void **state)
{
    static char body[2 * 1024 * 1024 + 256];
    struct api_fix *fix = start();

    for (int ended = 0; ended < 2; ended++) {
        memset(body, 'x', sizeof body);
        strcpy(body + sizeof body - 64, ended ? "\n{\"command\": \"true\"}\n" : "");
        struct client *client = post(fix, "Content-Type: application/x-ndjson\r\n", body);
        if (ended) {
            fix_wait(&fix->http, n_flying == 1);
            answer_one(fix, FR_CODE_COUNT);
        }
        client_expect(client, "{\"index\":0,\"status\":413,\"code\":\"too-large\"");
        client_expect(client, ended ? "{\"index\":1,\"status\":201," : "\r\n0\r\n");
        assert_null(strstr(client->in, "\"index\":2"));
        client_close(client);
    }
    api_end(fix);
}

/* Texts of failures take no more memory than is set aside for them. */
static void test_many_failures(void **state)
{
    static char body[40000 * 64];
    struct api_fix *fix = start();
    size_t len = 0, with = 0, without = 0;

    for (size_t i = 0; i < 40000; i++)
        len += (size_t)sprintf(body + len, "{\"nonsense\": 1, \"rubbish\": %zu}\n", i);
    struct client *client = post(fix, "Content-Type: application/x-ndjson\r\n", body);
    char *rest = client->in;
    while (!strstr(client->in, "\r\n0\r\n\r\n")) {
        fix_turn(&fix->http);
        client_poll(client);
        if (client->ended)
            fail_msg("ended with: %.400s", client->in);
        for (char *end; (end = strstr(rest, "}\n")); rest = end + 2) {
            *end = '\0';
            with += strstr(rest, "/nonsense") != NULL;
            without +=
                strstr(rest, "\"code\":\"unknown-field\"") && strstr(rest, "\"errors\":[]");
        }
        /* Keep what is not a whole line yet. */
        client->len -= (size_t)(rest - client->in);
        memmove(client->in, rest, client->len + 1);
        rest = client->in;
    }
    assert_true(with > 1000);
    assert_true(without > 1000);
    client_close(client);
    api_end(fix);
}

static void test_list(void **state)
{
    struct api_fix *fix = start();
    struct client *client =
        post(fix, "", "[{\"command\": \"true\"}, 3, {\"command\": \"true\"}]");

    fix_wait(&fix->http, n_flying == 2);
    answer_one(fix, FR_CODE_COUNT);
    answer_one(fix, FR_CODE_COUNT);
    client_expect(client, "]\n");
    assert_non_null(strstr(client->in, "[{\"index\":0,\"status\":201,\"id\":"));
    assert_non_null(strstr(client->in, ",{\"index\":1,\"status\":400,\"code\":\"invalid\""));
    assert_non_null(strstr(client->in, "{\"index\":2,\"status\":201,\"id\":"));
    client_close(client);
    client = post(fix, "", "[]");
    client_expect(client, "[]\n");
    client_close(client);
    expect(post(fix, "Idempotency-Key: k\r\n", "[]"), 400, "one job only");
    api_end(fix);
}

/* A client that leaves: what is at the engine goes on, the rest is not begun. */
static void test_leaving(void **state)
{
    static char body[JOBS * 32];
    struct api_fix *fix = start();
    size_t len = 0;

    for (size_t i = 0; i < JOBS; i++)
        len += (size_t)sprintf(body + len, "{\"command\": \"true\"}\n");
    struct client *client = post(fix, "Content-Type: application/x-ndjson\r\n", body);
    fix_wait(&fix->http, n_flying > 300);
    client_close(client);
    for (int i = 0; i < 3000 && n_flying > 0; i++)
        fix_turn(&fix->http);
    while (n_flying > 0)
        answer_one(fix, FR_CODE_COUNT);
    fix_turn(&fix->http);
    assert_true(n_submitted <= 512);
    api_end(fix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_keys_wait_for_late_submits),
        cmocka_unit_test(test_dry_run),
        cmocka_unit_test(test_wait),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_lines_as_they_come),
        cmocka_unit_test(test_many_long_lines),
        cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_many_failures),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_leaving),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
