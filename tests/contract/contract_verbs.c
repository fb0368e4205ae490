// SPDX-License-Identifier: LGPL-3.0-only
/* Cancelling, signals and nodes. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "harness.h"

#define UNKNOWN_ID 12345

static void check_refused(struct harness *h, struct answer *a, enum fr_code code,
                          const char *text)
{
    HARNESS_WAIT(h, a->done);
    assert_true(a->failed);
    assert_int_equal(a->err.code, code);
    if (text)
        assert_string_equal(a->err.text, text);
}

static void check_done(struct harness *h, struct answer *a)
{
    HARNESS_WAIT(h, a->done);
    if (a->failed)
        fail_msg("%s", a->err.text);
}

static uint64_t submit_held(struct harness *h)
{
    struct answer a;

    harness_submit(h, harness_script(0, "true"), 0, &a);
    HARNESS_WAIT(h, a.done);
    assert_false(a.failed);
    return a.id;
}

static void test_cancel_waiting(void **state)
{
    struct harness *h = *state;
    uint64_t id = submit_held(h);
    struct answer a;

    HARNESS_WAIT(h, harness_is(h, id, FR_STATES_PENDING));
    harness_cancel(h, id, "not needed", &a);
    check_done(h, &a);
    struct job_record *record = harness_finished(h, id);
    assert_null(harness_event(record, "alloc"));
    assert_string_equal(record->job->exception_type, "cancel");
    assert_string_equal(record->job->exception_note, "not needed");
    assert_int_equal(record->job->exception_severity, 0);
    assert_int_equal(record->job->result, FR_RESULT_CANCELED);
}

static void test_cancel_running(void **state)
{
    struct harness *h = *state;
    uint64_t id = harness_run(h, harness_script(0, "exec sleep 600"));
    struct answer a;

    HARNESS_WAIT(h, harness_has(h, id, "start"));
    harness_cancel(h, id, NULL, &a);
    check_done(h, &a);
    struct job_record *record = harness_finished(h, id);
    assert_non_null(harness_event(record, "finish"));
    assert_int_equal(record->job->result, FR_RESULT_CANCELED);
    assert_int_not_equal(fr_job_returncode(record->job), 0);
}

static void test_cancel_refused(void **state)
{
    struct harness *h = *state;
    uint64_t id = harness_run(h, harness_script(0, "true"));
    struct answer a;

    harness_cancel(h, UNKNOWN_ID, NULL, &a);
    check_refused(h, &a, FR_CODE_JOB_NOT_FOUND, "unknown job id");
    harness_finished(h, id);
    harness_cancel(h, id, NULL, &a);
    check_refused(h, &a, FR_CODE_JOB_INACTIVE, "job is inactive");
}

static void test_kill(void **state)
{
    struct harness *h = *state;
    uint64_t id =
        harness_run(h, harness_script(0, "trap 'echo got it; exit 0' USR1; echo ready; "
                                         "while :; do sleep 0.05; done"));
    struct reader *reader = calloc(1, sizeof *reader);
    struct answer a;

    assert_non_null(reader);
    harness_read(h, id, 0, reader);
    HARNESS_WAIT(h, strstr(reader->out, "ready"));
    HARNESS_WAIT(h, harness_is(h, id, FR_STATE_RUN));
    harness_kill(h, id, SIGUSR1, &a);
    check_done(h, &a);
    HARNESS_WAIT(h, reader->ended);
    assert_string_equal(reader->out, "ready\ngot it\n");
    assert_int_equal(harness_finished(h, id)->job->result, FR_RESULT_COMPLETED);
    harness_read_end(reader);
    free(reader);
}

static void test_kill_refused(void **state)
{
    struct harness *h = *state;
    uint64_t id = submit_held(h);
    struct answer a;

    harness_kill(h, UNKNOWN_ID, SIGUSR1, &a);
    check_refused(h, &a, FR_CODE_JOB_NOT_FOUND, "unknown job id");
    harness_kill(h, id, SIGUSR1, &a);
    check_refused(h, &a, FR_CODE_JOB_STATE, NULL);
    harness_cancel(h, id, NULL, &a);
    check_done(h, &a);
    harness_finished(h, id);
    harness_kill(h, id, SIGUSR1, &a);
    HARNESS_WAIT(h, a.done);
    assert_true(a.failed);
    assert_true(a.err.code == FR_CODE_JOB_INACTIVE || a.err.code == FR_CODE_JOB_STATE);
}

/* The sum over all nodes of the last answer. */
struct sum {
    struct harness *harness;
    bool done;
    int nodes, cores, used;
};

static void on_nodes(void *arg, const struct fr_node *nodes, size_t count,
                     const struct fr_error *err)
{
    struct sum *sum = arg;

    assert_false(sum->harness->in_call);
    if (err)
        fail_msg("nodes: %s", err->text);
    *sum = (struct sum){.harness = sum->harness, .done = true, .nodes = (int)count};
    for (size_t i = 0; i < count; i++) {
        assert_true(strlen(nodes[i].name) > 0);
        assert_int_equal(nodes[i].rank, i);
        assert_true(nodes[i].cores > 0);
        assert_in_range(nodes[i].cores_used, 0, nodes[i].cores);
        assert_in_range(nodes[i].gpus_used, 0, nodes[i].gpus);
        assert_null(nodes[i].drain_reason);
        if (nodes[i].state == FR_NODE_FREE)
            assert_int_equal(nodes[i].cores_used, 0);
        else
            assert_true(nodes[i].cores_used > 0);
        sum->cores += nodes[i].cores;
        sum->used += nodes[i].cores_used;
    }
}

static void ask_nodes(struct harness *h, struct sum *sum)
{
    *sum = (struct sum){.harness = h};
    h->in_call = true;
    h->engine->ops->nodes(h->engine, on_nodes, sum);
    h->in_call = false;
    HARNESS_WAIT(h, sum->done);
}

static void test_nodes(void **state)
{
    struct harness *h = *state;
    uint64_t id = harness_run(h, harness_script(0, "exec sleep 600"));
    int nodes, cores, gpus;
    struct answer a;
    struct sum sum;

    HARNESS_WAIT(h, harness_is(h, id, FR_STATE_RUN));
    ask_nodes(h, &sum);
    h->engine->ops->size(h->engine, &nodes, &cores, &gpus);
    assert_int_equal(sum.nodes, nodes);
    assert_int_equal(sum.cores, cores);
    assert_true(sum.used >= 1);
    harness_cancel(h, id, NULL, &a);
    check_done(h, &a);
    harness_finished(h, id);
}

const struct CMUnitTest contract_verb_tests[] = {
    cmocka_unit_test_setup_teardown(test_cancel_waiting, harness_setup, harness_teardown),
    cmocka_unit_test_setup_teardown(test_cancel_running, harness_setup, harness_teardown),
    cmocka_unit_test_setup_teardown(test_cancel_refused, harness_setup, harness_teardown),
    cmocka_unit_test_setup_teardown(test_kill, harness_setup, harness_teardown),
    cmocka_unit_test_setup_teardown(test_kill_refused, harness_setup, harness_teardown),
    cmocka_unit_test_setup_teardown(test_nodes, harness_setup, harness_teardown),
};
const size_t contract_verb_count = FR_ARRAY_SIZE(contract_verb_tests);
