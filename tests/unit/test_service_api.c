// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The calls about the service itself, as far as they must not reach a daemon of a test.
 */
#include "api_fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Asks to stop with this body, and tells what came of it. */
static void stop_with(const char *line, const char *json, unsigned int expected,
                      bool with_instance, const char *text)
{
    struct api_fix *fix = api_start();
    unsigned int status;
    char *reply = api_post(fix, line, json, &status);

    assert_int_equal(status, expected);
    assert_non_null(strstr(reply, text));
    assert_int_equal(fix->stops, expected == 200);
    assert_int_equal(fix->with_instance, with_instance);
    free(reply);
    api_end(fix);
}

static void test_stop_reads_its_body(void **state)
{
    const char *ok = "The service is stopping.";

    stop_with("POST /v1/service/stop", "{}", 200, true, ok);
    stop_with("POST /v1/service/stop", "{\"instance\": true}", 200, true, ok);
    stop_with("POST /v1/service/stop", "{\"instance\": false}", 200, false, ok);
    stop_with("POST /service/stop?instance=false", "", 200, false, ok);
    stop_with("POST /v1/service/stop", "{\"instance\": 3}", 400, false, "true or false");
    stop_with("POST /v1/service/stop", "{\"instanze\": false}", 400, false,
              "did you mean \\\"instance\\\"?");
    stop_with("POST /v1/service/stop?instance=true", "{\"instance\": false}", 400, false,
              "both in the query and in the body");
    stop_with("POST /v1/service/stop", "[1]", 400, false, "must be a JSON object");
}

/* An engine that cancels only when `able`, and then at once; the jobs stay till they are ended.
 */
static struct {
    struct api_fix *fix;
    bool able;
    unsigned int asked;
    uint64_t last;
} canceller;

static void on_cancel(struct fr_engine *engine, uint64_t id, const char *note, fr_done_f cb,
                      void *arg)
{
    struct fr_error err;

    canceller.asked++;
    canceller.last = id;
    fr_error_set(&err, EAGAIN, FR_CODE_UNAVAILABLE, "the played engine is behind");
    if (canceller.able)
        api_event(canceller.fix, id, "exception",
                  "{\"type\":\"cancel\",\"severity\":0,\"note\":\"stopping\"}");
    cb(arg, canceller.able ? NULL : &err);
}

/* What an engine did not cancel is cancelled again; what it did is not. */
static void test_stop_cancels_until_it_takes(void **state)
{
    struct api_fix *fix = api_start();
    unsigned int status;

    fix->ops.cancel = on_cancel;
    memset(&canceller, 0, sizeof canceller);
    canceller.fix = fix;
    api_add_waiting(fix, 100, "job");
    free(api_post(fix, "POST /v1/service/stop", "{\"cancel\": true}", &status));
    assert_int_equal(status, 200);
    fix_wait(&fix->http, canceller.asked == 1);
    canceller.able = true;
    fix_wait(&fix->http, canceller.asked == 2);
    assert_int_equal(canceller.last, 100);
    /* A job that comes late, with an id that is smaller. */
    api_add_waiting(fix, 7, "late");
    fix_wait(&fix->http, canceller.asked == 3);
    assert_int_equal(canceller.last, 7);
    assert_int_equal(fix->stops, 0);
    api_event(fix, 7, "clean", NULL);
    api_event(fix, 100, "clean", NULL);
    fix_wait(&fix->http, fix->stops == 1);
    assert_int_equal(canceller.asked, 3);
    api_end(fix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stop_reads_its_body),
        cmocka_unit_test(test_stop_cancels_until_it_takes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
