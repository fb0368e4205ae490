// SPDX-License-Identifier: LGPL-3.0-only
/* The local engine's scheduler with real jobs: resources, backfill, and steering. */
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "local_fixture.h"

static uint64_t run_until(struct fixture *f, int ntasks, double duration, const char *name)
{
    char script[256];
    const char *argv[] = {"sh", "-c", script, NULL};

    (void)snprintf(script, sizeof(script), "while ! [ -e %s ]; do sleep 0.02; done",
                   fixture_path(f, name));
    return fixture_run(f, fixture_spec(ntasks, 1, duration, "/tmp", argv));
}

static uint64_t run_true(struct fixture *f, int ntasks, double duration)
{
    const char *argv[] = {"true", NULL};

    return fixture_run(f, fixture_spec(ntasks, 1, duration, "/tmp", argv));
}

struct node_seen {
    bool done;
    int gpus, gpus_used;
};

static void on_nodes(void *arg, const struct fr_node *nodes, size_t count,
                     const struct fr_error *err)
{
    *(struct node_seen *)arg = (struct node_seen){true, nodes[0].gpus, nodes[0].gpus_used};
}

static void reopen_with_gpus(struct fixture *f, int gpus)
{
    fixture_close(f);
    f->gpus = gpus;
    fixture_open(f);
}

static void test_gpus_are_given_once(void **state)
{
    struct fixture *f = *state;
    const char *wait[] = {"sleep", "600", NULL};
    const char *argv[] = {"true", NULL};
    struct node_seen seen = {0};
    int nodes, cores, gpus;
    struct answer a;
    uint64_t first, second;

    reopen_with_gpus(f, 3);
    f->engine->ops->size(f->engine, &nodes, &cores, &gpus);
    assert_int_equal(gpus, 3);
    first = fixture_run(f, fixture_gpu_spec(1, 1, 2, wait));
    WAIT(f, fixture_is(f, first, FR_STATE_RUN));
    assert_int_equal(fixture_find(f, first)->job->ngpus, 2);
    f->engine->ops->nodes(f->engine, on_nodes, &seen);
    WAIT(f, seen.done);
    assert_int_equal(seen.gpus, 3);
    assert_int_equal(seen.gpus_used, 2);
    second = fixture_run(f, fixture_gpu_spec(1, 1, 2, argv));
    assert_true(fixture_is(f, second, FR_STATE_SCHED));
    reopen_with_gpus(f, 3); /* what is taken stays taken */
    assert_true(fixture_is(f, second, FR_STATE_SCHED));
    fixture_cancel(f, first, &a);
    assert_int_equal(fixture_finished(f, second)->job->result, FR_RESULT_COMPLETED);
    fixture_submit(f, fixture_gpu_spec(2, 1, 2, argv), 16, &a);
    WAIT(f, a.done);
    assert_int_equal(a.err.code, FR_CODE_UNSATISFIABLE);
    assert_string_equal(a.err.text, "The server only has 3 gpus, you requested 4");
}

/* Behind a wide job that waits for a known end, a short one starts and a long one does not. */
static void test_backfill(void **state)
{
    struct fixture *f = *state;
    uint64_t running = run_until(f, 1, 3600, "go");
    uint64_t wide = run_true(f, 2, 0);
    uint64_t lasting = run_true(f, 1, 0);
    uint64_t brief = run_true(f, 1, 60);

    assert_int_equal(fixture_finished(f, brief)->job->result, FR_RESULT_COMPLETED);
    assert_true(fixture_is(f, wide, FR_STATE_SCHED));
    assert_true(fixture_is(f, lasting, FR_STATE_SCHED));
    fixture_touch(fixture_path(f, "go"));
    assert_true(fixture_finished(f, lasting)->alloc_seq > fixture_find(f, wide)->alloc_seq);
    assert_true(fixture_find(f, wide)->alloc_seq > fixture_finished(f, running)->clean_seq);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_gpus_are_given_once),
        TEST(test_backfill),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
