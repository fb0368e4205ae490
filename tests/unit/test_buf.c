// SPDX-License-Identifier: LGPL-3.0-only
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void test_grows_and_terminates(void **state)
{
    struct fr_buf buf = FR_BUF_INIT(100000);

    for (int i = 0; i < 10000; i++)
        fr_buf_puts(&buf, "0123456789");
    assert_int_equal(fr_buf_status(&buf), 0);
    assert_int_equal(buf.len, 100000);
    assert_int_equal(strlen(buf.data), 100000);
    fr_buf_done(&buf);
    assert_null(buf.data);
}

static void test_maximum_is_kept(void **state)
{
    struct fr_buf buf = FR_BUF_INIT(10);

    fr_buf_puts(&buf, "12345");
    fr_buf_puts(&buf, "123456");
    assert_int_equal(fr_buf_status(&buf), -EMSGSIZE);
    assert_string_equal(buf.data, "12345");
    fr_buf_puts(&buf, "x"); /* ignored: the failure sticks */
    assert_int_equal(buf.len, 5);
    fr_buf_reset(&buf);
    fr_buf_puts(&buf, "1234567890");
    assert_int_equal(fr_buf_status(&buf), 0);
    fr_buf_done(&buf);
}

static void test_take(void **state)
{
    struct fr_buf buf = FR_BUF_INIT(10);
    char *data = NULL;
    size_t len = 99;

    assert_int_equal(fr_buf_take(&buf, &data, &len), 0);
    assert_string_equal(data, "");
    assert_int_equal(len, 0);
    free(data);
    data = NULL;
    fr_buf_puts(&buf, "01234567890");
    assert_int_equal(fr_buf_take(&buf, &data, &len), -EMSGSIZE);
    assert_null(data);
    assert_null(buf.data);
}

static void test_printf_beyond_its_own_buffer(void **state)
{
    struct fr_buf buf = FR_BUF_INIT(10000);
    char long_text[1000];

    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    fr_buf_printf(&buf, "<%s|%d>", long_text, 42);
    assert_int_equal(buf.len, sizeof long_text - 1 + 5);
    assert_string_equal(buf.data + buf.len - 4, "|42>");
    fr_buf_done(&buf);
}

static void check_double(double value, const char *text)
{
    struct fr_buf buf = FR_BUF_INIT(100);

    fr_buf_put_double(&buf, value);
    assert_string_equal(buf.data, text);
    if (isfinite(value))
        assert_true(strtod(buf.data, NULL) == value);
    fr_buf_done(&buf);
}

static void test_doubles(void **state)
{
    check_double(0, "0.0");
    check_double(1732460523.123456, "1732460523.123456");
    check_double(1732460523.5, "1732460523.5");
    check_double(0.1, "0.1");
    check_double(1e-9, "1e-09");
    check_double(-1.5, "-1.5");
    check_double(1.0 / 3, "0.3333333333333333");
    check_double(DBL_MAX, "1.7976931348623157e+308");
    check_double(NAN, "null");
    check_double(-INFINITY, "null");
}

static void test_doubles_read_back(void **state)
{
    unsigned int seed = 7;

    for (int i = 0; i < 100000; i++) {
        struct fr_buf buf = FR_BUF_INIT(100);
        double value = rand_r(&seed) + rand_r(&seed) / (RAND_MAX + 1.0);
        if (i % 2)
            value = nearbyint(value * 1e6) / 1e6;
        fr_buf_put_double(&buf, value);
        assert_true(strtod(buf.data, NULL) == value);
        fr_buf_done(&buf);
    }
}

static void test_integers(void **state)
{
    struct fr_buf buf = FR_BUF_INIT(200);

    fr_buf_put_u64(&buf, 0);
    fr_buf_putc(&buf, ' ');
    fr_buf_put_u64(&buf, UINT64_MAX);
    fr_buf_putc(&buf, ' ');
    fr_buf_put_i64(&buf, INT64_MIN);
    assert_string_equal(buf.data, "0 18446744073709551615 -9223372036854775808");
    fr_buf_done(&buf);
}

static void check_json(const char *text, size_t len, const char *expected)
{
    struct fr_buf buf = FR_BUF_INIT(1000);

    fr_buf_put_json_stringn(&buf, text, len);
    assert_string_equal(buf.data, expected);
    fr_buf_done(&buf);
}

static void test_json_strings(void **state)
{
    struct fr_buf buf = FR_BUF_INIT(100);

#define CHECK(text, expected) check_json(text, sizeof(text) - 1, expected)
    CHECK("", "\"\"");
    CHECK("a\"b\\c/\n\t\x01\x7f", "\"a\\\"b\\\\c/\\n\\t\\u0001\\u007f\"");
    CHECK("a\0b", "\"a\\u0000b\"");
    CHECK("ƒ🥞", "\"ƒ🥞\"");
    CHECK("\xe2\x80\xa8|\xe2\x80\xa9|\xe2\x80\xaa", "\"\\u2028|\\u2029|\xe2\x80\xaa\"");
    /* not UTF-8: alone, overlong, surrogate, beyond the last, cut */
    CHECK("\xff", "\"\xef\xbf\xbd\"");
    CHECK("\xc0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\"");
    CHECK("\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    CHECK("\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    CHECK("\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\"");
    fr_buf_put_json_string(&buf, NULL);
    assert_string_equal(buf.data, "null");
    fr_buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows_and_terminates),
        cmocka_unit_test(test_maximum_is_kept),
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_printf_beyond_its_own_buffer),
        cmocka_unit_test(test_doubles),
        cmocka_unit_test(test_doubles_read_back),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_json_strings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
