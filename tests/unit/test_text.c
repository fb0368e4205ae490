// SPDX-License-Identifier: LGPL-3.0-only
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/util.h"

static void check_trim(const char *text, const char *expected)
{
    char copy[32];

    memcpy(copy, text, strlen(text) + 1);
    fr_text_trim(copy);
    assert_string_equal(copy, expected);
}

static void test_trim(void **state)
{
    check_trim("", "");
    check_trim("abc", "abc");
    check_trim("aƒ", "aƒ");
    check_trim("a\xc6", "a");
    check_trim("a🥞", "a🥞");
    check_trim("a\xf0\x9f\xa5", "a");
    check_trim("\xf0\x9f", "");
}

static void test_nearest(void **state)
{
    static const char *const known[] = {"command", "num_tasks", "num_nodes", "name", "envars"};
    const size_t count = FR_ARRAY_SIZE(known);
    char huge[1000];

    assert_string_equal(fr_text_nearest("comand", known, count), "command");
    assert_string_equal(fr_text_nearest("Command", known, count), "command");
    assert_string_equal(fr_text_nearest("numtasks", known, count), "num_tasks");
    assert_string_equal(fr_text_nearest("env_vars", known, count), "envars");
    assert_null(fr_text_nearest("colour", known, count));
    assert_null(fr_text_nearest("", known, count));
    assert_null(fr_text_nearest("x", known, count));
    memset(huge, 'a', sizeof(huge) - 1);
    huge[sizeof(huge) - 1] = '\0';
    assert_null(fr_text_nearest(huge, known, count));
    assert_null(fr_text_nearest("command", known, 0));
}

static void test_glob(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } cases[] = {
        {"", "", true},         {"", "a", false},        {"*", "", true},
        {"a*c", "abbc", true},  {"a*c", "abbcd", false}, {"a?c", "abc", true},
        {"a?c", "ac", false},   {"*ab", "aab", true},    {"*a*b*", "xxaxxbxx", true},
        {"[a]", "a", false},    {"[a]", "[a]", true},    {"a\\*", "a\\x", true},
        {"abc", "abcd", false}, {"**a**", "a", true},    {"?", "", false},
    };
    static char text[100001];

    for (size_t i = 0; i < FR_ARRAY_SIZE(cases); i++)
        assert_int_equal(fr_text_glob(cases[i].pattern, cases[i].text), cases[i].matches);
    memset(text, 'a', sizeof text - 1); /* what sends a backtracking matcher away for years */
    assert_false(fr_text_glob("*a*a*a*a*a*a*a*a*a*a*b", text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trim),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_glob),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
