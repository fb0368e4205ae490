// SPDX-License-Identifier: LGPL-3.0-only
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "model/job_json.h"

static json_t *to_json(const struct fr_job *job, double now)
{
    struct fr_buf buf = FR_BUF_INIT(1 << 20);
    json_t *json;

    fr_job_json(job, now, NULL, &buf);
    assert_int_equal(fr_buf_status(&buf), 0);
    json = json_loadb(buf.data, buf.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    fr_buf_done(&buf);
    return json;
}

static void assert_member(const json_t *json, const char *key, const char *expected)
{
    json_t *value = json_loads(expected, JSON_DECODE_ANY, NULL);

    assert_non_null(value);
    if (!json_equal(json_object_get(json, key), value))
        print_message("%s is not %s\n", key, expected);
    assert_true(json_equal(json_object_get(json, key), value));
    json_decref(value);
}

static char *copy(const char *text)
{
    char *made = strdup(text);

    assert_non_null(made);
    return made;
}

/* An hour before the epoch's 2026-11-24; with the seven decimals that Flux's times have. */
#define T0 1795534627.7697136

static void test_new_job(void **state)
{
    static const char *const empty[] = {"ranks",      "nodelist",   "expiration", "result",
                                        "returncode", "waitstatus", "nnodes",     "priority",
                                        "urgency",    "name"};
    struct fr_job *job = fr_job_create(209060888576);
    json_t *json;

    job->t_submit = T0;
    json = to_json(job, T0);
    assert_member(json, "id", "209060888576");
    assert_member(json, "jobid", "\"ƒ6VWzhbu\"");
    assert_member(json, "state", "\"NEW\"");
    assert_member(json, "t_submit", "1795534627.7697136");
    assert_member(json, "duration", "0.0");
    assert_member(json, "runtime", "0.0");
    assert_member(json, "annotations", "{}");
    assert_member(json, "dependencies", "[]");
    assert_member(json, "exception",
                  "{\"occurred\":false,\"severity\":\"\",\"type\":\"\",\"note\":\"\"}");
    for (size_t i = 0; i < FR_ARRAY_SIZE(empty); i++)
        assert_member(json, empty[i], "\"\"");
    assert_null(json_object_get(json, "t_run"));
    assert_null(json_object_get(json, "queue"));
    assert_null(json_object_get(json, "username"));
    assert_null(json_object_get(json, "success"));
    json_decref(json);
    job->userid = 0;
    json = to_json(job, T0);
    assert_true(json_object_size(json) > 20); /* older clients count */
    json_decref(json);
    fr_job_free(job);
}

static void fill(struct fr_job *job)
{
    job->userid = 0;
    job->urgency = 16;
    job->priority = 4294967295;
    job->name = copy("a\"b\n");
    job->command = copy("a\"b\n ƒ \xff");
    job->cwd = copy("/w");
    job->queue = copy("q");
    job->bank = copy("b");
    job->project = copy("p");
    job->ranks = copy("[0-1]");
    job->nodelist = copy("n[0-1]");
    job->annotations = copy("{\"user\":{\"a\":1}}");
    job->t_submit = T0;
    job->t_depend = T0 + 1;
    job->t_priority = T0 + 2;
    job->t_sched = T0 + 3;
    job->t_run = 1795534700;
    job->duration = 60.5;
    job->expiration = 1795534760.5;
    job->ntasks = 2;
    job->ncores = 4;
    job->ngpus = 1;
    job->nnodes = 2;
    job->state = FR_STATE_RUN;
}

static void test_running_job(void **state)
{
    struct fr_job *job =
        fr_job_create(UINT64_C(1) << 60); /* no double holds it and its neighbours */
    const struct passwd *root = getpwuid(0);
    json_t *json;

    fill(job);
    json = to_json(job, 1795534702.25);
    assert_member(json, "id", "1152921504606846976");
    assert_string_equal(json_string_value(json_object_get(json, "username")),
                        root ? root->pw_name : "0");
    assert_member(json, "name", "\"a\\\"b\\n\"");
    assert_member(json, "command", "\"a\\\"b\\n ƒ \\ufffd\"");
    assert_member(json, "priority", "4294967295");
    assert_member(json, "runtime", "2.25");
    assert_member(json, "t_run", "1795534700.0");
    assert_member(json, "duration", "60.5");
    assert_member(json, "expiration", "1795534760.5");
    assert_member(json, "annotations", "{\"user\":{\"a\":1}}");
    assert_member(json, "ngpus", "1");
    assert_member(json, "ncores", "4");
    assert_member(json, "why", "\"\"");
    assert_member(json, "returncode", "\"\"");
    assert_null(json_object_get(json, "exception_occurred"));
    json_decref(json);
    fr_job_free(job);
}

static void test_finished_job(void **state)
{
    struct fr_job *job = fr_job_create(1);
    json_t *json;

    fill(job);
    job->state = FR_STATE_INACTIVE;
    job->result = FR_RESULT_CANCELED;
    job->waitstatus = 36608;
    job->exception_severity = 0;
    job->exception_type = copy("cancel");
    job->exception_note = copy("n");
    job->t_cleanup = 1795534701;
    job->t_inactive = 1795534702;
    json = to_json(job, 1795539999);
    assert_member(json, "state", "\"INACTIVE\"");
    assert_member(json, "result", "\"CANCELED\"");
    assert_member(json, "returncode", "143");
    assert_member(json, "waitstatus", "36608");
    assert_member(json, "success", "false");
    assert_member(json, "runtime", "1.0");
    assert_member(json, "exception",
                  "{\"occurred\":true,\"severity\":0,\"type\":\"cancel\",\"note\":\"n\"}");
    assert_member(json, "exception_occurred", "true");
    assert_member(json, "exception_type", "\"cancel\"");
    json_decref(json);
    fr_job_free(job);
}

static void test_user_without_a_name(void **state)
{
    struct fr_job *job = fr_job_create(1);
    json_t *json;

    job->userid = 4294900001; /* more than one slot of the cache, and no such user */
    json = to_json(job, 100);
    assert_member(json, "username", "\"4294900001\"");
    json_decref(json);
    job->userid = 4294900001 - 64;
    json = to_json(job, 100);
    assert_member(json, "username", "\"4294899937\"");
    json_decref(json);
    fr_job_free(job);
}

/* Every double that a clock can give reads back as itself. */
static void test_times_are_exact(void **state)
{
    struct fr_job *job = fr_job_create(1);
    uint64_t random = 12345;

    for (int i = 0; i < 20000; i++) {
        double time;
        json_t *json;

        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        time = (double)(random >> 11) * 0x1p-53 * 3e9 + 1.0;
        if (i % 4 == 0) /* all but a whole second */
            time = (double)(uint64_t)time - 0x1p-22;
        job->t_submit = time;
        json = to_json(job, 0);
        assert_true(json_real_value(json_object_get(json, "t_submit")) == time);
        json_decref(json);
    }
    fr_job_free(job);
}

static void assert_why(struct fr_job *job, const char *expected)
{
    char why[200];

    fr_job_why(job, why, sizeof(why));
    assert_string_equal(why, expected);
}

static void test_why(void **state)
{
    struct fr_job *job = fr_job_create(1);
    char small[16];

    assert_why(job, "waiting to be validated");
    job->state = FR_STATE_DEPEND;
    assert_why(job, "waiting for its dependencies");
    job->dependencies = copy("[\"a\",\"b\"]");
    assert_why(job, "waiting for its dependencies: a, b");
    fr_job_why(job, small, sizeof(small));
    assert_string_equal(small, "waiting for its");
    job->state = FR_STATE_PRIORITY;
    job->urgency = 16;
    assert_why(job, "waiting for a priority");
    job->state = FR_STATE_SCHED;
    job->priority = 16;
    assert_why(job, "waiting for resources");
    job->annotations = copy("{\"sched\":{\"reason_pending\":\"insufficient resources\","
                            "\"jobs_ahead\":3,\"t_estimate\":1795541839.19}}");
    assert_why(job, "insufficient resources; jobs ahead: 3; expected to start at 2026-11-24 "
                    "17:37:19 UTC");
    job->priority = 0;
    assert_why(job, "held: its priority is 0");
    job->urgency = 0;
    assert_why(job, "held: its urgency is 0");
    job->state = FR_STATE_RUN;
    assert_why(job, "");
    fr_job_free(job);
}

static void test_full_buffer(void **state)
{
    struct fr_job *job = fr_job_create(1);
    struct fr_buf buf = FR_BUF_INIT(100);

    fill(job);
    fr_job_json(job, 1, NULL, &buf);
    assert_true(fr_buf_status(&buf) < 0);
    fr_buf_done(&buf);
    fr_job_free(job);
}

/* Every member that is written has a name in the list, and can be picked alone. */
static void test_fields(void **state)
{
    struct fr_job *job = fr_job_create(7);
    struct fr_buf whole = FR_BUF_INIT(1 << 20), picked = FR_BUF_INIT(1 << 20);

    assert_non_null(job);
    job->userid = 0;
    job->state = FR_STATE_INACTIVE;
    job->exception_severity = 0;
    job->t_submit = job->t_depend = job->t_priority = job->t_sched = 1e9;
    job->t_run = job->t_cleanup = job->t_inactive = 1e9;
    job->ntasks = job->ncores = job->ngpus = 1;
    job->annotations = strdup("{\"a\":[1,{\"b\":\"},\\\"\"}]}");
    char **texts[] = {&job->name,           &job->command,       &job->cwd,
                      &job->queue,          &job->bank,          &job->project,
                      &job->exception_type, &job->exception_note};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = strdup("a,\"b\"}");
    fr_job_json(job, 2e9, NULL, &whole);
    json_t *object = json_loads(whole.data, 0, NULL);
    assert_int_equal(json_object_size(object), fr_job_json_nfields);
    for (size_t i = 0; i < fr_job_json_nfields; i++) {
        fr_buf_reset(&picked);
        fr_job_json_pick(whole.data, &fr_job_json_fields[i], 1, &picked);
        json_t *one = json_loads(picked.data, 0, NULL);
        assert_int_equal(json_object_size(one), 1);
        assert_true(json_equal(json_object_get(one, fr_job_json_fields[i]),
                               json_object_get(object, fr_job_json_fields[i])));
        json_decref(one);
    }
    fr_buf_reset(&picked);
    fr_job_json_pick(whole.data, fr_job_json_fields, fr_job_json_nfields, &picked);
    assert_string_equal(picked.data, whole.data);
    json_decref(object);
    fr_buf_done(&whole);
    fr_buf_done(&picked);
    fr_job_free(job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_job),         cmocka_unit_test(test_running_job),
        cmocka_unit_test(test_finished_job),    cmocka_unit_test(test_user_without_a_name),
        cmocka_unit_test(test_times_are_exact), cmocka_unit_test(test_why),
        cmocka_unit_test(test_full_buffer),     cmocka_unit_test(test_fields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
