// SPDX-License-Identifier: LGPL-3.0-only
/* Dependencies between jobs of the local engine. */
#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#include "base/loop.h"
#include "base/util.h"
#include "local_fixture.h"
#include "model/fluid.h"

static struct fr_jobspec *after(struct fr_jobspec *spec, const char *scheme, const char *value)
{
    json_t *system = json_object_get(json_object_get(spec->json, "attributes"), "system");
    json_t *list = json_object_get(system, "dependencies");

    if (!list) {
        list = json_array();
        assert_int_equal(json_object_set_new(system, "dependencies", list), 0);
    }
    assert_int_equal(
        json_array_append_new(list, json_pack("{s:s s:s}", "scheme", scheme, "value", value)),
        0);
    return spec;
}

static struct fr_jobspec *after_job(struct fr_jobspec *spec, const char *scheme, uint64_t id)
{
    char text[FR_FLUID_TEXT];

    return after(spec, scheme, fr_fluid_f58(id, text));
}

static uint64_t wait_for_file(struct fixture *f, const char *name, int code)
{
    return fixture_run(f, fixture_script("while ! [ -e %s ]; do sleep 0.02; done; exit %d",
                                         fixture_path(f, name), code));
}

static void check_refused(struct fixture *f, struct fr_jobspec *spec, enum fr_code code,
                          const char *text)
{
    struct answer a;

    fixture_submit(f, spec, 16, &a);
    WAIT(f, a.done);
    assert_true(a.failed);
    assert_int_equal(a.err.code, code);
    if (!strstr(a.err.text, text))
        fail_msg("no %s in %s", text, a.err.text);
}

static void check_unsatisfied(struct fixture *f, uint64_t id, const char *note)
{
    struct job_log *log = fixture_finished(f, id);

    assert_string_equal(log->names, "submit dependency-add validate exception clean ");
    assert_string_equal(log->job->exception_type, "dependency");
    if (!strstr(log->job->exception_note, note))
        fail_msg("no %s in %s", note, log->job->exception_note);
    assert_int_equal(log->job->result, FR_RESULT_FAILED);
}

#define SATISFIED                                                                              \
    "submit dependency-add validate dependency-remove depend priority alloc start finish "     \
    "release free clean "

static void check_satisfied(struct fixture *f, uint64_t id)
{
    struct job_log *log = fixture_finished(f, id);

    assert_string_equal(log->names, SATISFIED);
    assert_int_equal(log->job->result, FR_RESULT_COMPLETED);
    assert_null(log->job->dependencies);
}

/* What comes of each kind if the first job ends like this; and again after a restart. */
static void check_outcome(struct fixture *f, int code, bool restart)
{
    const char *never = "can never be satisfied";
    const char *name = code ? "go-badly" : "go-well";
    uint64_t first = wait_for_file(f, name, code);
    uint64_t ok = fixture_run(f, after_job(fixture_script("true"), "afterok", first));
    uint64_t notok = fixture_run(f, after_job(fixture_script("true"), "afternotok", first));
    uint64_t any = fixture_run(f, after_job(fixture_script("true"), "afterany", first));
    uint64_t except = fixture_run(f, after_job(fixture_script("true"), "afterexcept", first));

    assert_true(fixture_is(f, ok, FR_STATE_DEPEND));
    assert_non_null(strstr(fixture_find(f, ok)->job->dependencies, "after-success=ƒ"));
    if (restart) {
        fixture_close(f);
        fixture_touch(fixture_path(f, name));
        fixture_open(f);
    }
    fixture_touch(fixture_path(f, name));
    check_satisfied(f, any);
    check_unsatisfied(f, except, never);
    check_satisfied(f, code ? notok : ok);
    check_unsatisfied(f, code ? ok : notok, never);
    assert_true(fixture_find(f, any)->alloc_seq > fixture_find(f, first)->clean_seq);
    (void)unlink(fixture_path(f, name));
}

static void test_after_a_job_that_ends_well(void **state)
{
    check_outcome(*state, 0, false);
}

static void test_after_a_job_that_fails(void **state)
{
    check_outcome(*state, 3, false);
}

