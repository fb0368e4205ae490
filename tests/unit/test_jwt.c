// SPDX-License-Identifier: LGPL-3.0-only
#include "core/jwt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define KEY "a secret of some length"
#define NOW 1700000000.0

/* RFC 7515, A.1: its key in base64url, its token, which has expired in 2011. */
static const char rfc_key[] =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hc"
    "gUuTwjAzZr1Z9CAow";
static const char rfc_token[] = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
                                ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9le"
                                "GFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
                                ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

static void test_rfc(void **state)
{
    unsigned char key[128];
    json_t *claims = NULL;
    size_t len = 0;

    assert_int_equal(sodium_base642bin(key, sizeof key, rfc_key, strlen(rfc_key), NULL, &len,
                                       NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING),
                     0);
    assert_int_equal(fr_jwt_read(rfc_token, key, len, 1300819379, &claims), 0);
    assert_string_equal(json_string_value(json_object_get(claims, "iss")), "joe");
    json_decref(claims);
    assert_int_equal(fr_jwt_read(rfc_token, key, len, 1300819380, &claims), -EKEYEXPIRED);
    assert_int_equal(fr_jwt_read(rfc_token, key, len - 1, 1300819379, &claims), -EBADMSG);
}

/* A token of any head and claims, right or not. */
static const char *make(const char *head, const char *claims)
{
    static char text[4096];
    unsigned char sum[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state hmac;
    const int variant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;

    sodium_bin2base64(text, sizeof text, (const unsigned char *)head, strlen(head), variant);
    strcat(text, ".");
    size_t len = strlen(text);
    sodium_bin2base64(text + len, sizeof text - len, (const unsigned char *)claims,
                      strlen(claims), variant);
    crypto_auth_hmacsha256_init(&hmac, (const unsigned char *)KEY, strlen(KEY));
    crypto_auth_hmacsha256_update(&hmac, (const unsigned char *)text, strlen(text));
    crypto_auth_hmacsha256_final(&hmac, sum);
    strcat(text, ".");
    len = strlen(text);
    sodium_bin2base64(text + len, sizeof text - len, sum, sizeof sum, variant);
    return text;
}

static int read_one(const char *text)
{
    json_t *claims = NULL;
    int rc = fr_jwt_read(text, KEY, strlen(KEY), NOW, &claims);

    assert_true((rc == 0) == (claims != NULL));
    json_decref(claims);
    return rc;
}

#define HS256 "{\"alg\":\"HS256\"}"

static void test_heads(void **state)
{
    static const char *const bad[] = {"{}",
                                      "[]",
                                      "\"HS256\"",
                                      "",
                                      "{\"alg\":\"none\"}",
                                      "{\"alg\":\"None\"}",
                                      "{\"alg\":\"hs256\"}",
                                      "{\"alg\":\"HS512\"}",
                                      "{\"alg\":\"RS256\"}",
                                      "{\"alg\":null}",
                                      "{\"alg\":[\"HS256\"]}",
                                      "{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}",
                                      "{\"alg\":\"none\",\"alg\":\"HS256\"}",
                                      "{\"alg\":\"HS256\"} x"};

    assert_int_equal(read_one(make(HS256, "{}")), 0);
    assert_int_equal(
        read_one(make("{\"typ\":\"JWT\",\"alg\":\"HS256\",\"kid\":\"../x\"}", "{}")), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(read_one(make(bad[i], "{}")), -EBADMSG);
}

static void test_claims(void **state)
{
    static const char *const bad[] = {"",
                                      "[]",
                                      "7",
                                      "{\"a\":1,\"a\":2}",
                                      "{\"exp\":\"1900000000\"}",
                                      "{\"exp\":null}",
                                      "{\"nbf\":true}",
                                      "{\"nbf\":1700000061}",
                                      "{\"a\":\"\xff\"}"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(read_one(make(HS256, bad[i])), -EBADMSG);
    assert_int_equal(read_one(make(HS256, "{\"exp\":1700000000}")), -EKEYEXPIRED);
    assert_int_equal(read_one(make(HS256, "{\"exp\":1700000000.5,\"nbf\":1700000059}")), 0);
}

static void test_shapes(void **state)
{
    static const char *const bad[] = {
        "", ".", "..", "...", "a.b.c", "e30.e30", "e30.e30.", "eyJhbGciOiJub25lIn0.e30."};
    char text[4096], longer[FR_JWT_MAX + 2];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(read_one(bad[i]), -EBADMSG);
    (void)snprintf(text, sizeof text, "%s", make(HS256, "{\"user\":\"ada\"}"));
    assert_int_equal(read_one(text), 0);
    /* every bit counts but those of the last character that base64 leaves over */
    for (size_t i = 0; i < strlen(text); i++) {
        const char was = text[i];
        text[i] = was == 'A' ? 'B' : 'A';
        assert_int_equal(read_one(text), -EBADMSG);
        text[i] = was;
    }
    strcat(text, "=");
    assert_int_equal(read_one(text), -EBADMSG);
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(read_one(longer), -EBADMSG);
}

static void test_put(void **state)
{
    struct fr_buf out = FR_BUF_INIT(4096), small = FR_BUF_INIT(30);
    json_t *claims = json_pack("{s:s, s:f}", "sub", "ada", "exp", NOW + 1), *back = NULL;

    fr_jwt_put(claims, KEY, strlen(KEY), &out);
    assert_int_equal(fr_buf_status(&out), 0);
    assert_int_equal(fr_jwt_read(out.data, KEY, strlen(KEY), NOW, &back), 0);
    assert_true(json_equal(claims, back));
    json_decref(back);
    assert_int_equal(fr_jwt_read(out.data, "x", 1, NOW, &back), -EBADMSG);
    fr_jwt_put(claims, KEY, strlen(KEY), &small);
    assert_true(fr_buf_status(&small) < 0);
    fr_buf_done(&out);
    fr_buf_done(&small);
    json_decref(claims);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc),    cmocka_unit_test(test_heads),
        cmocka_unit_test(test_claims), cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_put),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
