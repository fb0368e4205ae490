// SPDX-License-Identifier: LGPL-3.0-only
/*
 * What flux-rest makes of a stream's bytes, and of events that come twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "cli/repeats.h"
#include "cli/sse.h"

struct told {
    char text[4096];
    const struct fr_sse *sse;
    int stop_at;
};

static int on_event(void *arg, const char *kind, const char *data, size_t len)
{
    struct told *told = arg;
    size_t used = strlen(told->text);

    assert_int_equal(strlen(data), len);
    snprintf(told->text + used, sizeof told->text - used, "[%s|%s|%s]", kind, told->sse->place,
             data);
    return --told->stop_at == 0;
}

static const char STREAM[] = "event: job\nid: 7\ndata: {\"a\":1}\n\n"
                             ":\nid: 9\n\n"
                             "event:exit\ndata:x\ndata: y\n\n"
                             "unknown: z\nretry: 5\n\n"
                             "event: cut\nid: 10\ndata: {";

static const char TOLD[] = "[job|7|{\"a\":1}][exit|9|x\ny]";

/* However the bytes are cut into pieces. */
static void test_pieces(void **state)
{
    for (size_t size = 1; size < sizeof STREAM; size++) {
        struct fr_sse sse;
        struct told told = {.text = "", .sse = &sse};
        fr_sse_init(&sse);
        for (size_t at = 0; at < sizeof STREAM - 1; at += size) {
            size_t left = sizeof STREAM - 1 - at;
            assert_int_equal(
                fr_sse_feed(&sse, STREAM + at, left < size ? left : size, on_event, &told), 0);
        }
        assert_string_equal(told.text, TOLD);
        assert_string_equal(sse.place, "9"); /* of what was cut nothing counts */
        fr_sse_done(&sse);
    }
}

static void test_a_new_connection(void **state)
{
    struct fr_sse sse;
    struct told told = {.text = "", .sse = &sse};

    fr_sse_init(&sse);
    assert_int_equal(fr_sse_feed(&sse, STREAM, sizeof STREAM - 1, on_event, &told), 0);
    fr_sse_restart(&sse);
    told.text[0] = '\0';
    const char rest[] = "data: {}\n\n";
    assert_int_equal(fr_sse_feed(&sse, rest, sizeof rest - 1, on_event, &told), 0);
    assert_string_equal(told.text, "[|9|{}]");
    fr_sse_done(&sse);
}

/* The place is after the event that stopped it, and not after those behind. */
static void test_stopping(void **state)
{
    struct fr_sse sse;
    struct told told = {.text = "", .sse = &sse, .stop_at = 1};

    fr_sse_init(&sse);
    assert_int_equal(fr_sse_feed(&sse, STREAM, sizeof STREAM - 1, on_event, &told), 1);
    assert_string_equal(sse.place, "7");
    fr_sse_done(&sse);
}

/* A line without an end is not kept for ever, and a place that is too long is none. */
static void test_limits(void **state)
{
    static char text[65536];
    struct fr_sse sse;
    struct told told = {.text = "", .sse = &sse};
    int r = 0;

    memset(text, 'x', sizeof text);
    fr_sse_init(&sse);
    for (int i = 0; i < 1000 && r == 0; i++)
        r = fr_sse_feed(&sse, text, sizeof text, on_event, &told);
    assert_int_equal(r, -EMSGSIZE);
    fr_sse_done(&sse);
    fr_sse_init(&sse);
    memcpy(text, "id: ", 4);
    text[300] = '\n';
    text[301] = '\n';
    assert_int_equal(fr_sse_feed(&sse, text, 302, on_event, &told), 0);
    assert_string_equal(sse.place, "");
    fr_sse_done(&sse);
}

static void test_repeats(void **state)
{
    struct fr_repeats *repeats = fr_repeats_create();

    assert_non_null(repeats);
    assert_false(fr_repeats_note(repeats, 1, 0));
    assert_false(fr_repeats_note(repeats, 1, 1));
    assert_false(fr_repeats_note(repeats, 2, 0));
    assert_true(fr_repeats_note(repeats, 1, 0));
    assert_true(fr_repeats_note(repeats, 1, 1));
    assert_false(fr_repeats_note(repeats, 1, 2));
    assert_false(fr_repeats_note(repeats, 0, 5)); /* seen from the middle on */
    assert_true(fr_repeats_note(repeats, 0, 5));
    fr_repeats_free(repeats);
}

/* Of many jobs the latest are remembered, and memory stays as it is. */
static void test_many_jobs(void **state)
{
    struct fr_repeats *repeats = fr_repeats_create();
    const uint64_t count = 5 * FR_REPEATS_JOBS + 17;

    assert_non_null(repeats);
    for (uint64_t id = 0; id < count; id++)
        assert_false(fr_repeats_note(repeats, id << 24, 3));
    for (uint64_t id = count - FR_REPEATS_JOBS; id < count; id++)
        assert_true(fr_repeats_note(repeats, id << 24, 3));
    fr_repeats_free(repeats);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),   cmocka_unit_test(test_a_new_connection),
        cmocka_unit_test(test_stopping), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_repeats),  cmocka_unit_test(test_many_jobs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
