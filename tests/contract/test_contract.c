// SPDX-License-Identifier: LGPL-3.0-only
/*
 * What every engine must do, run against the one that is named: test_contract local|flux
 * [pattern]. Exits 77 (skipped) where that engine cannot run, and says why.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

int main(int argc, char **argv)
{
    const char *why;
    int failed = 0;

    harness_engine_name = argc > 1 ? argv[1] : "";
    if (strcmp(harness_engine_name, "local") != 0 && strcmp(harness_engine_name, "flux") != 0) {
        (void)fprintf(stderr, "usage: test_contract local|flux [pattern of test names]\n");
        return EXIT_FAILURE;
    }
    if (argc > 2)
        cmocka_set_test_filter(argv[2]);
    if (!harness_can_run(&why)) {
        (void)fprintf(stderr, "skipped: %s\n", why);
        return 77;
    }
    failed +=
        _cmocka_run_group_tests("run", contract_run_tests, contract_run_count, NULL, NULL);
    failed += _cmocka_run_group_tests("depend", contract_depend_tests, contract_depend_count,
                                      NULL, NULL);
    failed += _cmocka_run_group_tests("output", contract_output_tests, contract_output_count,
                                      NULL, NULL);
    failed += _cmocka_run_group_tests("streams", contract_stream_tests, contract_stream_count,
                                      NULL, NULL);
    failed +=
        _cmocka_run_group_tests("verbs", contract_verb_tests, contract_verb_count, NULL, NULL);
    failed += _cmocka_run_group_tests("steer", contract_steer_tests, contract_steer_count, NULL,
                                      NULL);
    failed +=
        _cmocka_run_group_tests("life", contract_life_tests, contract_life_count, NULL, NULL);
    harness_clean();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
