// SPDX-License-Identifier: LGPL-3.0-only
#include "core/keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static uint64_t gone_below; /* jobs with a lower id are not known */

static bool is_known(void *arg, uint64_t id)
{
    return id >= gone_below;
}

static struct fr_keys *make(void)
{
    struct fr_keys *keys;

    gone_below = 0;
    assert_int_equal(fr_keys_create(is_known, NULL, &keys), 0);
    return keys;
}

/* The key of a request; its attribute is put into a jobspec if one is wanted. */
static struct fr_key key_of(const char *user, const char *text, const char *command,
                            json_t **ret_jobspec)
{
    json_t *fields = json_pack("{s:s, s:i}", "command", command, "num_tasks", 1), *attribute;
    struct fr_key key;

    assert_int_equal(fr_key_make(user, text, fields, &key, &attribute), 0);
    json_decref(fields);
    if (ret_jobspec)
        *ret_jobspec =
            json_pack("{s:{s:{s:o}}}", "attributes", "user", FR_KEYS_ATTRIBUTE, attribute);
    else
        json_decref(attribute);
    return key;
}

static void expect(struct fr_keys *keys, const struct fr_key *key, double now,
                   enum fr_keys_claim claim, uint64_t id)
{
    uint64_t found = 0;

    assert_int_equal(fr_keys_claim(keys, key, now, &found), claim);
    assert_int_equal(found, id);
}

static void test_one_job_for_each_key(void **state)
{
    struct fr_keys *keys = make();
    const struct fr_key a = key_of("u", "k", "x", NULL), b = key_of("u", "k", "y", NULL);
    const struct fr_key c = key_of("v", "k", "x", NULL), d = key_of("u", "l", "x", NULL);

    expect(keys, &a, 1, FR_KEYS_NEW, 0);
    expect(keys, &a, 1, FR_KEYS_IN_FLIGHT, 0);
    expect(keys, &b, 1, FR_KEYS_OTHER, 0);
    fr_keys_settle(keys, &a, 7, 1);
    expect(keys, &a, 2, FR_KEYS_KNOWN, 7);
    expect(keys, &b, 2, FR_KEYS_OTHER, 0);
    expect(keys, &c, 2, FR_KEYS_NEW, 0); /* another caller's, and another key */
    expect(keys, &d, 2, FR_KEYS_NEW, 0);
    fr_keys_free(keys);
}

static void test_the_order_of_members_is_no_difference(void **state)
{
    json_t *one = json_loads("{\"a\": 1, \"b\": 2}", 0, NULL), *attribute;
    json_t *two = json_loads("{\"b\": 2, \"a\": 1}", 0, NULL);
    struct fr_key first, second;

    assert_int_equal(fr_key_make("u", "k", one, &first, &attribute), 0);
    json_decref(attribute);
    assert_int_equal(fr_key_make("u", "k", two, &second, &attribute), 0);
    json_decref(attribute);
    assert_memory_equal(&first, &second, sizeof first);
    json_decref(one);
    json_decref(two);
}

static void test_what_failed_can_be_tried_again(void **state)
{
    struct fr_keys *keys = make();
    const struct fr_key a = key_of("u", "k", "x", NULL);

    expect(keys, &a, 1, FR_KEYS_NEW, 0);
    fr_keys_release(keys, &a, false, 1);
    expect(keys, &a, 1, FR_KEYS_NEW, 0);
    /* What may have been done is not, until the job would have shown up. */
    fr_keys_release(keys, &a, true, 1);
    expect(keys, &a, 20, FR_KEYS_IN_FLIGHT, 0);
    expect(keys, &a, 100, FR_KEYS_NEW, 0);
    fr_keys_free(keys);
}

static const json_t *user_of(const json_t *spec)
{
    return json_object_get(json_object_get(spec, "attributes"), "user");
}

static void test_the_journal_tells(void **state)
{
    struct fr_keys *keys = make();
    json_t *spec;
    const struct fr_key a = key_of("u", "k", "x", &spec);

    fr_keys_note(keys, user_of(spec), 9);
    expect(keys, &a, 1, FR_KEYS_KNOWN, 9);
    json_decref(spec);
    /* A lost submit that was made after all. */
    const struct fr_key b = key_of("u", "l", "x", &spec);
    expect(keys, &b, 1, FR_KEYS_NEW, 0);
    fr_keys_note(keys, user_of(spec), 10);
    fr_keys_release(keys, &b, true, 1);
    expect(keys, &b, 1, FR_KEYS_KNOWN, 10);
    json_decref(spec);
    fr_keys_note(keys, NULL, 11); /* and what is no key */
    spec = json_pack("{s:{s:{s:{s:s,s:s,s:s}}}}", "attributes", "user", FR_KEYS_ATTRIBUTE,
                     "key", "k", "user", "u", "request", "no hash");
    fr_keys_note(keys, user_of(spec), 12);
    json_decref(spec);
    expect(keys, &a, 1, FR_KEYS_KNOWN, 9);
    fr_keys_free(keys);
}

static void test_a_job_that_is_gone_frees_its_key(void **state)
{
    struct fr_keys *keys = make();
    const struct fr_key a = key_of("u", "k", "x", NULL);

    expect(keys, &a, 1, FR_KEYS_NEW, 0);
    fr_keys_settle(keys, &a, 7, 1);
    gone_below = 100;
    expect(keys, &a, 2, FR_KEYS_KNOWN, 7); /* it may only not be in the journal yet */
    expect(keys, &a, 1000, FR_KEYS_NEW, 0);
    fr_keys_free(keys);
}

static void test_many(void **state)
{
    struct fr_keys *keys = make();
    struct fr_key all[2000];
    char text[16];

    for (unsigned int i = 0; i < 2000; i++) {
        snprintf(text, sizeof text, "%u", i);
        all[i] = key_of("u", text, "x", NULL);
        expect(keys, &all[i], 1, FR_KEYS_NEW, 0);
        fr_keys_settle(keys, &all[i], i + 1, 1);
    }
    for (unsigned int i = 0; i < 2000; i++)
        expect(keys, &all[i], 1, FR_KEYS_KNOWN, i + 1);
    fr_keys_free(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_job_for_each_key),
        cmocka_unit_test(test_the_order_of_members_is_no_difference),
        cmocka_unit_test(test_what_failed_can_be_tried_again),
        cmocka_unit_test(test_the_journal_tells),
        cmocka_unit_test(test_a_job_that_is_gone_frees_its_key),
        cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
