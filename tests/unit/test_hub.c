// SPDX-License-Identifier: LGPL-3.0-only
#include "core/hub.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <uv.h>

#include "base/util.h"
#include "model/fluid.h"

struct heard {
    struct fr_hub *hub;
    struct fr_subscription *drop; /* ended from inside the callback */
    uint64_t last;
    int count;
};

static void on_news(void *arg, const struct fr_news *news)
{
    struct heard *heard = arg;

    assert_true(news->seq > heard->last);
    heard->last = news->seq;
    heard->count++;
    if (heard->drop)
        fr_hub_unsubscribe(heard->drop);
    heard->drop = NULL;
}

static uint64_t publish(struct fr_hub *hub, uint64_t id, uint64_t seq)
{
    struct fr_event event = {.timestamp = 1.5, .name = "start", .seq = seq};

    seq = fr_hub_number(hub, &event);
    fr_hub_publish(hub, &(struct fr_news){.seq = seq, .id = id, .event = &event});
    return seq;
}

static void test_numbers_and_tells(void **state)
{
    struct fr_hub *hub;
    struct heard all = {0}, one = {0};

    assert_int_equal(fr_hub_create(100000, &hub), 0);
    struct fr_subscription *sub_all = fr_hub_subscribe(hub, FR_FLUID_ANY, on_news, &all);
    struct fr_subscription *sub_one = fr_hub_subscribe(hub, 7, on_news, &one);
    assert_int_equal(publish(hub, 7, 0), 1);
    assert_int_equal(publish(hub, 8, 0), 2);
    assert_int_equal(publish(hub, 7, 10), 10); /* the engine's own numbers count */
    assert_int_equal(publish(hub, 8, 0), 11);
    assert_int_equal(all.count, 4);
    assert_int_equal(one.count, 2);
    fr_hub_unsubscribe(sub_one);
    publish(hub, 7, 0);
    assert_int_equal(one.count, 2);
    assert_int_equal(all.count, 5);
    fr_hub_unsubscribe(sub_all);
    fr_hub_unsubscribe(NULL);
    fr_hub_free(hub);
}

static void test_ending_from_inside(void **state)
{
    struct fr_hub *hub;
    struct heard first = {0}, second = {0};

    assert_int_equal(fr_hub_create(100000, &hub), 0);
    struct fr_subscription *sub = fr_hub_subscribe(hub, FR_FLUID_ANY, on_news, &first);
    first.drop = fr_hub_subscribe(hub, FR_FLUID_ANY, on_news, &second);
    publish(hub, 1, 0);
    assert_int_equal(second.count, 0); /* ended before its turn */
    first.drop = sub;
    publish(hub, 1, 0);
    publish(hub, 1, 0);
    assert_int_equal(first.count, 2);
    fr_hub_free(hub);
}

static void test_other_news(void **state)
{
    struct fr_hub *hub;
    struct heard all = {0}, one = {0};
    struct fr_news purged = {.kind = FR_NEWS_PURGED, .seq = 1, .id = 7};
    struct fr_news lost = {.kind = FR_NEWS_LOST, .seq = 2, .reason = "gone"};

    assert_int_equal(fr_hub_create(100000, &hub), 0);
    fr_hub_subscribe(hub, FR_FLUID_ANY, on_news, &all);
    fr_hub_subscribe(hub, 7, on_news, &one);
    fr_hub_tell(hub, &purged);
    fr_hub_tell(hub, &lost);
    assert_int_equal(all.count, 2);
    assert_int_equal(one.count, 1);
    fr_hub_free(hub);
}

/* Asserts that the events from a cursor on are these, as far as the hub keeps them. */
static void assert_after(const struct fr_hub *hub, const char *cursor, uint64_t seq, int count)
{
    struct fr_error err = {.text = ""};
    uint64_t position;

    assert_int_equal(fr_hub_find(hub, cursor, &position, &err), 0);
    assert_int_equal(fr_hub_end(hub) - position, count);
    for (; position < fr_hub_end(hub); position++)
        assert_int_equal(fr_hub_get(hub, position)->seq, seq++);
}

