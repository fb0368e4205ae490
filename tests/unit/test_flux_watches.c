// SPDX-License-Identifier: LGPL-3.0-only
/* The test stands where the Flux thread would: it reads commands and makes pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "engine/flux/front.h"

#define ID 4711
#define READERS_MAX 8

struct reader {
    struct fr_output_watch *watch;
    char out[4096];
    int ncaught_up, nends;
    struct fr_error err;
    void (*inside)(struct reader *reader); /* called once, from the next callback */
};

struct fixture {
    uv_loop_t loop;
    struct fr_flux flux;
    struct reader readers[READERS_MAX];
};

static struct fixture *fixture;

static void on_wake(void *arg)
{
    if (!fr_flux_watches_ready(&fixture->flux))
        fr_wake_send(fixture->flux.wake);
}

static int setup(void **state)
{
    struct fr_flux *flux;

    fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    flux = &fixture->flux;
    assert_int_equal(uv_loop_init(&fixture->loop), 0);
    assert_int_equal(fr_wake_create(&fixture->loop, on_wake, NULL, &flux->wake), 0);
    assert_int_equal(fr_flux_link_create(NULL, &flux->link), 0);
    TAILQ_INIT(&flux->ready);
    flux->has_thread = true;
    return 0;
}

static int teardown(void **state)
{
    for (size_t i = 0; i < READERS_MAX; i++)
        fr_flux_output_free(fixture->readers[i].watch);
    assert_int_equal(fixture->flux.nfeeds, 0);
    assert_int_equal(fixture->flux.kept, 0);
    assert_true(LIST_EMPTY(&fixture->flux.watches));
    fr_wake_free(fixture->flux.wake);
    fr_flux_link_drop(fixture->flux.link);
    fr_flux_link_drop(fixture->flux.link);
    assert_int_equal(uv_run(&fixture->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&fixture->loop), 0);
    free(fixture);
    return 0;
}

static void turn(void)
{
    (void)uv_run(&fixture->loop, UV_RUN_NOWAIT);
}

static void on_piece(void *arg, const struct fr_output *piece)
{
    struct reader *reader = arg;
    void (*inside)(struct reader *) = fr_take(reader->inside);

    assert_int_equal(reader->nends, 0);
    if (piece->kind == FR_OUTPUT_DATA)
        strncat(reader->out, piece->data, piece->len < 8 ? piece->len : 8);
    reader->ncaught_up += piece->kind == FR_OUTPUT_CAUGHT_UP;
    reader->nends += piece->kind == FR_OUTPUT_END || piece->kind == FR_OUTPUT_ERROR;
    if (piece->kind == FR_OUTPUT_ERROR)
        reader->err = *piece->err;
    if (inside)
        inside(reader);
}

static struct reader *read_from(size_t i, uint64_t id, uint64_t offset)
{
    struct reader *reader = &fixture->readers[i];

    reader->watch = fr_flux_output(&fixture->flux.base, id, offset, on_piece, reader);
    assert_non_null(reader->watch);
    return reader;
}

static void close_reader(struct reader *reader)
{
    fr_flux_output_free(fr_take(reader->watch));
}

/* The next command that the Flux thread would get; returns its tag. */
static uint64_t next_command(enum fr_flux_kind kind, uint64_t id, uint64_t offset)
{
    struct fr_flux_command *command = fr_queue_pop(fixture->flux.link->to_flux);
    uint64_t tag;

    assert_non_null(command);
    assert_int_equal(command->item.kind, kind);
    if (kind == FR_FLUX_WATCH) {
        assert_int_equal(command->id, id);
        assert_int_equal(command->offset, offset);
    }
    tag = command->tag;
    atomic_fetch_sub(&fixture->flux.link->ncommands, 1);
    free(command);
    return tag;
}

static void no_command(void)
{
    assert_null(fr_queue_pop(fixture->flux.link->to_flux));
}

static void tell(uint64_t tag, enum fr_output_kind kind, const char *data, size_t len,
                 uint64_t offset)
{
    struct fr_flux_piece *piece = calloc(1, sizeof *piece + len + 1);

    assert_non_null(piece);
    piece->item.kind = FR_FLUX_PIECE;
    piece->tag = tag;
    piece->size = sizeof *piece + len;
    piece->output.kind = kind;
    piece->output.offset = offset;
    memcpy(piece->bytes, data, strlen(data));
    piece->output.data = piece->bytes;
    piece->output.len = len;
    fr_flux_watches_piece(&fixture->flux, piece);
}

