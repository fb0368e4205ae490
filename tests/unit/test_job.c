// SPDX-License-Identifier: LGPL-3.0-only
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "model/job.h"

static const char spec_text[] =
    "{\"version\":1,\"resources\":[{\"type\":\"slot\",\"count\":2,\"label\":\"task\",\"with\":["
    "{"
    "\"type\":\"core\",\"count\":2},{\"type\":\"gpu\",\"count\":1}]}],\"tasks\":[{\"command\":["
    "\"/bin/app\",\"x\"],\"slot\":\"task\",\"count\":{\"per_slot\":1}}],\"attributes\":{"
    "\"system\":{\"duration\":60,\"cwd\":\"/"
    "w\",\"queue\":\"q\",\"bank\":\"b\",\"project\":\"p\"}}}";

static const char R_text[] =
    "{\"version\":1,\"execution\":{\"R_lite\":[{\"rank\":\"0-1\",\"children\":{\"core\":\"0-"
    "3\","
    "\"gpu\":\"0\"}}],\"nodelist\":[\"n[0-1]\"],\"starttime\":20.0,\"expiration\":80.0}}";

static struct fr_jobspec *new_spec(const char *text)
{
    struct fr_jobspec *spec = NULL;

    assert_int_equal(fr_jobspec_create(json_loads(text, 0, NULL), &spec, NULL), 0);
    return spec;
}

static struct fr_rset *new_R(void)
{
    struct fr_rset *rset = NULL;
    json_t *R = json_loads(R_text, 0, NULL);

    assert_int_equal(fr_rset_parse(R, &rset, NULL), 0);
    json_decref(R);
    return rset;
}

/* Applies one stored event, a second after the one before. */
static int apply(struct fr_job *job, const char *name, const char *context)
{
    struct fr_event event = {.timestamp = 10.0 + job->nevents,
                             .name = name,
                             .context = context,
                             .index = job->nevents};
    struct fr_error err;

    return fr_job_apply(job, &event, NULL, NULL, &err);
}

#define SUBMIT "{\"userid\":1000,\"urgency\":16,\"flags\":0,\"version\":1}"

static struct fr_job *submitted(void)
{
    struct fr_job *job = fr_job_create(7);
    struct fr_jobspec *spec = new_spec(spec_text);
    struct fr_event event = {.timestamp = 10, .name = "submit", .context = SUBMIT};

    assert_non_null(job);
    assert_int_equal(fr_job_apply(job, &event, spec, NULL, NULL), 0);
    fr_jobspec_free(spec);
    return job;
}

static void to_sched(struct fr_job *job)
{
    assert_int_equal(apply(job, "validate", NULL), 0);
    assert_int_equal(apply(job, "depend", NULL), 0);
    assert_int_equal(apply(job, "priority", "{\"priority\":16}"), 0);
    assert_int_equal(job->state, FR_STATE_SCHED);
}

static void to_run(struct fr_job *job)
{
    struct fr_rset *R = new_R();
    struct fr_event event = {.timestamp = 20, .name = "alloc", .index = job->nevents};

    to_sched(job);
    event.index = job->nevents;
    assert_int_equal(fr_job_apply(job, &event, NULL, R, NULL), 0);
    assert_int_equal(job->state, FR_STATE_RUN);
    fr_rset_free(R);
}

static void test_submit(void **state)
{
    struct fr_job *job = submitted();

    assert_int_equal(job->state, FR_STATE_NEW);
    assert_int_equal(job->userid, 1000);
    assert_int_equal(job->urgency, 16);
    assert_int_equal(job->priority, -1);
    assert_true(job->t_submit == 10);
    assert_true(job->duration == 60);
    assert_string_equal(job->name, "app");
    assert_string_equal(job->command, "/bin/app x");
    assert_string_equal(job->cwd, "/w");
    assert_string_equal(job->queue, "q");
    assert_string_equal(job->bank, "b");
    assert_string_equal(job->project, "p");
    assert_int_equal(job->ntasks, 2);
    assert_int_equal(job->ncores, 4);
    assert_int_equal(job->ngpus, 2);
    assert_int_equal(job->nnodes, 0);
    assert_null(job->ranks);
    fr_job_free(job);
    fr_job_free(NULL);
}

