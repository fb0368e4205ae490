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
#include "model/jobspec.h"

static char *place_environ[] = {"PATH=/bin", "HOME=/root", "BAD=\xff", "=odd", "none", NULL};

static struct fr_jobspec_place place = {
    .nodes = 4, .cores = 16, .gpus = 0, .cwd = "/start", .environ = place_environ};

static struct fr_jobspec_submit build(const char *fields)
{
    struct fr_jobspec_submit submit = {.spec = NULL};
    struct fr_problems problems;
    json_t *json = json_loads(fields, JSON_ALLOW_NUL, NULL);
    int r;

    assert_non_null(json);
    fr_problems_init(&problems);
    r = fr_jobspec_build(json, &place, &submit, &problems);
    for (size_t i = 0; i < problems.count; i++)
        print_message("%s: %s\n", problems.items[i].pointer, problems.items[i].detail);
    assert_int_equal(r, 0);
    assert_int_equal(problems.count, 0);
    fr_problems_done(&problems);
    json_decref(json); /* the jobspec stands for itself */
    return submit;
}

static const json_t *at(const struct fr_jobspec *spec, const char *path)
{
    const json_t *value = spec->json;
    char key[64];

    while (value && *path) {
        size_t len = strcspn(path, "/");

        memcpy(key, path, len);
        key[len] = '\0';
        value = json_is_array(value) ? json_array_get(value, (size_t)atoi(key))
                                     : json_object_get(value, key);
        path += len + (path[len] == '/');
    }
    return value;
}

static void assert_at(const struct fr_jobspec *spec, const char *path, const char *expected)
{
    json_t *json = json_loads(expected, JSON_DECODE_ANY, NULL);

    assert_non_null(json);
    assert_true(json_equal(at(spec, path), json));
    json_decref(json);
}

static void test_least(void **state)
{
    struct fr_jobspec_submit submit = build("{\"command\":\"hostname -f\"}");
    struct fr_jobspec *spec = submit.spec;

    assert_int_equal(submit.urgency, 16);
    assert_at(spec, "version", "1");
    assert_at(spec, "resources",
              "[{\"type\":\"slot\",\"count\":1,\"label\":\"task\",\"with\":[{\"type\":\"core\","
              "\"count\":1}]}]");
    assert_at(
        spec, "tasks",
        "[{\"command\":[\"hostname\",\"-f\"],\"slot\":\"task\",\"count\":{\"per_slot\":1}}]");
    assert_at(
        spec, "attributes/system",
        "{\"duration\":0.0,\"cwd\":\"/start\",\"environment\":{\"PATH\":\"/bin\",\"HOME\":"
        "\"/root\"},\"shell\":{\"options\":{}}}");
    assert_null(at(spec, "attributes/user"));
    fr_jobspec_free(spec);
}

static void test_nodes(void **state)
{
    struct fr_jobspec *spec =
        build("{\"command\":[\"a\"],\"num_nodes\":\"2\",\"num_tasks\":\"4\","
              "\"cores_per_task\":2,\"exclusive\":\"on\"}")
            .spec;

    assert_at(spec, "resources/0/type", "\"node\"");
    assert_at(spec, "resources/0/count", "2");
    assert_at(spec, "resources/0/exclusive", "true");
    assert_at(spec, "resources/0/with/0/count", "2");
    assert_at(spec, "tasks/0/count", "{\"per_slot\":1}");
    assert_int_equal(spec->ntasks, 4);
    assert_int_equal(spec->ncores, 8);
    fr_jobspec_free(spec);

    /* An uneven split takes the slots of the fullest node on each. */
    spec = build("{\"command\":[\"a\"],\"num_nodes\":2,\"num_tasks\":3}").spec;
    assert_at(spec, "resources/0/with/0/count", "2");
    assert_at(spec, "tasks/0/count", "{\"total\":3}");
    assert_null(at(spec, "resources/0/exclusive"));
    assert_int_equal(spec->ntasks, 3);
    fr_jobspec_free(spec);

    spec = build("{\"command\":[\"a\"],\"num_nodes\":3}").spec;
    assert_int_equal(spec->ntasks, 3);
    fr_jobspec_free(spec);
}

