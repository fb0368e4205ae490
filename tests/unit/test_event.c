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

    fr_event_json(event, 1, "RUN", "c", &buf);
    assert_int_equal(fr_buf_status(&buf), 0);
    assert_string_equal(buf.data, expected);
    fr_buf_done(&buf);
}

static void test_with_context(void **state)
{
    struct fr_event event = {
        .timestamp = 1795534627.25, .name = "finish", .context = "{\"status\":0}", .index = 9};

    assert_format(&event, "{\"id\":1,\"jobid\":\"ƒ2\",\"index\":9,\"timestamp\":1795534627.25,"
                          "\"name\":\"finish\","
                          "\"context\":{\"status\":0},\"state\":\"RUN\",\"cursor\":\"c\"}");
}

static void test_rfc18_form(void **state)
{
    struct fr_event event = {
        .timestamp = 1.5, .name = "finish", .context = "{\"status\":0}", .index = 9};
    struct fr_buf buf = FR_BUF_INIT(4096);

    fr_event_format(&event, &buf);
    assert_string_equal(buf.data,
                        "{\"timestamp\":1.5,\"name\":\"finish\",\"context\":{\"status\":0}}");
    fr_buf_done(&buf);
}

static void test_without_context(void **state)
{
    struct fr_event event = {.timestamp = 1.5, .name = "odd\"name\n", .index = -1};

    assert_format(&event,
                  "{\"id\":1,\"jobid\":\"ƒ2\",\"timestamp\":1.5,\"name\":\"odd\\\"name\\n\","
                  "\"state\":\"RUN\",\"cursor\":\"c\"}");
}

/* Lines of NDJSON and of SSE hold one event each, whatever an engine hands on. */
static void test_stays_one_line(void **state)
{
    struct fr_event event = {
        .timestamp = 1.5, .name = "memo", .context = "{\n\"a\":\r1}", .index = 3};

    assert_format(&event,
                  "{\"id\":1,\"jobid\":\"ƒ2\",\"index\":3,\"timestamp\":1.5,\"name\":\"memo\","
                  "\"context\":{ \"a\": 1},\"state\":\"RUN\",\"cursor\":\"c\"}");
}

static void test_known_names(void **state)
{
    const char *nearest = NULL;

    assert_int_equal(fr_event_known("submit", &nearest), 0);
    assert_int_equal(fr_event_known("clean", NULL), FR_EVENTS_KNOWN - 1);
    assert_int_equal(fr_event_known("finsh", &nearest), -1);
    assert_string_equal(nearest, "finish");
    assert_int_equal(fr_event_known("", NULL), -1);
}

static void test_full_buffer(void **state)
{
    struct fr_event event = {.timestamp = 1.5, .name = "a-name-that-does-not-fit"};
    struct fr_buf buf = FR_BUF_INIT(20);

    fr_event_json(&event, 1, "RUN", "c", &buf);
    assert_int_equal(fr_buf_status(&buf), -EMSGSIZE);
    fr_buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_with_context),    cmocka_unit_test(test_rfc18_form),
        cmocka_unit_test(test_without_context), cmocka_unit_test(test_stays_one_line),
        cmocka_unit_test(test_known_names),     cmocka_unit_test(test_full_buffer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