static void test_a_whole_life(void **state)
{
    struct fr_job *job = submitted();

    to_run(job);
    assert_true(job->t_depend == 11 && job->t_priority == 12 && job->t_sched == 13);
    assert_true(job->t_run == 20);
    assert_int_equal(job->priority, 16);
    assert_string_equal(job->ranks, "[0-1]");
    assert_string_equal(job->nodelist, "n[0-1]");
    assert_int_equal(job->nnodes, 2);
    assert_int_equal(job->ncores, 8);
    assert_int_equal(job->ngpus, 2);
    assert_true(job->expiration == 80);
    assert_true(fr_job_runtime(job, 25) == 5);
    assert_true(fr_job_runtime(job, 5) == 0); /* a clock that stepped back */
    assert_int_equal(fr_job_returncode(job), FR_JOB_NO_RETURNCODE);
    assert_int_equal(apply(job, "start", NULL), 0);
    assert_int_equal(job->state, FR_STATE_RUN);
    job->nevents = 20; /* time passes */
    assert_int_equal(apply(job, "finish", "{\"status\":0}"), 0);
    assert_int_equal(job->state, FR_STATE_CLEANUP);
    assert_true(job->t_cleanup == 30);
    assert_int_equal(job->result, FR_RESULT_NONE);
    assert_int_equal(apply(job, "release", "{\"ranks\":\"all\",\"final\":true}"), 0);
    assert_int_equal(apply(job, "free", NULL), 0);
    assert_int_equal(apply(job, "clean", NULL), 0);
    assert_int_equal(job->state, FR_STATE_INACTIVE);
    assert_int_equal(job->result, FR_RESULT_COMPLETED);
    assert_true(job->success);
    assert_true(job->t_inactive == 33);
    assert_int_equal(fr_job_returncode(job), 0);
    assert_true(fr_job_runtime(job, 1000) == 10);
    fr_job_free(job);
}

/* Ends a running job as told and says how that is shown. */
static void assert_end(const char *exception, const char *finish, enum fr_result result,
                       int returncode)
{
    struct fr_job *job = submitted();

    to_run(job);
    if (exception)
        assert_int_equal(apply(job, "exception", exception), 0);
    if (finish)
        assert_int_equal(apply(job, "finish", finish), 0);
    assert_int_equal(job->state, FR_STATE_CLEANUP);
    assert_int_equal(apply(job, "clean", NULL), 0);
    assert_int_equal(job->result, result);
    assert_int_equal(fr_job_returncode(job), returncode);
    assert_true(job->success == (result == FR_RESULT_COMPLETED));
    fr_job_free(job);
}

#define EXCEPTION(type, severity)                                                              \
    "{\"type\":\"" type "\",\"severity\":" severity ",\"note\":\"because\",\"userid\":0}"

static void test_ends(void **state)
{
    assert_end(NULL, "{\"status\":0}", FR_RESULT_COMPLETED, 0);
    assert_end(NULL, "{\"status\":256}", FR_RESULT_FAILED, 1);
    assert_end(NULL, "{\"status\":35072}", FR_RESULT_FAILED, 137);
    assert_end(NULL, "{\"status\":9}", FR_RESULT_FAILED, -9);
    assert_end(EXCEPTION("cancel", "0"), "{\"status\":36608}", FR_RESULT_CANCELED, 143);
    assert_end(EXCEPTION("timeout", "0"), "{\"status\":36352}", FR_RESULT_TIMEOUT, 142);
    assert_end(EXCEPTION("exec", "0"), "{\"status\":32512}", FR_RESULT_FAILED, 127);
    /* Success needs status 0 and no fatal exception before it. */
    assert_end(EXCEPTION("cancel", "0"), "{\"status\":0}", FR_RESULT_CANCELED, 0);
    assert_end(EXCEPTION("warning", "3"), "{\"status\":0}", FR_RESULT_COMPLETED, 0);
    /* No status: the result alone tells. */
    assert_end(EXCEPTION("cancel", "0"), NULL, FR_RESULT_CANCELED, -128);
    assert_end(EXCEPTION("alloc", "0"), NULL, FR_RESULT_FAILED, 1);
    assert_end(EXCEPTION("timeout", "0"), NULL, FR_RESULT_TIMEOUT, FR_JOB_NO_RETURNCODE);
}

