// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Waiting for jobs that go on, go away, or are read anew; and long lists.
 */
#include "api_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOB 12345

static struct client *begin(struct api_fix *fix, const char *query)
{
    struct client *client = client_open(&fix->http);
    char text[256];

    snprintf(text, sizeof text, "GET /v1/jobs/12345?%s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
             query);
    client_send(client, text);
    for (int i = 0; i < 10; i++)
        fix_turn(&fix->http);
    assert_int_equal(client->len, 0);
    return client;
}

static void expect(struct client *client, unsigned int expected)
{
    unsigned int status;

    free(client_reply(client, &status));
    assert_int_equal(status, expected);
    client_close(client);
}

static void test_change(void **state)
{
    struct api_fix *fix = api_start();

    api_add_job(fix, JOB, "job");
    struct client *client = begin(fix, "wait=change");
    api_event(fix, JOB, "start", NULL);
    expect(client, 200);
    expect(begin(fix, "wait=change&timeout=0.05"), 202);
    api_end(fix);
}

static void test_a_job_that_goes_away(void **state)
{
    struct api_fix *fix = api_start();
    const uint64_t id = JOB;

    api_add_job(fix, JOB, "job");
    struct client *ended = begin(fix, "wait=inactive&timeout=1h");
    struct client *changed = begin(fix, "wait=change&timeout=1h");
    fix->sink->purged(fix->sink->arg, &id, 1);
    expect(ended, 404);
    expect(changed, 404);
    api_end(fix);
}

static void test_a_table_that_is_replaced(void **state)
{
    struct api_fix *fix = api_start();

    api_add_waiting(fix, JOB, "job");
    struct client *client = begin(fix, "wait=run&timeout=1h");
    fix->sink->lost(fix->sink->arg, "tests");
    fix->sink->back(fix->sink->arg);
    api_add_job(fix, JOB, "job");
    fix->sink->caught_up(fix->sink->arg, 0);
    expect(client, 200);
    api_end(fix);
}

static void test_a_client_that_leaves(void **state)
{
    struct api_fix *fix = api_start();

    const struct fr_hub *hub = fr_service_hub(fix->service);
    const size_t before = fr_hub_subscribers(hub);

    api_add_job(fix, JOB, "job");
    struct client *client = begin(fix, "wait=inactive&timeout=1h");
    assert_int_equal(fr_hub_subscribers(hub), before + 1);
    client_close(client);
    fix_wait(&fix->http, fr_hub_subscribers(hub) == before);
    api_end(fix);
}

/* More jobs than a slice, and lines longer than the stream's queue: all come, in order. */
static void test_long_lists(void **state)
{
    static char name[16000];
    struct api_fix *fix = api_start();
    unsigned int status;
    size_t seen = 0;

    memset(name, 'x', sizeof name - 1);
    for (uint64_t id = 1; id <= 2500; id++)
        api_add_job(fix, id, id % 500 ? "job" : name);
    char *reply = api_ask(fix, "GET /v1/jobs?limit=2400&fields=id,name", &status);
    assert_int_equal(status, 200);
    for (const char *at = reply; (at = strstr(at, "{\"id\":")); at++)
        seen++;
    assert_int_equal(seen, 2400);
    assert_non_null(strstr(reply, "\"next\":\""));
    free(reply);
    struct client *client = client_open(&fix->http);
    client_send(client, "GET /v1/jobs?fields=id HTTP/1.0\r\nHost: 127.0.0.1\r\n"
                        "Accept: application/x-ndjson\r\n\r\n");
    while (!client->ended) {
        fix_turn(&fix->http);
        client_poll(client);
    }
    seen = 0;
    for (const char *at = client->in; (at = strstr(at, "{\"id\":")); at++)
        seen++;
    assert_int_equal(seen, 2500);
    client_close(client);
    api_end(fix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_change),
        cmocka_unit_test(test_a_job_that_goes_away),
        cmocka_unit_test(test_a_table_that_is_replaced),
        cmocka_unit_test(test_a_client_that_leaves),
        cmocka_unit_test(test_long_lists),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
