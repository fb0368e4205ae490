// SPDX-License-Identifier: LGPL-3.0-only
/* Urgency, time limit, what is kept of a job, queues, and nodes taken out of service. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "base/util.h"
#include "harness.h"

#define UNKNOWN_ID 12345

/* The answer to lookup() or queues(). */
struct found {
    struct harness *harness;
    bool done, failed;
    struct fr_error err;
    char *text;
    size_t count;
    struct fr_queue first;
};

#define CALL(h, a, verb, ...)                                                                  \
    do {                                                                                       \
        *(a) = (struct answer){.harness = (h)};                                                \
        (h)->in_call = true;                                                                   \
        (h)->engine->ops->verb((h)->engine, __VA_ARGS__, harness_on_done, (a));                \
        (h)->in_call = false;                                                                  \
        HARNESS_WAIT((h), (a)->done);                                                          \
    } while (0)

static void check_refused(const struct answer *a, enum fr_code code)
{
    assert_true(a->failed);
    assert_int_equal(a->err.code, code);
    assert_true(strlen(a->err.text) > 0);
}

static uint64_t submit_held(struct harness *h, const char *script)
{
    struct answer a;

    harness_submit(h, harness_script(0, script), 0, &a);
    HARNESS_WAIT(h, a.done);
    harness_check(&a);
    HARNESS_WAIT(h, harness_is(h, a.id, FR_STATES_PENDING));
    return a.id;
}

static void test_urgency(void **state)
{
    struct harness *h = *state;
    struct answer a;

    NEEDS(h, urgency);
    uint64_t id = submit_held(h, "true");
    CALL(h, &a, urgency, id, 20);
    harness_check(&a);
    assert_int_equal(harness_finished(h, id)->job->result, FR_RESULT_COMPLETED);
    assert_int_equal(harness_find(h, id)->job->urgency, 20);
    CALL(h, &a, urgency, id, 16);
    check_refused(&a, FR_CODE_JOB_INACTIVE);
    CALL(h, &a, urgency, UNKNOWN_ID, 16);
    check_refused(&a, FR_CODE_JOB_NOT_FOUND);
    id = harness_run(h, harness_script(0, "exec sleep 600"));
    HARNESS_WAIT(h, harness_is(h, id, FR_STATE_RUN));
    CALL(h, &a, urgency, id, 20);
    check_refused(&a, FR_CODE_JOB_STATE);
    harness_end(h, id);
}

static void test_duration_of_a_waiting_job(void **state)
{
    struct harness *h = *state;
    struct answer a;

    NEEDS(h, duration);
    uint64_t id = submit_held(h, "true");
    CALL(h, &a, duration, id, 3600);
    harness_check(&a);
    HARNESS_WAIT(h, harness_find(h, id)->job->duration == 3600);
    harness_end(h, id);
    CALL(h, &a, duration, id, 3600);
    check_refused(&a, FR_CODE_JOB_INACTIVE);
    CALL(h, &a, duration, UNKNOWN_ID, 3600);
    check_refused(&a, FR_CODE_JOB_NOT_FOUND);
}

/* A job without a limit is given one that ends it. */
static void test_duration_of_a_running_job(void **state)
{
    struct harness *h = *state;
    struct answer a;

    NEEDS(h, duration);
    uint64_t id = harness_run(h, harness_script(0, "exec sleep 600"));
    HARNESS_WAIT(h, harness_has(h, id, "start"));
    CALL(h, &a, duration, id, 0.001);
    check_refused(&a, FR_CODE_INVALID);
    struct fr_job *job = harness_find(h, id)->job;
    CALL(h, &a, duration, id, 2 + fr_job_runtime(job, job->t_run));
    /* Two seconds may have gone already on a busy machine, and then it has had them. */
    while (a.failed && a.err.code == FR_CODE_INVALID)
        CALL(h, &a, duration, id, 4 + fr_job_runtime(job, fr_time_now()));
    harness_check(&a);
    assert_int_equal(harness_finished(h, id)->job->result, FR_RESULT_TIMEOUT);
}

