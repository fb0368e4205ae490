// SPDX-License-Identifier: LGPL-3.0-only
#include "core/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int apply(struct fr_table *table, uint64_t id, int64_t index, const char *name,
                 double when, const char *context)
{
    struct fr_event event = {
        .timestamp = when, .name = name, .context = context, .index = index};
    const struct fr_job *job = NULL;
    struct fr_error err;

    return fr_table_apply(table, id, &event, NULL, NULL, 1, &job, &err);
}

/* Brings a new job into a state by the events that lead there. */
static void add(struct fr_table *table, uint64_t id, enum fr_state state, double when,
                int priority)
{
    char context[64];
    int index = 0;

    assert_int_equal(apply(table, id, index++, "submit", when,
                           "{\"userid\":0,\"urgency\":16,\"flags\":0,\"version\":1}"),
                     0);
    assert_int_equal(apply(table, id, index++, "validate", when, NULL), 0);
    assert_int_equal(apply(table, id, index++, "depend", when, NULL), 0);
    snprintf(context, sizeof context, "{\"priority\":%d}", priority);
    assert_int_equal(apply(table, id, index++, "priority", when, context), 0);
    if (state == FR_STATE_SCHED)
        return;
    assert_int_equal(apply(table, id, index++, "alloc", when, NULL), 0);
    assert_int_equal(apply(table, id, index++, "start", when, NULL), 0);
    if (state == FR_STATE_RUN)
        return;
    assert_int_equal(apply(table, id, index++, "finish", when, "{\"status\":0}"), 0);
    assert_int_equal(
        apply(table, id, index++, "release", when, "{\"ranks\":\"0\",\"final\":true}"), 0);
    assert_int_equal(apply(table, id, index++, "free", when, NULL), 0);
    assert_int_equal(apply(table, id, index++, "clean", when, NULL), 0);
}

static void expect_order(struct fr_table *table, int states, const uint64_t *ids, size_t count)
{
    struct fr_table_walk walk = fr_table_walk(table, states);

    for (size_t i = 0; i < count; i++) {
        const struct fr_job *job = fr_table_next(&walk);
        assert_non_null(job);
        assert_int_equal(job->id, ids[i]);
    }
    assert_null(fr_table_next(&walk));
}

static void fill(struct fr_table *table)
{
    add(table, 11, FR_STATE_INACTIVE, 5, 16);
    add(table, 12, FR_STATE_SCHED, 1, 16);
    add(table, 13, FR_STATE_RUN, 8, 16);
    add(table, 14, FR_STATE_INACTIVE, 9, 16);
    add(table, 15, FR_STATE_SCHED, 2, 16);
    add(table, 16, FR_STATE_SCHED, 3, 31);
    add(table, 17, FR_STATE_RUN, 7, 16);
}

static const uint64_t listing[] = {16, 12, 15, 13, 17, 14, 11};

static void test_order_is_flux_order(void **state)
{
    struct fr_table *table;

    assert_int_equal(fr_table_create(&table), 0);
    fill(table);
    expect_order(table, FR_STATES_ALL, NULL, 0); /* a backlog is not shown in pieces */
    assert_int_equal(fr_table_settle(table), 0);
    expect_order(table, FR_STATES_ALL, listing, 7);
    expect_order(table, FR_STATES_PENDING, listing, 3);
    expect_order(table, FR_STATES_RUNNING, listing + 3, 2);
    expect_order(table, FR_STATE_INACTIVE, listing + 5, 2);
    expect_order(table, FR_STATES_ACTIVE, listing, 5);
    fr_table_free(table);

    assert_int_equal(fr_table_create(&table), 0);
    assert_int_equal(fr_table_settle(table), 0);
    fill(table); /* one change after the other gives the same */
    expect_order(table, FR_STATES_ALL, listing, 7);
    fr_table_free(table);
}

static void test_priority_moves_a_waiting_job(void **state)
{
    const uint64_t before[] = {1, 2, 3}, after[] = {3, 1, 2};
    struct fr_table *table;

    assert_int_equal(fr_table_create(&table), 0);
    assert_int_equal(fr_table_settle(table), 0);
    for (uint64_t id = 1; id <= 3; id++)
        add(table, id, FR_STATE_SCHED, 1, 16);
    expect_order(table, FR_STATES_ALL, before, 3);
    assert_int_equal(apply(table, 3, 4, "urgency", 2, "{\"userid\":0,\"urgency\":20}"), 0);
    assert_int_equal(apply(table, 3, 5, "priority", 2, "{\"priority\":20}"), 0);
    expect_order(table, FR_STATES_ALL, after, 3);
    fr_table_free(table);
}

static void test_refusals(void **state)
{
    struct fr_table *table;

    assert_int_equal(fr_table_create(&table), 0);
    assert_int_equal(apply(table, 5, 3, "alloc", 1, NULL), -ENOENT);
    add(table, 5, FR_STATE_SCHED, 1, 16);
    assert_int_equal(apply(table, 5, 2, "depend", 1, NULL), -EALREADY);
    assert_int_equal(fr_table_count(table), 1);
    fr_table_free(table);
}

