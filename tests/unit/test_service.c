// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The service over an engine that is played by hand.
 */
#include "core/service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model/fluid.h"

struct fixture {
    struct fr_service *service;
    const struct fr_engine_sink *sink;
    int ready, lost, back, stops, news;
    int told[FR_NEWS_VOID + 1]; /* by kind */
    bool with_instance;
    char error[512];
};

static const char *instance_text = "first";

static const char *instance(struct fr_engine *engine)
{
    return instance_text;
}

static const struct fr_engine_ops ops = {.name = "played", .instance = instance};
static struct fr_engine engine = {&ops};

static void on_ready(void *arg)
{
    ((struct fixture *)arg)->ready++;
}

static void on_engine_state(void *arg, const char *lost_reason)
{
    struct fixture *fixture = arg;

    fixture->lost += lost_reason != NULL;
    fixture->back += lost_reason == NULL;
}

static void on_stop(void *arg, bool with_instance, const struct fr_error *err)
{
    struct fixture *fixture = arg;

    fixture->stops++;
    fixture->with_instance = with_instance;
    if (err)
        snprintf(fixture->error, sizeof fixture->error, "%s", err->text);
}

static void on_news(void *arg, const struct fr_news *news)
{
    struct fixture *fixture = arg;

    fixture->told[news->kind]++;
    fixture->news = fixture->told[FR_NEWS_EVENT];
}

static int set_up(void **state)
{
    static struct fixture fixture;
    struct fr_service_hooks hooks = {on_ready, on_engine_state, on_stop, &fixture};

    fixture = (struct fixture){0};
    *state = &fixture;
    instance_text = "first";
    int rc = fr_service_create(100000, &hooks, &fixture.service);
    fr_service_set_engine(fixture.service, &engine);
    fixture.sink = fr_service_sink(fixture.service);
    fr_hub_subscribe(fr_service_hub(fixture.service), FR_FLUID_ANY, on_news, &fixture);
    return rc;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    fr_service_free(fixture->service);
    return 0;
}

/* Tells the first n events of a job's life, from event `first` on. */
static void tell(struct fixture *fixture, uint64_t id, int first, int n)
{
    static const char *const names[] = {"submit", "validate", "depend", "priority", "alloc"};
    struct fr_event events[5] = {0};

    for (int i = 0; i < n; i++)
        events[i] =
            (struct fr_event){.timestamp = 1 + i,
                              .name = names[first + i],
                              .context = first + i == 0   ? "{\"urgency\":16,\"userid\":0}"
                                         : first + i == 3 ? "{\"priority\":16}"
                                                          : NULL,
                              .index = first + i};
    struct fr_journal_entry entry = {.id = id, .events = events, .nevents = (size_t)n};
    fixture->sink->journal(fixture->sink->arg, &entry);
}

static const struct fr_job *find(const struct fixture *fixture, uint64_t id)
{
    return fr_table_find(fr_service_table(fixture->service), id);
}

static void test_ready_when_caught_up(void **state)
{
    struct fixture *fixture = *state;

    tell(fixture, 1, 0, 4);
    assert_false(fr_service_is_ready(fixture->service));
    assert_null(find(fixture, 1)); /* half a picture is not shown */
    fixture->sink->caught_up(fixture->sink->arg, 0);
    assert_int_equal(fixture->ready, 1);
    assert_non_null(find(fixture, 1));
    assert_int_equal(fixture->news, 0); /* the backlog is no news */
    tell(fixture, 2, 0, 4);
    assert_int_equal(fixture->news, 4);
    tell(fixture, 2, 0, 4); /* a repeat */
    assert_int_equal(fixture->news, 4);
}

