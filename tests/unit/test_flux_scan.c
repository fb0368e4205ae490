// SPDX-License-Identifier: LGPL-3.0-only
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "engine/flux/scan.h"

/* Copied to where it ends with the allocation, so that a sanitizer sees a step too far. */
static struct fr_flux_span span_of(const char *text, size_t len)
{
    struct fr_flux_span span = {malloc(len ? len : 1), len};

    assert_non_null(span.at);
    memcpy(span.at, text, len);
    return span;
}

/* Walks all of a value, at every depth, beside its tree. */
static void check_same(struct fr_flux_span value, const json_t *tree)
{
    struct fr_flux_scan scan = fr_flux_scan_begin(value);
    struct fr_flux_span key, inner;
    size_t count = 0;

    assert_false(scan.failed);
    while (fr_flux_scan_next(&scan, &key, &inner)) {
        json_t *part = json_loadb(inner.at, inner.len, JSON_DECODE_ANY, NULL);
        const json_t *same = json_is_object(tree) ? json_object_getn(tree, key.at, key.len)
                                                  : json_array_get(tree, count);
        assert_non_null(part);
        assert_true(json_equal(part, same));
        json_decref(part);
        if (json_is_object(same) || json_is_array(same))
            check_same(inner, same);
        count++;
    }
    assert_false(scan.failed);
    assert_int_equal(count,
                     json_is_object(tree) ? json_object_size(tree) : json_array_size(tree));
}

static const char *const whole[] = {
    "{}",
    "[]",
    "[[],{},[{}]]",
    ("{\"id\":123,\"events\":[{\"timestamp\":1.5e9,\"name\":\"submit\"},"
     "{\"timestamp\":1,\"name\":\"clean\",\"context\":{\"a\":[1]}}],\"R\":{\"x\":null}}"),
    "{ \"a\" : \"}]\\\"{[\" , \"b\\\\\" : [ true , false , -1.5 ] }",
    "[\"\\\\\",\"\\\\\\\"\",\"\xc6\x92\"]",
};

static void test_as_the_tree(void **state)
{
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
        struct fr_flux_span span = span_of(whole[i], strlen(whole[i]));
        json_t *tree = json_loads(whole[i], 0, NULL);
        if (i != 4) { /* its key has an escape, which a span keeps */
            assert_non_null(tree);
            check_same(span, tree);
        }
        json_decref(tree);
        free(span.at);
    }
}

static bool walk(struct fr_flux_span value)
{
    struct fr_flux_scan scan = fr_flux_scan_begin(value);
    struct fr_flux_span key, inner;

    while (fr_flux_scan_next(&scan, &key, &inner))
        ;
    return !scan.failed;
}

static void test_strings_hide_brackets(void **state)
{
    struct fr_flux_span span = span_of(whole[4], strlen(whole[4])), key, value;
    struct fr_flux_scan scan = fr_flux_scan_begin(span);

    assert_true(fr_flux_scan_next(&scan, &key, &value));
    assert_true(fr_flux_span_is(key, "a"));
    assert_true(fr_flux_span_is(value, "\"}]\\\"{[\""));
    assert_true(fr_flux_scan_next(&scan, &key, &value));
    assert_true(fr_flux_span_is(key, "b\\\\"));
    assert_true(fr_flux_span_is(value, "[ true , false , -1.5 ]"));
    assert_false(fr_flux_scan_next(&scan, &key, &value));
    assert_false(scan.failed);
    free(span.at);
}

static void test_cut_anywhere(void **state)
{
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
        for (size_t len = 0; len < strlen(whole[i]); len++) {
            struct fr_flux_span span = span_of(whole[i], len);
            assert_false(walk(span));
            free(span.at);
        }
    }
}

static void test_no_json(void **state)
{
    static const char *const bad[] = {"12",        "\"a\"",     "{1:2}", "{\"a\" 1}",
                                      "{\"a\":}",  "[1 2]",     "[,1]",  "[\"a]",
                                      "{\"a\":1]", "{\"a\":{]", "[1,",   "{\"a\":\"\\"};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct fr_flux_span span = span_of(bad[i], strlen(bad[i]));
        if (walk(span))
            fail_msg("taken: %s", bad[i]);
        free(span.at);
    }
    assert_false(walk((struct fr_flux_span){NULL, 0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_the_tree),
        cmocka_unit_test(test_strings_hide_brackets),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_no_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
