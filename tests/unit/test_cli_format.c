// SPDX-License-Identifier: LGPL-3.0-only
#include "cli/format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "cli/display.h"
#include "cli/when.h"

/* --- texts --- */

static void check_shown(const char *text, const char *expected, size_t width)
{
    struct fr_buf out = FR_BUF_INIT(1000);

    fr_display_put(&out, text);
    assert_string_equal(out.data ? out.data : "", expected);
    assert_int_equal(fr_display_width(text), width);
    fr_buf_done(&out);
}

static void test_display(void **state)
{
    check_shown("", "", 0);
    check_shown("abc", "abc", 3);
    check_shown("a\tb\nc\r", "a\\tb\\nc\\r", 9);
    check_shown("\033[31m", "\\x1b[31m", 8);
    check_shown("\xc2\x9b"
                "31m",
                "\\u009b31m", 9); /* the one-character CSI */
    check_shown("ƒ2", "ƒ2", 2);
    check_shown("日本", "日本", 4);
    check_shown("e\xcc\x81", "e\xcc\x81", 1); /* a combining accent */
    check_shown("a\xff"
                "b",
                "a\\xffb", 6);
    check_shown("a\xc6", "a\\xc6", 5);
    check_shown("\xe2\x80\xaegpj", "\\u202egpj", 9); /* right to left */
    check_shown("a\xe2\x80\x8b"
                "b",
                "a\\u200bb", 8); /* of no width */
    check_shown("\xf3\xa0\x81\x81", "\\U000e0041", 10);
    check_shown("\xc0\xaf", "\\xc0\\xaf", 8); /* a longer spelling of / */
    check_shown("\xed\xa0\x80", "\\xed\\xa0\\x80", 12);
}

static void check_cut(const char *text, size_t max, const char *expected)
{
    struct fr_buf out = FR_BUF_INIT(1000);
    size_t used = fr_display_put_cut(&out, text, max);

    assert_string_equal(out.data ? out.data : "", expected);
    assert_int_equal(used, fr_display_width(expected));
    assert_true(used <= max);
    fr_buf_done(&out);
}

static void test_cut(void **state)
{
    check_cut("abcdef", 6, "abcdef");
    check_cut("abcdef", 5, "abcd…");
    check_cut("abcdef", 1, "…");
    check_cut("abcdef", 0, "");
    check_cut("日本語", 6, "日本語");
    check_cut("日本語", 5, "日本…");
    check_cut("日本語", 4, "日…");
    check_cut("a\nb", 3, "a…"); /* an escape is not cut in two */
}

static void test_ascii(void **state)
{
    struct fr_buf out = FR_BUF_INIT(1000);

    fr_display_set_unicode(false);
    check_shown("ƒ2é", "\\u01922\\u00e9", 13);
    fr_format_put_jobid("ƒ2oU", &out);
    assert_string_equal(out.data, "f2oU");
    fr_display_set_unicode(true);
    fr_buf_reset(&out);
    fr_format_put_jobid("ƒ2oU", &out);
    assert_string_equal(out.data, "ƒ2oU");
    fr_buf_done(&out);
}

/* --- times --- */

static void check_seconds(const char *text, int expected_r, double expected)
{
    double seconds = -1;

    assert_int_equal(fr_when_parse_seconds(text, &seconds), expected_r);
    assert_true(fabs(seconds - (expected_r == 0 ? expected : -1)) <= 1e-9);
}

static void test_when(void **state)
{
    static const char *const bad[] = {"",      "x",   "-1", "+1", "1 s", " 1",   "0x10",
                                      "1e400", "inf", "1S", ".",  "nan", "1.2.3"};
    char text[FR_WHEN_TEXT];
    double time;

    check_seconds("90", 0, 90);
    check_seconds("250ms", 0, 0.25);
    check_seconds("1.5h", 0, 5400);
    check_seconds("2d", 0, 172800);
    check_seconds(".5m", 0, 30);
    for (size_t i = 0; i < FR_ARRAY_SIZE(bad); i++)
        check_seconds(bad[i], -EINVAL, 0);
    fr_when_put_seconds(0.0471, text);
    assert_string_equal(text, "0.047s");
    fr_when_put_seconds(90, text);
    assert_string_equal(text, "1.5m");
    fr_when_put_seconds(8100, text);
    assert_string_equal(text, "2.25h");
    fr_when_put_seconds(60.06, text);
    assert_string_equal(text, "1m");
    fr_when_put_seconds(86400.0 * 1234, text);
    assert_string_equal(text, "1234d");
    fr_when_put_clock(93784, text);
    assert_string_equal(text, "1d 2:03:04");
    fr_when_put_clock(-1, text);
    assert_string_equal(text, "0:00:00");
    assert_int_equal(fr_when_parse_time("-90m", 10000, &time), 0);
    assert_true(fabs(time - (4600)) <= 1e-9);
    assert_int_equal(fr_when_parse_time("1790000000.5", 0, &time), 0);
    assert_true(fabs(time - (1790000000.5)) <= 1e-9);
    assert_int_equal(fr_when_parse_time("2026-11-24 18:18", 0, &time), 0);
    fr_when_put_time(time, text);
    assert_string_equal(text, "2026-11-24 18:18:00");
    assert_int_equal(fr_when_parse_time("90", 0, &time), -EINVAL);
    assert_int_equal(fr_when_parse_time("yesterday", 0, &time), -EINVAL);
    assert_int_equal(fr_when_parse_time("2026-13-01", 0, &time), -EINVAL);
}

