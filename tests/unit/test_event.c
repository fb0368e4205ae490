// SPDX-License-Identifier: LGPL-3.0-only
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/event.h"

static void assert_format(const struct fr_event *event, const char *expected)
{
    struct fr_buf buf = FR_BUF_INIT(4096);

    fr_event_format(event, &buf);
    assert_int_equal(fr_buf_status(&buf), 0);
    assert_string_equal(buf.data, expected);
    fr_buf_done(&buf);
}

static void test_with_context(void **state)
{
    struct fr_event event = {
        .timestamp = 1795534627.25, .name = "finish", .context = "{\"status\":0}", .index = 9};

    assert_format(
        &event, "{\"timestamp\":1795534627.25,\"name\":\"finish\",\"context\":{\"status\":0}}");
}

static void test_without_context(void **state)
{
    struct fr_event event = {.timestamp = 1.5, .name = "odd\"name\n"};

    assert_format(&event, "{\"timestamp\":1.5,\"name\":\"odd\\\"name\\n\"}");
}

static void test_full_buffer(void **state)
{
    struct fr_event event = {.timestamp = 1.5, .name = "a-name-that-does-not-fit"};
    struct fr_buf buf = FR_BUF_INIT(20);

    fr_event_format(&event, &buf);
    assert_int_equal(fr_buf_status(&buf), -EMSGSIZE);
    fr_buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_with_context),
        cmocka_unit_test(test_without_context),
        cmocka_unit_test(test_full_buffer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
