// SPDX-License-Identifier: LGPL-3.0-only
#include "api/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char told[4096];
static size_t told_bytes, told_lines;

static void on_line(void *arg, bool is_stderr, const char *text, size_t len)
{
    size_t at = strlen(told);

    told_bytes += len;
    told_lines++;
    if (len < 100)
        snprintf(told + at, sizeof told - at, "%c%.*s|", is_stderr ? 'e' : 'o', (int)len, text);
}

static void feed(struct fr_lines *lines, bool is_stderr, const char *rank, const char *data,
                 size_t len)
{
    struct fr_output piece = {
        .kind = FR_OUTPUT_DATA, .is_stderr = is_stderr, .rank = rank, .data = data, .len = len};

    assert_int_equal(fr_lines_feed(lines, &piece), 0);
}

static int set_up(void **state)
{
    static struct fr_lines lines;

    told[0] = '\0';
    told_bytes = told_lines = 0;
    fr_lines_init(&lines, on_line, NULL);
    *state = &lines;
    return 0;
}

static int tear_down(void **state)
{
    fr_lines_done(*state);
    return 0;
}

static void test_streams_do_not_cut_each_other(void **state)
{
    struct fr_lines *lines = *state;

    feed(lines, false, "0", "a1\na", 4);
    feed(lines, false, "1", "b", 1);
    feed(lines, true, "0", "err\n", 4);
    feed(lines, false, "0", "2\n\n", 3);
    feed(lines, false, "1", "1", 1);
    assert_string_equal(told, "oa1\n|eerr\n|oa2\n|o\n|");
    fr_lines_flush(lines);
    assert_string_equal(told, "oa1\n|eerr\n|oa2\n|o\n|ob1|");
    fr_lines_flush(lines);
    assert_int_equal(told_lines, 5);
}

static void test_a_line_without_end_is_bounded(void **state)
{
    struct fr_lines *lines = *state;
    static char block[65536];

    memset(block, 'x', sizeof block);
    for (int i = 0; i < 40; i++)
        feed(lines, false, NULL, block, sizeof block);
    assert_int_equal(told_lines, 2);
    assert_int_equal(told_bytes, 2 * FR_LINE_MAX);
    fr_lines_flush(lines);
    assert_int_equal(told_bytes, 40 * sizeof block);
}

static void test_many_streams_lose_nothing(void **state)
{
    struct fr_lines *lines = *state;
    char rank[16];

    for (int i = 0; i < 2 * FR_LINES_STREAMS; i++) {
        snprintf(rank, sizeof rank, "%d", i);
        feed(lines, false, rank, "x", 1);
    }
    fr_lines_flush(lines);
    assert_int_equal(told_bytes, 2 * FR_LINES_STREAMS);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_streams_do_not_cut_each_other),
        TEST(test_a_line_without_end_is_bounded),
        TEST(test_many_streams_lose_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
