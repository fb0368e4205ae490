// SPDX-License-Identifier: LGPL-3.0-only
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/finished.h"
#include "model/job_json.h"

#define NOW 1795534627.5

/* The text told of the job, after something else; to be freed. */
static char *told(struct fr_finished *finished, const struct fr_job *job)
{
    struct fr_buf body = FR_BUF_INIT(1 << 20);
    char *data;
    size_t len;

    fr_buf_puts(&body, "before:");
    fr_finished_json(finished, job, NOW, &body);
    assert_int_equal(fr_buf_take(&body, &data, &len), 0);
    return data;
}

/* Tells the job twice, and each time it is what fr_job_json() makes of it. */
static void assert_true_text(struct fr_finished *finished, const struct fr_job *job)
{
    struct fr_buf fresh = FR_BUF_INIT(1 << 20);

    fr_buf_puts(&fresh, "before:");
    fr_job_json(job, NOW, NULL, &fresh);
    assert_int_equal(fr_buf_status(&fresh), 0);
    for (int i = 0; i < 2; i++) {
        char *text = told(finished, job);
        assert_string_equal(text, fresh.data);
        free(text);
    }
    fr_buf_done(&fresh);
}

static size_t kept(const struct fr_finished *finished)
{
    size_t count = 0;

    for (size_t i = 0; i < FR_FINISHED_SLOTS; i++)
        count += finished->slots[i].text != NULL;
    return count;
}

static struct fr_job *job_of(uint64_t id, enum fr_state state)
{
    struct fr_job *job = fr_job_create(id);

    assert_non_null(job);
    job->state = state;
    job->t_run = NOW - 10;
    job->changed_seq = id;
    return job;
}

static void test_only_what_stays(void **state)
{
    struct fr_finished finished = {0};
    struct fr_job *job = job_of(7, FR_STATE_RUN);

    (void)state;
    assert_true_text(&finished, job);
    assert_int_equal(kept(&finished), 0);
    job->state = FR_STATE_INACTIVE;
    assert_true_text(&finished, job);
    assert_int_equal(kept(&finished), 1);
    fr_finished_done(&finished);
    assert_int_equal(kept(&finished), 0);
    fr_job_free(job);
}

static void test_a_change_is_told(void **state)
{
    struct fr_finished finished = {0};
    struct fr_job *job = job_of(7, FR_STATE_INACTIVE);

    (void)state;
    assert_true_text(&finished, job);
    job->urgency = 3;
    job->changed_seq++;
    assert_true_text(&finished, job);
    fr_finished_done(&finished);
    fr_job_free(job);
}

/* More jobs than slots: no job is ever told as another. */
static void test_many(void **state)
{
    struct fr_finished finished = {0};

    (void)state;
    for (int round = 0; round < 2; round++)
        for (uint64_t id = 1; id <= 4 * FR_FINISHED_SLOTS; id++) {
            struct fr_job *job = job_of(id << 24, FR_STATE_INACTIVE);
            assert_true_text(&finished, job);
            fr_job_free(job);
        }
    assert_true(kept(&finished) > FR_FINISHED_SLOTS / 2);
    fr_finished_done(&finished);
}

static void test_long_text_is_not_kept(void **state)
{
    struct fr_finished finished = {0};
    struct fr_job *job = job_of(7, FR_STATE_INACTIVE);

    (void)state;
    job->name = malloc(FR_FINISHED_TEXT_MAX + 1);
    assert_non_null(job->name);
    memset(job->name, 'x', FR_FINISHED_TEXT_MAX);
    job->name[FR_FINISHED_TEXT_MAX] = '\0';
    assert_true_text(&finished, job);
    assert_int_equal(kept(&finished), 0);
    fr_finished_done(&finished);
    fr_job_free(job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_what_stays),
        cmocka_unit_test(test_a_change_is_told),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_long_text_is_not_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
