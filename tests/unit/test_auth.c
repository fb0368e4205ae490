// SPDX-License-Identifier: LGPL-3.0-only
#include "core/auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/jwt.h"

static struct fr_auth *make(const char *user, const char *token, bool required, bool open)
{
    static char *const hosts[] = {"jobs.example.org", NULL};
    struct fr_auth *auth;
    struct fr_auth_options options = {.user = user,
                                      .token = token,
                                      .secret_key = "key",
                                      .access_seconds = 60,
                                      .required = required,
                                      .open = open,
                                      .allow_hosts = hosts};

    assert_int_equal(fr_auth_create(&options, &auth, NULL), 0);
    return auth;
}

static struct fr_peer own_loopback(void)
{
    return (struct fr_peer){.is_loopback = true, .uid = geteuid()};
}

static int check(struct fr_auth *auth, struct fr_peer peer, const char *authorization)
{
    struct fr_identity who;
    struct fr_error err;

    int rc = fr_auth_check(auth, &peer, authorization, &who, &err);
    if (rc < 0)
        assert_int_equal(err.code, FR_CODE_UNAUTHORIZED);
    return rc;
}

static const char *basic(const char *credentials)
{
    static char header[3000];
    char encoded[2900];

    sodium_bin2base64(encoded, sizeof encoded, (const unsigned char *)credentials,
                      strlen(credentials), sodium_base64_VARIANT_ORIGINAL);
    snprintf(header, sizeof header, "Basic %s", encoded);
    return header;
}

static void test_peers(void **state)
{
    struct fr_auth *auth = make(NULL, NULL, false, false);
    struct fr_peer other = {.is_loopback = true, .uid = geteuid() + 1};
    struct fr_peer unknown = {.is_loopback = true, .uid = -1};
    struct fr_peer remote = {.uid = geteuid()};
    struct fr_peer root_unix = {.is_unix = true, .uid = 0};
    struct fr_peer other_unix = {.is_unix = true, .uid = geteuid() + 1};

    assert_int_equal(check(auth, own_loopback(), NULL), 0);
    assert_int_equal(check(auth, other, NULL), -EACCES);
    assert_int_equal(check(auth, unknown, NULL), -EACCES);
    assert_int_equal(check(auth, remote, NULL), -EACCES);
    assert_int_equal(check(auth, root_unix, NULL), 0);
    assert_int_equal(check(auth, other_unix, NULL), -EACCES);
    /* without credentials set, whatever is sent counts for nothing */
    assert_int_equal(check(auth, other, basic(":")), -EACCES);
    assert_int_equal(check(auth, other, "Bearer "), -EACCES);
    fr_auth_free(auth);
}

