// SPDX-License-Identifier: LGPL-3.0-only
/* The local engine's scheduler with real jobs: resources, backfill, and steering. */
#include <stdio.h>
#include <string.h>

#include "base/loop.h"
#include "base/util.h"
#include "local_fixture.h"
#include "model/fluid.h"

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

/* --- urgency --- */

static void on_done(void *arg, const struct fr_error *err)
{
    struct answer *a = arg;

    a->done = true;
    a->failed = err != NULL;
    if (err)
        a->err = *err;
}

static void urgency(struct fixture *f, uint64_t id, int value, struct answer *a)
{
    *a = (struct answer){0};
    f->engine->ops->urgency(f->engine, id, value, on_done, a);
    assert_false(a->done);
    WAIT(f, a->done);
}

static void duration(struct fixture *f, uint64_t id, double value, struct answer *a)
{
    *a = (struct answer){0};
    f->engine->ops->duration(f->engine, id, value, on_done, a);
    assert_false(a->done);
    WAIT(f, a->done);
}

static void reopen(struct fixture *f)
{
    fixture_close(f);
    fixture_open(f);
}

static const char *why(struct fixture *f, uint64_t id)
{
    static char text[256];

    return f->engine->ops->why(f->engine, id, text, sizeof(text)) ? text : "";
}

static void test_hold_and_release(void **state)
{
    struct fixture *f = *state;
    uint64_t blocker = run_until(f, 2, 0, "go");
    uint64_t id = run_true(f, 1, 0);
    struct answer a;

    urgency(f, id, 0, &a);
    assert_false(a.failed);
    assert_string_equal(fixture_find(f, id)->names,
                        "submit validate depend priority urgency priority ");
    assert_int_equal(fixture_find(f, id)->job->urgency, 0);
    assert_int_equal(fixture_find(f, id)->job->priority, 0);
    assert_string_equal(why(f, id), "held (urgency 0)");
    reopen(f); /* held it stays */
    fixture_touch(fixture_path(f, "go"));
    (void)fixture_finished(f, blocker);
    (void)fixture_finished(f, run_true(f, 2, 0));
    assert_true(fixture_is(f, id, FR_STATE_SCHED));
    urgency(f, id, 32, &a);
    assert_int_equal(a.err.code, FR_CODE_INVALID);
    urgency(f, id, 31, &a);
    assert_false(a.failed);
    assert_int_equal(fixture_find(f, id)->job->priority, 4294967295LL);
    assert_int_equal(fixture_finished(f, id)->job->result, FR_RESULT_COMPLETED);
    urgency(f, id, 16, &a);
    assert_int_equal(a.err.code, FR_CODE_JOB_INACTIVE);
    urgency(f, 12345, 16, &a);
    assert_int_equal(a.err.code, FR_CODE_JOB_NOT_FOUND);
}

static void test_urgency_changes_the_order(void **state)
{
    struct fixture *f = *state;
    uint64_t blocker = run_until(f, 2, 0, "go");
    uint64_t first = run_true(f, 2, 0);
    uint64_t second = run_true(f, 2, 0);
    struct answer a;

    urgency(f, blocker, 20, &a);
    assert_int_equal(a.err.code, FR_CODE_JOB_STATE);
    urgency(f, second, 20, &a);
    assert_false(a.failed);
    fixture_touch(fixture_path(f, "go"));
    (void)fixture_finished(f, first);
    assert_true(fixture_find(f, second)->clean_seq < fixture_find(f, first)->alloc_seq);
}

/* --- time limit --- */

static void test_duration_of_a_waiting_job(void **state)
{
    struct fixture *f = *state;
    const char *argv[] = {"sleep", "600", NULL};
    uint64_t blocker = run_until(f, 2, 0, "go");
    uint64_t id = fixture_run(f, fixture_spec(1, 1, 0, "/tmp", argv));
    struct answer a;

    duration(f, id, -1, &a);
    assert_int_equal(a.err.code, FR_CODE_INVALID);
    duration(f, id, 0.3, &a);
    assert_false(a.failed);
    assert_string_equal(fixture_find(f, id)->names,
                        "submit validate depend priority jobspec-update priority ");
    assert_true(fixture_find(f, id)->job->duration == 0.3);
    reopen(f);
    assert_true(fixture_find(f, id)->job->duration == 0.3);
    fixture_touch(fixture_path(f, "go"));
    (void)fixture_finished(f, blocker);
    assert_int_equal(fixture_finished(f, id)->job->result, FR_RESULT_TIMEOUT);
    duration(f, id, 5, &a);
    assert_int_equal(a.err.code, FR_CODE_JOB_INACTIVE);
}

