// SPDX-License-Identifier: LGPL-3.0-only
/* Submitting, and how jobs run and end. */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "harness.h"

#define MANY 200

static void test_opens(void **state)
{
    struct harness *h = *state;
    int nodes, cores, gpus;

    assert_int_equal(h->ncaught_up, 1);
    assert_string_equal(h->engine->ops->name, harness_engine_name);
    assert_true(strlen(h->engine->ops->instance(h->engine)) > 0);
    h->engine->ops->size(h->engine, &nodes, &cores, &gpus);
    assert_true(nodes >= 1);
    assert_true(cores >= nodes);
    assert_true(gpus >= 0);
}

/* The events that every job of the kind has, in this order (RFC 21). */
static void check_order(struct job_record *record)
{
    static const char *const names[] = {"submit", "depend",  "priority", "alloc", "start",
                                        "finish", "release", "free",     "clean"};
    struct event_record *last = NULL;
    int64_t next = 0;
    double timestamp = 0;

    for (size_t i = 0; i < FR_ARRAY_SIZE(names); i++) {
        struct event_record *event = harness_event(record, names[i]);
        if (!event)
            fail_msg("no event %s", names[i]);
        assert_true(event > last);
        last = event;
    }
    assert_ptr_equal(last, &record->events[record->nevents - 1]);
    for (size_t i = 0; i < record->nevents; i++) {
        struct event_record *event = &record->events[i];
        if (event->index >= 0)
            assert_int_equal(event->index, next++);
        assert_true(event->timestamp >= timestamp);
        timestamp = event->timestamp;
    }
}

static void test_tells_all_events(void **state)
{
    static const char *const argv[] = {"echo", "hello", NULL};
    struct harness *h = *state;
    struct job_record *record = harness_finished(h, harness_run(h, harness_jobspec(0, argv)));

    check_order(record);
    assert_ptr_equal(harness_event(record, "submit"), &record->events[0]);
    assert_true(record->events[0].has_jobspec);
    assert_true(harness_event(record, "alloc")->has_R);
    assert_string_equal(record->job->name, "echo");
    assert_int_equal(record->job->nnodes, 1);
    assert_true(record->job->ncores >= 1);
    assert_int_equal(record->job->waitstatus, 0);
    assert_int_equal(record->job->result, FR_RESULT_COMPLETED);
    assert_int_equal(fr_job_returncode(record->job), 0);
}

static void test_exit_code(void **state)
{
    struct harness *h = *state;
    struct job_record *record =
        harness_finished(h, harness_run(h, harness_script(0, "exit 3")));

    assert_int_equal(record->job->waitstatus, 3 << 8);
    assert_int_equal(record->job->result, FR_RESULT_FAILED);
    assert_int_equal(fr_job_returncode(record->job), 3);
}

static void test_no_such_program(void **state)
{
    static const char *const argv[] = {"/no/such/program", NULL};
    struct harness *h = *state;
    struct job_record *record = harness_finished(h, harness_run(h, harness_jobspec(0, argv)));

    assert_non_null(harness_event(record, "exception"));
    assert_string_equal(record->job->exception_type, "exec");
    assert_int_equal(record->job->exception_severity, 0);
    assert_int_equal(record->job->result, FR_RESULT_FAILED);
    assert_int_equal(fr_job_returncode(record->job), 127);
}

static void test_death_by_signal(void **state)
{
    struct harness *h = *state;
    struct job_record *record =
        harness_finished(h, harness_run(h, harness_script(0, "kill -KILL $$")));

    assert_int_equal(record->job->result, FR_RESULT_FAILED);
    assert_int_equal(fr_job_returncode(record->job), 137);
}

static void test_time_limit(void **state)
{
    struct harness *h = *state;
    struct job_record *record =
        harness_finished(h, harness_run(h, harness_script(0.5, "exec sleep 600")));

    assert_string_equal(record->job->exception_type, "timeout");
    assert_int_equal(record->job->result, FR_RESULT_TIMEOUT);
    assert_int_not_equal(fr_job_returncode(record->job), 0);
}

static void test_refuses_a_bad_jobspec(void **state)
{
    struct harness *h = *state;
    struct fr_jobspec *spec = harness_script(0, "true");
    struct answer a;

    /* Understood when it was read, but no jobspec any more. */
    assert_int_equal(json_object_set_new(spec->json, "version", json_integer(999)), 0);
    harness_submit(h, spec, 16, &a);
    HARNESS_WAIT(h, a.done);
    assert_true(a.failed);
    assert_true(strlen(a.err.text) > 0);
}

static size_t count_done(const struct answer *answers, size_t count)
{
    size_t done = 0;

    for (size_t i = 0; i < count; i++)
        done += answers[i].done;
    return done;
}

static void test_many_in_flight(void **state)
{
    static const char *const argv[] = {"true", NULL};
    static struct answer answers[MANY];
    struct harness *h = *state;

    for (size_t i = 0; i < MANY; i++)
        harness_submit(h, harness_jobspec(0, argv), 16, &answers[i]);
    HARNESS_WAIT(h, count_done(answers, MANY) == MANY);
    for (size_t i = 0; i < MANY; i++) {
        assert_false(answers[i].failed);
        for (size_t j = 0; j < i; j++)
            assert_true(answers[i].id != answers[j].id);
    }
    for (size_t i = 0; i < MANY; i++) {
        struct job_record *record = harness_finished(h, answers[i].id);
        assert_int_equal(record->job->result, FR_RESULT_COMPLETED);
    }
}

const struct CMUnitTest contract_run_tests[] = {
    cmocka_unit_test_setup_teardown(test_opens, harness_setup, harness_teardown),
    cmocka_unit_test_setup_teardown(test_tells_all_events, harness_setup, harness_teardown),
    cmocka_unit_test_setup_teardown(test_exit_code, harness_setup, harness_teardown),
    cmocka_unit_test_setup_teardown(test_no_such_program, harness_setup, harness_teardown),
    cmocka_unit_test_setup_teardown(test_death_by_signal, harness_setup, harness_teardown),
    cmocka_unit_test_setup_teardown(test_time_limit, harness_setup, harness_teardown),
    cmocka_unit_test_setup_teardown(test_refuses_a_bad_jobspec, harness_setup,
                                    harness_teardown),
    cmocka_unit_test_setup_teardown(test_many_in_flight, harness_setup, harness_teardown),
};
const size_t contract_run_count = FR_ARRAY_SIZE(contract_run_tests);