static void test_gpus(void **state)
{
    struct fr_jobspec *spec;

    place.gpus = 4;
    spec = build("{\"command\":\"a\",\"gpus_per_task\":2,\"num_tasks\":2}").spec;
    place.gpus = 0;
    assert_at(spec, "resources/0/with",
              "[{\"type\":\"core\",\"count\":1},{\"type\":\"gpu\",\"count\":2}]");
    assert_int_equal(spec->ngpus, 4);
    fr_jobspec_free(spec);
}

static void test_everything_else(void **state)
{
    struct fr_jobspec_submit submit = build(
        "{\"command\":\"a\",\"runtime\":\"1.5h\",\"name\":\"N\",\"queue\":\"q\",\"bank\":\"b\","
        "\"urgency\":\"hold\",\"workdir\":\"sub\",\"envars\":{\"A\":1,\"B\":true,\"C\":\"x=y\","
        "\"D\":1.5,\"HOME\":null,\"PATH\":\"/p\"},\"output\":\"o\",\"error\":\"e\","
        "\"label_io\":true,\"unbuffered\":true,\"rlimits\":{\"RLIMIT_CORE\":\"unlimited\","
        "\"nofile\":\"10\"},\"attributes\":{\"k\":{\"l\":1}},\"constraints\":\"gpu,^bad\","
        "\"dependencies\":[\"afterok:ƒ12\",{\"scheme\":\"string\",\"value\":\"x\",\"k\":1}],"
        "\"option_flags\":{\"verbose\":\"2\",\"mpi\":\"none\",\"a.b\":\"true\",\"c\":{\"d\":[]}"
        ","
        "\"pi\":\"3.5\",\"list\":\"[1]\"}}");
    struct fr_jobspec *spec = submit.spec;

    assert_int_equal(submit.urgency, 0);
    assert_at(spec, "attributes/system/duration", "5400.0");
    assert_at(spec, "attributes/system/job", "{\"name\":\"N\"}");
    assert_at(spec, "attributes/system/queue", "\"q\"");
    assert_at(spec, "attributes/system/bank", "\"b\"");
    assert_at(spec, "attributes/system/cwd", "\"/start/sub\"");
    assert_at(spec, "attributes/system/environment",
              "{\"PATH\":\"/p\",\"A\":\"1\",\"B\":\"true\",\"C\":\"x=y\",\"D\":\"1.5\"}");
    assert_at(
        spec, "attributes/system/dependencies",
        "[{\"scheme\":\"afterok\",\"value\":\"ƒ12\"},{\"scheme\":\"string\",\"value\":\"x\","
        "\"k\":1}]");
    assert_at(spec, "attributes/system/constraints", "{\"properties\":[\"gpu\",\"^bad\"]}");
    assert_at(spec, "attributes/user", "{\"k\":{\"l\":1}}");
    assert_at(
        spec, "attributes/system/shell/options",
        "{\"output\":{\"stdout\":{\"type\":\"file\",\"path\":\"o\",\"label\":true,"
        "\"buffer\":{\"type\":\"none\"}},\"stderr\":{\"type\":\"file\",\"path\":\"e\","
        "\"label\":true,\"buffer\":{\"type\":\"none\"}},\"batch-timeout\":0.05},\"input\":{"
        "\"batch-timeout\":0.0},\"rlimit\":{\"core\":-1,\"nofile\":10},\"verbose\":2,"
        "\"mpi\":\"none\",\"a\":{\"b\":true},\"c\":{\"d\":[]},\"pi\":3.5,\"list\":\"[1]\"}");
    fr_jobspec_free(spec);
}