/* An hour's job is given a moment; a job of some seconds is given all the time. */
static void test_duration_of_a_running_job(void **state)
{
    struct fixture *f = *state;
    uint64_t longer = run_until(f, 1, 6, "go");
    uint64_t shorter = run_until(f, 1, 3600, "never");
    double more = 1;
    struct answer a;

    WAIT(f, fixture_is(f, longer, FR_STATE_RUN) && fixture_is(f, shorter, FR_STATE_RUN));
    duration(f, longer, 3600, &a);
    assert_false(a.failed);
    assert_true(fixture_find(f, longer)->job->expiration >
                fixture_find(f, longer)->job->t_run + 3500);
    /* The job began at most as long ago as it took to hear of it, which may be less than that.
     */
    WAIT(f, fr_time_now() > fixture_find(f, shorter)->job->t_run + 0.002);
    duration(f, shorter, 0.001, &a);
    assert_int_equal(a.err.code, FR_CODE_INVALID);
    do { /* a busy machine may have let that much go by */
        duration(f, shorter, more, &a);
        more *= 2;
    } while (a.failed && a.err.code == FR_CODE_INVALID);
    assert_false(a.failed);
    assert_int_equal(fixture_finished(f, shorter)->job->result, FR_RESULT_TIMEOUT);
    assert_non_null(strstr(fixture_find(f, shorter)->names, "jobspec-update resource-update "));
    while (fr_time_now() < fixture_find(f, longer)->job->t_run + 6.5) {
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
        (void)usleep(10000);
    }
    assert_true(fixture_is(f, longer, FR_STATE_RUN)); /* longer than it was to be */
    fixture_touch(fixture_path(f, "go"));
    assert_int_equal(fixture_finished(f, longer)->job->result, FR_RESULT_COMPLETED);
}

/* The limit is on disk and its shell may not know: the next daemon says it again. */
static void test_duration_survives_the_daemon(void **state)
{
    struct fixture *f = *state;
    uint64_t id = run_until(f, 1, 3600, "never");
    struct answer a = {0};

    WAIT(f, fixture_is(f, id, FR_STATE_RUN));
    f->engine->ops->duration(f->engine, id, 2, on_done, &a);
    fixture_close(f); /* the change is committed, and nothing else is done */
    assert_true(a.done && !a.failed);
    fixture_open(f);
    assert_int_equal(fixture_finished(f, id)->job->result, FR_RESULT_TIMEOUT);
}

/* --- look-ups --- */

struct text_seen {
    bool done;
    char text[16384];
    struct fr_error err;
};

static void on_text(void *arg, const char *text, size_t len, const struct fr_error *err)
{
    struct text_seen *seen = arg;

    seen->done = true;
    if (err)
        seen->err = *err;
    else
        (void)snprintf(seen->text, sizeof(seen->text), "%.*s", (int)len, text);
}

static const char *look_up(struct fixture *f, uint64_t id, enum fr_lookup what,
                           enum fr_code code)
{
    static struct text_seen seen;

    seen = (struct text_seen){0};
    f->engine->ops->lookup(f->engine, id, what, on_text, &seen);
    assert_false(seen.done);
    WAIT(f, seen.done);
    if (!seen.text[0])
        assert_int_equal(seen.err.code, code);
    return seen.text;
}

static void test_lookup(void **state)
{
    struct fixture *f = *state;
    uint64_t id = run_true(f, 1, 0);
    uint64_t held;
    struct answer a;
    const char *text;

    fixture_submit(f, fixture_script("true"), 0, &a);
    WAIT(f, a.done);
    held = a.id;
    (void)fixture_finished(f, id);
    text = look_up(f, id, FR_LOOKUP_EVENTLOG, 0);
    assert_int_equal(strncmp(text, "{\"timestamp\":", 13), 0);
    assert_non_null(strstr(text, "\"name\":\"submit\",\"context\":{\"userid\":"));
    assert_non_null(strstr(text, "\"name\":\"clean\"}\n"));
    text = look_up(f, id, FR_LOOKUP_JOBSPEC, 0);
    assert_non_null(strstr(text, "\"GREETING\":\"hello\""));
    assert_non_null(strstr(text, "\"command\":[\"true\"]"));
    text = look_up(f, id, FR_LOOKUP_R, 0);
    assert_non_null(
        strstr(text, "\"R_lite\":[{\"rank\":\"0\",\"children\":{\"core\":\"0\"}}]"));
    assert_string_equal(look_up(f, held, FR_LOOKUP_R, FR_CODE_NOT_FOUND), "");
    assert_string_equal(look_up(f, 12345, FR_LOOKUP_R, FR_CODE_JOB_NOT_FOUND), "");
    duration(f, held, 77, &a);
    assert_non_null(strstr(look_up(f, held, FR_LOOKUP_JOBSPEC, 0), "\"duration\":77"));
    fixture_cancel(f, held, &a);
}

static void test_why(void **state)
{
    struct fixture *f = *state;
    uint64_t running = run_until(f, 1, 0, "go");
    uint64_t wide, behind;
    char text[64], jobid[FR_FLUID_TEXT];

    WAIT(f, fixture_is(f, running, FR_STATE_RUN));
    assert_string_equal(why(f, running), "");
    wide = run_true(f, 2, 0);
    assert_string_equal(why(f, wide), "waits for 2 cores; 1 is free");
    behind = run_true(f, 1, 0);
    (void)snprintf(text, sizeof(text), "waits behind job %s", fr_fluid_f58(wide, jobid));
    assert_string_equal(why(f, behind), text);
    assert_string_equal(why(f, 12345), "");
    fixture_touch(fixture_path(f, "go"));
    (void)fixture_finished(f, behind);
    assert_string_equal(why(f, behind), "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_gpus_are_given_once),
        TEST(test_backfill),
        TEST(test_hold_and_release),
        TEST(test_urgency_changes_the_order),
        TEST(test_duration_of_a_waiting_job),
        TEST(test_duration_of_a_running_job),
        TEST(test_duration_survives_the_daemon),
        TEST(test_lookup),
        TEST(test_why),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