static void assert_gone(const struct fr_hub *hub, const char *cursor)
{
    struct fr_error err;
    uint64_t position = 77;

    assert_int_equal(fr_hub_find(hub, cursor, &position, &err), -ESTALE);
    assert_int_equal(err.code, FR_CODE_GONE);
    assert_int_equal(position, 77);
}

static void test_keeps_a_bounded_past(void **state)
{
    struct fr_hub *hub;
    char early[FR_CURSOR_TEXT], late[FR_CURSOR_TEXT], text[FR_CURSOR_TEXT];

    assert_int_equal(fr_hub_create(20000, &hub), 0);
    fr_hub_set_instance(hub, "one", true);
    for (int i = 0; i < 1000; i++)
        publish(hub, 1, 0);
    fr_hub_cursor(hub, 1, early);
    fr_hub_cursor(hub, 990, late);
    assert_gone(hub, early);
    assert_after(hub, late, 991, 10);
    assert_after(hub, fr_hub_cursor(hub, 1000, text), 1001, 0);
    assert_true(fr_hub_end(hub) - fr_hub_first(hub) > 10);
    assert_true(fr_hub_behind(hub, fr_hub_first(hub)) <= 20000);
    assert_true(fr_hub_behind(hub, fr_hub_first(hub)) > 15000);
    assert_int_equal(fr_hub_behind(hub, fr_hub_end(hub)), 0);
    /* Zero is whatever is kept. */
    assert_after(hub, "0", fr_hub_get(hub, fr_hub_first(hub))->seq,
                 (int)(fr_hub_end(hub) - fr_hub_first(hub)));
    fr_hub_forget(hub);
    assert_gone(hub, late);
    assert_after(hub, text, 1001, 0);
    fr_hub_free(hub);
}

static void test_texts(void **state)
{
    struct fr_hub *hub;
    char cursor[FR_CURSOR_TEXT], expected[512];

    assert_int_equal(fr_hub_create(20000, &hub), 0);
    fr_hub_set_instance(hub, "one", true);
    struct fr_event event = {.timestamp = 1.5, .name = "start", .index = 3, .seq = 9};
    struct fr_news news = {
        .seq = fr_hub_number(hub, &event), .id = 1, .event = &event, .state = FR_STATE_RUN};
    fr_hub_publish(hub, &news);
    const struct fr_kept *kept = fr_hub_get(hub, fr_hub_first(hub));
    fr_hub_cursor_at(hub, fr_hub_end(hub), cursor);
    snprintf(
        expected, sizeof expected,
        "event: job\nid: %s\ndata: {\"id\":1,\"jobid\":\"ƒ2\",\"index\":3,\"timestamp\":1.5,"
        "\"name\":\"start\",\"state\":\"RUN\",\"cursor\":\"%s\"}\n\n",
        cursor, cursor);
    assert_int_equal(kept->len, strlen(expected));
    assert_memory_equal(kept->text, expected, kept->len);
    assert_memory_equal(kept->text + kept->json, "{\"id\":1", 7);
    assert_int_equal(kept->name, fr_event_known("start", NULL));
    fr_hub_free(hub);
}

/* The cursor of each place leads back to it, also to the place before all that is kept. */
static void test_cursor_at(void **state)
{
    struct fr_hub *hub;
    char cursor[FR_CURSOR_TEXT];

    assert_int_equal(fr_hub_create(5000, &hub), 0);
    fr_hub_set_instance(hub, "one", false);
    for (int round = 0; round < 2; round++) {
        for (uint64_t p = fr_hub_first(hub); p <= fr_hub_end(hub); p++) {
            uint64_t found = 0;
            fr_hub_cursor_at(hub, p, cursor);
            assert_int_equal(fr_hub_find(hub, cursor, &found, NULL), 0);
            assert_int_equal(found, p);
        }
        for (int i = 0; i < 100; i++)
            publish(hub, 1, 0);
    }
    fr_hub_free(hub);
}