static void test_invalidate_removes(void **state)
{
    size_t counts[FR_STATE_BITS];
    struct fr_table *table;

    assert_int_equal(fr_table_create(&table), 0);
    assert_int_equal(fr_table_settle(table), 0);
    assert_int_equal(apply(table, 5, 0, "submit", 1, "{\"userid\":0,\"urgency\":16}"), 0);
    assert_int_equal(apply(table, 5, 1, "invalidate", 1, NULL), 0);
    assert_null(fr_table_find(table, 5));
    assert_int_equal(fr_table_count(table), 0);
    fr_table_count_states(table, counts);
    for (int i = 0; i < FR_STATE_BITS; i++)
        assert_int_equal(counts[i], 0);
    expect_order(table, FR_STATES_ALL, NULL, 0);
    fr_table_free(table);
}

/*
 * Random adding, moving on and removing, compared with a plain array: every job is found, no
 * removed one is, the counts agree and the order holds.
 */
#define MANY 3000

struct model {
    bool here;
    int events; /* of the ten that fill() applies */
};

static void step(struct fr_table *table, uint64_t id, struct model *model, double now)
{
    static const char *const names[] = {"submit", "validate", "depend",  "priority", "alloc",
                                        "start",  "finish",   "release", "free",     "clean"};
    static const char *const contexts[] = {"{\"userid\":0,\"urgency\":16}",
                                           NULL,
                                           NULL,
                                           "{\"priority\":16}",
                                           NULL,
                                           NULL,
                                           "{\"status\":0}",
                                           "{\"ranks\":\"0\",\"final\":true}",
                                           NULL,
                                           NULL};

    assert_int_equal(
        apply(table, id, model->events, names[model->events], now, contexts[model->events]), 0);
    model->events++;
}

static void check_walk(struct fr_table *table, size_t expected)
{
    struct fr_table_walk walk = fr_table_walk(table, FR_STATES_ALL);
    const struct fr_job *job, *last = NULL;
    size_t count = 0;

    for (; (job = fr_table_next(&walk)); last = job, count++) {
        if (!last)
            continue;
        bool last_waits = last->state < FR_STATE_RUN, waits = job->state < FR_STATE_RUN;
        assert_true(last_waits || !waits);
        if (last_waits && waits && last->priority == job->priority)
            assert_true(last->id < job->id);
        if (last->state == FR_STATE_INACTIVE) {
            assert_int_equal(job->state, FR_STATE_INACTIVE);
            assert_true(last->t_inactive >= job->t_inactive);
        }
    }
    assert_int_equal(count, expected);
}

static void test_random(void **state)
{
    static struct model models[MANY + 1];
    struct fr_table *table;
    unsigned int seed = 42;
    size_t here = 0;

    memset(models, 0, sizeof models);
    assert_int_equal(fr_table_create(&table), 0);
    assert_int_equal(fr_table_settle(table), 0);
    for (int i = 0; i < MANY * 20; i++) {
        uint64_t id = 1 + (unsigned int)rand_r(&seed) % MANY;
        struct model *model = &models[id];
        if (model->here && rand_r(&seed) % 16 == 0) {
            fr_table_remove(table, id << 24);
            *model = (struct model){0};
            here--;
        } else if (model->events < 10) {
            here += !model->here;
            model->here = true;
            step(table, id << 24, model, 1000 + i);
        }
        if (i % 5000 == 0)
            check_walk(table, here);
    }
    assert_int_equal(fr_table_count(table), here);
    for (uint64_t id = 1; id <= MANY; id++)
        assert_int_equal(fr_table_find(table, id << 24) != NULL, models[id].here);
    check_walk(table, here);
    fr_table_free(table);
}

/* From each place the walk goes on with the next one, also when the job has left. */
static void test_places(void **state)
{
    struct fr_table *table;
    struct fr_job const *job;
    uint64_t ids[64];
    struct fr_table_place places[64];
    size_t count = 0;

    assert_int_equal(fr_table_create(&table), 0);
    for (uint64_t id = 1; id <= 60; id++)
        add(table, id,
            id % 3 == 0   ? FR_STATE_SCHED
            : id % 3 == 1 ? FR_STATE_RUN
                          : FR_STATE_INACTIVE,
            (double)(id / 6), (int)(id % 5));
    assert_int_equal(fr_table_settle(table), 0);
    struct fr_table_walk walk = fr_table_walk(table, FR_STATES_ALL);
    while ((job = fr_table_next(&walk))) {
        places[count] = fr_table_place(job);
        ids[count++] = job->id;
    }
    assert_int_equal(count, 60);
    for (int gone = 0; gone < 2; gone++)
        for (size_t i = 0; i + 1 < count; i++) {
            if (gone)
                fr_table_remove(table, ids[i]);
            walk = fr_table_walk(table, FR_STATES_ALL);
            fr_table_walk_after(&walk, &places[i]);
            for (size_t k = i + 1; k < count; k++)
                assert_int_equal(fr_table_next(&walk)->id, ids[k]);
            assert_null(fr_table_next(&walk));
        }
    fr_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_is_flux_order),
        cmocka_unit_test(test_priority_moves_a_waiting_job),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_invalidate_removes),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
