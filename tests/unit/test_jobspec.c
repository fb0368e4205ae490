// SPDX-License-Identifier: LGPL-3.0-only
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "model/jobspec.h"

/* A jobspec around what varies. */
#define RESOURCES(res) "{\"version\":1,\"resources\":[" res "],"
#define SLOT(count)                                                                            \
    "{\"type\":\"slot\",\"count\":" count                                                      \
    ",\"label\":\"task\",\"with\":[{\"type\":\"core\",\"count\":2}]}"
#define TASKS(command, count)                                                                  \
    "\"tasks\":[{\"command\":" command ",\"slot\":\"task\",\"count\":{" count "}}],"
#define SYSTEM(rest) "\"attributes\":{\"system\":{\"duration\":0" rest "}}}"
#define PER_SLOT "\"per_slot\":1"

static int create(const char *text, struct fr_jobspec **ret)
{
    struct fr_error err = {.text = ""};
    json_t *json = json_loads(text, JSON_ALLOW_NUL, NULL);
    int r;

    assert_non_null(json);
    r = fr_jobspec_create(json, ret, &err);
    if (r < 0)
        assert_non_null(strstr(err.text, "jobspec"));
    return r;
}

static void test_read(void **state)
{
    struct fr_jobspec *spec;
    char *command;

    assert_int_equal(
        create(RESOURCES("{\"type\":\"node\",\"count\":2,\"exclusive\":true,\"with\":[" SLOT(
                   "3") "]}") TASKS("[\"/usr/bin/a\",\"b c\"]", PER_SLOT)
                   SYSTEM(",\"cwd\":\"/w\",\"queue\":\"q\",\"bank\":\"b\",\"project\":\"p\","
                          "\"environment\":{\"A\":\"1\"},\"shell\":{\"options\":{\"mpi\":"
                          "\"none\"}}"),
               &spec),
        0);
    assert_int_equal(spec->nnodes, 2);
    assert_int_equal(spec->nslots, 6);
    assert_int_equal(spec->ntasks, 6);
    assert_int_equal(spec->ncores, 12);
    assert_int_equal(spec->ngpus, 0);
    assert_int_equal(spec->cores_per_task, 2);
    assert_int_equal(spec->gpus_per_task, 0);
    assert_true(spec->exclusive);
    assert_true(spec->duration == 0);
    assert_string_equal(spec->cwd, "/w");
    assert_string_equal(spec->name, "a");
    assert_string_equal(spec->queue, "q");
    assert_string_equal(spec->bank, "b");
    assert_string_equal(spec->project, "p");
    assert_null(spec->stdin_text);
    assert_int_equal(json_array_size(spec->argv), 2);
    assert_int_equal(json_object_size(spec->environment), 1);
    assert_int_equal(json_object_size(spec->shell), 1);
    command = fr_jobspec_command(spec);
    assert_string_equal(command, "/usr/bin/a b c");
    free(command);
    fr_jobspec_free(spec);
}

static void test_read_least(void **state)
{
    struct fr_jobspec *spec;

    assert_int_equal(create(RESOURCES(SLOT("1")) TASKS("[\"dir/\"]", "\"total\":5")
                                SYSTEM(",\"job\":{\"name\":\"n\"},\"cwd\":null"),
                            &spec),
                     0);
    assert_int_equal(spec->nnodes, 0);
    assert_int_equal(spec->ntasks, 5);
    assert_string_equal(spec->name, "n");
    assert_null(spec->cwd);
    assert_null(spec->queue);
    assert_null(spec->environment);
    fr_jobspec_free(spec);
    fr_jobspec_free(NULL);
}

#define PER_RESOURCE(json) ",\"shell\":{\"options\":{\"per-resource\":" json "}}"

