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
        {"", "", true},          {"", "a", false},        {"*", "", true},
        {"a*c", "abbc", true},   {"a*c", "abbcd", false}, {"a?c", "abc", true},
        {"a?c", "ac", false},    {"*ab", "aab", true},    {"*a*b*", "xxaxxbxx", true},
        {"[a]", "a", false},     {"[a]", "[a]", true},    {"a\\*", "a\\x", true},
        {"abc", "abcd", false},  {"**a**", "a", true},    {"?", "", false},
        {"*?c*", "abcab", true}, {"a*", "a", true},       {"*aab", "aaaab", true},
    };
    static char text[100001];

    for (size_t i = 0; i < FR_ARRAY_SIZE(cases); i++)
        assert_int_equal(fr_text_glob(cases[i].pattern, cases[i].text), cases[i].matches);
    memset(text, 'a', sizeof text - 1); /* what sends a backtracking matcher away for years */
    assert_false(fr_text_glob("*a*a*a*a*a*a*a*a*a*a*b", text));
}

static void test_utf8(void **state)
{
    static const struct {
        const char *text;
        size_t len; /* of the first character */
    } cases[] = {
        {"a", 1},
        {"\xc3\xa9", 2},
        {"\xe2\x82\xac", 3},
        {"\xf0\x9f\xa5\x9e", 4},
        {"\x80", 0},
        {"\xc0\xaf", 0},
        {"\xc3", 0},
        {"\xed\xa0\x80", 0},
        {"\xe0\x80\x80", 0},
        {"\xf4\x90\x80\x80", 0},
        {"\xf0\x9f\xa5", 0},
        {"\xff", 0},
    };

    for (size_t i = 0; i < FR_ARRAY_SIZE(cases); i++) {
        assert_int_equal(fr_text_utf8(cases[i].text, strlen(cases[i].text)), cases[i].len);
        assert_int_equal(fr_text_is_utf8(cases[i].text), cases[i].len > 0);
    }
    assert_true(fr_text_is_utf8(""));
    assert_false(fr_text_is_utf8("abc\xc3"));
}

static void test_hex(void **state)
{
    assert_int_equal(fr_text_hex('0'), 0);
    assert_int_equal(fr_text_hex('a'), 10);
    assert_int_equal(fr_text_hex('F'), 15);
    assert_int_equal(fr_text_hex('g'), -1);
    assert_int_equal(fr_text_hex('\0'), -1);
    assert_int_equal(fr_text_hex('\x10'), -1);
}

static void test_hosts(void **state)
{
    static const struct {
        const char *text, *host, *port; /* host NULL: none */
    } cases[] = {
        {"a", "a", ""},
        {"a:80", "a", "80"},
        {"[::1]:80", "::1", "80"},
        {"[::1]", "::1", ""},
        {"a:", "a", ""},
        {"a:x", "a", "x"},
        {"", NULL, NULL},
        {":80", NULL, NULL},
        {"[]", NULL, NULL},
        {"[::1", NULL, NULL},
        {"[::1]80", NULL, NULL},
        {"::1", NULL, NULL},
        {"abcdefghi", NULL, NULL},
    };

    for (size_t i = 0; i < FR_ARRAY_SIZE(cases); i++) {
        char host[9];
        const char *port = NULL;
        bool ok = fr_text_split_host(cases[i].text, host, sizeof host, &port);
        assert_int_equal(ok, cases[i].host != NULL);
        if (!ok)
            continue;
        assert_string_equal(host, cases[i].host);
        assert_string_equal(port, cases[i].port);
    }
    assert_true(fr_text_is_port("0"));
    assert_true(fr_text_is_port("65535"));
    assert_false(fr_text_is_port("65536"));
    assert_false(fr_text_is_port(""));
    assert_false(fr_text_is_port("-1"));
    assert_false(fr_text_is_port("80x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trim), cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_glob), cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_hex),  cmocka_unit_test(test_hosts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