/* --- tables --- */

static const char jobs[] =
    "[{\"id\": 1, \"jobid\": \"ƒA\", \"name\": \"sleep\", \"state\": \"RUN\", \"result\": \"\","
    "  \"t_run\": 100.0, \"runtime\": 90.0, \"nodelist\": \"node0\", \"nnodes\": 1,"
    "  \"annotations\": {\"sched\": {\"queue\": \"debug\"}}},"
    " {\"id\": 2, \"jobid\": \"ƒBB\", \"name\": \"a\\u001b[31mlong name\", \"state\": "
    "\"INACTIVE\","
    "  \"result\": \"FAILED\", \"returncode\": 137, \"t_run\": 100.0, \"runtime\": 3.0,"
    "  \"nodelist\": \"node0\", \"nnodes\": 1},"
    " {\"id\": 3, \"jobid\": \"ƒC\", \"name\": \"x\", \"state\": \"SCHED\", \"result\": \"\","
    "  \"runtime\": 0.0, \"nnodes\": \"\", \"why\": \"waiting for resources\"}]";

static void check_table(const char *text, const struct fr_format_look *look,
                        const char *expected)
{
    struct fr_buf out = FR_BUF_INIT(10000);
    struct fr_format *format = NULL;
    struct fr_error err = {.text = ""};
    json_t *rows = json_loads(jobs, 0, NULL);

    assert_non_null(rows);
    if (fr_format_parse(text, fr_job_fields, &format, &err) < 0)
        fail_msg("%s", err.text);
    fr_format_put(format, rows, look, &out);
    assert_int_equal(fr_buf_status(&out), 0);
    assert_string_equal(out.data, expected);
    fr_format_free(format);
    json_decref(rows);
    fr_buf_done(&out);
}

static void test_table(void **state)
{
    struct fr_format_look plain = {.header = false}, header = {.header = true};

    check_table("{id}", &plain, "ƒA\nƒBB\nƒC\n");
    check_table("{id.dec:>3}|{id:<4}|{nnodes:>3h}|", &plain,
                "  1|ƒA  |  1|\n  2|ƒBB |  1|\n  3|ƒC  |  -|\n");
    check_table("+:{id:>2} {status_abbrev}", &header, "JOBID ST\n   ƒA R\n  ƒBB F\n   ƒC S\n");
    check_table("{name:.8}", &plain, "sleep\na\\x1b[3…\nx\n");
    check_table("{runtime!F} {runtime!H} {t_run!d:.4}", &plain,
                "1.5m 0:01:30 197…\n3s 0:00:03 197…\n0.000s 0:00:00\n");
    check_table("{info}", &plain, "node0\nended by signal 9 (Killed)\nwaiting for resources\n");
    check_table("?:{queue:<9} {time:h}", &plain, "1.5m\n3s\n-\n");
    check_table("{annotations.sched.queue:h}", &plain, "debug\n-\n-\n");
    check_table("{{{id}}}", &plain, "{ƒA}\n{ƒBB}\n{ƒC}\n");
}

static void test_table_look(void **state)
{
    struct fr_format_look narrow = {.columns = 7}, two = {.header = true, .lines = 2};
    struct fr_format_look color = {.color = true, .header = true, .lines = 2};

    check_table("{id:<4} {info}", &narrow, "ƒA   n…\nƒBB  e…\nƒC   w…\n");
    check_table("{id}", &two, "JOBID\nƒA\n");
    check_table("{status}", &color, "\033[1mSTATUS\033[0m\n\033[34mRUN\033[0m\n");
}

static void check_refused(const char *text, const char *part)
{
    struct fr_format *format = NULL;
    struct fr_error err = {.text = ""};

    assert_int_equal(fr_format_parse(text, fr_job_fields, &format, &err), -EINVAL);
    if (!strstr(err.text, part))
        fail_msg("'%s' is refused with: %s", text, err.text);
}

static void test_refused(void **state)
{
    check_refused("{nmae}", "did you mean {name}?");
    check_refused("{", "name of a field");
    check_refused("{name", "a '}' is missing");
    check_refused("name}", "stands alone");
    check_refused("{name:x}", "after ':'");
    check_refused("{name!z}", "conversions");
    check_refused("{}", "name of a field");
    check_refused("{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}"
                  "{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}"
                  "{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}"
                  "{id}{id}{id}{id}{id}{id}{id}{id}{id}",
                  "too many");
    for (size_t i = 0; i < 3; i++) {
        static const char *const names[] = {"default", "narrow", "long"};
        struct fr_format *format = NULL;
        assert_int_equal(fr_format_parse(fr_job_format(names[i]), fr_job_fields, &format, NULL),
                         0);
        fr_format_free(format);
    }
    assert_null(fr_job_format("{id}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_display), cmocka_unit_test(test_cut),
        cmocka_unit_test(test_ascii),   cmocka_unit_test(test_when),
        cmocka_unit_test(test_table),   cmocka_unit_test(test_table_look),
        cmocka_unit_test(test_refused),
    };

    fr_display_set_unicode(true);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
