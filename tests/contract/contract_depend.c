// SPDX-License-Identifier: LGPL-3.0-only
/* What a job waits for: a release, other jobs; and what is said of it meanwhile. */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "harness.h"
#include "model/fluid.h"

#define UNKNOWN_ID 12345

static void urgency(struct harness *h, uint64_t id, int value, struct answer *a)
{
    *a = (struct answer){.harness = h};
    h->in_call = true;
    h->engine->ops->urgency(h->engine, id, value, harness_on_done, a);
    h->in_call = false;
    HARNESS_WAIT(h, a->done);
}

static uint64_t submit_held(struct harness *h, struct fr_jobspec *spec)
{
    struct answer a;

    harness_submit(h, spec, 0, &a);
    HARNESS_WAIT(h, a.done);
    harness_check(&a);
    HARNESS_WAIT(h, harness_find(h, a.id) && harness_find(h, a.id)->job->priority == 0);
    return a.id;
}

static void test_hold_and_release(void **state)
{
    struct harness *h = *state;
    struct answer a;

    NEEDS(h, urgency);
    uint64_t id = submit_held(h, harness_script(0, "true"));
    struct job_record *record = harness_find(h, id);
    assert_int_equal(record->job->urgency, 0);
    urgency(h, id, 31, &a);
    harness_check(&a);
    assert_int_equal(harness_finished(h, id)->job->result, FR_RESULT_COMPLETED);
    assert_int_equal(record->job->urgency, 31);
    assert_int_equal(record->job->priority, 4294967295LL);
    struct event_record *event = harness_event(record, "urgency");
    assert_non_null(event);
    assert_non_null(strstr(event->context, "\"urgency\":31"));
    assert_string_equal(event[1].name, "priority");
}

static struct fr_jobspec *depends(struct fr_jobspec *spec, const char *scheme, uint64_t id)
{
    json_t *system = json_object_get(json_object_get(spec->json, "attributes"), "system");
    char text[FR_FLUID_TEXT];

    assert_int_equal(json_object_set_new(system, "dependencies",
                                         json_pack("[{s:s s:s}]", "scheme", scheme, "value",
                                                   fr_fluid_f58(id, text))),
                     0);
    return spec;
}

static void test_dependency_satisfied(void **state)
{
    struct harness *h = *state;
    uint64_t first = submit_held(h, harness_script(0, "true"));
    uint64_t second = harness_run(h, depends(harness_script(0, "true"), "afterany", first));

    HARNESS_WAIT(h, harness_is(h, second, FR_STATE_DEPEND));
    struct event_record *event = harness_event(harness_find(h, second), "dependency-add");
    assert_non_null(strstr(event->context, "\"description\":\"after-finish="));
    harness_end(h, first);
    struct job_record *record = harness_finished(h, second);
    assert_int_equal(record->job->result, FR_RESULT_COMPLETED);
    assert_non_null(harness_event(record, "dependency-remove"));
    assert_true(harness_event(record, "depend") > harness_event(record, "dependency-remove"));
}

static void test_dependency_that_can_never_be(void **state)
{
    struct harness *h = *state;
    uint64_t first = submit_held(h, harness_script(0, "true"));
    uint64_t second = harness_run(h, depends(harness_script(0, "true"), "afterok", first));

    HARNESS_WAIT(h, harness_is(h, second, FR_STATE_DEPEND));
    harness_end(h, first);
    struct job_record *record = harness_finished(h, second);
    assert_string_equal(record->job->exception_type, "dependency");
    assert_int_equal(record->job->exception_severity, 0);
    assert_null(harness_event(record, "alloc"));
}

static void test_dependency_refused(void **state)
{
    struct harness *h = *state;
    uint64_t good = harness_run(h, harness_script(0, "true"));
    struct answer a;

    harness_submit(h, depends(harness_script(0, "true"), "afterok", UNKNOWN_ID), 16, &a);
    HARNESS_WAIT(h, a.done);
    assert_true(a.failed);
    assert_non_null(strstr(a.err.text, "job not found"));
    harness_submit(h, depends(harness_script(0, "true"), "nosuch", good), 16, &a);
    HARNESS_WAIT(h, a.done);
    assert_true(a.failed);
    assert_non_null(strstr(a.err.text, "dependency scheme \"nosuch\" not supported"));
    harness_finished(h, good);
    harness_submit(h, depends(harness_script(0, "true"), "afternotok", good), 16, &a);
    HARNESS_WAIT(h, a.done);
    assert_true(a.failed);
    assert_non_null(strstr(a.err.text, "succeeded"));
}

static void test_why(void **state)
{
    struct harness *h = *state;
    char text[256];

    NEEDS(h, why);
    uint64_t id = submit_held(h, harness_script(0, "true"));
    if (h->engine->ops->why(h->engine, id, text, sizeof text))
        assert_true(strlen(text) > 0 && text[strlen(text) - 1] != '.');
    assert_false(h->engine->ops->why(h->engine, UNKNOWN_ID, text, sizeof text));
    harness_end(h, id);
    assert_false(h->engine->ops->why(h->engine, id, text, sizeof text));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
const struct CMUnitTest contract_depend_tests[] = {
    TEST(test_hold_and_release),
    TEST(test_dependency_satisfied),
    TEST(test_dependency_that_can_never_be),
    TEST(test_dependency_refused),
    TEST(test_why),
};
const size_t contract_depend_count = FR_ARRAY_SIZE(contract_depend_tests);