static void test_cursor(void **state)
{
    struct fr_hub *hub, *other;
    char text[FR_CURSOR_TEXT];
    struct fr_error err;
    uint64_t position = 99;

    assert_int_equal(fr_hub_create(2000, &hub), 0);
    assert_int_equal(fr_hub_create(2000, &other), 0);
    fr_hub_set_instance(hub, "one", false);
    fr_hub_set_instance(other, "two", false);
    publish(hub, 1, 0);
    publish(hub, 1, 0);
    publish(other, 1, 0);
    fr_hub_cursor(hub, 1, text);
    assert_after(hub, text, 2, 1);
    assert_gone(other, text);
    static const char *const wrong[] = {"",
                                        "x",
                                        "0.0.0",
                                        "1.2.3.4x",
                                        "....",
                                        "1.2.-3",
                                        "-1.2.3.4",
                                        " 1.2.3.4",
                                        "1.2.3.+4",
                                        "00",
                                        "1.2.3.",
                                        "0x1.2.3.4",
                                        "1.2.3.99999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(fr_hub_find(hub, wrong[i], &position, &err), -EINVAL);
        assert_int_equal(err.code, FR_CODE_INVALID);
    }
    assert_int_equal(position, 99);
    struct heard heard = {0};
    fr_hub_subscribe(hub, FR_FLUID_ANY, on_news, &heard);
    heard.last = 0;
    assert_false(fr_hub_set_instance(hub, "one", false));
    fr_hub_free(hub);
    fr_hub_free(other);
}

static void on_void(void *arg, const struct fr_news *news)
{
    assert_int_equal(news->kind, FR_NEWS_VOID);
    ++*(int *)arg;
}

static void test_another_instance(void **state)
{
    for (int numbered = 0; numbered < 2; numbered++) {
        struct fr_hub *hub;
        char text[FR_CURSOR_TEXT];
        int told = 0;

        assert_int_equal(fr_hub_create(2000, &hub), 0);
        assert_false(fr_hub_set_instance(hub, "one", numbered));
        publish(hub, 1, 0);
        fr_hub_cursor(hub, 0, text);
        fr_hub_subscribe(hub, FR_FLUID_ANY, on_void, &told);
        assert_true(fr_hub_set_instance(hub, "three", numbered));
        assert_int_equal(told, 1);
        assert_gone(hub, text);
        assert_int_equal(fr_hub_first(hub), fr_hub_end(hub));
        fr_hub_free(hub);
    }
}

static void preload(struct fr_hub *hub, uint64_t id, double timestamp, int64_t index, bool own)
{
    static uint64_t counter;
    struct fr_event event = {
        .timestamp = timestamp, .name = "start", .index = index, .seq = own ? ++counter : 0};

    fr_hub_preload(
        hub, &(struct fr_news){.seq = fr_hub_number(hub, &event), .id = id, .event = &event});
}

/* An engine with numbers of its own: a cursor is exact in the next run of the daemon. */
static void test_numbers_outlive_the_daemon(void **state)
{
    struct fr_hub *hub;
    char text[FR_CURSOR_TEXT];

    assert_int_equal(fr_hub_create(20000, &hub), 0);
    fr_hub_set_instance(hub, "one", true);
    for (uint64_t i = 1; i <= 10; i++)
        publish(hub, i, i);
    fr_hub_cursor(hub, 4, text);
    fr_hub_free(hub);
    assert_int_equal(fr_hub_create(20000, &hub), 0);
    fr_hub_set_instance(hub, "one", true);
    for (int i = 0; i < 12; i++)
        preload(hub, 1, i, i, true);
    fr_hub_settle(hub);
    assert_after(hub, text, 5, 8);
    publish(hub, 1, 13);
    assert_after(hub, text, 5, 9);
    /* A store that was put back to an earlier state knows less than the cursor. */
    assert_gone(hub, fr_hub_cursor(hub, 14, text));
    fr_hub_free(hub);
}