static void test_texts_of_a_form(void **state)
{
    struct fr_jobspec *spec =
        build("{\"command\":\"a\",\"num_nodes\":\"\",\"exclusive\":\"false\",\"name\":\"\","
              "\"envars\":\"A=1, B=x=y\",\"option_flags\":\"verbose=1,exit-on-error,mpi=none\","
              "\"rlimits\":\"{\\\"nofile\\\": 20}\",\"runtime\":\"0\",\"queue\":null,"
              "\"dependencies\":\"afterok:12, "
              "afterany:fA\",\"label_io\":\"0\",\"urgency\":\"20\","
              "\"constraints\":\"{\\\"not\\\":[{\\\"hostlist\\\":[\\\"a\\\"]}]}\"}")
            .spec;

    assert_at(spec, "attributes/system/environment",
              "{\"PATH\":\"/bin\",\"HOME\":\"/root\",\"A\":\"1\",\"B\":\"x=y\"}");
    assert_at(
        spec, "attributes/system/shell/options",
        "{\"verbose\":1,\"exit-on-error\":1,\"mpi\":\"none\",\"rlimit\":{\"nofile\":20}}");
    assert_at(spec, "attributes/system/dependencies/1",
              "{\"scheme\":\"afterany\",\"value\":\"fA\"}");
    assert_at(spec, "attributes/system/constraints", "{\"not\":[{\"hostlist\":[\"a\"]}]}");
    assert_null(at(spec, "attributes/system/job"));
    fr_jobspec_free(spec);
}

static void test_stdin(void **state)
{
    struct fr_jobspec *spec = build("{\"command\":\"/bin/cat -n\",\"stdin\":\"Hä\\n\"}").spec;
    char *command = fr_jobspec_command(spec);

    assert_string_equal(spec->stdin_text, "Hä\n");
    assert_string_equal(spec->name, "cat");
    assert_string_equal(command, "/bin/cat -n");
    assert_at(spec, "attributes/system/files/stdin",
              "{\"mode\":33152,\"encoding\":\"utf-8\",\"data\":\"Hä\\n\"}");
    assert_at(spec, "attributes/system/job/name", "\"cat\"");
    assert_int_equal(json_array_size(at(spec, "tasks/0/command")), 6);
    assert_int_equal(json_array_size(spec->argv), 2);
    free(command);
    fr_jobspec_free(spec);

    spec = build("{\"command\":\"cat\",\"stdin\":\"\",\"name\":\"x\"}").spec;
    assert_string_equal(spec->stdin_text, "");
    assert_string_equal(spec->name, "x");
    fr_jobspec_free(spec);
}

static void test_launcher(void **state)
{
    struct fr_jobspec *spec =
        build("{\"command\":\"/opt/nextflow run x\",\"is_launcher\":true}").spec;

    assert_at(spec, "tasks/0/command", "[\"/opt/nextflow\",\"run\",\"x\"]");
    fr_jobspec_free(spec);
    spec = build("{\"command\":\"snakemake\",\"is_launcher\":\"true\"}").spec;
    fr_jobspec_free(spec);
    spec = build("{\"command\":\"other\",\"is_launcher\":false}").spec;
    fr_jobspec_free(spec);
}

#define SPEC(resources, system)                                                                \
    "{\"version\":1,\"resources\":[{\"type\":\"slot\",\"count\":1,\"label\":\"task\","         \
    "\"with\":[" resources "]}],\"tasks\":[{\"command\":[\"a\"],\"slot\":\"task\",\"count\":{" \
    "\"per_slot\":1}}],\"attributes\":{\"system\":{\"duration\":0" system "}}}"
#define CORES(n) "{\"type\":\"core\",\"count\":" n "}"

