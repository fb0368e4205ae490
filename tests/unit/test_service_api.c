// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The calls about the service itself, as far as they must not reach a daemon of a test.
 */
#include "api_fixture.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stop_reads_its_body),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