/* A long past is not kept at each start: the latest is, and nothing of it is passed over. */
static void test_a_long_numbered_backlog(void **state)
{
    const uint64_t count = 100000;
    struct fr_hub *hub;
    char text[FR_CURSOR_TEXT];

    assert_int_equal(fr_hub_create(64U << 20, &hub), 0);
    fr_hub_set_instance(hub, "one", true);
    for (uint64_t i = 1; i <= count; i++) {
        struct fr_event event = {.timestamp = (double)(count - i), .name = "start", .seq = i};
        fr_hub_number(hub, &event);
        fr_hub_preload(hub, &(struct fr_news){.seq = i, .id = i, .event = &event});
    }
    fr_hub_settle(hub);
    uint64_t first = fr_hub_get(hub, fr_hub_first(hub))->seq;
    uint64_t kept = fr_hub_end(hub) - fr_hub_first(hub);
    assert_in_range(kept, 1000, count / 4);
    assert_int_equal(first, count - kept + 1);
    assert_after(hub, fr_hub_cursor(hub, count - 10, text), count - 9, 10);
    assert_after(hub, fr_hub_cursor(hub, first - 1, text), first, kept);
    assert_gone(hub, fr_hub_cursor(hub, first - 2, text));
    publish(hub, 1, count + 1);
    assert_after(hub, fr_hub_cursor(hub, count, text), count + 1, 1);
    fr_hub_free(hub);
}

static void preload_seq(struct fr_hub *hub, uint64_t seq)
{
    struct fr_event event = {.timestamp = 5, .name = "start", .seq = seq};

    fr_hub_number(hub, &event);
    fr_hub_preload(hub, &(struct fr_news){.seq = seq, .id = 1, .event = &event});
}

/* Numbers that are left out were forgotten: nothing is told from before them. */
static void test_gaps_in_a_numbered_backlog(void **state)
{
    static const uint64_t seqs[] = {3, 4, 20, 21, 9, 10, 17, 18, 19};
    struct fr_hub *hub;
    char text[FR_CURSOR_TEXT];

    assert_int_equal(fr_hub_create(20000, &hub), 0);
    fr_hub_set_instance(hub, "one", true);
    for (size_t i = 0; i < FR_ARRAY_SIZE(seqs); i++)
        preload_seq(hub, seqs[i]);
    fr_hub_settle(hub);
    assert_after(hub, fr_hub_cursor(hub, 16, text), 17, 5);
    assert_after(hub, fr_hub_cursor(hub, 20, text), 21, 1);
    assert_gone(hub, fr_hub_cursor(hub, 15, text));
    assert_int_equal(fr_hub_get(hub, fr_hub_first(hub))->seq, 17);
    fr_hub_free(hub);

    assert_int_equal(fr_hub_create(20000, &hub), 0);
    fr_hub_set_instance(hub, "one", true);
    for (uint64_t seq = 1; seq <= 4; seq++)
        preload_seq(hub, seq);
    fr_hub_pass(hub, 3); /* this one was of a job that is told as a whole */
    fr_hub_settle(hub);
    assert_after(hub, fr_hub_cursor(hub, 3, text), 4, 1);
    assert_gone(hub, fr_hub_cursor(hub, 2, text));
    fr_hub_pass(hub, 9);
    assert_int_equal(fr_hub_seq(hub), 9);
    fr_hub_free(hub);
}

/* The events of 3 jobs, job by job; those of one second are of all of them. */
static void preload_jobs(struct fr_hub *hub, double from, int events)
{
    for (uint64_t id = 1; id <= 3; id++)
        for (int i = 0; i < events; i++)
            preload(hub, id, from + i, i, false);
}

/* One without: the backlog is put in order, and an earlier run's cursor is read by its time. */
static void test_time_outlives_the_daemon(void **state)
{
    struct fr_hub *hub;
    char text[FR_CURSOR_TEXT];
    int64_t next[4] = {0};
    uint64_t position;

    assert_int_equal(fr_hub_create(100000, &hub), 0);
    fr_hub_set_instance(hub, "one", false);
    preload_jobs(hub, 1000, 100);
    fr_hub_settle(hub);
    assert_int_equal(fr_hub_end(hub) - fr_hub_first(hub), 300);
    for (uint64_t p = fr_hub_first(hub); p < fr_hub_end(hub); p++) {
        const struct fr_kept *kept = fr_hub_get(hub, p);
        assert_int_equal(kept->seq, p - fr_hub_first(hub) + 1);
        assert_int_equal(kept->index, next[kept->id]++);
        assert_int_equal(kept->timestamp, 1000 + (p - fr_hub_first(hub)) / 3);
    }
    publish(hub, 9, 0);
    const char *at = fr_hub_cursor(hub, 5, text);
    struct fr_hub *next_hub;
    assert_int_equal(fr_hub_create(100000, &next_hub), 0);
    fr_hub_set_instance(next_hub, "one", false);
    preload_jobs(next_hub, 1000, 100);
    fr_hub_settle(next_hub);
    assert_int_equal(fr_hub_find(next_hub, at, &position, NULL), 0);
    assert_int_equal(position, fr_hub_end(next_hub));     /* all happened long before it */
    fr_hub_cursor_at(hub, fr_hub_first(hub) + 240, text); /* taken at the time 1079 */
    assert_int_equal(fr_hub_find(next_hub, text, &position, NULL), 0);
    assert_true(fr_hub_get(next_hub, position)->timestamp > 1079 - 60);
    assert_true(fr_hub_get(next_hub, position - 1)->timestamp <= 1079 - 60);
    fr_hub_free(hub);
    fr_hub_free(next_hub);
}