static void test_whole_jobspec(void **state)
{
    struct fr_jobspec_submit submit =
        build("{\"jobspec\":" SPEC(CORES("1"), "") ",\"urgency\":31}");

    assert_int_equal(submit.urgency, 31);
    assert_at(submit.spec, "attributes/system",
              "{\"duration\":0,\"environment\":{\"PATH\":\"/bin\",\"HOME\":\"/root\"},\"cwd\":"
              "\"/start\"}");
    fr_jobspec_free(submit.spec);
    submit = build("{\"jobspec\":" SPEC(CORES("1"), ",\"environment\":{},\"cwd\":\"/x\"") "}");
    assert_at(submit.spec, "attributes/system/environment", "{}");
    assert_at(submit.spec, "attributes/system/cwd", "\"/x\"");
    fr_jobspec_free(submit.spec);
}

/* Asserts that exactly these fields are refused, with a text that holds each. */
static void refuse(const char *fields, enum fr_code code, const char *pointer,
                   const char *detail)
{
    struct fr_jobspec_submit submit = {.spec = NULL};
    struct fr_problems problems;
    json_t *json = json_loads(fields, JSON_ALLOW_NUL, NULL);
    bool found = false;

    assert_non_null(json);
    fr_problems_init(&problems);
    assert_int_equal(fr_jobspec_build(json, &place, &submit, &problems), -EINVAL);
    assert_null(submit.spec);
    assert_true(problems.count > 0);
    for (size_t i = 0; i < problems.count; i++)
        found |= problems.items[i].code == code &&
                 strcmp(problems.items[i].pointer, pointer) == 0 &&
                 strstr(problems.items[i].detail, detail) != NULL;
    for (size_t i = 0; !found && i < problems.count; i++)
        print_message("%s: %s\n", problems.items[i].pointer, problems.items[i].detail);
    assert_true(found);
    fr_problems_done(&problems);
    json_decref(json);
}

static void test_texts_of_older_clients(void **state)
{
    refuse("{}", FR_CODE_INVALID, "/command", "A 'command' is minimally required.");
    refuse("{\"command\":\" \"}", FR_CODE_INVALID, "/command",
           "A 'command' is minimally required.");
    refuse("{\"command\":[]}", FR_CODE_INVALID, "/command",
           "A 'command' is minimally required.");
    refuse("{\"command\":\"a\",\"option_flags\":{\"-ompi\":1}}", FR_CODE_INVALID,
           "/option_flags/-ompi", "Please provide keys without -o, -ompi is invalid.");
    refuse("{\"command\":\"a\",\"exclusive\":true}", FR_CODE_INVALID, "/exclusive",
           "exclusive can only be set with a node count");
    refuse("{\"command\":\"a\",\"num_nodes\":5}", FR_CODE_UNSATISFIABLE, "/num_nodes",
           "The server only has 4 nodes, you requested 5");
    refuse("{\"command\":\"a\",\"gpus_per_task\":1}", FR_CODE_UNSATISFIABLE, "/gpus_per_task",
           "This server does not support gpus: gpus_per_task cannot be set.");
    refuse("{\"command\":\"a\",\"runtime\":-1}", FR_CODE_INVALID, "/runtime",
           "Runtime must be >= 0, found -1");
    refuse("{\"command\":\"a\",\"runtime\":\"-1\"}", FR_CODE_INVALID, "/runtime",
           "Runtime must be >= 0, found -1");
    refuse("{\"command\":\"a\",\"envars\":[\"A\"]}", FR_CODE_INVALID, "/envars",
           "Environment variables must be key/value pairs (dict)");
    place.gpus = 2;
    refuse("{\"command\":\"a\",\"gpus_per_task\":0}", FR_CODE_INVALID, "/gpus_per_task",
           "Parameter gpus_per_task must be >= 1");
    refuse("{\"command\":\"a\",\"gpus_per_task\":3}", FR_CODE_UNSATISFIABLE, "/gpus_per_task",
           "only has 2 gpus");
    place.gpus = 0;
}

