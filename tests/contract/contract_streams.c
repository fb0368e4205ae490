// SPDX-License-Identifier: LGPL-3.0-only
/* What tasks are given, and where what they say goes: environment, limits, stdin, files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "harness.h"
#include "model/fluid.h"

static struct reader reader;

static struct job_record *run(struct harness *h, struct fr_jobspec *spec)
{
    struct job_record *record = harness_finished(h, harness_run(h, spec));

    harness_read(h, record->id, 0, &reader);
    HARNESS_WAIT(h, reader.ended);
    harness_read_end(&reader);
    assert_false(reader.failed);
    return record;
}

/* The whole file as a text; "" if there is none. */
static const char *content(const char *path)
{
    static char text[4096];
    FILE *file = fopen(path, "r");
    size_t n = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

    if (file)
        (void)fclose(file);
    text[n] = '\0';
    return text;
}

static void test_environment(void **state)
{
    struct harness *h = *state;
    struct job_record *record = run(
        h, harness_fields("{s:[sss]}", "command", "sh", "-c",
                          "echo $FLUX_JOB_ID $FLUX_JOB_SIZE $FLUX_JOB_NNODES $FLUX_TASK_RANK "
                          "$FLUX_TASK_LOCAL_ID $GREETING $CUDA_VISIBLE_DEVICES; "
                          "[ -d \"$FLUX_JOB_TMPDIR\" ] && echo there; pwd"));
    char expected[128];
    char f58[FR_FLUID_TEXT];

    (void)snprintf(expected, sizeof(expected), "%s 1 1 0 0 hello -1\nthere\n/tmp\n",
                   fr_fluid_f58(record->id, f58));
    assert_string_equal(reader.out, expected);
}

static void test_many_tasks(void **state)
{
    struct harness *h = *state;
    struct job_record *record =
        run(h, harness_fields("{s:[sss], s:i}", "command", "sh", "-c",
                              "echo task $FLUX_TASK_RANK of $FLUX_JOB_SIZE; "
                              "exit $FLUX_TASK_RANK",
                              "num_tasks", 2));

    assert_non_null(strstr(reader.out, "task 0 of 2\n"));
    assert_non_null(strstr(reader.out, "task 1 of 2\n"));
    assert_int_equal(reader.nout, 24);
    assert_int_equal(record->job->ntasks, 2);
    assert_int_equal(fr_job_returncode(record->job), 1); /* the highest */
}

static void test_directory_that_is_not_there(void **state)
{
    struct harness *h = *state;
    struct job_record *record =
        run(h, harness_fields("{s:[s], s:s}", "command", "pwd", "workdir", "/no/such"));

    assert_int_equal(record->job->result, FR_RESULT_COMPLETED);
    assert_string_equal(reader.out, "/tmp\n");
}

static void test_rlimits(void **state)
{
    struct harness *h = *state;

    (void)run(h, harness_fields("{s:[sss], s:{s:{s:i, s:i}}}", "command", "sh", "-c",
                                "ulimit -Sn; ulimit -Sc", "option_flags", "rlimit", "nofile",
                                123, "core", 0));
    assert_string_equal(reader.out, "123\n0\n");
}

static void test_stdin(void **state)
{
    struct harness *h = *state;
    struct job_record *record;

    record = run(h, harness_fields("{s:[s], s:s}", "command", "cat", "stdin", "one\ntwo"));
    assert_string_equal(reader.out, "one\ntwo");
    assert_string_equal(record->job->name, "cat");
    (void)run(h, harness_fields("{s:[s], s:s}", "command", "cat", "stdin", ""));
    assert_string_equal(reader.out, "");
    /* Each task has it from the start. */
    (void)run(h, harness_fields("{s:[s], s:s, s:i}", "command", "cat", "stdin", "x\n",
                                "num_tasks", 2));
    assert_string_equal(reader.out, "x\nx\n");
}

static void test_stdin_from_a_file(void **state)
{
    struct harness *h = *state;
    const char *path = harness_path("input");
    FILE *file = fopen(path, "w");
    struct job_record *record;

    assert_non_null(file);
    (void)fputs("from a file\n", file);
    assert_int_equal(fclose(file), 0);
    (void)run(h,
              harness_fields("{s:[s], s:{s:{s:{s:s, s:s}}}}", "command", "cat", "option_flags",
                             "input", "stdin", "type", "file", "path", path));
    assert_string_equal(reader.out, "from a file\n");
    assert_int_equal(unlink(path), 0);
    record =
        run(h, harness_fields("{s:[s], s:{s:{s:{s:s, s:s}}}}", "command", "cat", "option_flags",
                              "input", "stdin", "type", "file", "path", path));
    assert_string_equal(record->job->exception_type, "exec");
    assert_int_equal(record->job->result, FR_RESULT_FAILED);
}

