// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The first so many jobs of an order are those that sorting all of them gives, page by page.
 */
#include "api/found.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define JOBS 1000

static struct fr_job jobs[JOBS];
static const struct fr_job *sorted[JOBS];

static void find(struct fr_found *found)
{
    for (size_t i = 0; i < JOBS; i++)
        assert_true(fr_found_add(found, &jobs[i]));
    fr_found_sort(found);
}

static void check_pages(fr_order_f order, bool backwards, size_t most)
{
    const struct fr_job *last = NULL;
    size_t at = 0;

    do {
        struct fr_found found = {
            .order = order, .backwards = backwards, .most = most, .last = last};
        find(&found);
        assert_int_equal(found.total, JOBS - at);
        for (size_t i = 0; i < found.count; i++, at++)
            assert_ptr_equal(found.jobs[i], sorted[backwards ? JOBS - 1 - at : at]);
        last = found.count ? found.jobs[found.count - 1] : NULL;
        fr_found_done(&found);
    } while (last);
    assert_int_equal(at, JOBS);
}

static void test_orders(void **state)
{
    static const size_t sizes[] = {1, 2, 7, 999, 1000, 1001, SIZE_MAX};
    static const char *const fields[] = {"ncores", "id", "t_submit"};

    srand(1);
    for (size_t i = 0; i < JOBS; i++) {
        jobs[i].id = (uint64_t)rand() << 20 | i;
        jobs[i].ncores = rand() % 10; /* many are equal */
        jobs[i].t_submit = rand();
        sorted[i] = &jobs[i];
    }
    for (size_t f = 0; f < 3; f++) {
        fr_order_f order = fr_order_find(fields[f]);
        qsort(sorted, JOBS, sizeof *sorted, order);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            check_pages(order, false, sizes[i]);
            check_pages(order, true, sizes[i]);
        }
    }
}

static void test_without_order(void **state)
{
    struct fr_found found = {.most = 3};

    find(&found);
    assert_int_equal(found.count, 3);
    assert_int_equal(found.total, JOBS);
    assert_ptr_equal(found.jobs[2], &jobs[2]);
    fr_found_done(&found);
    found = (struct fr_found){.order = fr_order_find("id")};
    find(&found); /* none is kept, all are counted */
    assert_int_equal(found.count, 0);
    assert_int_equal(found.total, JOBS);
    fr_found_done(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_without_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