static void test_tasks_per_resource(void **state)
{
    struct fr_jobspec *spec;

    /* Nobody knows yet on how many nodes. */
    assert_int_equal(create(RESOURCES(SLOT("4")) TASKS("[\"a\"]", PER_SLOT)
                                SYSTEM(PER_RESOURCE("{\"type\":\"node\",\"count\":3}")),
                            &spec),
                     0);
    assert_int_equal(spec->tasks_per_node, 3);
    assert_int_equal(spec->ntasks, 3);
    fr_jobspec_free(spec);
    assert_int_equal(
        create(RESOURCES("{\"type\":\"node\",\"count\":2,\"with\":[" SLOT("1") "]}")
                   TASKS("[\"a\"]", PER_SLOT) SYSTEM(PER_RESOURCE("{\"type\":\"node\"}")),
               &spec),
        0);
    assert_int_equal(spec->tasks_per_node, 0);
    assert_int_equal(spec->ntasks, 2);
    fr_jobspec_free(spec);
    assert_int_equal(create(RESOURCES(SLOT("4")) TASKS("[\"a\"]", PER_SLOT)
                                SYSTEM(PER_RESOURCE("{\"type\":\"core\",\"count\":2}")),
                            &spec),
                     0);
    assert_int_equal(spec->tasks_per_core, 0);
    assert_int_equal(spec->ntasks, 16);
    fr_jobspec_free(spec);
}

static void test_no_jobspec(void **state)
{
    static const char *const bad[] = {
        "[]",
        "{}",
        "{\"version\":2}",
        "{\"version\":1}",
        RESOURCES("") TASKS("[\"a\"]", PER_SLOT) SYSTEM(""),
        RESOURCES(SLOT("0")) TASKS("[\"a\"]", PER_SLOT) SYSTEM(""),
        RESOURCES(SLOT("-1")) TASKS("[\"a\"]", PER_SLOT) SYSTEM(""),
        RESOURCES(SLOT("1.5")) TASKS("[\"a\"]", PER_SLOT) SYSTEM(""),
        RESOURCES(SLOT("\"1\"")) TASKS("[\"a\"]", PER_SLOT) SYSTEM(""),
        RESOURCES(SLOT("9999999999")) TASKS("[\"a\"]", PER_SLOT) SYSTEM(""),
        RESOURCES(SLOT("16000000")) TASKS("[\"a\"]", PER_SLOT) SYSTEM(""),
        RESOURCES("{\"type\":\"slot\",\"count\":1}") TASKS("[\"a\"]", PER_SLOT) SYSTEM(""),
        RESOURCES(SLOT("1")) "\"tasks\":[]," SYSTEM(""),
        RESOURCES(SLOT("1")) TASKS("[]", PER_SLOT) SYSTEM(""),
        RESOURCES(SLOT("1")) TASKS("\"a\"", PER_SLOT) SYSTEM(""),
        RESOURCES(SLOT("1")) TASKS("[1]", PER_SLOT) SYSTEM(""),
        RESOURCES(SLOT("1")) TASKS("[\"a\\u0000\"]", PER_SLOT) SYSTEM(""),
        RESOURCES(SLOT("1")) TASKS("[\"a\"]", "\"total\":0") SYSTEM(""),
        RESOURCES(SLOT("1")) TASKS("[\"a\"]", PER_SLOT) "\"attributes\":{\"system\":{}}}",
        RESOURCES(SLOT("1"))
            TASKS("[\"a\"]", PER_SLOT) "\"attributes\":{\"system\":{\"duration\":-1}}}",
        RESOURCES(SLOT("1")) TASKS("[\"a\"]", PER_SLOT) SYSTEM(",\"cwd\":1"),
        RESOURCES(SLOT("1")) TASKS("[\"a\"]", PER_SLOT) SYSTEM(",\"queue\":\"a\\u0000\""),
        RESOURCES(SLOT("1")) TASKS("[\"a\"]", PER_SLOT) SYSTEM(",\"environment\":[]"),
        RESOURCES(SLOT("1")) TASKS("[\"a\"]", PER_SLOT) SYSTEM(",\"shell\":1"),
        RESOURCES(SLOT("1")) TASKS("[\"a\"]", PER_SLOT) SYSTEM(PER_RESOURCE("{}")),
        RESOURCES(SLOT("1")) TASKS("[\"a\"]", PER_SLOT)
            SYSTEM(PER_RESOURCE("{\"type\":\"core\",\"count\":16777216}")),
    };

    for (size_t i = 0; i < FR_ARRAY_SIZE(bad); i++) {
        struct fr_jobspec *spec = NULL;

        assert_int_equal(create(bad[i], &spec), -EINVAL);
        assert_null(spec);
    }
    assert_int_equal(fr_jobspec_create(NULL, NULL, NULL), -EINVAL);
}

