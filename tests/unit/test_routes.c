// SPDX-License-Identifier: LGPL-3.0-only
#include "api/routes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

static const char *find(enum fr_method method, const char *path, char *param, int *ret_rc,
                        int *allow)
{
    const struct fr_route *route = NULL;

    *ret_rc = fr_route_find(method, path, &route, param, 16, allow);
    return route ? route->id : "";
}

static void expect(enum fr_method method, const char *path, const char *id, const char *param)
{
    char got[16] = "unset";
    int rc, allow;

    assert_string_equal(find(method, path, got, &rc, &allow), id);
    assert_int_equal(rc, 0);
    assert_string_equal(got, param);
}

static void test_found(void **state)
{
    expect(FR_GET, "/v1/jobs", "listJobs", "");
    expect(FR_HEAD, "/v1/jobs", "listJobs", "");
    expect(FR_GET, "/jobs", "listJobs", "");
    expect(FR_GET, "/jobs/search", "searchJobs", "");
    expect(FR_GET, "/v1/jobs/ƒ123", "getJob", "ƒ123");
    expect(FR_POST, "/jobs/7/cancel", "cancelJob", "7");
    expect(FR_GET, "/v1/jobs/7/output/stream", "streamOutput", "7");
    expect(FR_POST, "/jobs/submit", "submitJob", "");
    expect(FR_GET, "/", "getStartPage", "");
}

static void refuse(enum fr_method method, const char *path, int expected_rc, int expected_allow)
{
    char param[16];
    int rc, allow = -1;

    assert_string_equal(find(method, path, param, &rc, &allow), "");
    assert_int_equal(rc, expected_rc);
    assert_int_equal(allow, expected_allow);
}

static void test_refused(void **state)
{
    refuse(FR_GET, "/v1", -ENOENT, 0);
    refuse(FR_GET, "/v1/jobs/", -ENOENT, 0);
    refuse(FR_GET, "/v1/jobs//output", -ENOENT, 0);
    refuse(FR_GET, "/v1/jobs/1/2", -ENOENT, 0);
    refuse(FR_GET, "/v1/jobs/12345678901234567890", -ENOENT, 0); /* never cut to another id */
    refuse(FR_GET, "/v2/jobs", -ENOENT, 0);
    refuse(FR_GET, "/service", -ENOENT, 0); /* only under /v1 */
    refuse(FR_GET, "", -ENOENT, 0);
    refuse(FR_DELETE, "/v1/jobs", -ENOTSUP, FR_GET | FR_HEAD | FR_POST);
    refuse(FR_POST, "/livez", -ENOTSUP, FR_GET | FR_HEAD);
    refuse(FR_METHOD_OTHER, "/v1/service/stop", -ENOTSUP, FR_POST);
    refuse(FR_GET, "/v1/jobs/7/cancel", -ENOTSUP, FR_POST);
}

/* A literal path is never taken for an id, whatever the method. */
static void test_literals_win(void **state)
{
    refuse(FR_POST, "/v1/jobs/search", -ENOTSUP, FR_GET | FR_HEAD);
    refuse(FR_GET, "/v1/jobs/submit", -ENOTSUP, FR_POST);
}

/* A literal path is found whatever the method, although a pattern matches it too. */
static void test_literals_come_first(void **state)
{
    size_t count;
    const struct fr_route *routes = fr_routes(&count);
    const struct fr_route *route = NULL;
    char param[16];
    int allow;

    for (size_t i = 0; i < count; i++)
        if (!strchr(routes[i].path, '{') &&
            fr_route_find(FR_METHOD_OTHER, routes[i].path, &route, param, sizeof param,
                          &allow) == -ENOTSUP)
            assert_int_equal(
                fr_route_find(FR_DELETE, routes[i].path, &route, param, sizeof param, &allow),
                -ENOTSUP);
}

static void test_table_is_sound(void **state)
{
    size_t count;
    const struct fr_route *routes = fr_routes(&count);

    assert_true(count > 10);
    for (size_t i = 0; i < count; i++) {
        assert_non_null(routes[i].handle);
        assert_true(strlen(routes[i].summary) > 0);
        assert_true(routes[i].nparams <= FR_ROUTE_PARAMS_MAX);
        assert_true(!routes[i].bare || strncmp(routes[i].path, "/v1/", 4) == 0);
        /* what changes something needs more than reading; a sign-in changes nothing */
        assert_true(routes[i].method == FR_GET || routes[i].role >= FR_ROLE_SUBMIT ||
                    strcmp(routes[i].id, "exchangeToken") == 0);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(routes[i].id, routes[j].id);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found),          cmocka_unit_test(test_refused),
        cmocka_unit_test(test_literals_win),   cmocka_unit_test(test_literals_come_first),
        cmocka_unit_test(test_table_is_sound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
