// SPDX-License-Identifier: LGPL-3.0-only
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "engine/flux/thread.h"

#define TAG 77
#define ENTRY 5 /* entries before the one that is told */
#define NEXT fr_flux_offset(ENTRY + 1, 0)

static int setup(void **state)
{
    struct fr_flux_thread *thread = calloc(1, sizeof *thread);

    assert_non_null(thread);
    assert_int_equal(fr_flux_link_create(NULL, &thread->link), 0);
    *state = thread;
    return 0;
}

static int teardown(void **state)
{
    struct fr_flux_thread *thread = *state;

    fr_flux_link_drop(thread->link);
    fr_flux_link_drop(thread->link);
    free(thread);
    return 0;
}

static int tell(struct fr_flux_thread *thread, const char *event)
{
    return fr_flux_pieces_tell(thread, TAG, (struct fr_flux_place){.entries = ENTRY}, event);
}

static struct fr_flux_piece *take(struct fr_flux_thread *thread)
{
    struct fr_flux_piece *piece = fr_queue_pop(thread->link->to_loop);

    assert_true(!piece || piece->tag == TAG);
    return piece;
}

static void check_one(struct fr_flux_thread *thread, bool is_stderr, const char *rank,
                      const char *data, size_t len)
{
    _cleanup_(fr_cleanup_str) char *mem = NULL;
    struct fr_flux_piece *piece = take(thread);

    assert_non_null(piece);
    mem = (char *)piece;
    assert_int_equal(piece->output.kind, FR_OUTPUT_DATA);
    assert_int_equal(piece->output.is_stderr, is_stderr);
    if (rank)
        assert_string_equal(piece->output.rank, rank);
    else
        assert_null(piece->output.rank);
    assert_int_equal(piece->output.len, len);
    assert_memory_equal(piece->output.data, data, len);
    assert_true(piece->output.offset == NEXT);
    assert_null(take(thread));
}

#define DATA(rest) "{\"timestamp\":1.0,\"name\":\"data\",\"context\":{" rest "}}"

static void test_data(void **state)
{
    struct fr_flux_thread *thread = *state;

    assert_int_equal(
        tell(thread, DATA("\"stream\":\"stdout\",\"rank\":\"0\",\"data\":\"hi\\n\"")), 0);
    check_one(thread, false, "0", "hi\n", 3);
    assert_int_equal(
        tell(thread, DATA("\"stream\":\"stderr\",\"rank\":\"0-3,7\",\"data\":\"a\\u0000b\"")),
        0);
    check_one(thread, true, "0-3,7", "a\0b", 3);
    assert_int_equal(tell(thread, DATA("\"stream\":\"stdout\",\"rank\":12,\"data\":\"x\"")), 0);
    check_one(thread, false, "12", "x", 1);
    assert_int_equal(tell(thread, DATA("\"stream\":\"stdout\",\"data\":\"x\"")), 0);
    check_one(thread, false, NULL, "x", 1);
    assert_int_equal(tell(thread, DATA("\"stream\":\"stdout\",\"rank\":\"0\",\"data\":\"/wAB\","
                                       "\"encoding\":\"base64\"")),
                     0);
    check_one(thread, false, "0", "\377\0\1", 3);
    assert_int_equal(tell(thread, DATA("\"stream\":\"stdout\",\"rank\":\"0\",\"data\":\"ab\","
                                       "\"repeat\":3")),
                     0);
    check_one(thread, false, "0", "ababab", 6);
}

static void test_tells_nothing_of_others(void **state)
{
    struct fr_flux_thread *thread = *state;

    assert_int_equal(tell(thread, "{\"timestamp\":1.0,\"name\":\"header\",\"context\":{}}"), 0);
    assert_int_equal(tell(thread, "{\"timestamp\":1.0,\"name\":\"later\"}"), 0);
    assert_int_equal(tell(thread, DATA("\"stream\":\"stdout\",\"rank\":\"0\",\"eof\":true")),
                     0);
    assert_int_equal(tell(thread, DATA("\"stream\":\"stdout\",\"data\":\"\"")), 0);
    assert_null(take(thread));
}

