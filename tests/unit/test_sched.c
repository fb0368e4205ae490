// SPDX-License-Identifier: LGPL-3.0-only
#include "engine/local/sched.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void add(struct fr_sched_queue *queue, uint64_t id, int urgency, int ncores)
{
    struct fr_sched_item item = {id, urgency, ncores};

    assert_int_equal(fr_sched_queue_add(queue, &item), 0);
}

static size_t starts(const struct fr_sched_queue *queue, int free_cores, size_t *places)
{
    return fr_sched_starts(queue->items + queue->first, queue->end - queue->first, free_cores,
                           places, 4);
}

static void test_orders_by_urgency_then_age(void **state)
{
    struct fr_sched_queue queue = {0};
    const uint64_t expected[] = {5, 2, 1, 3, 4};

    add(&queue, 3, 16, 1);
    add(&queue, 1, 16, 1);
    add(&queue, 2, 17, 1);
    add(&queue, 4, 0, 1);
    add(&queue, 5, 31, 1);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(queue.items[queue.first + i].id, expected[i]);
    fr_sched_queue_done(&queue);
}

static void test_starts_what_fits_in_order(void **state)
{
    struct fr_sched_queue queue = {0};
    size_t places[4];

    add(&queue, 1, 16, 2);
    add(&queue, 2, 16, 1);
    add(&queue, 3, 16, 4);
    add(&queue, 4, 16, 1);
    assert_int_equal(starts(&queue, 1, places), 0);
    assert_int_equal(starts(&queue, 3, places), 2);
    assert_int_equal(places[0], 0);
    assert_int_equal(places[1], 1);
    /* The fourth would fit, but does not overtake the third. */
    assert_int_equal(starts(&queue, 5, places), 2);
    assert_int_equal(starts(&queue, 8, places), 4);
    fr_sched_queue_done(&queue);
}

static void test_starts_no_more_than_asked(void **state)
{
    struct fr_sched_queue queue = {0};
    size_t places[4];

    for (uint64_t id = 1; id <= 10; id++)
        add(&queue, id, 16, 1);
    assert_int_equal(starts(&queue, 10, places), 4);
    assert_int_equal(fr_sched_starts(NULL, 0, 10, places, 4), 0);
    fr_sched_queue_done(&queue);
}

static void test_holds_at_urgency_zero(void **state)
{
    struct fr_sched_queue queue = {0};
    size_t places[4];

    add(&queue, 1, 0, 1);
    assert_int_equal(starts(&queue, 4, places), 0);
    add(&queue, 2, 1, 1);
    assert_int_equal(starts(&queue, 4, places), 1);
    assert_int_equal(queue.items[queue.first + places[0]].id, 2);
    fr_sched_queue_done(&queue);
}

/* Against a plain list: random adding and removing keeps order and content. */
static void test_queue_keeps_order(void **state)
{
    struct fr_sched_queue queue = {0};
    int there[1000] = {0};
    size_t count = 0;

    srandom(7);
    for (int i = 0; i < 20000; i++) {
        uint64_t id = (uint64_t)random() % 1000;
        struct fr_sched_item item = {id, (int)(id * 7 % 32), 1};

        if (there[id])
            fr_sched_queue_remove(&queue, &item);
        else
            assert_int_equal(fr_sched_queue_add(&queue, &item), 0);
        there[id] = !there[id];
        count += there[id] ? 1 : (size_t)-1;
        assert_int_equal(queue.end - queue.first, count);
    }
    for (size_t i = queue.first; i + 1 < queue.end; i++) {
        assert_true(there[queue.items[i].id]);
        assert_true(fr_sched_compare(&queue.items[i], &queue.items[i + 1]) < 0);
    }
    fr_sched_queue_done(&queue);
}

static void test_remove_of_what_is_not_there(void **state)
{
    struct fr_sched_queue queue = {0};
    struct fr_sched_item item = {9, 16, 1};

    fr_sched_queue_remove(&queue, &item);
    add(&queue, 1, 16, 1);
    fr_sched_queue_remove(&queue, &item);
    assert_int_equal(queue.end - queue.first, 1);
    fr_sched_queue_done(&queue);
}

/* Many come and go at the head: memory must not grow with their number. */
static void test_queue_reuses_its_room(void **state)
{
    struct fr_sched_queue queue = {0};

    for (uint64_t id = 1; id <= 100000; id++) {
        struct fr_sched_item item = {id, 16, 1};

        add(&queue, id, 16, 1);
        fr_sched_queue_remove(&queue, &item);
    }
    assert_true(queue.cap <= 256);
    fr_sched_queue_done(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders_by_urgency_then_age),
        cmocka_unit_test(test_starts_what_fits_in_order),
        cmocka_unit_test(test_starts_no_more_than_asked),
        cmocka_unit_test(test_holds_at_urgency_zero),
        cmocka_unit_test(test_queue_keeps_order),
        cmocka_unit_test(test_remove_of_what_is_not_there),
        cmocka_unit_test(test_queue_reuses_its_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
