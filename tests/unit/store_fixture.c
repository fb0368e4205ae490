// SPDX-License-Identifier: LGPL-3.0-only
#include "store_fixture.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

bool store_on_unit(void *arg, const struct fr_unit *unit, int result,
                   const struct fr_error *err)
{
    struct store_outcome *outcome = arg;

    assert_true((result < 0) == (err != NULL));
    outcome->calls++;
    outcome->result = result;
    if (err)
        outcome->code = err->code;
    outcome->seq = unit->events[0].seq;
    return outcome->keep;
}

static void on_closed(void *arg)
{
    ((struct store_bench *)arg)->closed = true;
}

void store_open(struct store_bench *bench)
{
    struct fr_error err = {.text = ""};

    if (fr_store_open(&bench->loop, bench->path, &bench->store, &err) < 0)
        fail_msg("%s", err.text);
}

void store_close(struct store_bench *bench)
{
    bench->closed = false;
    fr_store_close(bench->store, on_closed, bench);
    while (!bench->closed)
        (void)uv_run(&bench->loop, UV_RUN_ONCE);
    bench->store = NULL;
}

int store_setup(void **state)
{
    struct store_bench *bench = calloc(1, sizeof(*bench));

    assert_non_null(bench);
    (void)signal(SIGXFSZ, SIG_IGN);
    strcpy(bench->dir, "/tmp/fr-store-XXXXXX");
    assert_non_null(mkdtemp(bench->dir));
    (void)snprintf(bench->path, sizeof(bench->path), "%s/store.db", bench->dir);
    assert_int_equal(uv_loop_init(&bench->loop), 0);
    store_open(bench);
    *state = bench;
    return 0;
}

int store_teardown(void **state)
{
    struct store_bench *bench = *state;
    char name[128];

    if (bench->store)
        store_close(bench);
    (void)uv_run(&bench->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&bench->loop), 0);
    (void)unlink(bench->path);
    (void)snprintf(name, sizeof(name), "%s-wal", bench->path);
    (void)unlink(name);
    (void)snprintf(name, sizeof(name), "%s-shm", bench->path);
    (void)unlink(name);
    assert_int_equal(rmdir(bench->dir), 0);
    free(bench);
    return 0;
}

void store_put_job(struct store_bench *bench, uint64_t id, size_t size,
                   struct store_outcome *outcome)
{
    struct fr_unit *unit = fr_unit_create(id, store_on_unit, outcome);

    assert_non_null(unit);
    unit->jobspec = malloc(size + 32);
    assert_non_null(unit->jobspec);
    (void)sprintf(unit->jobspec, "{\"fill\":\"%0*d\"}", (int)size, 0);
    unit->environment = strdup("{\"A\":\"b\"}");
    unit->urgency = 16;
    fr_unit_event(unit, "submit", 1.5, 0, strdup("{\"urgency\":16}"));
    fr_unit_event(unit, "validate", 1.5, 1, NULL);
    fr_store_put(bench->store, unit);
}

void store_put_event(struct store_bench *bench, uint64_t id, const char *name, int64_t index,
                     struct store_outcome *outcome)
{
    struct fr_unit *unit = fr_unit_create(id, store_on_unit, outcome);

    assert_non_null(unit);
    fr_unit_event(unit, name, 2.25, index, NULL);
    fr_store_put(bench->store, unit);
}

void store_wait_calls(struct store_bench *bench, const struct store_outcome *outcome, int calls)
{
    while (outcome->calls < calls)
        (void)uv_run(&bench->loop, UV_RUN_ONCE);
}

int store_on_row(void *arg, const struct fr_row *row)
{
    struct store_rows *rows = arg;
    size_t used = strlen(rows->text);

    /* Job by job, each in order. */
    assert_true(row->id > rows->last_id ||
                (row->id == rows->last_id && row->event.seq > rows->last_seq));
    rows->last_id = row->id;
    rows->last_seq = row->event.seq;
    rows->count++;
    if (used < sizeof(rows->text) - 64)
        (void)snprintf(rows->text + used, sizeof(rows->text) - used, "%llu.%lld:%s%s%s ",
                       (unsigned long long)row->id, (long long)row->event.index,
                       row->event.name, row->jobspec ? "+J" : "", row->R ? "+R" : "");
    return 0;
}

struct store_rows store_read_all(struct store_bench *bench)
{
    struct store_rows rows = {.text = ""};

    assert_int_equal(fr_store_read_events(bench->store, 0, 100000, store_on_row, &rows, NULL),
                     0);
    return rows;
}
