// SPDX-License-Identifier: LGPL-3.0-only
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "engine/flux/present.h"

static void test_by_environment(void **state)
{
    assert_int_equal(setenv("FLUX_URI", "local:///nowhere", 1), 0);
    assert_true(fr_flux_present());
    assert_int_equal(setenv("FLUX_URI", "", 1), 0);
    assert_false(fr_flux_present());
}

static void test_system_instance_has_a_place(void **state)
{
    assert_non_null(fr_flux_rundir());
    assert_int_equal(fr_flux_rundir()[0], '/');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_environment),
        cmocka_unit_test(test_system_instance_has_a_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