static void test_resources_too_deep(void **state)
{
    json_t *level = json_pack("[{s:s, s:i}]", "type", "core", "count", 1);
    struct fr_jobspec *spec = NULL;

    for (int i = 0; i < 1000; i++)
        level = json_pack("[{s:s, s:i, s:o}]", "type", "rack", "count", 1, "with", level);
    assert_int_equal(
        fr_jobspec_create(json_pack("{s:i, s:o}", "version", 1, "resources", level), &spec,
                          NULL),
        -EINVAL);
    assert_null(spec);
}

static void assert_split(const char *line, const char *json)
{
    json_t *words = NULL;
    json_t *expected = json_loads(json, 0, NULL);

    assert_int_equal(fr_shell_split(line, &words, NULL), 0);
    assert_true(json_equal(words, expected));
    json_decref(words);
    json_decref(expected);
}

static void test_split(void **state)
{
    assert_split("", "[]");
    assert_split(" \t\n ", "[]");
    assert_split("a", "[\"a\"]");
    assert_split("  a  b\tc\n", "[\"a\",\"b\",\"c\"]");
    assert_split("echo 'a b' \"c d\" e\\ f", "[\"echo\",\"a b\",\"c d\",\"e f\"]");
    assert_split("'' \"\" x''", "[\"\",\"\",\"x\"]");
    assert_split("'a\\b' \"a\\b\" \"\\\"\\\\\\$\\`\"",
                 "[\"a\\\\b\",\"a\\\\b\",\"\\\"\\\\$`\"]");
    assert_split("a\\\nb \"c\\\nd\"", "[\"ab\",\"cd\"]");
    assert_split("a'b'\"c\"d", "[\"abcd\"]");
    assert_split("# no $comment ; | * ~",
                 "[\"#\",\"no\",\"$comment\",\";\",\"|\",\"*\",\"~\"]");
    assert_split("ƒ '日本'", "[\"ƒ\",\"日本\"]");
}

static void test_split_faults(void **state)
{
    static const char *const bad[] = {"'a", "\"a", "a\\", "\"a\\", "'", "\"", "\\", "\"\\"};

    for (size_t i = 0; i < FR_ARRAY_SIZE(bad); i++) {
        struct fr_error err = {.text = ""};
        json_t *words = NULL;

        assert_int_equal(fr_shell_split(bad[i], &words, &err), -EINVAL);
        assert_null(words);
        assert_true(err.text[0] != '\0');
    }
}

static void test_fsd(void **state)
{
    static const struct {
        const char *text;
        double seconds;
    } good[] = {
        {"0", 0},      {"90", 90},  {"90s", 90},  {"1.5h", 5400},  {"2m", 120},
        {"1d", 86400}, {".5", 0.5}, {"1e2", 100}, {"infinity", 0}, {"INF", 0},
    };
    static const char *const bad[] = {"",    " 1",        "1 ",    "-1",    "+1",
                                      "s",   "1x",        "1hh",   "nan",   "0x10",
                                      "1s ", "infinitys", "1e999", "1e308d"};
    double seconds = 7;

    for (size_t i = 0; i < FR_ARRAY_SIZE(good); i++) {
        assert_int_equal(fr_fsd_parse(good[i].text, &seconds), 0);
        assert_true(seconds == good[i].seconds);
    }
    assert_int_equal(fr_fsd_parse("250ms", &seconds), 0);
    assert_true(seconds > 0.2499 && seconds < 0.2501);
    seconds = 7;
    for (size_t i = 0; i < FR_ARRAY_SIZE(bad); i++)
        assert_int_equal(fr_fsd_parse(bad[i], &seconds), -EINVAL);
    assert_true(seconds == 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_read_least),
        cmocka_unit_test(test_tasks_per_resource),
        cmocka_unit_test(test_no_jobspec),
        cmocka_unit_test(test_resources_too_deep),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_split_faults),
        cmocka_unit_test(test_fsd),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
