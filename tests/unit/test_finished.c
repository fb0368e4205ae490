// SPDX-License-Identifier: LGPL-3.0-only
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/finished.h"

static size_t kept(const struct fr_finished *finished)
{
    size_t count = 0;

    for (size_t i = 0; i < FR_FINISHED_SLOTS; i++)
        count += finished->slots[i].reply != NULL;
    return count;
}

static struct fr_job *job_of(uint64_t id)
{
    struct fr_job *job = fr_job_create(id);

    assert_non_null(job);
    job->state = FR_STATE_INACTIVE;
    job->changed_seq = id;
    return job;
}

static void test_kept(void **state)
{
    struct fr_finished finished = {0};
    struct fr_job *job = job_of(7);

    (void)state;
    assert_null(fr_finished_find(&finished, job, "W/\"a\""));
    struct fr_reply *reply = fr_finished_keep(&finished, job, "W/\"a\"");
    assert_non_null(reply);
    assert_ptr_equal(fr_finished_find(&finished, job, "W/\"a\""), reply);
    assert_string_equal(fr_reply_etag(reply), "W/\"a\"");
    assert_int_equal(kept(&finished), 1);
    fr_finished_done(&finished);
    assert_int_equal(kept(&finished), 0);
    fr_job_free(job);
}

static void test_a_change_is_told(void **state)
{
    struct fr_finished finished = {0};
    struct fr_job *job = job_of(7);

    (void)state;
    assert_non_null(fr_finished_keep(&finished, job, "a"));
    assert_null(fr_finished_find(&finished, job, "b"));
    job->changed_seq++;
    assert_null(fr_finished_find(&finished, job, "a"));
    assert_non_null(fr_finished_keep(&finished, job, "a"));
    assert_non_null(fr_finished_find(&finished, job, "a"));
    assert_int_equal(kept(&finished), 1);
    fr_finished_done(&finished);
    fr_job_free(job);
}

/* More jobs than slots: no job is ever found as another. */
static void test_many(void **state)
{
    struct fr_finished finished = {0};

    (void)state;
    for (int round = 0; round < 2; round++)
        for (uint64_t id = 1; id <= 4 * FR_FINISHED_SLOTS; id++) {
            struct fr_job *job = job_of(id << 24);
            assert_null(fr_finished_find(&finished, job, "a"));
            struct fr_reply *reply = fr_finished_keep(&finished, job, "a");
            assert_non_null(reply);
            assert_ptr_equal(fr_finished_find(&finished, job, "a"), reply);
            fr_job_free(job);
        }
    assert_true(kept(&finished) > FR_FINISHED_SLOTS / 2);
    fr_finished_done(&finished);
}

static void test_long_text_is_not_kept(void **state)
{
    struct fr_finished finished = {0};
    struct fr_job *job = job_of(7);

    (void)state;
    job->name = malloc(FR_FINISHED_TEXT_MAX + 1);
    assert_non_null(job->name);
    memset(job->name, 'x', FR_FINISHED_TEXT_MAX);
    job->name[FR_FINISHED_TEXT_MAX] = '\0';
    assert_null(fr_finished_keep(&finished, job, "a"));
    assert_int_equal(kept(&finished), 0);
    fr_finished_done(&finished);
    fr_job_free(job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_a_change_is_told),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_long_text_is_not_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
