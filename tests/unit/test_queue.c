// SPDX-License-Identifier: LGPL-3.0-only
#include "base/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>

static bool is_readable(const struct fr_queue *queue)
{
    struct pollfd pfd = {.fd = fr_queue_fd(queue), .events = POLLIN};

    return poll(&pfd, 1, 0) == 1;
}

static void test_order_and_limit(void **state)
{
    struct fr_queue *queue;
    int items[4];

    assert_int_equal(fr_queue_create(3, &queue), 0);
    assert_null(fr_queue_pop(queue));
    assert_false(is_readable(queue));
    for (int round = 0; round < 5; round++) { /* the ring wraps */
        for (int i = 0; i < 3; i++)
            assert_int_equal(fr_queue_push(queue, &items[i]), 0);
        assert_int_equal(fr_queue_push(queue, &items[3]), -EAGAIN);
        for (int i = 0; i < 3; i++) {
            assert_true(is_readable(queue));
            assert_ptr_equal(fr_queue_pop(queue), &items[i]);
        }
        assert_false(is_readable(queue));
    }
    fr_queue_free(queue);
}

static void test_shut(void **state)
{
    struct fr_queue *queue;
    int item;

    assert_int_equal(fr_queue_create(2, &queue), 0);
    assert_int_equal(fr_queue_push(queue, &item), 0);
    fr_queue_shut(queue);
    assert_int_equal(fr_queue_push(queue, &item), -ESHUTDOWN);
    assert_int_equal(fr_queue_push_wait(queue, &item), -ESHUTDOWN);
    assert_ptr_equal(fr_queue_pop(queue), &item);
    assert_null(fr_queue_pop(queue));
    fr_queue_free(queue);
}

#define MANY 100000

static void *push_many(void *arg)
{
    static char base[MANY];

    for (size_t i = 0; i < MANY; i++)
        if (fr_queue_push_wait(arg, &base[i]) < 0)
            return NULL;
    return base;
}

static void test_two_threads(void **state)
{
    struct fr_queue *queue;
    pthread_t thread;
    void *base;
    char *last = NULL;

    assert_int_equal(fr_queue_create(16, &queue), 0);
    assert_int_equal(pthread_create(&thread, NULL, push_many, queue), 0);
    for (size_t n = 0; n < MANY;) {
        struct pollfd pfd = {.fd = fr_queue_fd(queue), .events = POLLIN};
        assert_int_equal(poll(&pfd, 1, 30000), 1);
        for (char *item; (item = fr_queue_pop(queue)); n++) {
            if (last)
                assert_ptr_equal(item, last + 1);
            last = item;
        }
    }
    assert_int_equal(pthread_join(thread, &base), 0);
    assert_ptr_equal(last, (char *)base + MANY - 1);
    fr_queue_free(queue);
}

static void *push_one(void *arg)
{
    static int item;

    return (void *)(intptr_t)fr_queue_push_wait(arg, &item);
}

static void test_shut_wakes_a_waiting_pusher(void **state)
{
    struct fr_queue *queue;
    pthread_t thread;
    void *rc;
    int item;

    assert_int_equal(fr_queue_create(1, &queue), 0);
    assert_int_equal(fr_queue_push(queue, &item), 0);
    assert_int_equal(pthread_create(&thread, NULL, push_one, queue), 0);
    fr_queue_shut(queue);
    assert_int_equal(pthread_join(thread, &rc), 0);
    assert_int_equal((intptr_t)rc, -ESHUTDOWN);
    fr_queue_free(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_limit),
        cmocka_unit_test(test_shut),
        cmocka_unit_test(test_two_threads),
        cmocka_unit_test(test_shut_wakes_a_waiting_pusher),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
