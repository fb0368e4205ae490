// SPDX-License-Identifier: LGPL-3.0-only
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "model/rset.h"

static int parse(const char *text, struct fr_rset **ret)
{
    json_t *R = json_loads(text, 0, NULL);
    struct fr_error err = {.text = ""};
    int r;

    assert_non_null(R);
    r = fr_rset_parse(R, ret, &err);
    json_decref(R);
    if (r < 0)
        assert_true(err.text[0] != '\0');
    return r;
}

static void test_one_of_flux(void **state)
{
    struct fr_rset *rset;

    assert_int_equal(
        parse("{\"version\":1,\"execution\":{\"R_lite\":[{\"rank\":\"0-1\",\"children\":"
              "{\"core\":\"0-3\",\"gpu\":\"0-1\"}}],\"nodelist\":[\"node[0-1]\"],"
              "\"starttime\":1795534639.5,\"expiration\":1795541839.0}}",
              &rset),
        0);
    assert_string_equal(rset->ranks, "[0-1]");
    assert_string_equal(rset->nodelist, "node[0-1]");
    assert_int_equal(rset->nnodes, 2);
    assert_int_equal(rset->ncores, 8);
    assert_int_equal(rset->ngpus, 4);
    assert_true(rset->starttime == 1795534639.5);
    assert_true(rset->expiration == 1795541839.0);
    fr_rset_free(rset);
}

static void test_entries_are_merged(void **state)
{
    struct fr_rset *rset;

    assert_int_equal(
        parse("{\"version\":1,\"execution\":{\"R_lite\":["
              "{\"rank\":\"7\",\"children\":{\"core\":\"0\"}},"
              "{\"rank\":\"2-3,5\",\"children\":{\"core\":\"0-1,4\"}},"
              "{\"rank\":\"4\",\"children\":{\"core\":\"1\"}}],"
              "\"nodelist\":[\"a[1-3]\",\"b,c\"],\"starttime\":0,\"expiration\":0}}",
              &rset),
        0);
    assert_string_equal(rset->ranks, "[2-5,7]");
    assert_string_equal(rset->nodelist, "a[1-3],b,c");
    assert_int_equal(rset->nnodes, 5);
    assert_int_equal(rset->ncores, 1 + 3 * 3 + 1);
    assert_int_equal(rset->ngpus, 0);
    fr_rset_free(rset);
}

static void test_least(void **state)
{
    struct fr_rset *rset;

    assert_int_equal(parse("{\"version\":1,\"execution\":{\"R_lite\":[{\"rank\":\"0\","
                           "\"children\":{\"core\":\"0\"}}]}}",
                           &rset),
                     0);
    assert_string_equal(rset->ranks, "0");
    assert_string_equal(rset->nodelist, "");
    assert_true(rset->expiration == 0);
    fr_rset_free(rset);
    fr_rset_free(NULL);
}

static void test_no_R(void **state)
{
    static const char *const bad[] = {
        "[]",
        "{}",
        "{\"version\":2,\"execution\":{\"R_lite\":[]}}",
        "{\"version\":1}",
        "{\"version\":1,\"execution\":{}}",
        "{\"version\":1,\"execution\":{\"R_lite\":[7]}}",
        "{\"version\":1,\"execution\":{\"R_lite\":[{\"rank\":\"3-1\",\"children\":{}}]}}",
        "{\"version\":1,\"execution\":{\"R_lite\":[{\"rank\":0,\"children\":{}}]}}",
        "{\"version\":1,\"execution\":{\"R_lite\":[{\"rank\":\"0\",\"children\":{\"core\":1}}]}"
        "}",
        "{\"version\":1,\"execution\":{\"R_lite\":[{\"rank\":\"0-99999999\",\"children\":{}}]}"
        "}",
        "{\"version\":1,\"execution\":{\"R_lite\":[{\"rank\":\"0-1048575\",\"children\":"
        "{\"core\":\"0-1048575\"}}]}}",
        "{\"version\":1,\"execution\":{\"R_lite\":[],\"nodelist\":\"a\"}}",
        "{\"version\":1,\"execution\":{\"R_lite\":[],\"nodelist\":[1]}}",
        "{\"version\":1,\"execution\":{\"R_lite\":[],\"expiration\":\"never\"}}",
    };

    for (size_t i = 0; i < FR_ARRAY_SIZE(bad); i++) {
        struct fr_rset *rset = NULL;

        assert_int_equal(parse(bad[i], &rset), -EINVAL);
        assert_null(rset);
    }
}

struct seen {
    char text[1024];
    int stop_after; /* 0: never */
};

static int see(struct seen *seen, const char *text)
{
    size_t len = strlen(seen->text);

    snprintf(seen->text + len, sizeof(seen->text) - len, "%s ", text);
    return seen->stop_after && --seen->stop_after == 0 ? 42 : 0;
}

static int see_id(unsigned int id, void *arg)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", id);
    return see(arg, text);
}