static void tell_data(uint64_t tag, const char *data, uint64_t offset)
{
    tell(tag, FR_OUTPUT_DATA, data, strlen(data), offset);
}

static void tell_mark(uint64_t tag, enum fr_output_kind kind)
{
    tell(tag, kind, "", 0, 0);
}

static void test_many_readers_one_feed(void **state)
{
    struct reader *first = read_from(0, ID, 0), *second = read_from(1, ID, 0);
    uint64_t tag = next_command(FR_FLUX_WATCH, ID, 0);

    no_command();
    tell_data(tag, "a", 1);
    tell_mark(tag, FR_OUTPUT_CAUGHT_UP);
    tell_data(tag, "b", 2);
    tell_mark(tag, FR_OUTPUT_END);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(fixture->readers[i].out, "ab");
        assert_int_equal(fixture->readers[i].ncaught_up, 1);
        assert_int_equal(fixture->readers[i].nends, 1);
    }
    no_command(); /* it ended by itself */
    close_reader(first);
    close_reader(second);
}

static void test_late_reader_catches_up_and_joins(void **state)
{
    struct reader *early = read_from(0, ID, 0), *late;
    uint64_t tag = next_command(FR_FLUX_WATCH, ID, 0), own;

    tell_data(tag, "a", 1);
    tell_mark(tag, FR_OUTPUT_CAUGHT_UP);
    late = read_from(1, ID, 0);
    own = next_command(FR_FLUX_WATCH, ID, 0);
    tell_data(own, "a", 1);
    assert_int_equal(fixture->flux.nfeeds, 2); /* not yet: it may lack what was there */
    tell_data(tag, "b", 2);
    tell_mark(own, FR_OUTPUT_CAUGHT_UP);
    assert_int_equal(fixture->flux.nfeeds, 2);
    tell_data(own, "b", 2);
    assert_int_equal(fixture->flux.nfeeds, 1);
    assert_int_equal(next_command(FR_FLUX_UNWATCH, 0, 0), own);
    tell_data(own, "c", 3); /* was on its way */
    tell_data(tag, "c", 3);
    assert_string_equal(early->out, "abc");
    assert_string_equal(late->out, "abc");
    assert_int_equal(late->ncaught_up, 1);
    close_reader(early);
    no_command();
    close_reader(late);
    assert_int_equal(next_command(FR_FLUX_UNWATCH, 0, 0), tag);
}

static void test_jobs_apart(void **state)
{
    struct reader *one = read_from(0, ID, 0), *other = read_from(1, ID + 1, 0);
    uint64_t tag = next_command(FR_FLUX_WATCH, ID, 0);

    next_command(FR_FLUX_WATCH, ID + 1, 0);
    tell_data(tag, "a", 1);
    assert_string_equal(one->out, "a");
    assert_string_equal(other->out, "");
}

static void test_paused_reader_keeps_the_order(void **state)
{
    struct reader *paused = read_from(0, ID, 0), *other = read_from(1, ID, 0);
    uint64_t tag = next_command(FR_FLUX_WATCH, ID, 0);

    fr_flux_output_pause(paused->watch, true);
    tell_data(tag, "a", 1);
    tell_mark(tag, FR_OUTPUT_CAUGHT_UP);
    assert_string_equal(other->out, "a");
    assert_string_equal(paused->out, "");
    fr_flux_output_pause(paused->watch, false);
    tell_data(tag, "b", 2); /* before there was a turn for what is kept */
    tell_mark(tag, FR_OUTPUT_END);
    assert_string_equal(paused->out, "");
    turn();
    assert_string_equal(paused->out, "ab");
    assert_int_equal(paused->ncaught_up, 1);
    assert_int_equal(paused->nends, 1);
}

/* Who keeps too much leaves, and reads on by itself from there when it can. */
static void test_slow_reader_leaves(void **state)
{
    struct reader *slow = read_from(0, ID, 0), *other = read_from(1, ID, 0);
    uint64_t tag = next_command(FR_FLUX_WATCH, ID, 0), own;

    fr_flux_output_pause(slow->watch, true);
    tell_mark(tag, FR_OUTPUT_CAUGHT_UP);
    tell(tag, FR_OUTPUT_DATA, "a", (size_t)17 << 20, 1);
    tell_data(tag, "b", 2);
    assert_string_equal(other->out, "ab");
    fr_flux_output_pause(slow->watch, false);
    turn();
    assert_string_equal(slow->out, "a");
    own = next_command(FR_FLUX_WATCH, ID, 1);
    tell_data(own, "b", 2);
    tell_mark(own, FR_OUTPUT_CAUGHT_UP);
    assert_int_equal(next_command(FR_FLUX_UNWATCH, 0, 0), own); /* together again */
    tell_data(tag, "c", 3);
    assert_string_equal(slow->out, "abc");
    assert_int_equal(slow->ncaught_up, 1);
}