/* A job that ended long ago comes whole, with its key, and without events. */
static void test_ended_jobs(void **state)
{
    struct fixture *fixture = *state;
    struct fr_keys *keys = fr_service_keys(fixture->service);
    struct fr_journal_entry entry = {.id = 7, .seq = 40};
    json_t *fields = json_pack("{s:s}", "command", "true"), *attribute;
    struct fr_job *job;
    struct fr_key key;
    uint64_t id = 0;

    assert_int_equal(fr_key_make("u", "k", fields, &key, &attribute), 0);
    entry.user = json_pack("{s:o}", FR_KEYS_ATTRIBUTE, attribute);
    for (int i = 0; i < 2; i++) { /* and once more, which changes nothing */
        job = fr_job_create(7);
        job->state = FR_STATE_INACTIVE;
        job->t_inactive = 12;
        entry.ended = &job;
        fixture->sink->journal(fixture->sink->arg, &entry);
        assert_true((job == NULL) == (i == 0));
        fr_job_free(job);
    }
    tell(fixture, 8, 0, 4);
    fixture->sink->caught_up(fixture->sink->arg, 0);
    assert_int_equal(fr_table_count(fr_service_table(fixture->service)), 2);
    assert_int_equal(find(fixture, 7)->changed_seq, 40);
    struct fr_table_walk walk =
        fr_table_walk(fr_service_table(fixture->service), FR_STATE_INACTIVE);
    assert_int_equal(fr_table_next(&walk)->id, 7);
    assert_int_equal(fr_keys_claim(keys, &key, 1, &id), FR_KEYS_KNOWN);
    assert_int_equal(id, 7);
    assert_true(fr_hub_seq(fr_service_hub(fixture->service)) >= 40);
    json_decref(entry.user);
    json_decref(fields);
}

/* The latest events are of jobs that the engine has forgotten: nothing before them can be read.
 */
static void test_the_latest_is_forgotten(void **state)
{
    static const struct fr_engine_ops numbered_ops = {
        .name = "played", .instance = instance, .numbered = true};
    static struct fr_engine numbered = {&numbered_ops};
    struct fixture *fixture = *state;
    const struct fr_hub *hub = fr_service_hub(fixture->service);
    struct fr_event event = {
        .timestamp = 1, .name = "submit", .context = "{\"urgency\":16,\"userid\":0}", .seq = 5};
    struct fr_journal_entry entry = {.id = 1, .events = &event, .nevents = 1};
    char before[FR_CURSOR_TEXT], after[FR_CURSOR_TEXT];
    uint64_t position;

    fr_service_set_engine(fixture->service, &numbered);
    fixture->sink->journal(fixture->sink->arg, &entry);
    fixture->sink->caught_up(fixture->sink->arg, 9);
    assert_int_equal(fr_hub_seq(hub), 9);
    fr_hub_cursor(hub, 5, before);
    fr_hub_cursor(hub, 9, after);
    event = (struct fr_event){.timestamp = 2, .name = "validate", .index = 1, .seq = 10};
    fixture->sink->journal(fixture->sink->arg, &entry);
    assert_int_equal(fr_hub_find(hub, before, &position, NULL), -ESTALE);
    assert_int_equal(fr_hub_find(hub, after, &position, NULL), 0);
    assert_int_equal(fr_hub_get(hub, position)->seq, 10);
}

static void test_jobs_stay_readable_while_the_engine_is_lost(void **state)
{
    struct fixture *fixture = *state;
    const struct fr_engine_sink *sink = fixture->sink;

    tell(fixture, 1, 0, 4);
    tell(fixture, 2, 0, 4);
    sink->caught_up(sink->arg, 0);
    sink->lost(sink->arg, "the broker is gone");
    assert_string_equal(fr_service_lost(fixture->service), "the broker is gone");
    /* The reason moves on with the engine's; the same one is told once. */
    sink->lost(sink->arg, "the broker is gone");
    assert_int_equal(fixture->lost, 1);
    sink->lost(sink->arg, "the socket is refused");
    assert_string_equal(fr_service_lost(fixture->service), "the socket is refused");
    assert_non_null(find(fixture, 1));
    sink->back(sink->arg);
    assert_null(fr_service_lost(fixture->service));
    tell(fixture, 1, 0, 5); /* one event more than was known; job 2 was purged meanwhile */
    tell(fixture, 3, 0, 2);
    assert_non_null(find(fixture, 2)); /* until the new picture is whole */
    assert_null(find(fixture, 3));
    sink->caught_up(sink->arg, 0);
    assert_null(find(fixture, 2));
    assert_non_null(find(fixture, 3));
    assert_int_equal(find(fixture, 1)->state, FR_STATE_RUN);
    assert_int_equal(fixture->news, 3); /* alloc of 1, submit and validate of 3 */
    assert_int_equal(fixture->ready, 1);
    assert_int_equal(fixture->lost, 2);
    assert_int_equal(fixture->back, 1);
    assert_int_equal(fixture->told[FR_NEWS_LOST], 2);
    assert_int_equal(fixture->told[FR_NEWS_BACK], 1);
    assert_int_equal(fixture->told[FR_NEWS_PURGED], 1); /* job 2 */
    assert_int_equal(fixture->told[FR_NEWS_VOID], 0);
}