static void test_faults(void **state)
{
    static const struct {
        const char *fields;
        const char *pointer;
        const char *detail;
    } bad[] = {
        {"[]", "", "object"},
        {"{\"command\":3}", "/command", "found 3"},
        {"{\"command\":[\"a\",1]}", "/command", "found 1"},
        {"{\"command\":\"'a\"}", "/command", "single quote"},
        {"{\"command\":\"'' a\"}", "/command", "empty"},
        {"{\"command\":\"a\\u0000b\"}", "/command", "NUL"},
        {"{\"command\":[\"a\\u0000\"]}", "/command", "NUL"},
        {"{\"command\":\"a\",\"num_tasks\":0}", "/num_tasks",
         "num_tasks must be >= 1, found 0"},
        {"{\"command\":\"a\",\"num_tasks\":-3}", "/num_tasks", "found -3"},
        {"{\"command\":\"a\",\"num_tasks\":1.0}", "/num_tasks", "integer, found 1.0"},
        {"{\"command\":\"a\",\"num_tasks\":\"1x\"}", "/num_tasks", "found \"1x\""},
        {"{\"command\":\"a\",\"num_tasks\":\"1\\u0000\"}", "/num_tasks", "integer"},
        {"{\"command\":\"a\",\"num_tasks\":true}", "/num_tasks", "found true"},
        {"{\"command\":\"a\",\"num_tasks\":[1]}", "/num_tasks", "found a list"},
        {"{\"command\":\"a\",\"num_tasks\":99999999999}", "/num_tasks", "1048576"},
        {"{\"command\":\"a\",\"num_tasks\":\"99999999999999999999\"}", "/num_tasks", "integer"},
        {"{\"command\":\"a\",\"num_nodes\":3,\"num_tasks\":2}", "/num_nodes", "only 2"},
        {"{\"command\":\"a\",\"exclusive\":\"maybe\"}", "/exclusive", "\"maybe\""},
        {"{\"command\":\"a\",\"exclusive\":2}", "/exclusive", "found 2"},
        {"{\"command\":\"a\",\"runtime\":\"soon\"}", "/runtime", "90s"},
        {"{\"command\":\"a\",\"runtime\":-0.5}", "/runtime", "found -0.5"},
        {"{\"command\":\"a\",\"runtime\":1e300}", "/runtime", "at most"},
        {"{\"command\":\"a\",\"urgency\":32}", "/urgency", "found 32"},
        {"{\"command\":\"a\",\"urgency\":\"high\"}", "/urgency", "expedite"},
        {"{\"command\":\"a\",\"name\":[]}", "/name", "found a list"},
        {"{\"command\":\"a\",\"name\":\"x\\u0000\"}", "/name", "NUL"},
        {"{\"command\":\"a\",\"stdin\":\"x\\u0000\"}", "/stdin", "NUL"},
        {"{\"command\":\"a\",\"envars\":{\"A=B\":\"1\"}}", "/envars/A=B", "no name"},
        {"{\"command\":\"a\",\"envars\":{\"\":\"1\"}}", "/envars/", "no name"},
        {"{\"command\":\"a\",\"envars\":{\"A/~\":{}}}", "/envars/A~1~0", "an object"},
        {"{\"command\":\"a\",\"envars\":{\"A\":\"\\u0000\"}}", "/envars/A", "NUL"},
        {"{\"command\":\"a\",\"envars\":\"A\"}", "/envars", "(dict)"},
        {"{\"command\":\"a\",\"envars\":\"{\"}", "/envars", "(dict)"},
        {"{\"command\":\"a\",\"option_flags\":7}", "/option_flags", "(dict"},
        {"{\"command\":\"a\",\"option_flags\":{\"\":1}}", "/option_flags/", "no name"},
        {"{\"command\":\"a\",\"option_flags\":{\"a..b\":1}}", "/option_flags/a..b", "no name"},
        {"{\"command\":\"a\",\"option_flags\":{\"a\":1,\"a.b\":1}}", "/option_flags", "a.b"},
        {"{\"command\":\"a\",\"rlimits\":{\"speed\":1}}", "/rlimits/speed", "'speed'"},
        {"{\"command\":\"a\",\"rlimits\":{\"cpu\":-2}}", "/rlimits/cpu", "found -2"},
        {"{\"command\":\"a\",\"dependencies\":\"afterok:0x\"}", "/dependencies", "afterok:0x"},
        {"{\"command\":\"a\",\"dependencies\":\":x\"}", "/dependencies", "\":x\""},
        {"{\"command\":\"a\",\"dependencies\":[{\"scheme\":\"a\"}]}", "/dependencies",
         "object"},
        {"{\"command\":\"a\",\"dependencies\":{}}", "/dependencies", "text"},
        {"{\"command\":\"a\",\"constraints\":\"a|b\"}", "/constraints", "RFC 31"},
        {"{\"command\":\"a\",\"constraints\":{\"xor\":[]}}", "/constraints", "RFC 31"},
        {"{\"command\":\"a\",\"constraints\":{\"and\":[1]}}", "/constraints", "RFC 31"},
        {"{\"command\":\"a\",\"attributes\":[]}", "/attributes", "(dict)"},
        {"{\"command\":\"bash\",\"is_launcher\":true}", "/is_launcher",
         "nextflow and snakemake"},
        {"{\"jobspec\":" SPEC(CORES("1"), "") ",\"command\":\"a\"}", "/jobspec", "urgency"},
        {"{\"jobspec\":{\"version\":1}}", "/jobspec", "resources"},
        {"{\"jobspec\":\"x\"}", "/jobspec", "RFC 25"},
    };

    for (size_t i = 0; i < FR_ARRAY_SIZE(bad); i++)
        refuse(bad[i].fields, FR_CODE_INVALID, bad[i].pointer, bad[i].detail);
}

