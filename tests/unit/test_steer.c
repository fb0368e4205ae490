// SPDX-License-Identifier: LGPL-3.0-only
/*
 * What is done to one job over HTTP, and looked up of it: what reaches the engine, and what its
 * answers become.
 */
#include "api_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOB 12345

/* What the engine was asked for last, and what it answers. */
static char asked[256];
static enum fr_code answer; /* FR_CODE_COUNT: it is done */
static const char *looked_up;

static void finish(fr_done_f cb, void *arg)
{
    struct fr_error err;

    fr_error_set(&err, EINVAL, answer == FR_CODE_COUNT ? FR_CODE_INTERNAL : answer, "said no");
    cb(arg, answer == FR_CODE_COUNT ? NULL : &err);
}

static void on_kill(struct fr_engine *engine, uint64_t id, int signum, fr_done_f cb, void *arg)
{
    snprintf(asked, sizeof asked, "kill %llu %d", (unsigned long long)id, signum);
    finish(cb, arg);
}

static void on_urgency(struct fr_engine *engine, uint64_t id, int urgency, fr_done_f cb,
                       void *arg)
{
    snprintf(asked, sizeof asked, "urgency %d", urgency);
    finish(cb, arg);
}

static void on_duration(struct fr_engine *engine, uint64_t id, double seconds, fr_done_f cb,
                        void *arg)
{
    snprintf(asked, sizeof asked, "duration %g", seconds);
    finish(cb, arg);
}

static void on_cancel(struct fr_engine *engine, uint64_t id, const char *note, fr_done_f cb,
                      void *arg)
{
    snprintf(asked, sizeof asked, "cancel %s", note ? note : "-");
    finish(cb, arg);
}

static void on_drain(struct fr_engine *engine, const char *targets, const char *reason,
                     fr_done_f cb, void *arg)
{
    snprintf(asked, sizeof asked, "drain %s %s", targets, reason ? reason : "-");
    finish(cb, arg);
}

static void on_undrain(struct fr_engine *engine, const char *targets, fr_done_f cb, void *arg)
{
    snprintf(asked, sizeof asked, "undrain %s", targets);
    finish(cb, arg);
}

static void on_lookup(struct fr_engine *engine, uint64_t id, enum fr_lookup what,
                      fr_lookup_f cb, void *arg)
{
    snprintf(asked, sizeof asked, "lookup %d", what);
    cb(arg, looked_up, strlen(looked_up), NULL);
}

static void on_queues(struct fr_engine *engine, fr_queues_f cb, void *arg)
{
    const struct fr_queue queues[] = {
        {.name = NULL,
         .enabled = true,
         .started = false,
         .stop_reason = "tests",
         .limits = {.duration = 60, .max = {-1, 8, -1}, .min = {-1, -1, -1}}}};

    cb(arg, queues, 1, NULL);
}

static void on_nodes(struct fr_engine *engine, fr_nodes_f cb, void *arg)
{
    const struct fr_node nodes[] = {{.name = "a", .rank = 0, .cores = 2},
                                    {.name = "b", .rank = 1, .cores = 2}};

    cb(arg, nodes, 2, NULL);
}

static bool on_why(struct fr_engine *engine, uint64_t id, char *buf, size_t size)
{
    snprintf(buf, size, "waiting for the played engine");
    return true;
}

static struct api_fix *start(void)
{
    struct api_fix *fix = api_start();

    asked[0] = '\0';
    answer = FR_CODE_COUNT;
    api_add_job(fix, JOB, "job");
    return fix;
}

static void give_all(struct api_fix *fix)
{
    fix->ops.kill = on_kill;
    fix->ops.urgency = on_urgency;
    fix->ops.duration = on_duration;
    fix->ops.cancel = on_cancel;
    fix->ops.drain = on_drain;
    fix->ops.undrain = on_undrain;
    fix->ops.lookup = on_lookup;
    fix->ops.queues = on_queues;
    fix->ops.nodes = on_nodes;
    fix->ops.why = on_why;
}

/* One request with this body: its status, what the engine was asked, a text of the reply. */
struct step {
    const char *line, *json;
    unsigned int status;
    const char *asked, *text;
};

static void take(struct api_fix *fix, const struct step *step)
{
    unsigned int status;

    asked[0] = '\0';
    char *reply = api_post(fix, step->line, step->json, &status);
    if (status != step->status || strcmp(asked, step->asked) != 0 || !strstr(reply, step->text))
        fail_msg("%s %s: asked \"%s\", %s", step->line, step->json, asked, reply);
    free(reply);
}