static void test_after_a_job_over_a_restart(void **state)
{
    check_outcome(*state, 0, true);
    check_outcome(*state, 3, true);
}

static void test_after_a_start(void **state)
{
    struct fixture *f = *state;
    struct answer a;
    uint64_t first, id;

    fixture_submit(f, fixture_script("exec sleep 600"), 0, &a);
    WAIT(f, a.done);
    first = a.id;
    id = fixture_run(f, after_job(fixture_script("true"), "after", first));
    assert_true(fixture_is(f, id, FR_STATE_DEPEND));
    f->engine->ops->urgency(f->engine, first, 16, NULL, NULL);
    check_satisfied(f, id);
    assert_true(fixture_is(f, first, FR_STATE_RUN));
    id = fixture_run(f, after_job(fixture_script("true"), "afterstart", first));
    assert_int_equal(fixture_finished(f, id)->job->result, FR_RESULT_COMPLETED);
    assert_non_null(strstr(fixture_find(f, id)->names, "dependency-add dependency-remove "));
    fixture_cancel(f, first, &a);
}

/* Cancelled before it ran: that satisfies afterany alone. */
static void test_after_a_job_that_never_ran(void **state)
{
    struct fixture *f = *state;
    struct answer a, b;
    uint64_t any, notok;

    fixture_submit(f, fixture_script("true"), 0, &a);
    WAIT(f, a.done);
    any = fixture_run(f, after_job(fixture_script("true"), "afterany", a.id));
    notok = fixture_run(f, after_job(fixture_script("true"), "afternotok", a.id));
    fixture_cancel(f, a.id, &b);
    check_satisfied(f, any);
    check_unsatisfied(f, notok, "job never started");
    check_refused(f, after_job(fixture_script("true"), "afterok", a.id), FR_CODE_UNSATISFIABLE,
                  "never started");
}

/* One that ended long ago counts, and so it does for a later daemon. */
/* Lets ten thousand events lie between the newest job and all before it. */
static void grow_old(const struct fixture *f)
{
    char path[160];
    sqlite3 *handle;

    (void)snprintf(path, sizeof(path), "%s/store.db", f->state);
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle,
                                  "UPDATE events SET seq = seq + 20000 WHERE id ="
                                  " (SELECT MAX(id) FROM jobs);"
                                  "UPDATE records SET seq = seq + 20000 WHERE id ="
                                  " (SELECT MAX(id) FROM jobs);",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}

static void test_after_a_job_of_old(void **state)
{
    struct fixture *f = *state;
    uint64_t good = fixture_run(f, fixture_script("true"));
    uint64_t bad = fixture_run(f, fixture_script("exit 1"));

    (void)fixture_finished(f, good);
    (void)fixture_finished(f, bad);
    double began = fixture_find(f, bad)->job->t_run;

    for (int i = 0; i < 3; i++) {
        struct fr_jobspec *spec = fixture_script("true");

        (void)after_job(after_job(spec, "afterok", good), "afternotok", bad);
        assert_int_equal(fixture_finished(f, fixture_run(f, spec))->job->result,
                         FR_RESULT_COMPLETED);
        check_refused(f, after_job(fixture_script("true"), "afterok", bad),
                      FR_CODE_UNSATISFIABLE, "failed or was canceled");
        check_refused(f, after_job(fixture_script("true"), "afternotok", good),
                      FR_CODE_UNSATISFIABLE, "succeeded");
        check_refused(f, after_job(fixture_script("true"), "afterexcept", good),
                      FR_CODE_UNSATISFIABLE, "had no exception");
        fixture_close(f);
        if (i == 1)
            grow_old(f);
        fixture_open(f);
    }
    /* In the last round they came as what has become of them, the newest with its events. */
    assert_string_equal(fixture_find(f, good)->names, "(whole) ");
    assert_string_equal(fixture_find(f, bad)->names, "(whole) ");
    assert_int_equal(fixture_find(f, bad)->job->result, FR_RESULT_FAILED);
    assert_int_equal(fixture_find(f, bad)->job->waitstatus, 256);
    assert_true(fixture_find(f, bad)->job->t_run == began);
    assert_non_null(strstr(fixture_find(f, f->jobs[f->njobs - 1].id)->names, "clean "));
}

