// SPDX-License-Identifier: LGPL-3.0-only
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "engine/flux/wrap.h"

/* RFC 4648, section 10. */
static const char *const vectors[][2] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
};

static void test_vectors(void **state)
{
    char buf[64];

    for (size_t i = 0; i < FR_ARRAY_SIZE(vectors); i++) {
        const char *plain = vectors[i][0], *coded = vectors[i][1];
        size_t len = strlen(plain);
        char *end = fr_flux_base64_encode(plain, len, buf);
        assert_int_equal(end - buf, strlen(coded));
        assert_int_equal(end - buf, FR_FLUX_BASE64_LEN(len));
        assert_memory_equal(buf, coded, strlen(coded));
        assert_int_equal(fr_flux_base64_decode(coded, strlen(coded), buf), len);
        assert_memory_equal(buf, plain, len);
    }
}

static void test_all_bytes(void **state)
{
    unsigned char plain[256];
    char coded[FR_FLUX_BASE64_LEN(sizeof plain)], back[sizeof coded / 4 * 3];

    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = (unsigned char)i;
    char *end = fr_flux_base64_encode(plain, sizeof plain, coded);
    assert_ptr_equal(end, coded + sizeof coded);
    assert_int_equal(fr_flux_base64_decode(coded, sizeof coded, back), sizeof plain);
    assert_memory_equal(back, plain, sizeof plain);
}

static void test_refuses(void **state)
{
    static const char *const bad[] = {
        "Z", "Zg=", "Zg==Zg==", "====", "Zm 9", "Zm9\xff", "=m9v"};
    char buf[64];

    for (size_t i = 0; i < FR_ARRAY_SIZE(bad); i++)
        assert_int_equal(fr_flux_base64_decode(bad[i], strlen(bad[i]), buf), -EPROTO);
    assert_int_equal(fr_flux_base64_decode("Zm\0v", 4, buf), -EPROTO);
}

static void test_wraps(void **state)
{
    static const char header[] = "version\0i1\0userid\0i1000\0mechanism\0snone";
    _cleanup_(fr_cleanup_str) char *J = fr_flux_wrap("{\"version\":1}", 1000);
    char buf[128];

    assert_non_null(J);
    char *dot = strchr(J, '.'), *last = strrchr(J, '.');
    assert_string_equal(last, ".none");
    ssize_t n = fr_flux_base64_decode(J, (size_t)(dot - J), buf);
    assert_int_equal(n, sizeof header);
    assert_memory_equal(buf, header, sizeof header);
    n = fr_flux_base64_decode(dot + 1, (size_t)(last - dot - 1), buf);
    assert_int_equal(n, 13);
    assert_memory_equal(buf, "{\"version\":1}", 13);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_all_bytes),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_wraps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