static void test_which_exception_counts(void **state)
{
    struct fr_job *job = submitted();

    to_run(job);
    assert_int_equal(job->exception_severity, -1);
    assert_int_equal(apply(job, "exception", "{\"type\":\"a\",\"severity\":5}"), 0);
    assert_int_equal(job->state, FR_STATE_RUN);
    assert_string_equal(job->exception_type, "a");
    assert_null(job->exception_note);
    assert_int_equal(apply(job, "exception", EXCEPTION("b", "0")), 0);
    assert_int_equal(job->state, FR_STATE_CLEANUP);
    assert_string_equal(job->exception_type, "b");
    assert_string_equal(job->exception_note, "because");
    assert_int_equal(apply(job, "exception", EXCEPTION("c", "0")), 0);
    assert_string_equal(job->exception_type, "b"); /* the first among equals */
    assert_int_equal(job->exception_severity, 0);
    fr_job_free(job);
}

static void test_exception_while_waiting(void **state)
{
    struct fr_job *job = submitted();
    double t_cleanup;

    to_sched(job);
    assert_int_equal(apply(job, "exception", EXCEPTION("cancel", "0")), 0);
    assert_int_equal(job->state, FR_STATE_CLEANUP);
    t_cleanup = job->t_cleanup;
    assert_int_equal(apply(job, "exception", EXCEPTION("other", "0")), 0);
    assert_true(job->t_cleanup == t_cleanup);
    assert_int_equal(apply(job, "alloc", NULL), 0); /* too late */
    assert_int_equal(job->state, FR_STATE_CLEANUP);
    assert_true(job->t_run == 0);
    assert_true(fr_job_runtime(job, 99) == 0);
    assert_int_equal(apply(job, "clean", NULL), 0);
    assert_int_equal(apply(job, "exception", EXCEPTION("late", "0")), 0);
    assert_int_equal(job->state, FR_STATE_INACTIVE);
    fr_job_free(job);
}

static void test_back_to_priority(void **state)
{
    static const struct {
        const char *name;
        const char *context;
    } events[] = {
        {"urgency", "{\"userid\":0,\"urgency\":20}"},
        {"flux-restart", NULL},
        {"jobspec-update", "{\"attributes.system.duration\":99.0}"},
    };
    struct fr_job *job = submitted();

    to_sched(job);
    for (size_t i = 0; i < FR_ARRAY_SIZE(events); i++) {
        assert_int_equal(apply(job, events[i].name, events[i].context), 0);
        assert_int_equal(job->state, FR_STATE_PRIORITY);
        assert_int_equal(apply(job, "priority", "{\"priority\":4294967295}"), 0);
        assert_int_equal(job->state, FR_STATE_SCHED);
    }
    assert_true(job->t_priority == 12 && job->t_sched == 13); /* the first time counts */
    assert_int_equal(job->urgency, 20);
    assert_true(job->priority == 4294967295);
    assert_true(job->duration == 99);
    fr_job_free(job);
}

