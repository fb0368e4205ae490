// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Readers of events that are overtaken by what happens.
 */
#include "api_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOB 12345
#define BIG 60000 /* bytes of one event: some twenty are all that is kept */

static void fill_the_ring(struct api_fix *fix)
{
    static char context[BIG];

    memset(context, 'x', sizeof context);
    memcpy(context, "{\"x\":\"", 6);
    memcpy(context + sizeof context - 3, "\"}", 3);
    for (int i = 0; i < 20; i++)
        api_event(fix, JOB, "memo", context);
}

/* Asks for events, and turns all that is kept over before each turn of the loop. */
static struct client *ask_while_all_moves_on(struct api_fix *fix, const char *since)
{
    struct client *client = client_open(&fix->http);
    char text[256];

    snprintf(text, sizeof text,
             "GET /v1/events?since=%s HTTP/1.1\r\nHost: 127.0.0.1\r\n"
             "Accept: text/event-stream\r\n\r\n",
             since);
    client_send(client, text);
    for (int i = 0; i < 1000 && !strstr(client->in, "event: ") && !strstr(client->in, "gone");
         i++) {
        fill_the_ring(fix);
        fix_turn(&fix->http);
        client_poll(client);
    }
    return client;
}

/* Whoever asks for the oldest that is kept is told that, whatever it is by then. */
static void test_the_oldest(void **state)
{
    struct api_fix *fix = api_start();

    api_add_job(fix, JOB, "job");
    struct client *client = ask_while_all_moves_on(fix, "0");
    assert_non_null(strstr(client->in, "event: job\n"));
    assert_null(strstr(client->in, "lagging"));
    client_close(client);
    api_end(fix);
}

/* Whoever comes with a cursor has seen what was before: it is told that there is a gap. */
static void test_after_a_cursor(void **state)
{
    struct api_fix *fix = api_start();
    const struct fr_hub *hub = fr_service_hub(fix->service);
    char cursor[FR_CURSOR_TEXT];

    api_add_job(fix, JOB, "job");
    fr_hub_cursor(hub, fr_hub_seq(hub), cursor);
    struct client *client = ask_while_all_moves_on(fix, cursor);
    assert_null(strstr(client->in, "event: job\n"));
    assert_non_null(strstr(client->in, "cursor-gone"));
    client_close(client);
    api_end(fix);
}

/* A job that goes away while it is followed: the streams of it end with that reason. */
static void test_a_job_that_is_purged(void **state)
{
    static const char *const paths[] = {"events?follow=true", "output/stream"};
    const struct fr_output caught_up = {.kind = FR_OUTPUT_CAUGHT_UP};

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct api_fix *fix = api_start();
        const uint64_t id = JOB;
        char text[256];
        api_add_job(fix, JOB, "job");
        struct client *client = client_open(&fix->http);
        snprintf(text, sizeof text,
                 "GET /v1/jobs/12345/%s HTTP/1.0\r\nHost: 127.0.0.1\r\n"
                 "Accept: text/event-stream\r\n\r\n",
                 paths[i]);
        client_send(client, text);
        if (i == 1) {
            fix_wait(&fix->http, fix->watching);
            fix->output_cb(fix->output_arg, &caught_up);
        }
        client_expect(client, "event: caught-up\n");
        fix->sink->purged(fix->sink->arg, &id, 1);
        client_expect(client, "event: closing\n");
        client_expect(client, "purged");
        client_expect_end(client);
        client_close(client);
        api_end(fix);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_oldest),
        cmocka_unit_test(test_after_a_cursor),
        cmocka_unit_test(test_a_job_that_is_purged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