/* Both streams go to a file that is named for stdout, and the output says so. */
static void test_output_to_a_file(void **state)
{
    struct harness *h = *state;
    char template[256];
    char path[256];
    char f58[FR_FLUID_TEXT];
    struct job_record *record;

    bool knows_size = harness_is_since(70); /* {{size}}, as a tag of Flux */

    (void)snprintf(template, sizeof(template), "%s-{{id}}-{{jobid.dec}}-{{name}}-%s",
                   harness_path("out"), knows_size ? "{{size}}" : "1");
    record = run(h, harness_fields("{s:[sss], s:s}", "command", "sh", "-c",
                                   "echo out; echo err >&2", "output", template));
    (void)snprintf(path, sizeof(path), "%s-%s-%llu-sh-1", harness_path("out"),
                   fr_fluid_f58(record->id, f58), (unsigned long long)record->id);
    assert_int_equal(record->job->result, FR_RESULT_COMPLETED);
    assert_non_null(strstr(content(path), "out\n"));
    assert_non_null(strstr(content(path), "err\n"));
    assert_int_equal(reader.nout + reader.nerrors, 0);
    assert_string_equal(reader.paths[0], path);
    assert_string_equal(reader.paths[1], path);
    assert_int_equal(unlink(path), 0);
}

static void test_output_of_tasks_to_files(void **state)
{
    struct harness *h = *state;
    char out[256];
    char err[256];
    char path[256];

    if (!harness_is_since(71)) {
        print_message("before 0.71 Flux has no files of single tasks\n");
        skip();
    }
    (void)snprintf(out, sizeof(out), "%s-{{taskid}}", harness_path("out"));
    (void)snprintf(err, sizeof(err), "%s-{{task.rank}}-{{nope}}", harness_path("err"));
    (void)run(h, harness_fields("{s:[sss], s:s, s:s, s:b, s:i}", "command", "sh", "-c",
                                "echo one; printf two; echo $FLUX_TASK_RANK >&2", "output", out,
                                "error", err, "label_io", 1, "num_tasks", 2));
    for (int rank = 0; rank < 2; rank++) {
        char expected[64];

        (void)snprintf(path, sizeof(path), "%s-%d", harness_path("out"), rank);
        (void)snprintf(expected, sizeof(expected), "%d: one\n%d: two", rank, rank);
        assert_string_equal(content(path), expected);
        assert_int_equal(unlink(path), 0);
        (void)snprintf(path, sizeof(path), "%s-%d-{{nope}}", harness_path("err"), rank);
        (void)snprintf(expected, sizeof(expected), "%d: %d\n", rank, rank);
        assert_string_equal(content(path), expected);
        assert_int_equal(unlink(path), 0);
    }
}

/* stderr alone: stdout stays with the job. */
static void test_errors_to_a_file(void **state)
{
    struct harness *h = *state;
    char path[256];

    (void)snprintf(path, sizeof(path), "%s", harness_path("err"));
    (void)run(h, harness_fields("{s:[sss], s:s}", "command", "sh", "-c",
                                "echo out; echo err >&2", "error", path));
    assert_string_equal(reader.out, "out\n");
    assert_string_equal(content(path), "err\n");
    assert_string_equal(reader.paths[0], "");
    assert_string_equal(reader.paths[1], path);
    assert_int_equal(unlink(path), 0);
}

static void test_output_to_nowhere(void **state)
{
    struct harness *h = *state;
    struct job_record *record =
        run(h, harness_fields("{s:[s], s:s}", "command", "true", "output", "/no/such/file"));

    assert_string_equal(record->job->exception_type, "exec");
    assert_int_equal(record->job->result, FR_RESULT_FAILED);
    assert_int_equal(fr_job_returncode(record->job), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)

const struct CMUnitTest contract_stream_tests[] = {
    TEST(test_environment),
    TEST(test_many_tasks),
    TEST(test_directory_that_is_not_there),
    TEST(test_rlimits),
    TEST(test_stdin),
    TEST(test_stdin_from_a_file),
    TEST(test_output_to_a_file),
    TEST(test_output_of_tasks_to_files),
    TEST(test_errors_to_a_file),
    TEST(test_output_to_nowhere),
};
const size_t contract_stream_count = FR_ARRAY_SIZE(contract_stream_tests);
