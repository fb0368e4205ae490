// SPDX-License-Identifier: LGPL-3.0-only
#include "api/accept.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_weights(void **state)
{
    assert_int_equal(fr_accept_weight(NULL, "gzip"), -1);
    assert_int_equal(fr_accept_weight("", "gzip"), -1);
    assert_int_equal(fr_accept_weight("gzip", "gzip"), 1000);
    assert_int_equal(fr_accept_weight("deflate, GZIP", "gzip"), 1000);
    assert_int_equal(fr_accept_weight("deflate,gzip;q=0", "gzip"), 0);
    assert_int_equal(fr_accept_weight("gzip ; x=1 ; q=0.5, *", "gzip"), 500);
    assert_int_equal(fr_accept_weight("gzipped", "gzip"), -1);
    assert_int_equal(fr_accept_weight("x-gzip", "gzip"), -1);
    assert_int_equal(fr_accept_weight("gzip;q=7", "gzip"), 0);
    assert_int_equal(fr_accept_weight("gzip;q=nan", "gzip"), 0);
    assert_int_equal(fr_accept_weight(",,;;,", "gzip"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_weights)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