static void test_updates(void **state)
{
    struct fr_job *job = submitted();

    assert_int_equal(
        apply(job, "jobspec-update",
              "{\"attributes.system.queue\":\"Q\",\"attributes.system.bank\":\"B\","
              "\"attributes.system.project\":\"P\",\"attributes.system.x\":1,"
              "\"attributes.system.job.name\":\"N\"}"),
        0);
    assert_string_equal(job->queue, "Q");
    assert_string_equal(job->bank, "B");
    assert_string_equal(job->project, "P");
    assert_string_equal(job->name, "N");
    assert_int_equal(job->state, FR_STATE_NEW);
    to_run(job);
    assert_int_equal(apply(job, "resource-update", "{\"expiration\":500.5}"), 0);
    assert_true(job->expiration == 500.5);
    assert_int_equal(job->state, FR_STATE_RUN);
    fr_job_free(job);
}

static void test_dependencies(void **state)
{
    struct fr_job *job = submitted();

    assert_int_equal(apply(job, "dependency-add", "{\"description\":\"a\"}"), 0);
    assert_int_equal(apply(job, "validate", NULL), 0);
    assert_int_equal(apply(job, "dependency-add", "{\"description\":\"b\"}"), 0);
    assert_int_equal(apply(job, "dependency-add", "{\"description\":\"b\"}"), 0);
    assert_string_equal(job->dependencies, "[\"a\",\"b\"]");
    assert_int_equal(apply(job, "dependency-remove", "{\"description\":\"a\"}"), 0);
    assert_int_equal(apply(job, "dependency-remove", "{\"description\":\"zzz\"}"), 0);
    assert_string_equal(job->dependencies, "[\"b\"]");
    assert_int_equal(job->state, FR_STATE_DEPEND);
    assert_int_equal(apply(job, "dependency-remove", "{\"description\":\"b\"}"), 0);
    assert_null(job->dependencies);
    fr_job_free(job);
}

static void assert_annotations(const struct fr_job *job, const char *expected)
{
    json_t *is = json_loads(job->annotations, 0, NULL);
    json_t *should = json_loads(expected, 0, NULL);

    assert_non_null(is);
    assert_true(json_equal(is, should));
    json_decref(is);
    json_decref(should);
}

static void test_annotations(void **state)
{
    struct fr_job *job = submitted();
    struct fr_event event = {.name = "annotations", .index = -1};
    int stored = job->nevents;

    event.context = "{\"annotations\":{\"sched\":{\"t_estimate\":5}}}";
    assert_int_equal(fr_job_apply(job, &event, NULL, NULL, NULL), 0);
    assert_int_equal(job->nevents, stored); /* streamed, not stored */
    assert_int_equal(apply(job, "memo", "{\"a\":1,\"b\":{\"c\":2}}"), 0);
    assert_annotations(job,
                       "{\"sched\":{\"t_estimate\":5},\"user\":{\"a\":1,\"b\":{\"c\":2}}}");
    assert_int_equal(apply(job, "memo", "{\"a\":null,\"b\":{\"c\":null,\"d\":3}}"), 0);
    assert_annotations(job, "{\"sched\":{\"t_estimate\":5},\"user\":{\"b\":{\"d\":3}}}");
    to_sched(job);
    assert_int_equal(apply(job, "alloc",
                           "{\"annotations\":{\"sched\":{\"resource_summary\":\"r\","
                           "\"t_estimate\":null}}}"),
                     0);
    assert_annotations(job,
                       "{\"sched\":{\"resource_summary\":\"r\"},\"user\":{\"b\":{\"d\":3}}}");
    event.context = "{\"annotations\":null}";
    assert_int_equal(fr_job_apply(job, &event, NULL, NULL, NULL), 0);
    assert_null(job->annotations);
    assert_int_equal(apply(job, "memo", "{\"a\":null}"), 0);
    assert_null(job->annotations);
    fr_job_free(job);
}