static int see_host(const char *host, void *arg)
{
    return see(arg, host);
}

static void test_idset(void **state)
{
    static const struct {
        const char *text;
        const char *ids;
    } good[] = {
        {"", ""},
        {"[]", ""},
        {"0", "0 "},
        {"0-3,7", "0 1 2 3 7 "},
        {"[1,3-4]", "1 3 4 "},
        {"4294967294", "4294967294 "},
    };
    static const char *const bad[] = {
        "a",    "1,",   ",1",   "1-",    "-1",         "2-1",
        "1,1",  "3,2",  "01",   "1 ",    "[1",         "1]",
        "[1]x", "[1,]", "1--2", "1-2-3", "4294967295", "99999999999999999999"};

    for (size_t i = 0; i < FR_ARRAY_SIZE(good); i++) {
        struct seen seen = {.text = ""};

        assert_int_equal(fr_idset_each(good[i].text, 100, see_id, &seen), 0);
        assert_string_equal(seen.text, good[i].ids);
    }
    for (size_t i = 0; i < FR_ARRAY_SIZE(bad); i++) {
        struct seen seen = {.text = ""};

        assert_int_equal(fr_idset_each(bad[i], 100, see_id, &seen), -EINVAL);
    }
}

static void test_idset_limit_and_stop(void **state)
{
    struct seen seen = {.text = ""};
    struct seen stopped = {.stop_after = 2};

    assert_int_equal(fr_idset_each("0-9", 10, see_id, &seen), 0);
    assert_int_equal(fr_idset_each("0-10", 10, see_id, &seen), -EINVAL);
    assert_int_equal(fr_idset_each("0-4294967294", 10, see_id, &seen), -EINVAL);
    assert_int_equal(fr_idset_each("5-9", 10, see_id, &stopped), 42);
    assert_string_equal(stopped.text, "5 6 ");
}

static void test_hostlist(void **state)
{
    static const struct {
        const char *text;
        const char *hosts;
    } good[] = {
        {"", ""},
        {"a", "a "},
        {"a,b-c.example", "a b-c.example "},
        {"a,node[0-3,07-09]", "a node0 node1 node2 node3 node07 node08 node09 "},
        {"n[9-11]", "n9 n10 n11 "},
        {"n[009-010]-ib,z", "n009-ib n010-ib z "},
        {"r[1-2]n[0-1]", "r1n0 r1n1 r2n0 r2n1 "},
        {"[1-2]", "1 2 "},
    };
    static const char *const bad[] = {
        ",",     "a,",    ",a",    "a,,b",   "n[",    "n]",
        "n[]",   "n[1",   "n[1,]", "n[3-1]", "n[a]",  "n]1[",
        "n[1-]", "n[1 ]", "n[1]]", "n[[1]]", "n[-1]", "n[9999999999999999999]"};

    for (size_t i = 0; i < FR_ARRAY_SIZE(good); i++) {
        struct seen seen = {.text = ""};

        assert_int_equal(fr_hostlist_each(good[i].text, 100, see_host, &seen), 0);
        assert_string_equal(seen.text, good[i].hosts);
    }
    for (size_t i = 0; i < FR_ARRAY_SIZE(bad); i++) {
        struct seen seen = {.text = ""};

        assert_int_equal(fr_hostlist_each(bad[i], 100, see_host, &seen), -EINVAL);
    }
}

static void test_hostlist_limits(void **state)
{
    struct seen seen = {.text = ""};
    struct seen stopped = {.stop_after = 1};
    char name[2000];

    assert_int_equal(fr_hostlist_each("n[0-3]", 4, see_host, &seen), 0);
    assert_int_equal(fr_hostlist_each("n[0-3]", 3, see_host, &seen), -EINVAL);
    assert_int_equal(fr_hostlist_each("a,b", 1, see_host, &seen), -EINVAL);
    assert_int_equal(fr_hostlist_each("[0-9][0-9]", 50, see_host, &(struct seen){.text = ""}),
                     -EINVAL);
    assert_int_equal(fr_hostlist_each("n[0-999999999999999999]", 50, see_host, &seen), -EINVAL);
    assert_int_equal(fr_hostlist_each("a,b", 9, see_host, &stopped), 42);
    assert_string_equal(stopped.text, "a ");
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(fr_hostlist_each(name, 9, see_host, &seen), -EINVAL);
    for (int i = 0; i < 20; i++)
        memcpy(name + i * 3, "[1]", 3);
    name[60] = '\0';
    assert_int_equal(fr_hostlist_each(name, 9, see_host, &seen), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_of_flux), cmocka_unit_test(test_entries_are_merged),
        cmocka_unit_test(test_least),       cmocka_unit_test(test_no_R),
        cmocka_unit_test(test_idset),       cmocka_unit_test(test_idset_limit_and_stop),
        cmocka_unit_test(test_hostlist),    cmocka_unit_test(test_hostlist_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