static void test_a_backlog_beyond_what_is_kept(void **state)
{
    struct fr_hub *hub, *small;
    char old[FR_CURSOR_TEXT], late[FR_CURSOR_TEXT];
    uint64_t position;

    assert_int_equal(fr_hub_create(10000000, &hub), 0);
    assert_int_equal(fr_hub_create(20000, &small), 0);
    fr_hub_set_instance(hub, "one", false);
    fr_hub_set_instance(small, "one", false);
    preload_jobs(hub, 1000, 2000);
    preload_jobs(small, 1000, 2000);
    fr_hub_settle(hub);
    fr_hub_settle(small);
    fr_hub_cursor_at(hub, fr_hub_first(hub) + 1000, old);
    fr_hub_cursor_at(hub, fr_hub_end(hub) - 1, late);
    assert_gone(small, old);
    /* The latest of all jobs are there, and nothing that is gone is passed over. */
    uint64_t first = fr_hub_first(small);
    assert_true(fr_hub_end(small) - first > 60);
    assert_int_equal(fr_hub_get(small, fr_hub_end(small) - 1)->timestamp, 2999);
    double from = fr_hub_get(small, first)->timestamp;
    assert_int_equal(fr_hub_end(small) - first, fr_hub_get(small, fr_hub_end(small) - 1)->seq -
                                                    fr_hub_get(small, first)->seq + 1);
    if (from < 2998 - 60) {
        assert_int_equal(fr_hub_find(small, late, &position, NULL), 0);
    } else {
        assert_gone(small, late);
    }
    fr_hub_free(hub);
    fr_hub_free(small);
}

/* While a backlog is read again, a cursor does not claim that what happened before is told. */
static void test_time_stands_still_while_loading(void **state)
{
    struct fr_hub *hub;
    char before[FR_CURSOR_TEXT], during[FR_CURSOR_TEXT], after[FR_CURSOR_TEXT];

    assert_int_equal(fr_hub_create(20000, &hub), 0);
    fr_hub_set_instance(hub, "one", false);
    publish(hub, 1, 0);
    fr_hub_cursor(hub, 1, before);
    fr_hub_set_loading(hub, true);
    uv_sleep(2);
    publish(hub, 1, 0);
    fr_hub_cursor(hub, 1, during);
    assert_string_equal(before, during);
    fr_hub_set_loading(hub, false);
    fr_hub_cursor(hub, 1, after);
    assert_string_not_equal(before, after);
    fr_hub_free(hub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_and_tells),
        cmocka_unit_test(test_ending_from_inside),
        cmocka_unit_test(test_other_news),
        cmocka_unit_test(test_keeps_a_bounded_past),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_cursor_at),
        cmocka_unit_test(test_cursor),
        cmocka_unit_test(test_another_instance),
        cmocka_unit_test(test_numbers_outlive_the_daemon),
        cmocka_unit_test(test_a_long_numbered_backlog),
        cmocka_unit_test(test_gaps_in_a_numbered_backlog),
        cmocka_unit_test(test_time_outlives_the_daemon),
        cmocka_unit_test(test_a_backlog_beyond_what_is_kept),
        cmocka_unit_test(test_time_stands_still_while_loading),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
