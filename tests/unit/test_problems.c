// SPDX-License-Identifier: LGPL-3.0-only
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "model/problems.h"

static void test_add(void **state)
{
    struct fr_problems problems;

    fr_problems_init(&problems);
    fr_problems_add(&problems, FR_CODE_INVALID, "/num_tasks", "found %d", 0);
    assert_int_equal(problems.count, 1);
    assert_int_equal(problems.items[0].code, FR_CODE_INVALID);
    assert_string_equal(problems.items[0].pointer, "/num_tasks");
    assert_string_equal(problems.items[0].detail, "found 0");
    fr_problems_done(&problems);
    assert_int_equal(problems.count, 0);
}

static void test_more_than_the_maximum(void **state)
{
    struct fr_problems problems;

    fr_problems_init(&problems);
    for (int i = 0; i < FR_PROBLEMS_MAX + 7; i++)
        fr_problems_add(&problems, FR_CODE_INVALID, "", "fault %d", i);
    assert_int_equal(problems.count, FR_PROBLEMS_MAX);
    assert_int_equal(problems.left_out, 7);
    fr_problems_done(&problems);
}

static void test_long_text_is_cut_at_a_character(void **state)
{
    struct fr_problems problems;
    char text[1201];
    size_t len;

    /* Two bytes each, at both parities: a cut by bytes would halve one of them. */
    for (size_t i = 0; i < 1200; i += 2)
        memcpy(text + i, "ƒ", 2);
    text[1200] = '\0';
    fr_problems_init(&problems);
    fr_problems_add(&problems, FR_CODE_INVALID, "", "%s", text);
    fr_problems_add(&problems, FR_CODE_INVALID, "", "x%s", text);
    len = strlen(problems.items[0].detail);
    assert_true(len > 400 && len % 2 == 0);
    len = strlen(problems.items[1].detail);
    assert_true(len > 400 && len % 2 == 1);
    fr_problems_done(&problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add),
        cmocka_unit_test(test_more_than_the_maximum),
        cmocka_unit_test(test_long_text_is_cut_at_a_character),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