static void test_verbs(void **state)
{
    static const struct step steps[] = {
        {"POST /v1/jobs/12345/kill", "{\"signal\": \"SIGUSR1\"}", 200, "kill 12345 10",
         "\"id\":12345"},
        {"POST /v1/jobs/12345/kill", "{\"signal\": \"kill\"}", 200, "kill 12345 9", "Signal 9"},
        {"POST /v1/jobs/12345/kill", "{\"signal\": 15}", 200, "kill 12345 15", ""},
        {"POST /v1/jobs/12345/kill?signal=2", "", 200, "kill 12345 2", ""},
        {"POST /jobs/12345/kill", "", 200, "kill 12345 15", ""},
        {"POST /v1/jobs/12345/kill", "{\"signal\": 0}", 400, "", "from 1 to 64"},
        {"POST /v1/jobs/12345/kill", "{\"signal\": 65}", 400, "", "from 1 to 64"},
        {"POST /v1/jobs/12345/kill", "{\"signal\": \"SIGNAL\"}", 400, "", "from 1 to 64"},
        {"POST /v1/jobs/12345/kill", "{\"signal\": [9]}", 400, "", "from 1 to 64"},
        {"POST /v1/jobs/12345/kill", "{\"signa\": 9}", 400, "", "did you mean"},
        {"POST /v1/jobs/nothing/kill", "{}", 404, "", "job-not-found"},
        {"POST /v1/jobs/12345/urgency", "{\"urgency\": 0}", 200, "urgency 0", ""},
        {"POST /v1/jobs/12345/urgency", "{\"urgency\": \"hold\"}", 200, "urgency 0", ""},
        {"POST /v1/jobs/12345/urgency", "{\"urgency\": \"default\"}", 200, "urgency 16", ""},
        {"POST /v1/jobs/12345/urgency?urgency=expedite", "", 200, "urgency 31", ""},
        {"POST /v1/jobs/12345/urgency", "{\"urgency\": 32}", 400, "", "0 (held) to 31"},
        {"POST /v1/jobs/12345/urgency", "{\"urgency\": -1}", 400, "", "0 (held) to 31"},
        {"POST /v1/jobs/12345/urgency", "{\"urgency\": 1.5}", 400, "", "0 (held) to 31"},
        {"POST /v1/jobs/12345/urgency", "{}", 400, "", "/urgency"},
        {"POST /v1/jobs/12345/duration", "{\"duration\": 90}", 200, "duration 90", "90 s"},
        {"POST /v1/jobs/12345/duration", "{\"duration\": \"1.5h\"}", 200, "duration 5400", ""},
        {"POST /v1/jobs/12345/duration", "{\"duration\": \"infinity\"}", 200, "duration 0",
         "no time limit"},
        {"POST /v1/jobs/12345/duration?duration=2m", "", 200, "duration 120", ""},
        {"POST /v1/jobs/12345/duration", "{\"duration\": -1}", 400, "", "number of seconds"},
        {"POST /v1/jobs/12345/duration", "{\"duration\": true}", 400, "", "number of seconds"},
        {"POST /v1/jobs/12345/duration", "{}", 400, "", "/duration"},
        {"DELETE /v1/jobs/12345", "", 202, "cancel -", "\"jobid\":\"ƒ"},
        {"DELETE /v1/jobs/12345?reason=why", "", 202, "cancel why", ""},
        {"POST /v1/nodes/a/drain", "{\"reason\": \"broken\"}", 200, "drain a broken",
         "\"name\":\"a\""},
        {"POST /v1/nodes/0-3/drain", "", 200, "drain 0-3 -", ""},
        {"POST /v1/nodes/a/drain", "{\"reason\": 3}", 400, "", "must be a text"},
        {"POST /v1/nodes/a/undrain", "", 200, "undrain a", ""},
        {"POST /v1/nodes/a/undrain", "{\"reason\": \"x\"}", 400, "", "no field"},
    };
    struct api_fix *fix = start();

    give_all(fix);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        take(fix, &steps[i]);
    api_end(fix);
}

static void test_refusals_keep_their_meaning(void **state)
{
    static const struct {
        enum fr_code code;
        unsigned int status;
    } cases[] = {{FR_CODE_JOB_NOT_FOUND, 404},
                 {FR_CODE_JOB_INACTIVE, 409},
                 {FR_CODE_JOB_STATE, 409},
                 {FR_CODE_INVALID, 400},
                 {FR_CODE_OUTCOME_UNKNOWN, 503}};
    static const char *const lines[] = {"POST /v1/jobs/12345/kill", "DELETE /v1/jobs/12345",
                                        "POST /v1/jobs/12345/urgency?urgency=1",
                                        "POST /v1/jobs/12345/duration?duration=1",
                                        "POST /v1/nodes/a/undrain"};
    struct api_fix *fix = start();

    give_all(fix);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t k = 0; k < sizeof lines / sizeof *lines; k++) {
            unsigned int status;
            answer = cases[i].code;
            char *reply = api_ask(fix, lines[k], &status);
            assert_int_equal(status, cases[i].status);
            assert_non_null(strstr(reply, "said no"));
            free(reply);
        }
    api_end(fix);
}