static void test_never_satisfiable(void **state)
{
    refuse("{\"command\":\"a\",\"cores_per_task\":17}", FR_CODE_UNSATISFIABLE, "/num_tasks",
           "only has 16 cores, you requested 17");
    refuse("{\"jobspec\":" SPEC(CORES("17"), "") "}", FR_CODE_UNSATISFIABLE, "/jobspec",
           "16 cores");
    refuse("{\"jobspec\":" SPEC(CORES("1") ",{\"type\":\"gpu\",\"count\":1}", "") "}",
           FR_CODE_UNSATISFIABLE, "/jobspec", "does not support gpus");
}

static void test_unknown_fields(void **state)
{
    refuse("{\"command\":\"a\",\"num_task\":1}", FR_CODE_UNKNOWN_FIELD, "/num_task",
           "did you mean 'num_tasks'?");
    refuse("{\"command\":\"a\",\"colour\":1}", FR_CODE_UNKNOWN_FIELD, "/colour",
           "There is no field 'colour'.");
}

static void test_all_faults_at_once(void **state)
{
    struct fr_jobspec_submit submit = {.spec = NULL};
    struct fr_problems problems;
    json_t *json = json_pack("{s:i, s:i, s:s, s:b}", "num_tasks", 0, "urgency", 99, "x", "y",
                             "exclusive", 1);

    fr_problems_init(&problems);
    assert_int_equal(fr_jobspec_build(json, &place, &submit, &problems), -EINVAL);
    assert_int_equal(problems.count, 5); /* those four, and no command */
    fr_problems_done(&problems);
    json_decref(json);
}

/* A field whose text has len bytes is refused as too large. */
static void refuse_long(const char *field, size_t len)
{
    char pointer[64];
    char *text = calloc(1, len + 1);
    char *fields;

    assert_non_null(text);
    memset(text, 'a', len);
    assert_true(asprintf(&fields, "{\"%s\":\"%s\"}", field, text) > 0);
    snprintf(pointer, sizeof(pointer), "/%s", field);
    refuse(fields, FR_CODE_TOO_LARGE, pointer, "at most");
    free(fields);
    free(text);
}

static char *dump(json_t *json)
{
    char *text = json_dumps(json, 0);

    assert_non_null(text);
    json_decref(json);
    return text;
}