static void test_refuses_what_it_cannot_read(void **state)
{
    struct fixture *f = *state;

    check_refused(f, after(fixture_script("true"), "foo", "bar"), FR_CODE_UNSUPPORTED,
                  "dependency scheme \"foo\" not supported");
    check_refused(f, after(fixture_script("true"), "afterok", "ƒ123"), FR_CODE_INVALID,
                  "dependency: afterok: id ƒ123: job not found");
    check_refused(f, after(fixture_script("true"), "afterok", "!"), FR_CODE_INVALID,
                  "\"!\" is not a valid jobid");
    check_refused(f, after(fixture_script("true"), "begin-time", "soon"), FR_CODE_INVALID,
                  "is no time");
    assert_int_equal(f->njobs, 0);
}

static void test_begin_time(void **state)
{
    struct fixture *f = *state;
    double when = fr_time_now() + 1.5;
    char text[64];
    uint64_t id, far;
    struct answer a;

    (void)snprintf(text, sizeof(text), "%.3f", when);
    id = fixture_run(f, after(fixture_script("true"), "begin-time", text));
    far = fixture_run(f, after(fixture_script("true"), "begin-time", "4102444800"));
    fixture_close(f);
    fixture_open(f);
    assert_true(f->engine->ops->why(f->engine, far, text, sizeof(text)));
    assert_string_equal(text, "waits until 2100-01-01T00:00:00Z");
    check_satisfied(f, id);
    assert_true(fixture_find(f, id)->job->t_run >= when);
    assert_true(fixture_is(f, far, FR_STATE_DEPEND));
    fixture_cancel(f, far, &a);
    assert_int_equal(fixture_finished(f, far)->job->result, FR_RESULT_CANCELED);
    id = fixture_run(f, after(fixture_script("true"), "begin-time", "1"));
    assert_int_equal(fixture_finished(f, id)->job->result, FR_RESULT_COMPLETED);
}

/* A job may wait for many, for one twice, and be changed and cancelled meanwhile. */
static void test_many_dependencies(void **state)
{
    struct fixture *f = *state;
    struct fr_jobspec *spec = fixture_script("true");
    uint64_t firsts[20], id, gone;
    char text[128];
    struct answer a;

    for (size_t i = 0; i < 20; i++) {
        firsts[i] = wait_for_file(f, "go", 0);
        (void)after_job(after_job(spec, "afterok", firsts[i]), "afterstart", firsts[i]);
        (void)after_job(spec, "afterok", firsts[i]);
    }
    id = fixture_run(f, spec);
    gone = fixture_run(f, after_job(fixture_script("true"), "afterok", id));
    assert_true(f->engine->ops->why(f->engine, gone, text, sizeof(text)));
    assert_non_null(strstr(text, "waits for job ƒ"));
    assert_non_null(strstr(text, " to end well"));
    f->engine->ops->urgency(f->engine, id, 0, NULL, NULL);
    fixture_touch(fixture_path(f, "go"));
    WAIT(f, fixture_is(f, id, FR_STATE_SCHED));
    assert_int_equal(fixture_find(f, id)->job->priority, 0);
    f->engine->ops->urgency(f->engine, id, 16, NULL, NULL);
    fixture_cancel(f, gone, &a);
    assert_false(a.failed);
    assert_int_equal(fixture_finished(f, gone)->job->result, FR_RESULT_CANCELED);
    assert_int_equal(fixture_finished(f, id)->job->result, FR_RESULT_COMPLETED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_after_a_job_that_ends_well),  TEST(test_after_a_job_that_fails),
        TEST(test_after_a_job_over_a_restart),  TEST(test_after_a_start),
        TEST(test_after_a_job_that_never_ran),  TEST(test_after_a_job_of_old),
        TEST(test_refuses_what_it_cannot_read), TEST(test_begin_time),
        TEST(test_many_dependencies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