static void test_what_an_engine_lacks_is_said(void **state)
{
    static const char *const lines[] = {"POST /v1/jobs/12345/kill",
                                        "POST /v1/jobs/12345/urgency",
                                        "POST /v1/jobs/12345/duration",
                                        "GET /v1/jobs/12345/events",
                                        "GET /v1/jobs/12345/jobspec",
                                        "GET /v1/jobs/12345/R",
                                        "POST /v1/nodes/a/drain",
                                        "POST /v1/nodes/a/undrain",
                                        "GET /v1/queues"};
    struct api_fix *fix = start();
    unsigned int status;
    char *reply;

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        reply = api_ask(fix, lines[i], &status);
        assert_int_equal(status, 501);
        assert_non_null(strstr(reply, "\"code\":\"unsupported\""));
        free(reply);
    }
    reply = api_ask(fix, "GET /v1/service", &status);
    assert_null(strstr(reply, "\"kill\""));
    free(reply);
    give_all(fix);
    reply = api_ask(fix, "GET /v1/service", &status);
    assert_non_null(strstr(reply, "\"kill\",\"urgency\",\"duration\",\"lookup\",\"why\""));
    free(reply);
    api_end(fix);
}

static void gets(struct api_fix *fix, const char *line, const char *text, const char * not )
{
    unsigned int status;
    char *reply = api_ask(fix, line, &status);

    assert_int_equal(status, 200);
    if (!strstr(reply, text) || (not &&strstr(reply, not )))
        fail_msg("%s: %s", line, reply);
    free(reply);
}

static void test_lookups(void **state)
{
    struct api_fix *fix = start();

    give_all(fix);
    looked_up = "{\"name\":\"a\"}\n{\"name\":\"b\"}\n";
    gets(fix, "GET /v1/jobs/12345/events",
         "{\"events\":[{\"name\":\"a\"},\n{\"name\":\"b\"}]}\n", NULL);
    looked_up = "";
    gets(fix, "GET /v1/jobs/12345/events", "{\"events\":[]}\n", NULL);
    looked_up = "{\"version\":1,\"attributes\":{\"system\":{\"environment\":{\"A\":\"secret\"},"
                "\"cwd\":\"/\"}}}";
    gets(fix, "GET /v1/jobs/12345/jobspec", "\"cwd\":\"/\"", "secret");
    gets(fix, "GET /v1/jobs/12345/jobspec?environment=true", "secret", NULL);
    looked_up = "{\"version\":1,\"execution\":{}}";
    gets(fix, "GET /v1/jobs/12345/R", looked_up, NULL);
    api_end(fix);
}

static void test_nodes_and_queues(void **state)
{
    struct api_fix *fix = start();

    give_all(fix);
    gets(fix, "GET /v1/nodes", "{\"nodes\":[\"a\",\"b\"]}", NULL);
    gets(fix, "GET /v1/nodes?details", "\"jobs\":[]", "ƒ");
    gets(fix, "GET /v1/queues",
         "{\"queues\":[{\"name\":null,\"enabled\":true,\"started\":false,"
         "\"disable_reason\":null,\"stop_reason\":\"tests\","
         "\"limits\":{\"duration\":60.0,\"max\":{\"ncores\":8},\"min\":{}},\"pending\":0,"
         "\"running\":1}]}",
         NULL);
    api_end(fix);
}

/* Of a waiting job the engine may know more than its events say; of others nothing is told. */
static void test_why(void **state)
{
    struct api_fix *fix = start();

    give_all(fix);
    gets(fix, "GET /v1/jobs/12345", "\"why\":\"\"", NULL);
    api_add_waiting(fix, 77, "waits");
    gets(fix, "GET /v1/jobs/77", "\"why\":\"waiting for the played engine\"", NULL);
    gets(fix, "GET /v1/jobs", "\"why\":\"waiting for the played engine\"", NULL);
    fix->ops.why = NULL;
    gets(fix, "GET /v1/jobs/77", "\"why\":\"waiting for resources\"", NULL);
    api_end(fix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verbs),
        cmocka_unit_test(test_refusals_keep_their_meaning),
        cmocka_unit_test(test_what_an_engine_lacks_is_said),
        cmocka_unit_test(test_lookups),
        cmocka_unit_test(test_nodes_and_queues),
        cmocka_unit_test(test_why),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
