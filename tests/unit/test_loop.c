// SPDX-License-Identifier: LGPL-3.0-only
#include "base/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <unistd.h>

struct fixture {
    uv_loop_t loop;
    struct fr_timer *timer;
    struct fr_poll *poll;
    struct fr_wake *wake;
    int calls, events, result, fd;
};

static int set_up(void **state)
{
    static struct fixture fixture;

    fixture = (struct fixture){0};
    *state = &fixture;
    return uv_loop_init(&fixture.loop);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    return uv_loop_close(&fixture->loop); /* fails if a handle was left */
}

static void free_in_callback(void *arg)
{
    struct fixture *fixture = arg;

    if (++fixture->calls == 3)
        fr_timer_free(fixture->timer);
}

static void test_timer_repeats_and_frees_itself(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(
        fr_timer_create(&fixture->loop, free_in_callback, fixture, &fixture->timer), 0);
    fr_timer_start(fixture->timer, 0, 1);
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    assert_int_equal(fixture->calls, 3);
}

static void test_freed_timer_is_silent(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(
        fr_timer_create(&fixture->loop, free_in_callback, fixture, &fixture->timer), 0);
    fr_timer_start(fixture->timer, 0, 0);
    fr_timer_free(fixture->timer);
    fr_timer_free(NULL);
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    assert_int_equal(fixture->calls, 0);
}

static void on_readable(void *arg, int status, int events)
{
    struct fixture *fixture = arg;
    char byte;

    assert_int_equal(status, 0);
    fixture->events |= events;
    if (read(fixture->fd, &byte, 1) == 1 && ++fixture->calls == 2)
        fr_poll_free(fixture->poll);
}

static void test_poll(void **state)
{
    struct fixture *fixture = *state;
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    fixture->fd = fds[0];
    assert_int_equal(write(fds[1], "ab", 2), 2);
    assert_int_equal(
        fr_poll_create(&fixture->loop, fds[0], on_readable, fixture, &fixture->poll), 0);
    assert_int_equal(fr_poll_set(fixture->poll, UV_READABLE), 0);
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    assert_int_equal(fixture->calls, 2);
    assert_int_equal(fixture->events, UV_READABLE);
    close(fds[0]);
    close(fds[1]);
}

static void on_woken(void *arg)
{
    struct fixture *fixture = arg;

    fixture->calls++;
    fr_wake_free(fixture->wake);
}

static void test_wakes_are_joined(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(fr_wake_create(&fixture->loop, on_woken, fixture, &fixture->wake), 0);
    fr_wake_send(fixture->wake);
    fr_wake_send(fixture->wake);
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    assert_int_equal(fixture->calls, 1);
}

static int work(void *arg)
{
    return -EXDEV;
}

static void on_worked(void *arg, int result)
{
    struct fixture *fixture = arg;

    fixture->calls++;
    fixture->result = result;
}

static void test_work_hands_its_result_on(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(fr_work_queue(&fixture->loop, work, on_worked, fixture), 0);
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    assert_int_equal(fixture->calls, 1);
    assert_int_equal(fixture->result, -EXDEV);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_timer_repeats_and_frees_itself),
        TEST(test_freed_timer_is_silent),
        TEST(test_poll),
        TEST(test_wakes_are_joined),
        TEST(test_work_hands_its_result_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
