// SPDX-License-Identifier: LGPL-3.0-only
#include "engine/local/sched.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MOST 64
#define NOW 1000.0

static void add(struct fr_sched_queue *queue, uint64_t id, int urgency, int cores)
{
    struct fr_sched_item item = {.id = id, .urgency = urgency, .share = {cores, 0}};

    assert_int_equal(fr_sched_queue_add(queue, &item), 0);
}

static size_t length(const struct fr_sched_queue *queue)
{
    size_t count = 0;

    for (size_t i = 0; i < FR_SCHED_URGENCIES; i++)
        count += queue->levels[i].count;
    return count;
}

static size_t capacity(const struct fr_sched_queue *queue)
{
    size_t count = 0;

    for (size_t i = 0; i < FR_SCHED_URGENCIES; i++)
        count += queue->levels[i].cap;
    return count;
}

/* --- the queue --- */

static void test_orders_by_urgency_then_age(void **state)
{
    struct fr_sched_queue queue = {0};
    struct fr_sched_item items[8];
    const uint64_t expected[] = {5, 2, 1, 3};

    add(&queue, 3, 16, 1);
    add(&queue, 1, 16, 1);
    add(&queue, 2, 17, 1);
    add(&queue, 4, 0, 1); /* held: not shown */
    add(&queue, 5, 31, 1);
    assert_int_equal(fr_sched_queue_window(&queue, items, 8), 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(items[i].id, expected[i]);
    assert_int_equal(fr_sched_queue_window(&queue, items, 2), 2);
    assert_int_equal(items[1].id, 2);
    fr_sched_queue_done(&queue);
}

/* Against a plain list: random adding and removing keeps order and content. */
static void test_queue_keeps_order(void **state)
{
    static struct fr_sched_item items[1000];
    struct fr_sched_queue queue = {0};
    bool there[1000] = {0};
    size_t count = 0, shown;

    srandom(7);
    for (int i = 0; i < 20000; i++) {
        uint64_t id = (uint64_t)random() % 1000;
        int urgency = (int)(id * 7 % 32);

        if (there[id])
            fr_sched_queue_remove(&queue, id, urgency);
        else
            add(&queue, id, urgency, 1);
        there[id] = !there[id];
        count += there[id] ? 1 : (size_t)-1;
        assert_int_equal(length(&queue), count);
    }
    shown = fr_sched_queue_window(&queue, items, 1000);
    for (size_t i = 0; i < shown; i++) {
        assert_true(there[items[i].id] && items[i].urgency > 0);
        if (i > 0 && items[i].urgency == items[i - 1].urgency)
            assert_true(items[i].id > items[i - 1].id);
        else if (i > 0)
            assert_true(items[i].urgency < items[i - 1].urgency);
    }
    assert_int_equal(shown + queue.levels[0].count, count);
    fr_sched_queue_done(&queue);
}

static void test_remove_of_what_is_not_there(void **state)
{
    struct fr_sched_queue queue = {0};

    fr_sched_queue_remove(&queue, 9, 16);
    add(&queue, 1, 16, 1);
    fr_sched_queue_remove(&queue, 9, 16);
    fr_sched_queue_remove(&queue, 1, 15);
    assert_int_equal(length(&queue), 1);
    fr_sched_queue_done(&queue);
}

/* Many come and go at the head: memory must not grow with their number. */
static void test_queue_reuses_its_room(void **state)
{
    struct fr_sched_queue queue = {0};

    for (uint64_t id = 1; id <= 100000; id++) {
        add(&queue, id, 16, 1);
        fr_sched_queue_remove(&queue, id, 16);
    }
    assert_true(capacity(&queue) <= 256);
    fr_sched_queue_done(&queue);
}

/* --- the choice --- */

struct scene {
    struct fr_sched_item items[MOST];
    size_t count;
    struct fr_sched_running running[2 * MOST];
    size_t nrunning;
    struct fr_sched_share total;
    size_t places[MOST];
    size_t n;
};

static void wait_for(struct scene *scene, int cores, int gpus, double duration)
{
    size_t i = scene->count++;

    scene->items[i] = (struct fr_sched_item){i + 1, 16, {cores, gpus}, duration};
}

static void occupy(struct scene *scene, int cores, int gpus, double end)
{
    scene->running[scene->nrunning++] = (struct fr_sched_running){end, {cores, gpus}};
}

static struct fr_sched_share unused(const struct scene *scene)
{
    struct fr_sched_share room = scene->total;

    for (size_t i = 0; i < scene->nrunning; i++) {
        room.cores -= scene->running[i].share.cores;
        room.gpus -= scene->running[i].share.gpus;
    }
    return room;
}

static void choose(struct scene *scene)
{
    struct fr_sched_running scratch[2 * MOST];

    memcpy(scratch, scene->running, sizeof(scratch));
    scene->n = fr_sched_starts(scene->items, scene->count, scratch, scene->nrunning,
                               unused(scene), NOW, scene->places, MOST);
}

static void check_choice(struct scene *scene, size_t n, ...)
{
    va_list ap;

    choose(scene);
    assert_int_equal(scene->n, n);
    va_start(ap, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(scene->places[i], va_arg(ap, int));
    va_end(ap);
}

static void test_starts_what_fits_in_order(void **state)
{
    struct scene scene = {.total = {5, 0}};

    wait_for(&scene, 2, 0, 0);
    wait_for(&scene, 1, 0, 0);
    wait_for(&scene, 4, 0, 0);
    wait_for(&scene, 1, 0, 0); /* fits, and would delay the third for ever */
    check_choice(&scene, 2, 0, 1);
    scene.total.cores = 8;
    check_choice(&scene, 4, 0, 1, 2, 3);
    scene.total.cores = 1;
    check_choice(&scene, 0);
}

static void test_starts_no_more_than_asked(void **state)
{
    struct scene scene = {.total = {10, 0}};
    size_t places[4];

    for (int i = 0; i < 10; i++)
        wait_for(&scene, 1, 0, 0);
    assert_int_equal(
        fr_sched_starts(scene.items, 10, scene.running, 0, scene.total, NOW, places, 4), 4);
    assert_int_equal(fr_sched_starts(NULL, 0, NULL, 0, scene.total, NOW, places, 4), 0);
}

static void test_overtakes_if_it_ends_in_time(void **state)
{
    struct scene scene = {.total = {4, 0}};

    occupy(&scene, 3, 0, NOW + 60);
    wait_for(&scene, 4, 0, 0);
    wait_for(&scene, 1, 0, 61);
    wait_for(&scene, 1, 0, 60);
    check_choice(&scene, 1, 2);
}

static void test_overtakes_on_what_the_head_leaves(void **state)
{
    struct scene scene = {.total = {4, 0}};

    occupy(&scene, 2, 0, NOW + 60);
    wait_for(&scene, 3, 0, 0);
    wait_for(&scene, 1, 0, 0); /* beside the head there is one core for ever */
    wait_for(&scene, 1, 0, 0); /* and no second one */
    check_choice(&scene, 1, 1);
}

/* The head waits for a job that may end at any moment, or never. */
static void test_no_overtaking_where_nothing_is_known(void **state)
{
    struct scene scene = {.total = {4, 1}};

    occupy(&scene, 2, 0, 0);
    wait_for(&scene, 3, 0, 0);
    wait_for(&scene, 1, 0, 1);
    check_choice(&scene, 0);
    /* What the head does not need is another matter. */
    scene = (struct scene){.total = {4, 1}};
    occupy(&scene, 1, 1, 0);
    wait_for(&scene, 1, 1, 0);
    wait_for(&scene, 2, 0, 0);
    wait_for(&scene, 1, 0, 0);
    check_choice(&scene, 1, 1);
}

/* --- properties, against a model that is too simple to be wrong --- */

/* When the head starts if all run for as long as they may; by trying every end in turn. */
static double model_start(const struct scene *scene, const struct fr_sched_item *head)
{
    double best = INFINITY;

    for (size_t i = 0; i <= scene->nrunning; i++) {
        double when = i == scene->nrunning ? NOW : scene->running[i].end;
        struct fr_sched_share room = scene->total;

        if (when <= 0)
            continue;
        for (size_t k = 0; k < scene->nrunning; k++) {
            if (scene->running[k].end > 0 && scene->running[k].end <= when)
                continue;
            room.cores -= scene->running[k].share.cores;
            room.gpus -= scene->running[k].share.gpus;
        }
        if (head->share.cores <= room.cores && head->share.gpus <= room.gpus)
            best = fmin(best, when);
    }
    return best;
}

static void start(struct scene *scene, const struct fr_sched_item *item)
{
    occupy(scene, item->share.cores, item->share.gpus,
           item->duration > 0 ? NOW + item->duration : 0);
}

/* Those that have no limit may all be gone in a moment: each set of them is tried. */
static void check_sudden_ends(const struct scene *before, const struct scene *after,
                              const struct fr_sched_item *head)
{
    for (unsigned int set = 0; set < 1u << before->nrunning; set++) {
        struct fr_sched_share without = unused(before);
        struct fr_sched_share with = unused(after);

        for (size_t i = 0; i < before->nrunning; i++) {
            if (!(set & 1u << i) || before->running[i].end > 0)
                continue;
            without.cores += before->running[i].share.cores;
            without.gpus += before->running[i].share.gpus;
            with.cores += before->running[i].share.cores;
            with.gpus += before->running[i].share.gpus;
        }
        if (head->share.cores <= without.cores && head->share.gpus <= without.gpus)
            assert_true(head->share.cores <= with.cores && head->share.gpus <= with.gpus);
    }
}

static void check_scene(struct scene *scene)
{
    struct scene before = *scene;
    struct scene after;
    size_t first = 0; /* the head's place */
    double alone, now;

    choose(scene);
    while (first < scene->n && scene->places[first] == first)
        start(&before, &scene->items[first++]);
    after = before;
    for (size_t i = first; i < scene->n; i++) {
        assert_true(i == 0 || scene->places[i] > scene->places[i - 1]);
        start(&after, &scene->items[scene->places[i]]);
    }
    assert_true(unused(&after).cores >= 0 && unused(&after).gpus >= 0);
    if (first == scene->count)
        return;
    alone = model_start(&before, &scene->items[first]);
    assert_true(alone > NOW); /* or it would have been started */
    now = model_start(&after, &scene->items[first]);
    assert_true(now <= alone);
    if (isinf(alone))
        check_sudden_ends(&before, &after, &scene->items[first]);
}

static int below(int n)
{
    return (int)(random() % n);
}

/* Equal ends and limits are common, so that borders are met. */
static double some_time(void)
{
    return below(3) == 0 ? 0 : 1 + below(6);
}

static void test_never_delays_the_head(void **state)
{
    size_t overtook = 0;

    srandom(42);
    for (int round = 0; round < 100000; round++) {
        struct scene scene = {.total = {1 + below(8), below(3)}};
        int jobs = 1 + below(8);

        for (int i = 0; i < 8; i++) {
            struct fr_sched_share room = unused(&scene);
            double end = some_time();

            if (room.cores > 0 && below(2))
                occupy(&scene, 1 + below(room.cores), below(room.gpus + 1),
                       end > 0 ? NOW + end : 0);
        }
        for (int i = 0; i < jobs; i++)
            wait_for(&scene, 1 + below(scene.total.cores), below(scene.total.gpus + 1),
                     some_time());
        check_scene(&scene);
        overtook += scene.n > 0 && scene.places[scene.n - 1] != scene.n - 1;
    }
    assert_true(overtook > 1000); /* or the test has shown nothing */
}

/* 100,000 wait behind a wide one: each look costs no more than its window. */
static void test_window_of_a_long_queue(void **state)
{
    static struct fr_sched_item items[512];
    struct fr_sched_queue queue = {0};

    for (uint64_t id = 1; id <= 100000; id++)
        add(&queue, id, 16, id == 1 ? 8 : 1);
    for (uint64_t id = 2; id <= 50000; id++) { /* overtaken one after the other */
        assert_int_equal(fr_sched_queue_window(&queue, items, 512), 512);
        assert_int_equal(items[0].id, 1);
        assert_int_equal(items[1].id, id);
        fr_sched_queue_remove(&queue, id, 16);
    }
    fr_sched_queue_done(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders_by_urgency_then_age),
        cmocka_unit_test(test_queue_keeps_order),
        cmocka_unit_test(test_remove_of_what_is_not_there),
        cmocka_unit_test(test_queue_reuses_its_room),
        cmocka_unit_test(test_starts_what_fits_in_order),
        cmocka_unit_test(test_starts_no_more_than_asked),
        cmocka_unit_test(test_overtakes_if_it_ends_in_time),
        cmocka_unit_test(test_overtakes_on_what_the_head_leaves),
        cmocka_unit_test(test_no_overtaking_where_nothing_is_known),
        cmocka_unit_test(test_never_delays_the_head),
        cmocka_unit_test(test_window_of_a_long_queue),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
