// SPDX-License-Identifier: LGPL-3.0-only
#include "core/hub.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

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

static int count_each(void *arg, uint64_t seq, uint64_t id, const char *text, size_t len)
{
    struct heard *heard = arg;

    assert_true(seq > heard->last);
    assert_memory_equal(text, "{\"timestamp\":1.5,\"name\":\"start\"}", len);
    heard->last = seq;
    heard->count++;
    return 0;
}

static void test_keeps_a_bounded_past(void **state)
{
    struct fr_hub *hub;
    struct heard heard = {0};

    assert_int_equal(fr_hub_create(2000, &hub), 0);
    for (int i = 0; i < 1000; i++)
        publish(hub, 1, 0);
    assert_int_equal(fr_hub_since(hub, 0, count_each, &heard), -ESTALE);
    assert_int_equal(heard.count, 0);
    heard.last = 990;
    assert_int_equal(fr_hub_since(hub, 990, count_each, &heard), 0);
    assert_int_equal(heard.count, 10);
    heard = (struct heard){.last = 1000};
    assert_int_equal(fr_hub_since(hub, 1000, count_each, &heard), 0);
    assert_int_equal(heard.count, 0);
    fr_hub_forget(hub);
    assert_int_equal(fr_hub_since(hub, 999, count_each, &heard), -ESTALE);
    assert_int_equal(fr_hub_since(hub, 1000, count_each, &heard), 0);
    fr_hub_free(hub);
}

static void test_cursor(void **state)
{
    struct fr_hub *hub, *other;
    char text[FR_CURSOR_TEXT];
    struct fr_error err;
    uint64_t seq = 99;

    assert_int_equal(fr_hub_create(2000, &hub), 0);
    assert_int_equal(fr_hub_create(2000, &other), 0);
    fr_hub_set_instance(hub, "one");
    fr_hub_set_instance(other, "two");
    publish(hub, 1, 0);
    publish(hub, 1, 0);
    publish(other, 1, 0);
    fr_hub_cursor(hub, 1, text);
    assert_int_equal(fr_hub_read_cursor(hub, text, &seq, &err), 0);
    assert_int_equal(seq, 1);
    assert_int_equal(fr_hub_read_cursor(other, text, &seq, &err), -ESTALE);
    assert_int_equal(err.code, FR_CODE_GONE);
    static const char *const wrong[] = {"", "x", "0.0.0", "1.2.3.4x", "....", "1.2.-3"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(fr_hub_read_cursor(hub, wrong[i], &seq, &err), -EINVAL);
        assert_int_equal(err.code, FR_CODE_INVALID);
    }
    assert_int_equal(seq, 1);
    fr_hub_set_instance(hub, "three"); /* another instance at the same place */
    assert_int_equal(fr_hub_read_cursor(hub, text, &seq, &err), -ESTALE);
    fr_hub_free(hub);
    fr_hub_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_and_tells),
        cmocka_unit_test(test_ending_from_inside),
        cmocka_unit_test(test_keeps_a_bounded_past),
        cmocka_unit_test(test_cursor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