static void test_credentials(void **state)
{
    struct fr_auth *auth = make("ada", "12345", true, false);
    static const char *const wrong[] = {"ada:1234", "ada:123456", "Ada:12345", ":12345",
                                        "ada:",     "ada",        "",          "ada:12345 "};
    char long_text[1500];

    assert_int_equal(check(auth, own_loopback(), NULL), -EACCES);
    assert_int_equal(check(auth, own_loopback(), basic("ada:12345")), 0);
    assert_int_equal(check(auth, own_loopback(), "Bearer 12345"), 0);
    assert_int_equal(check(auth, own_loopback(), "bearer 12345"), 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(check(auth, own_loopback(), basic(wrong[i])), -EACCES);
    assert_int_equal(check(auth, own_loopback(), "Bearer"), -EACCES);
    assert_int_equal(check(auth, own_loopback(), "Bearer 1234"), -EACCES);
    assert_int_equal(check(auth, own_loopback(), "Basic ***"), -EACCES);
    assert_int_equal(check(auth, own_loopback(), "Digest x"), -EACCES);
    memset(long_text, 'a', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    assert_int_equal(check(auth, own_loopback(), basic(long_text)), -EACCES);
    fr_auth_free(auth);
}

static void exchange(struct fr_auth *auth, const char *claims, const char *key,
                     struct fr_buf *ret)
{
    struct fr_buf header = FR_BUF_INIT(4096);
    json_t *object = json_loads(claims, 0, NULL);
    struct fr_error err;

    fr_buf_puts(&header, "Bearer ");
    fr_jwt_put(object, key, strlen(key), &header);
    const struct fr_peer peer = own_loopback();
    int rc = fr_auth_exchange(auth, &peer, header.data, ret, &err);
    assert_true((rc == 0) == (ret->len > 0));
    if (rc < 0)
        assert_int_equal(err.code, FR_CODE_UNAUTHORIZED);
    json_decref(object);
    fr_buf_done(&header);
}

#define CLAIMS "{\"user\":\"ada\",\"pass\":\"12345\",\"scope\":\"token\"}"

static void test_exchange(void **state)
{
    static const char *const wrong[] = {
        "{}",
        "{\"user\":\"ada\",\"pass\":\"12345\"}",
        "{\"user\":\"ada\",\"pass\":\"12345\",\"scope\":\"access\"}",
        "{\"user\":\"bob\",\"pass\":\"12345\",\"scope\":\"token\"}",
        "{\"user\":\"ada\",\"pass\":\"1234\",\"scope\":\"token\"}",
        "{\"user\":\"ada\",\"pass\":12345,\"scope\":\"token\"}",
        "{\"pass\":\"12345\",\"scope\":\"token\"}",
        "{\"user\":\"ada\",\"scope\":\"token\"}"};
    struct fr_auth *auth = make("ada", "12345", true, false);
    struct fr_auth *other = make("ada", "another", true, false);
    struct fr_buf access = FR_BUF_INIT(4096), none = FR_BUF_INIT(4096);
    char header[1024];

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        exchange(auth, wrong[i], "key", &none);
    exchange(auth, CLAIMS, "yek", &none);
    assert_int_equal(none.len, 0);
    exchange(auth, CLAIMS, "key", &access);
    assert_true(access.len > 0);
    (void)snprintf(header, sizeof header, "Bearer %s", access.data);
    assert_int_equal(check(auth, own_loopback(), header), 0);
    assert_int_equal(check(auth, own_loopback(), header), 0); /* from memory */
    /* it is bound to the token that it was given for */
    assert_int_equal(check(other, own_loopback(), header), -EACCES);
    /* who knows the secret key alone cannot make one */
    fr_buf_puts(&none, "Bearer ");
    json_t *forged = json_pack("{s:s, s:f}", "sub", "ada", "exp", 4e9);
    fr_jwt_put(forged, "key", 3, &none);
    assert_int_equal(check(auth, own_loopback(), none.data), -EACCES);
    json_decref(forged);
    fr_buf_done(&access);
    fr_buf_done(&none);
    fr_auth_free(auth);
    fr_auth_free(other);
}

static void test_wrong_credentials_lose_the_peers_trust(void **state)
{
    struct fr_auth *auth = make("ada", "12345", false, false);

    assert_int_equal(check(auth, own_loopback(), NULL), 0);
    assert_int_equal(check(auth, own_loopback(), basic("ada:no")), -EACCES);
    fr_auth_free(auth);
}

static void test_open(void **state)
{
    struct fr_auth *auth = make(NULL, NULL, false, true);

    assert_int_equal(check(auth, (struct fr_peer){.uid = -1}, NULL), 0);
    fr_auth_free(auth);
}

static void test_required_needs_a_token(void **state)
{
    struct fr_auth_options options = {.required = true};
    struct fr_auth *auth = NULL;
    struct fr_error err;

    assert_int_equal(fr_auth_create(&options, &auth, &err), -EINVAL);
    assert_non_null(strstr(err.text, "FLUX_TOKEN"));
    assert_null(auth);
}

static void test_hosts(void **state)
{
    static const char *const good[] = {
        "localhost", "localhost:5000", "LOCALHOST.",       "127.0.0.1:5000",     "[::1]:5000",
        "10.1.2.3",  "[fe80::1]",      "jobs.example.org", "JOBS.example.org:80"};
    static const char *const bad[] = {"evil.example.org",
                                      "evil.example.org:5000",
                                      "",
                                      ":5000",
                                      "[::1",
                                      "localhost.evil.org",
                                      "[x]",
                                      "127.0.0.1.nip.io",
                                      "[::1]x",
                                      "localhost:80.evil.org"};
    struct fr_auth *auth = make(NULL, NULL, false, false);
    struct fr_error err;

    assert_int_equal(fr_auth_check_host(auth, NULL, &err), 0);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(fr_auth_check_host(auth, good[i], &err), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(fr_auth_check_host(auth, bad[i], &err), -EPERM);
        assert_int_equal(err.code, FR_CODE_HOST);
    }
    fr_auth_free(auth);
}

static void test_origins(void **state)
{
    struct fr_error err;

    assert_int_equal(fr_auth_check_origin("a:1", NULL, NULL, &err), 0);
    assert_int_equal(fr_auth_check_origin("a:1", "http://a:1", "same-origin", &err), 0);
    assert_int_equal(fr_auth_check_origin("a:1", NULL, "none", &err), 0);
    static const char *const bad[] = {"http://b:1",   "null", "http://a",
                                      "http://a:1.b", "",     "a:1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(fr_auth_check_origin("a:1", bad[i], NULL, &err), -EPERM);
        assert_int_equal(err.code, FR_CODE_ORIGIN);
    }
    assert_int_equal(fr_auth_check_origin("a:1", NULL, "cross-site", &err), -EPERM);
    assert_int_equal(fr_auth_check_origin("a:1", NULL, "same-site", &err), -EPERM);
    assert_int_equal(fr_auth_check_origin(NULL, "http://a:1", NULL, &err), -EPERM);
}

static void test_embedding(void **state)
{
    struct fr_error err;

    assert_int_equal(fr_auth_check_embedding(NULL, NULL, &err), 0);
    assert_int_equal(fr_auth_check_embedding("same-origin", "cors", &err), 0);
    assert_int_equal(fr_auth_check_embedding("none", "navigate", &err), 0);
    assert_int_equal(fr_auth_check_embedding("cross-site", "navigate", &err), 0);
    assert_int_equal(fr_auth_check_embedding("cross-site", "no-cors", &err), -EPERM);
    assert_int_equal(fr_auth_check_embedding("same-site", "cors", &err), -EPERM);
    assert_int_equal(fr_auth_check_embedding("cross-site", NULL, &err), -EPERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peers),
        cmocka_unit_test(test_credentials),
        cmocka_unit_test(test_exchange),
        cmocka_unit_test(test_wrong_credentials_lose_the_peers_trust),
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_required_needs_a_token),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_embedding),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