static void on_lookup(void *arg, const char *text, size_t len, const struct fr_error *err)
{
    struct found *found = arg;

    assert_false(found->harness->in_call);
    assert_false(found->done);
    found->done = true;
    found->failed = err != NULL;
    if (err) {
        found->err = *err;
        return;
    }
    assert_int_equal(strlen(text), len);
    found->text = strdup(text);
}

static void look_up(struct harness *h, uint64_t id, enum fr_lookup what, struct found *found)
{
    free(found->text);
    *found = (struct found){.harness = h};
    h->in_call = true;
    h->engine->ops->lookup(h->engine, id, what, on_lookup, found);
    h->in_call = false;
    HARNESS_WAIT(h, found->done);
}

static void test_lookup(void **state)
{
    struct harness *h = *state;
    struct found found = {.text = NULL};

    NEEDS(h, lookup);
    uint64_t id = harness_run(h, harness_script(0, "true"));
    harness_finished(h, id);
    look_up(h, id, FR_LOOKUP_EVENTLOG, &found);
    assert_false(found.failed);
    assert_non_null(strstr(found.text, "\"submit\""));
    assert_non_null(strstr(found.text, "\"clean\""));
    size_t lines = 0;
    for (const char *at = found.text; (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, harness_find(h, id)->job->nevents);
    look_up(h, id, FR_LOOKUP_JOBSPEC, &found);
    assert_false(found.failed);
    assert_non_null(strstr(found.text, "environment"));
    look_up(h, id, FR_LOOKUP_R, &found);
    assert_false(found.failed);
    assert_non_null(strstr(found.text, "R_lite"));
    free(found.text);
}

static void test_lookup_of_nothing(void **state)
{
    static const enum fr_lookup all[] = {FR_LOOKUP_EVENTLOG, FR_LOOKUP_JOBSPEC, FR_LOOKUP_R};
    struct harness *h = *state;
    struct found found = {.text = NULL};

    NEEDS(h, lookup);
    uint64_t id = submit_held(h, "true");
    look_up(h, id, FR_LOOKUP_R, &found);
    assert_true(found.failed);
    assert_int_equal(found.err.code, FR_CODE_NOT_FOUND);
    for (size_t i = 0; i < FR_ARRAY_SIZE(all); i++) {
        look_up(h, UNKNOWN_ID, all[i], &found);
        assert_true(found.failed);
        assert_int_equal(found.err.code, FR_CODE_JOB_NOT_FOUND);
    }
    harness_end(h, id);
}

/* Places in a job's log are those of stored events, whatever else is streamed between them. */
static void test_places_of_events(void **state)
{
    struct harness *h = *state;
    char command[256];

    if (strcmp(harness_engine_name, "flux") != 0 || !harness_is_since(65)) {
        /* Before 0.65 Flux's journal does not tell which memos are volatile. */
        print_message("the engine stores whatever it tells\n");
        skip();
    }
    uint64_t id = submit_held(h, "true");
    (void)snprintf(command, sizeof command,
                   "flux job memo --volatile %1$llu a=1 && flux job memo %1$llu b=2 && "
                   "flux job memo --volatile %1$llu a=3 && flux job urgency %1$llu default",
                   (unsigned long long)id);
    assert_int_equal(system(command), 0);
    struct job_record *record = harness_finished(h, id);
    int64_t next = 0;
    int streamed = 0;
    for (size_t i = 0; i < record->nevents; i++) {
        if (record->events[i].index >= 0)
            assert_int_equal(record->events[i].index, next++);
        else if (strcmp(record->events[i].name, "memo") == 0)
            streamed++;
    }
    assert_int_equal(streamed, 2);
    assert_int_equal(next, record->job->nevents);
    struct found found = {.text = NULL};
    look_up(h, id, FR_LOOKUP_EVENTLOG, &found);
    for (const char *at = found.text; (at = strchr(at, '\n')); at++)
        next--;
    assert_int_equal(next, 0);
    free(found.text);
}

static void on_queues(void *arg, const struct fr_queue *queues, size_t count,
                      const struct fr_error *err)
{
    struct found *found = arg;

    assert_false(found->harness->in_call);
    found->done = true;
    if (err)
        fail_msg("queues: %s", err->text);
    found->count = count;
    found->first = queues[0];
}

static void test_queues(void **state)
{
    struct harness *h = *state;
    struct found found = {.harness = h};

    NEEDS(h, queues);
    h->in_call = true;
    h->engine->ops->queues(h->engine, on_queues, &found);
    h->in_call = false;
    HARNESS_WAIT(h, found.done);
    assert_int_equal(found.count, 1);
    assert_null(found.first.name);
    assert_true(found.first.enabled);
    assert_true(found.first.started);
}

struct drained {
    struct harness *harness;
    bool done;
    enum fr_node_state state;
    bool has_reason;
    char reason[64];
};

static void on_nodes(void *arg, const struct fr_node *nodes, size_t count,
                     const struct fr_error *err)
{
    struct drained *drained = arg;

    if (err)
        fail_msg("nodes: %s", err->text);
    drained->done = true;
    drained->state = nodes[count - 1].state;
    drained->has_reason = nodes[count - 1].drain_reason;
    if (nodes[count - 1].drain_reason)
        (void)strncpy(drained->reason, nodes[count - 1].drain_reason, 63);
}

/* The last node's state and reason. */
static struct drained ask_last(struct harness *h)
{
    struct drained drained = {.harness = h};

    h->engine->ops->nodes(h->engine, on_nodes, &drained);
    HARNESS_WAIT(h, drained.done);
    return drained;
}

static void test_drain(void **state)
{
    struct harness *h = *state;
    int nodes, cores, gpus;
    char rank[16];
    struct answer a;

    NEEDS(h, drain);
    h->engine->ops->size(h->engine, &nodes, &cores, &gpus);
    (void)snprintf(rank, sizeof rank, "%d", nodes - 1);
    CALL(h, &a, drain, rank, "bad fan");
    harness_check(&a);
    struct drained last = ask_last(h);
    assert_int_equal(last.state, FR_NODE_DRAINED);
    assert_string_equal(last.reason, "bad fan");
    CALL(h, &a, drain, rank, "again");
    check_refused(&a, FR_CODE_REFUSED);
    CALL(h, &a, undrain, rank);
    harness_check(&a);
    last = ask_last(h);
    assert_int_equal(last.state, FR_NODE_FREE);
    assert_false(last.has_reason);
    CALL(h, &a, undrain, rank);
    check_refused(&a, FR_CODE_REFUSED);
    CALL(h, &a, drain, rank, NULL);
    harness_check(&a);
    assert_int_equal(ask_last(h).state, FR_NODE_DRAINED);
    CALL(h, &a, undrain, rank);
    harness_check(&a);
    CALL(h, &a, drain, "no-such-host", NULL);
    check_refused(&a, FR_CODE_NOT_FOUND);
    CALL(h, &a, undrain, "999");
    check_refused(&a, FR_CODE_NOT_FOUND);
}

const struct CMUnitTest contract_steer_tests[] = {
    cmocka_unit_test_setup_teardown(test_urgency, harness_setup, harness_teardown),
    cmocka_unit_test_setup_teardown(test_duration_of_a_waiting_job, harness_setup,
                                    harness_teardown),
    cmocka_unit_test_setup_teardown(test_duration_of_a_running_job, harness_setup,
                                    harness_teardown),
    cmocka_unit_test_setup_teardown(test_lookup, harness_setup, harness_teardown),
    cmocka_unit_test_setup_teardown(test_lookup_of_nothing, harness_setup, harness_teardown),
    cmocka_unit_test_setup_teardown(test_places_of_events, harness_setup, harness_teardown),
    cmocka_unit_test_setup_teardown(test_queues, harness_setup, harness_teardown),
    cmocka_unit_test_setup_teardown(test_drain, harness_setup, harness_teardown),
};
const size_t contract_steer_count = FR_ARRAY_SIZE(contract_steer_tests);