static void test_silent_engine_resumes(void **state)
{
    struct fixture *fixture = *state;
    const struct fr_engine_sink *sink = fixture->sink;

    tell(fixture, 1, 0, 4);
    sink->caught_up(sink->arg, 0);
    sink->lost(sink->arg, "not a word");
    assert_string_equal(fr_service_lost(fixture->service), "not a word");
    tell(fixture, 1, 4, 1); /* it was said before, and is heard now */
    sink->resumed(sink->arg);
    assert_null(fr_service_lost(fixture->service));
    assert_int_equal(find(fixture, 1)->state, FR_STATE_RUN);
    assert_int_equal(fixture->news, 1);
    assert_int_equal(fixture->back, 1);
    assert_int_equal(fixture->told[FR_NEWS_BACK], 1);
}

/* Jobs of the same ids, but others: none of their past is news, and all cursors are void. */
static void test_another_instance(void **state)
{
    struct fixture *fixture = *state;
    const struct fr_engine_sink *sink = fixture->sink;
    struct fr_hub *hub = fr_service_hub(fixture->service);

    tell(fixture, 1, 0, 4);
    sink->caught_up(sink->arg, 0);
    assert_int_equal(fr_hub_end(hub) - fr_hub_first(hub), 4);
    sink->lost(sink->arg, "the broker is gone");
    instance_text = "second";
    sink->back(sink->arg);
    assert_int_equal(fixture->told[FR_NEWS_VOID], 1);
    tell(fixture, 1, 0, 5);
    sink->caught_up(sink->arg, 0);
    assert_int_equal(fixture->news, 0);
    assert_int_equal(fr_hub_end(hub) - fr_hub_first(hub), 5);
    assert_int_equal(find(fixture, 1)->state, FR_STATE_RUN);
    tell(fixture, 2, 0, 1);
    assert_int_equal(fixture->news, 1);
}

/* The engine is lost in the middle of the first backlog: it is read again, and once. */
static void test_a_backlog_that_breaks_off(void **state)
{
    struct fixture *fixture = *state;
    const struct fr_engine_sink *sink = fixture->sink;
    struct fr_hub *hub = fr_service_hub(fixture->service);

    tell(fixture, 1, 0, 4);
    sink->lost(sink->arg, "the broker is gone");
    sink->back(sink->arg);
    tell(fixture, 2, 0, 2);
    tell(fixture, 1, 0, 4);
    sink->caught_up(sink->arg, 0);
    assert_int_equal(fr_hub_end(hub) - fr_hub_first(hub), 6);
    assert_int_equal(fixture->news, 0);
}

static void test_purged_jobs_leave(void **state)
{
    struct fixture *fixture = *state;
    uint64_t ids[] = {1, 99};

    tell(fixture, 1, 0, 4);
    fixture->sink->caught_up(fixture->sink->arg, 0);
    fixture->sink->purged(fixture->sink->arg, ids, 2);
    assert_null(find(fixture, 1));
    assert_int_equal(fixture->told[FR_NEWS_PURGED], 2);
}

static void test_stops_once(void **state)
{
    struct fixture *fixture = *state;

    fr_service_stop(fixture->service, true, NULL);
    fixture->sink->ended(fixture->sink->arg,
                         &(struct fr_error){FR_CODE_INTERNAL, "came too late"});
    assert_int_equal(fixture->stops, 1);
    assert_true(fixture->with_instance);
    assert_string_equal(fixture->error, "");
    assert_true(fr_service_is_stopping(fixture->service));
}

static void test_the_engines_end_stops(void **state)
{
    struct fixture *fixture = *state;

    fixture->sink->ended(fixture->sink->arg, &(struct fr_error){FR_CODE_INTERNAL, "it broke"});
    assert_int_equal(fixture->stops, 1);
    assert_false(fixture->with_instance);
    assert_string_equal(fixture->error, "it broke");
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_ready_when_caught_up),
        TEST(test_ended_jobs),
        TEST(test_the_latest_is_forgotten),
        TEST(test_jobs_stay_readable_while_the_engine_is_lost),
        TEST(test_silent_engine_resumes),
        TEST(test_another_instance),
        TEST(test_a_backlog_that_breaks_off),
        TEST(test_purged_jobs_leave),
        TEST(test_stops_once),
        TEST(test_the_engines_end_stops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
