// SPDX-License-Identifier: LGPL-3.0-only
/* Reading a job's output. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "harness.h"

#define READERS 30

static struct reader *reader_create(void)
{
    struct reader *reader = calloc(1, sizeof *reader);

    assert_non_null(reader);
    return reader;
}

static void reader_free(struct reader *reader)
{
    if (reader->watch)
        harness_read_end(reader);
    free(reader);
}

static void check_whole(struct reader *reader, const char *out, const char *errors)
{
    HARNESS_WAIT(reader->harness, reader->ended);
    if (reader->failed)
        fail_msg("output: %s", reader->err.text);
    assert_int_equal(reader->ncaught_up, 1);
    assert_string_equal(reader->out, out);
    assert_string_equal(reader->errors, errors);
}

/* A script's part that waits until a file appears. */
static const char *script_until(char *buf, size_t size, const char *before, const char *path,
                                const char *after)
{
    (void)snprintf(buf, size, "%s; while ! [ -e %s ]; do sleep 0.05; done; %s", before, path,
                   after);
    return buf;
}

static void make_file(const char *path)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    close(fd);
}

static void test_of_a_finished_job(void **state)
{
    struct harness *h = *state;
    uint64_t id = harness_run(h, harness_script(0, "echo one; echo two"));
    struct reader *reader = reader_create();

    harness_finished(h, id);
    harness_read(h, id, 0, reader);
    check_whole(reader, "one\ntwo\n", "");
    reader_free(reader);
}

static void test_goes_on_from_an_offset(void **state)
{
    struct harness *h = *state;
    uint64_t id = harness_run(h, harness_script(0, "echo one; sleep 0.3; echo two"));
    struct reader *first = reader_create(), *second = reader_create(), *third = reader_create();

    harness_read(h, id, 0, first);
    check_whole(first, "one\ntwo\n", "");
    harness_read(h, id, first->first_offset, second);
    check_whole(second, first->out + first->first_len, "");
    harness_read(h, id, first->offset, third);
    check_whole(third, "", "");
    reader_free(first);
    reader_free(second);
    reader_free(third);
}

static void test_of_a_running_job(void **state)
{
    struct harness *h = *state;
    const char *path = harness_path("go-on");
    char script[512];
    uint64_t id = harness_run(h, harness_script(0, script_until(script, sizeof script,
                                                                "echo one", path, "echo two")));
    struct reader *early = reader_create(), *late = reader_create();

    harness_read(h, id, 0, early);
    HARNESS_WAIT(h, early->nout == 4);
    harness_read(h, id, 0, late);
    HARNESS_WAIT(h, late->ncaught_up == 1 && early->ncaught_up == 1);
    assert_string_equal(late->out, "one\n");
    make_file(path);
    check_whole(early, "one\ntwo\n", "");
    check_whole(late, "one\ntwo\n", "");
    reader_free(early);
    reader_free(late);
}

static void test_streams_apart(void **state)
{
    struct harness *h = *state;
    uint64_t id = harness_run(h, harness_script(0, "echo to-out; echo to-errors >&2"));
    struct reader *reader = reader_create();

    harness_read(h, id, 0, reader);
    check_whole(reader, "to-out\n", "to-errors\n");
    reader_free(reader);
}

static void test_any_bytes(void **state)
{
    struct harness *h = *state;
    uint64_t id = harness_run(h, harness_script(0, "printf '\\377\\000\\001half\\303'"));
    struct reader *reader = reader_create();

    harness_read(h, id, 0, reader);
    HARNESS_WAIT(h, reader->ended);
    assert_int_equal(reader->nout, 8);
    assert_memory_equal(reader->out, "\377\0\001half\303", 8);
    reader_free(reader);
}

