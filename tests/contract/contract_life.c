// SPDX-License-Identifier: LGPL-3.0-only
/* Opening and closing, while jobs live on. */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "harness.h"

#define HASTY 20

static void test_jobs_outlive_the_engine(void **state)
{
    struct harness *h = *state;
    uint64_t running = harness_run(h, harness_script(0, "exec sleep 600"));
    uint64_t over = harness_run(h, harness_script(0, "exit 3"));
    char *instance = strdup(h->engine->ops->instance(h->engine));
    struct answer a;

    harness_finished(h, over);
    HARNESS_WAIT(h, harness_is(h, running, FR_STATE_RUN));
    harness_close(h);
    harness_open(h);
    assert_string_equal(h->engine->ops->instance(h->engine), instance);
    /* The backlog is whole by now: nothing is waited for. */
    assert_true(harness_is(h, over, FR_STATE_INACTIVE));
    assert_int_equal(fr_job_returncode(harness_find(h, over)->job), 3);
    assert_true(harness_is(h, running, FR_STATE_RUN));
    assert_true(harness_find(h, running)->events[0].has_jobspec);
    assert_true(harness_event(harness_find(h, running), "alloc")->has_R);
    harness_cancel(h, running, NULL, &a);
    assert_int_equal(harness_finished(h, running)->job->result, FR_RESULT_CANCELED);
    free(instance);
}

/* Whatever is asked for right before the end is answered, once, before the end. */
static void test_close_with_requests_in_flight(void **state)
{
    static const char *const argv[] = {"true", NULL};
    static struct answer answers[HASTY];
    struct harness *h = *state;

    for (size_t i = 0; i < HASTY; i++)
        harness_submit(h, harness_jobspec(0, argv), 16, &answers[i]);
    harness_close(h);
    for (size_t i = 0; i < HASTY; i++) {
        assert_true(answers[i].done);
        assert_true(!answers[i].failed || answers[i].err.code == FR_CODE_STOPPING ||
                    answers[i].err.code == FR_CODE_OUTCOME_UNKNOWN);
    }
    harness_open(h);
    for (size_t i = 0; i < HASTY; i++)
        if (!answers[i].failed)
            harness_finished(h, answers[i].id);
}

const struct CMUnitTest contract_life_tests[] = {
    cmocka_unit_test_setup_teardown(test_jobs_outlive_the_engine, harness_setup,
                                    harness_teardown),
    cmocka_unit_test_setup_teardown(test_close_with_requests_in_flight, harness_setup,
                                    harness_teardown),
};
const size_t contract_life_count = FR_ARRAY_SIZE(contract_life_tests);
