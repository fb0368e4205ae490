// SPDX-License-Identifier: LGPL-3.0-only
#include "api_fixture.h"

#include <stdlib.h>
#include <string.h>

static size_t points(const struct fr_stats *stats)
{
    size_t count = 0;

    for (size_t i = 0; i < FR_STATS_POINTS; i++)
        count += stats->points[i].when > 0;
    return count;
}

static const struct fr_stats_point *latest(const struct fr_stats *stats)
{
    return &stats->points[(stats->next + FR_STATS_POINTS - 1) % FR_STATS_POINTS];
}

static void test_counts(void **state)
{
    struct api_fix *fix = api_start();
    const struct fr_stats *stats = &fix->api->stats;

    api_add_waiting(fix, 1, "waits");
    api_add_job(fix, 2, "runs");
    api_event(fix, 2, "finish", "{\"status\":0}");
    api_event(fix, 2, "release", "{\"ranks\":\"all\",\"final\":true}");
    api_event(fix, 2, "free", NULL);
    api_event(fix, 2, "clean", NULL);
    api_add_job(fix, 3, "runs");
    assert_int_equal(stats->submitted, 3);
    assert_int_equal(stats->finished, 1);
    struct fr_stats_point now = fr_stats_now(stats, 1e9);
    assert_int_equal(now.pending, 1);
    assert_int_equal(now.running, 1);
    api_end(fix);
}

/* What is no event of a job is not counted, nor looked at as one. */
static void test_other_news(void **state)
{
    struct api_fix *fix = api_start();
    const uint64_t id = 2;

    api_add_job(fix, id, "runs");
    const uint64_t before = fix->api->stats.events;
    fix->sink->purged(fix->sink->arg, &id, 1);
    fix->sink->lost(fix->sink->arg, "tests");
    fix->sink->back(fix->sink->arg);
    fix->sink->caught_up(fix->sink->arg, 0);
    assert_int_equal(fix->api->stats.events, before);
    api_end(fix);
}

static void test_history(void **state)
{
    struct api_fix *fix = api_start();
    struct fr_stats *stats = &fix->api->stats;
    const double base = 4e9; /* later than the clock says */

    fr_stats_catch_up(stats, base);
    assert_int_equal(points(stats), 1);
    fr_stats_catch_up(stats, base + 9);
    assert_int_equal(points(stats), 1);
    fr_stats_catch_up(stats, base + 35); /* and the two points that nobody looked at */
    assert_int_equal(points(stats), 4);
    assert_int_equal(latest(stats)->when, 4000000030);
    fr_stats_catch_up(stats, base - 1000); /* the clock was set back */
    assert_int_equal(points(stats), 4);
    fr_stats_catch_up(stats, base + 1e8); /* and forth: an hour at most */
    assert_int_equal(points(stats), FR_STATS_POINTS);
    assert_int_equal(latest(stats)->when, 4100000000);
    api_end(fix);
}

static void test_latencies(void **state)
{
    struct api_fix *fix = api_start();
    struct fr_stats *stats = &fix->api->stats;

    fr_stats_note_request(stats, 200, 0.0005);
    fr_stats_note_request(stats, 404, 0.001);
    fr_stats_note_request(stats, 0, 100);
    assert_int_equal(stats->latencies[0], 2);
    assert_int_equal(stats->latencies[FR_STATS_BUCKETS - 1], 1);
    assert_int_equal(stats->requests[0], 1);
    assert_int_equal(stats->requests[2], 1);
    assert_int_equal(stats->requests[4], 1);
    api_end(fix);
}

static void test_metrics(void **state)
{
    struct api_fix *fix = api_start();
    unsigned int status;

    api_add_job(fix, 2, "runs");
    struct client *client = client_open(&fix->http);
    client_send(client, "GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    client_expect(client, "caught-up");
    char *reply = api_ask(fix, "GET /metrics", &status);
    assert_non_null(strstr(reply, "flux_restd_connections 2\n"));
    assert_non_null(strstr(reply, "flux_restd_streams 1\n"));
    assert_non_null(strstr(reply, "flux_restd_stream_lag_bytes 0\n"));
    client_close(client);
    assert_int_equal(status, 200);
    assert_non_null(strstr(reply, "flux_restd_jobs{state=\"RUN\"} 1\n"));
    assert_non_null(strstr(reply, "application/openmetrics-text"));
    assert_string_equal(reply + strlen(reply) - 6, "# EOF\n");
    free(reply);
    api_end(fix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),  cmocka_unit_test(test_other_news),
        cmocka_unit_test(test_history), cmocka_unit_test(test_latencies),
        cmocka_unit_test(test_metrics),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