static void test_of_a_job_that_never_ran(void **state)
{
    struct harness *h = *state;
    struct reader *before = reader_create(), *after = reader_create();
    struct answer held, cancelled;

    harness_submit(h, harness_script(0, "echo never"), 0, &held);
    HARNESS_WAIT(h, held.done);
    assert_false(held.failed);
    harness_read(h, held.id, 0, before);
    HARNESS_WAIT(h, before->ncaught_up == 1);
    harness_cancel(h, held.id, NULL, &cancelled);
    check_whole(before, "", "");
    harness_finished(h, held.id);
    harness_read(h, held.id, 0, after);
    check_whole(after, "", "");
    reader_free(before);
    reader_free(after);
}

static void test_of_an_unknown_job(void **state)
{
    struct harness *h = *state;
    struct reader *reader = reader_create();

    harness_read(h, 12345, 0, reader);
    HARNESS_WAIT(h, reader->ended);
    assert_true(reader->failed);
    assert_int_equal(reader->err.code, FR_CODE_JOB_NOT_FOUND);
    assert_int_equal(reader->nout, 0);
    reader_free(reader);
}

static void test_many_readers(void **state)
{
    struct harness *h = *state;
    uint64_t id = harness_run(h, harness_script(0, "seq 1 100"));
    struct reader *readers[READERS];
    char expected[512] = "";

    for (int i = 1; i <= 100; i++)
        (void)snprintf(expected + strlen(expected), sizeof expected - strlen(expected), "%d\n",
                       i);
    for (size_t i = 0; i < READERS; i++) {
        readers[i] = reader_create();
        harness_read(h, id, 0, readers[i]);
    }
    for (size_t i = 0; i < READERS; i++)
        check_whole(readers[i], expected, "");
    for (size_t i = 0; i < READERS; i++)
        reader_free(readers[i]);
}

static void test_freed_early(void **state)
{
    struct harness *h = *state;
    uint64_t id = harness_run(h, harness_script(0, "seq 1 100"));
    struct reader *at_once = reader_create(), *inside = reader_create(),
                  *other = reader_create();

    harness_read(h, id, 0, at_once);
    harness_read_end(at_once); /* any callback now would find no watch, and fail */
    inside->free_at_first = true;
    harness_read(h, id, 0, inside);
    harness_read(h, id, 0, other);
    HARNESS_WAIT(h, !inside->watch && other->ended);
    assert_false(other->failed);
    reader_free(at_once);
    reader_free(inside);
    reader_free(other);
}

static void test_paused(void **state)
{
    struct harness *h = *state;
    uint64_t id = harness_run(h, harness_script(0, "seq 1 100"));
    struct reader *paused = reader_create(), *other = reader_create();

    harness_read(h, id, 0, paused);
    h->engine->ops->output_pause(paused->watch, true);
    harness_read(h, id, 0, other);
    HARNESS_WAIT(h, other->ended);
    assert_int_equal(paused->npieces, 0);
    assert_int_equal(paused->ncaught_up, 0);
    assert_false(paused->ended);
    h->engine->ops->output_pause(paused->watch, false);
    check_whole(paused, other->out, "");
    reader_free(paused);
    reader_free(other);
}

const struct CMUnitTest contract_output_tests[] = {
    cmocka_unit_test_setup_teardown(test_of_a_finished_job, harness_setup, harness_teardown),
    cmocka_unit_test_setup_teardown(test_goes_on_from_an_offset, harness_setup,
                                    harness_teardown),
    cmocka_unit_test_setup_teardown(test_of_a_running_job, harness_setup, harness_teardown),
    cmocka_unit_test_setup_teardown(test_streams_apart, harness_setup, harness_teardown),
    cmocka_unit_test_setup_teardown(test_any_bytes, harness_setup, harness_teardown),
    cmocka_unit_test_setup_teardown(test_of_a_job_that_never_ran, harness_setup,
                                    harness_teardown),
    cmocka_unit_test_setup_teardown(test_of_an_unknown_job, harness_setup, harness_teardown),
    cmocka_unit_test_setup_teardown(test_many_readers, harness_setup, harness_teardown),
    cmocka_unit_test_setup_teardown(test_freed_early, harness_setup, harness_teardown),
    cmocka_unit_test_setup_teardown(test_paused, harness_setup, harness_teardown),
};
const size_t contract_output_count = FR_ARRAY_SIZE(contract_output_tests);