static void test_repeats_are_ignored(void **state)
{
    struct fr_job *job = submitted();
    struct fr_event event = {.timestamp = 99, .name = "validate", .index = 0};

    assert_int_equal(fr_job_apply(job, &event, NULL, NULL, NULL), -EALREADY);
    assert_int_equal(job->state, FR_STATE_NEW);
    event.index = 1;
    assert_int_equal(fr_job_apply(job, &event, NULL, NULL, NULL), 0);
    assert_int_equal(job->state, FR_STATE_DEPEND);
    assert_int_equal(job->nevents, 2);
    event.index = 1;
    assert_int_equal(fr_job_apply(job, &event, NULL, NULL, NULL), -EALREADY);
    assert_true(job->t_depend == 99);
    fr_job_free(job);
}

static void test_events_without_effect(void **state)
{
    static const char *const names[] = {"debug.foo", "prolog-start", "epilog-finish", "start",
                                        "release",   "free",         "no-such-name",  "",
                                        "set-flags"};
    struct fr_job *job = submitted();

    for (size_t i = 0; i < FR_ARRAY_SIZE(names); i++)
        assert_int_equal(apply(job, names[i], "nonsense"), 0);
    assert_int_equal(job->state, FR_STATE_NEW);
    assert_int_equal(job->nevents, 1 + (int)FR_ARRAY_SIZE(names));
    assert_int_equal(apply(job, "invalidate", NULL), 0);
    assert_true(job->invalidated);
    fr_job_free(job);
}

static void test_unreadable_contexts(void **state)
{
    static const char *const names[] = {"submit",          "priority",
                                        "urgency",         "exception",
                                        "finish",          "memo",
                                        "annotations",     "dependency-add",
                                        "resource-update", "dependency-remove",
                                        "jobspec-update"};
    static const char *const contexts[] = {
        NULL, "", "{", "[]", "7", "null", "{\"a\\u0000\":1}"};
    struct fr_job *job = submitted();

    to_run(job);
    for (size_t i = 0; i < FR_ARRAY_SIZE(names); i++) {
        for (size_t c = 0; c < FR_ARRAY_SIZE(contexts); c++) {
            struct fr_event event = {.name = names[i], .context = contexts[c], .index = -1};
            struct fr_error err = {.text = ""};

            assert_int_equal(fr_job_apply(job, &event, NULL, NULL, &err), -EPROTO);
            assert_non_null(strstr(err.text, names[i]));
        }
    }
    assert_int_equal(job->userid, 1000);
    assert_int_equal(job->urgency, 16);
    assert_int_equal(job->waitstatus, -1);
    assert_int_equal(job->exception_severity, -1);
    fr_job_free(job);
}

/* What could be read is kept, so that a job whose status is odd ends all the same. */
static void test_half_readable_contexts(void **state)
{
    struct fr_job *job = submitted();

    to_run(job);
    assert_int_equal(apply(job, "priority", "{\"priority\":-1}"), -EPROTO);
    assert_int_equal(job->priority, 16);
    assert_int_equal(apply(job, "urgency", "{\"urgency\":32}"), -EPROTO);
    assert_int_equal(job->urgency, 16);
    assert_int_equal(apply(job, "exception", "{\"severity\":0}"), -EPROTO);
    assert_int_equal(job->state, FR_STATE_CLEANUP);
    assert_int_equal(apply(job, "finish", "{\"status\":\"0\"}"), -EPROTO);
    assert_int_equal(apply(job, "clean", NULL), 0);
    assert_int_equal(job->result, FR_RESULT_FAILED);
    fr_job_free(job);
}

static void test_tasks_told_by_R(void **state)
{
    struct fr_jobspec *spec = new_spec(
        "{\"version\":1,\"resources\":[{\"type\":\"slot\",\"count\":3,\"label\":\"task\","
        "\"with\":[{\"type\":\"core\",\"count\":1}]}],\"tasks\":[{\"command\":[\"a\"],\"slot\":"
        "\"task\",\"count\":{\"per_slot\":1}}],\"attributes\":{\"system\":{\"duration\":0,"
        "\"shell\":{\"options\":{\"per-resource\":{\"type\":\"node\",\"count\":2}}}}}}");
    struct fr_job *job = fr_job_create(1);
    struct fr_event event = {.name = "submit", .context = SUBMIT};

    assert_int_equal(fr_job_apply(job, &event, spec, NULL, NULL), 0);
    assert_int_equal(job->ntasks, 0);
    to_run(job);
    assert_int_equal(job->ntasks, 4);
    fr_jobspec_free(spec);
    fr_job_free(job);
}

