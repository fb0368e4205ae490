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

/* "|" where a line begins, "+" where one goes on. */
static void on_line(void *arg, bool continues, const char *text, size_t len)
{
    size_t at = strlen(told);

    told_bytes += len;
    told_lines++;
    if (len < 100)
        snprintf(told + at, sizeof told - at, "%c%.*s", continues ? '+' : '|', (int)len, text);
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
    assert_string_equal(told, "|a1\n|err\n|a2\n|\n");
    fr_lines_flush(lines);
    assert_string_equal(told, "|a1\n|err\n|a2\n|\n|b1");
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

/* A job of many tasks: the pieces of each line are put together, in whatever order they come.
 */
static void test_many_streams_do_not_mix(void **state)
{
    struct fr_lines *lines = *state;
    char rank[32];

    for (int round = 0; round < 2; round++)
        for (int i = 0; i < FR_LINES_STREAMS; i++) {
            snprintf(rank, sizeof rank, "a-long-idset-of-ranks-%d", i);
            feed(lines, false, rank, round ? "y\n" : "x", round ? 2 : 1);
        }
    assert_int_equal(told_lines, FR_LINES_STREAMS);
    assert_int_equal(told_bytes, 3 * FR_LINES_STREAMS);
    assert_memory_equal(told, "|xy\n|xy\n", 8);
    fr_lines_flush(lines);
    assert_int_equal(told_lines, FR_LINES_STREAMS);
}

/* What has no stream of its own is handed on at once, and begins a line each time. */
static void test_too_many_streams_do_not_mix(void **state)
{
    struct fr_lines *lines = *state;
    char rank[16];

    for (int i = 0; i < FR_LINES_STREAMS; i++) {
        snprintf(rank, sizeof rank, "%d", i);
        feed(lines, true, rank, "", 0);
    }
    feed(lines, false, "one", "a", 1);
    feed(lines, false, "other", "b", 1);
    feed(lines, false, "one", "c\nd", 3);
    assert_string_equal(told, "|a|b|c\n|d");
}

static void test_unfinished_lines_are_bounded_in_all(void **state)
{
    struct fr_lines *lines = *state;
    static char block[FR_LINE_MAX - 1];
    char rank[16];

    memset(block, 'x', sizeof block);
    for (int i = 0; i < 20; i++) {
        snprintf(rank, sizeof rank, "%d", i);
        feed(lines, false, rank, block, sizeof block);
        assert_true(lines->bytes <= FR_LINES_BYTES_MAX);
    }
    assert_true(told_lines >= 3);
    /* The last one was handed on unfinished: its end goes on that line. */
    feed(lines, false, rank, "z\n", 2);
    feed(lines, false, "new", "n\n", 2);
    assert_string_equal(told, "+z\n|n\n");
}

/* A long line that another task's line came into goes on in a line of its own. */
static void test_a_cut_line_is_not_continued_by_another(void **state)
{
    struct fr_lines *lines = *state;
    static char block[FR_LINE_MAX];

    memset(block, 'x', sizeof block);
    feed(lines, false, "0", block, sizeof block);
    feed(lines, false, "0", "a", 1);
    feed(lines, false, "1", "b\n", 2);
    feed(lines, false, "0", "c\n", 2);
    assert_string_equal(told, "|b\n|ac\n");
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_streams_do_not_cut_each_other),
        TEST(test_a_line_without_end_is_bounded),
        TEST(test_many_streams_do_not_mix),
        TEST(test_too_many_streams_do_not_mix),
        TEST(test_unfinished_lines_are_bounded_in_all),
        TEST(test_a_cut_line_is_not_continued_by_another),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
