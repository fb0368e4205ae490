// SPDX-License-Identifier: LGPL-3.0-only
#include "api/range.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

static void test_ranges(void **state)
{
    static const struct {
        const char *header;
        size_t len;
        int rc;
        size_t from, to;
    } cases[] = {
        {NULL, 10, 0, 0, 0},
        {"bytes=0-4", 10, 1, 0, 5},
        {"Bytes=3-", 10, 1, 3, 10},
        {"bytes=-3", 10, 1, 7, 10},
        {"bytes=-30", 10, 1, 0, 10},
        {"bytes=9-9", 10, 1, 9, 10},
        {"bytes=5-99999999999999999999999", 10, 1, 5, 10},
        {"bytes=10-", 10, -ERANGE, 0, 0},
        {"bytes=99999999999999999999999-", 10, -ERANGE, 0, 0},
        {"bytes=-0", 10, -ERANGE, 0, 0},
        {"bytes=0-", 0, -ERANGE, 0, 0},
        {"bytes=-1", 0, -ERANGE, 0, 0},
        {"bytes=4-3", 10, 0, 0, 0},
        {"bytes=0-1,3-4", 10, 0, 0, 0},
        {"bytes=-", 10, 0, 0, 0},
        {"bytes=", 10, 0, 0, 0},
        {"bytes= 1-2", 10, 0, 0, 0},
        {"bytes=--1", 10, 0, 0, 0},
        {"lines=1-2", 10, 0, 0, 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t from = 0, to = 0;
        assert_int_equal(fr_range_read(cases[i].header, cases[i].len, &from, &to), cases[i].rc);
        assert_int_equal(from, cases[i].from);
        assert_int_equal(to, cases[i].to);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ranges)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