static void test_redirect(void **state)
{
    struct fr_flux_thread *thread = *state;

    assert_int_equal(tell(thread,
                          "{\"timestamp\":1.0,\"name\":\"redirect\",\"context\":"
                          "{\"stream\":\"stderr\",\"rank\":\"1\",\"path\":\"/tmp/e\"}}"),
                     0);
    struct fr_flux_piece *piece = take(thread);
    assert_non_null(piece);
    assert_int_equal(piece->output.kind, FR_OUTPUT_REDIRECT);
    assert_true(piece->output.is_stderr);
    assert_string_equal(piece->output.path, "/tmp/e");
    assert_true(piece->output.offset == NEXT);
    free(piece);
}

static void test_refuses(void **state)
{
    struct fr_flux_thread *thread = *state;

    assert_int_equal(tell(thread, "no json"), -EPROTO);
    assert_int_equal(tell(thread, "[]"), -EPROTO);
    assert_int_equal(tell(thread, DATA("\"data\":\"no base64!\",\"encoding\":\"base64\"")),
                     -EPROTO);
    assert_int_equal(tell(thread, "{\"name\":\"redirect\",\"context\":{}}"), -EPROTO);
    assert_null(take(thread));
}

/* Appends what the pieces hold, checks that places rise, and returns the last one. */
static uint64_t take_all(struct fr_flux_thread *thread, char *out, size_t *len, size_t *count)
{
    uint64_t last = 0;
    struct fr_flux_piece *piece;

    while ((piece = take(thread))) {
        memcpy(out + *len, piece->output.data, piece->output.len);
        *len += piece->output.len;
        ++*count;
        assert_true(piece->output.offset > last);
        last = piece->output.offset;
        free(piece);
    }
    return last;
}

/* From each place within a large entry exactly what follows is told. */
static void test_goes_on_within_an_entry(void **state)
{
    static const char event[] =
        DATA("\"stream\":\"stdout\",\"rank\":\"0\",\"data\":\"0123456\",\"repeat\":40000");
    static char whole[280001], rest[280001];
    struct fr_flux_thread *thread = *state;
    size_t len = 0, count = 0;

    assert_int_equal(tell(thread, event), 0);
    assert_true(take_all(thread, whole, &len, &count) == NEXT);
    assert_int_equal(len, 280000);
    assert_memory_equal(whole + 279993, "0123456", 7);
    assert_int_equal(count, 5);
    for (size_t had = 1; had < count; had++) {
        size_t rest_len = 0, rest_count = 0;
        struct fr_flux_place place = fr_flux_place(fr_flux_offset(ENTRY, had));
        assert_int_equal(fr_flux_pieces_tell(thread, TAG, place, event), 0);
        assert_true(take_all(thread, rest, &rest_len, &rest_count) == NEXT);
        assert_int_equal(rest_count, count - had);
        assert_memory_equal(rest, whole + len - rest_len, rest_len);
    }
}

static void test_hostile_repeat_is_cut(void **state)
{
    static char out[(16 << 20) + 1];
    struct fr_flux_thread *thread = *state;
    size_t len = 0, count = 0;

    assert_int_equal(tell(thread, DATA("\"stream\":\"stdout\",\"rank\":\"0\",\"data\":\"xyz\","
                                       "\"repeat\":9223372036854775807")),
                     0);
    assert_true(take_all(thread, out, &len, &count) == NEXT);
    assert_int_equal(len, 16 << 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_data, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tells_nothing_of_others, setup, teardown),
        cmocka_unit_test_setup_teardown(test_redirect, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refuses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_goes_on_within_an_entry, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hostile_repeat_is_cut, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