static void test_limits(void **state)
{
    json_t *envars = json_object();
    json_t *words = json_array();
    char name[32], *fields;

    refuse_long("command", (128U << 10) + 1);
    refuse_long("name", 257);
    refuse_long("workdir", 4096);
    refuse_long("stdin", (1U << 20) + 1);
    for (int i = 0; i < 4097; i++) {
        snprintf(name, sizeof(name), "V%d", i);
        json_object_set_new(envars, name, json_string("x"));
    }
    fields = dump(json_pack("{s:s, s:o}", "command", "a", "envars", envars));
    refuse(fields, FR_CODE_TOO_LARGE, "/envars", "4096");
    free(fields);
    for (int i = 0; i < (128 << 10) + 1; i++)
        json_array_append_new(words, json_string(""));
    fields = dump(json_pack("{s:o}", "command", words));
    refuse(fields, FR_CODE_TOO_LARGE, "/command", "put what is long into a file");
    free(fields);
}

static void test_many_faults_stay_bounded(void **state)
{
    struct fr_jobspec_submit submit = {.spec = NULL};
    struct fr_problems problems;
    json_t *json = json_object();
    char name[32];

    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "unknown-%d", i);
        json_object_set_new(json, name, json_true());
    }
    fr_problems_init(&problems);
    assert_int_equal(fr_jobspec_build(json, &place, &submit, &problems), -EINVAL);
    assert_int_equal(problems.count, FR_PROBLEMS_MAX);
    assert_int_equal(problems.left_out, 1001 - FR_PROBLEMS_MAX);
    fr_problems_done(&problems);
    json_decref(json);
}

static int allocations_left; /* then they fail; -1: never */

static void *failing_malloc(size_t size)
{
    if (allocations_left == 0)
        return NULL;
    if (allocations_left > 0)
        allocations_left--;
    return malloc(size);
}

/*
 * Whichever allocation fails: -ENOMEM, or a jobspec that lacks nothing. (Not where JSON is
 * parsed: jansson calls that a syntax error.)
 */
static void test_out_of_memory(void **state)
{
    static const char fields[] =
        "{\"command\":\"a 'b "
        "c'\",\"stdin\":\"x\",\"num_nodes\":2,\"num_tasks\":3,\"name\":\"n\","
        "\"envars\":{\"A\":\"1\"},\"option_flags\":{\"v\":1,\"a.b\":2},\"output\":\"o\","
        "\"rlimits\":\"nofile=1\",\"dependencies\":\"afterok:1\",\"constraints\":\"gpu\","
        "\"label_io\":true,\"unbuffered\":true,\"attributes\":{\"a\":1},\"workdir\":\"w\"}";
    struct fr_jobspec_submit whole = build(fields);
    json_t *json = json_loads(fields, 0, NULL);
    int r = -ENOMEM, tries = 0;

    json_set_alloc_funcs(failing_malloc, free);
    while (r == -ENOMEM) {
        struct fr_jobspec_submit submit = {.spec = NULL};
        struct fr_problems problems;

        fr_problems_init(&problems);
        allocations_left = tries++;
        r = fr_jobspec_build(json, &place, &submit, &problems);
        allocations_left = -1;
        assert_int_equal(problems.count, 0);
        assert_true(r == -ENOMEM ||
                    (r == 0 && json_equal(submit.spec->json, whole.spec->json)));
        fr_jobspec_free(submit.spec);
        fr_problems_done(&problems);
    }
    json_set_alloc_funcs(malloc, free);
    assert_true(tries > 100);
    json_decref(json);
    fr_jobspec_free(whole.spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_least),
        cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_gpus),
        cmocka_unit_test(test_everything_else),
        cmocka_unit_test(test_texts_of_a_form),
        cmocka_unit_test(test_stdin),
        cmocka_unit_test(test_launcher),
        cmocka_unit_test(test_whole_jobspec),
        cmocka_unit_test(test_texts_of_older_clients),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_never_satisfiable),
        cmocka_unit_test(test_unknown_fields),
        cmocka_unit_test(test_all_faults_at_once),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_many_faults_stay_bounded),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