static void test_too_many(void **state)
{
    static struct fr_output_watch *watches[FR_FLUX_FEEDS_MAX];
    struct reader many = {.watch = NULL};
    struct reader *reader;

    for (size_t i = 0; i < FR_FLUX_FEEDS_MAX; i++) {
        watches[i] = fr_flux_output(&fixture->flux.base, ID + i, 0, on_piece, &many);
        assert_non_null(watches[i]);
        next_command(FR_FLUX_WATCH, ID + i, 0);
    }
    reader = read_from(0, 1, 0);
    assert_int_equal(reader->nends, 0); /* never from inside the call */
    turn();
    assert_int_equal(reader->nends, 1);
    assert_int_equal(reader->err.code, FR_CODE_TOO_MANY);
    close_reader(reader);
    reader = read_from(1, ID, 0); /* of one that is read already */
    turn();
    assert_int_equal(reader->nends, 0);
    close_reader(reader);
    for (size_t i = 0; i < FR_FLUX_FEEDS_MAX; i++)
        fr_flux_output_free(watches[i]);
}

static void test_lost(void **state)
{
    struct reader *reader;

    fixture->flux.lost = true;
    strcpy(fixture->flux.lost_text, "the broker is gone");
    reader = read_from(0, ID, 0);
    turn();
    assert_int_equal(reader->err.code, FR_CODE_UNAVAILABLE);
    assert_string_equal(reader->err.text, "the broker is gone");
    no_command();
}

static void free_all(struct reader *reader)
{
    for (size_t i = 0; i < READERS_MAX; i++)
        close_reader(&fixture->readers[i]);
}

static void test_freed_inside(void **state)
{
    uint64_t tag;

    for (size_t i = 0; i < 5; i++)
        read_from(i, ID, 0)->inside = free_all;
    tag = next_command(FR_FLUX_WATCH, ID, 0);
    tell_data(tag, "a", 1);
    assert_int_equal(next_command(FR_FLUX_UNWATCH, 0, 0), tag);
    no_command();
    for (size_t i = 0, told = 0; i < 5; i++) {
        told += strlen(fixture->readers[i].out);
        assert_true(told <= 1);
    }
}

static void open_another(struct reader *reader)
{
    (void)read_from(7, ID, 0);
}

/* It may not have the piece that is just told twice, nor miss it. */
static void test_opened_inside(void **state)
{
    struct reader *reader = read_from(0, ID, 0);
    uint64_t tag = next_command(FR_FLUX_WATCH, ID, 0), own;

    reader->inside = open_another;
    tell_data(tag, "a", 1);
    own = next_command(FR_FLUX_WATCH, ID, 0);
    tell_data(own, "a", 1);
    assert_string_equal(fixture->readers[7].out, "a");
    reader->inside = NULL;
    close_reader(&fixture->readers[7]);
    *fixture->readers[7].out = '\0';
    next_command(FR_FLUX_UNWATCH, 0, 0);
    reader->inside = open_another;
    tell_mark(tag, FR_OUTPUT_END);
    next_command(FR_FLUX_WATCH, ID, 0); /* none can join what is over */
    assert_int_equal(fixture->readers[7].nends, 0);
}

static void stop_all(struct reader *reader)
{
    fr_flux_watches_stop(&fixture->flux);
}

static void test_stopped_inside(void **state)
{
    uint64_t tag;

    for (size_t i = 0; i < 3; i++)
        read_from(i, ID, 0)->inside = stop_all;
    tag = next_command(FR_FLUX_WATCH, ID, 0);
    tell_data(tag, "a", 1);
    assert_int_equal(strlen(fixture->readers[0].out) + strlen(fixture->readers[1].out) +
                         strlen(fixture->readers[2].out),
                     1);
    assert_int_equal(fixture->flux.nfeeds, 0);
    fr_flux_output_pause(fixture->readers[0].watch, false);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_many_readers_one_feed),
        TEST(test_late_reader_catches_up_and_joins),
        TEST(test_jobs_apart),
        TEST(test_paused_reader_keeps_the_order),
        TEST(test_slow_reader_leaves),
        TEST(test_too_many),
        TEST(test_lost),
        TEST(test_freed_inside),
        TEST(test_opened_inside),
        TEST(test_stopped_inside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