static void test_command_is_cut_at_a_character(void **state)
{
    json_t *words = json_array(), *valid;
    struct fr_jobspec *spec = NULL;
    struct fr_job *job = fr_job_create(1);
    struct fr_event event = {.name = "submit", .context = SUBMIT};

    json_array_append_new(words, json_string("x")); /* so that the limit falls into a ƒ */
    for (int i = 0; i < 2000; i++)
        json_array_append_new(words, json_string("ƒƒ"));
    assert_int_equal(
        fr_jobspec_create(json_pack("{s:i, s:[{s:s, s:i, s:[{s:s, s:i}]}], s:[{s:o}], "
                                    "s:{s:{s:i}}}",
                                    "version", 1, "resources", "type", "slot", "count", 1,
                                    "with", "type", "core", "count", 1, "tasks", "command",
                                    words, "attributes", "system", "duration", 0),
                          &spec, NULL),
        0);
    assert_int_equal(fr_job_apply(job, &event, spec, NULL, NULL), 0);
    assert_true(strlen(job->command) <= FR_JOB_COMMAND_MAX);
    assert_true(strlen(job->command) > FR_JOB_COMMAND_MAX - 4);
    valid = json_string(job->command); /* takes nothing but UTF-8 */
    assert_non_null(valid);
    json_decref(valid);
    fr_jobspec_free(spec);
    fr_job_free(job);
}

static void test_words(void **state)
{
    int mask = 0;

    assert_string_equal(fr_state_word(FR_STATE_SCHED), "SCHED");
    assert_string_equal(fr_state_word(FR_STATE_INACTIVE), "INACTIVE");
    assert_string_equal(fr_result_word(FR_RESULT_NONE), "");
    assert_string_equal(fr_result_word(FR_RESULT_CANCELED), "CANCELED");
    assert_int_equal(fr_state_parse("run", &mask), 0);
    assert_int_equal(mask, FR_STATE_RUN);
    assert_int_equal(fr_state_parse("Pending", &mask), 0);
    assert_int_equal(mask, FR_STATES_PENDING);
    assert_int_equal(fr_state_parse("running", &mask), 0);
    assert_int_equal(mask, FR_STATES_RUNNING);
    assert_int_equal(fr_state_parse("active", &mask), 0);
    assert_int_equal(mask, FR_STATES_ACTIVE);
    assert_int_equal(fr_state_parse("ran", &mask), -EINVAL);
    assert_int_equal(fr_state_parse("", &mask), -EINVAL);
    assert_int_equal(mask, FR_STATES_ACTIVE);
    assert_int_equal(fr_result_parse("cancelled", &mask), 0);
    assert_int_equal(mask, FR_RESULT_CANCELED);
    assert_int_equal(fr_result_parse("TIMEOUT", &mask), 0);
    assert_int_equal(mask, FR_RESULT_TIMEOUT);
    assert_int_equal(fr_result_parse("", &mask), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_submit),
        cmocka_unit_test(test_a_whole_life),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_which_exception_counts),
        cmocka_unit_test(test_exception_while_waiting),
        cmocka_unit_test(test_back_to_priority),
        cmocka_unit_test(test_updates),
        cmocka_unit_test(test_dependencies),
        cmocka_unit_test(test_annotations),
        cmocka_unit_test(test_repeats_are_ignored),
        cmocka_unit_test(test_events_without_effect),
        cmocka_unit_test(test_unreadable_contexts),
        cmocka_unit_test(test_half_readable_contexts),
        cmocka_unit_test(test_tasks_told_by_R),
        cmocka_unit_test(test_command_is_cut_at_a_character),
        cmocka_unit_test(test_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
