// SPDX-License-Identifier: LGPL-3.0-only
/* What becomes of jobs that ended long ago, or that are too many. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/util.h"
#include "local_fixture.h"

static const char *folder_of(const struct fixture *f, uint64_t id)
{
    static char path[256];

    (void)snprintf(path, sizeof(path), "%s/jobs/%02x/%llu", f->state,
                   (unsigned int)(id >> 24) & 0xff, (unsigned long long)id);
    return path;
}

static int store_ask(const struct fixture *f, const char *sql)
{
    sqlite3_stmt *stmt;
    sqlite3 *handle;
    char path[160];
    int number = -1;

    (void)snprintf(path, sizeof(path), "%s/store.db", f->state);
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    (void)sqlite3_busy_timeout(handle, 10000);
    assert_int_equal(sqlite3_prepare_v2(handle, sql, -1, &stmt, NULL), SQLITE_OK);
    if (sqlite3_step(stmt) == SQLITE_ROW)
        number = sqlite3_column_int(stmt, 0);
    assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
    return number;
}

static uint64_t run_one(struct fixture *f)
{
    uint64_t id = fixture_run(f, fixture_script("echo out"));

    assert_int_equal(fixture_finished(f, id)->job->result, FR_RESULT_COMPLETED);
    return id;
}

/* Folders go after the jobs: until no job is doomed any more. */
static void wait_buried(struct fixture *f)
{
    while (store_ask(f, "SELECT COUNT(*) FROM doomed") > 0)
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
}

static void reopen(struct fixture *f)
{
    fixture_close(f);
    f->npurged = 0;
    fixture_open(f);
}

static void test_keeps_so_many(void **state)
{
    struct fixture *f = *state;
    struct heard heard;
    uint64_t ids[6];
    uint64_t seq;
    struct answer a;

    f->keep_jobs = 3;
    reopen(f);
    for (size_t i = 0; i < 6; i++)
        ids[i] = run_one(f);
    WAIT(f, f->npurged == 3);
    wait_buried(f);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(fixture_exists(folder_of(f, ids[i])), i >= 3);
        fixture_hear(f, ids[i], 0, &heard);
        assert_int_equal(heard.failed, i < 3);
        fixture_cancel(f, ids[i], &a);
        assert_int_equal(a.err.code, i < 3 ? FR_CODE_JOB_NOT_FOUND : FR_CODE_JOB_INACTIVE);
    }
    seq = f->last_seq;
    reopen(f);
    assert_int_equal(f->njobs, 3);
    assert_null(fixture_find(f, ids[2]));
    assert_int_equal(f->last_seq, seq);
}

/* A job that runs is not counted, nor forgotten, however old. */
static void test_keeps_so_long(void **state)
{
    struct fixture *f = *state;
    uint64_t old = run_one(f);
    uint64_t running = fixture_run(f, fixture_script("exec sleep 600"));
    uint64_t seq, id;
    struct answer a;

    WAIT(f, fixture_is(f, running, FR_STATE_RUN));
    f->keep_seconds = 1e-6;
    reopen(f);
    WAIT(f, f->npurged == 1);
    wait_buried(f);
    assert_false(fixture_exists(folder_of(f, old)));
    assert_true(fixture_is(f, running, FR_STATE_RUN));
    fixture_cancel(f, running, &a);
    (void)fixture_finished(f, running);
    seq = f->last_seq;
    reopen(f);
    WAIT(f, f->npurged == 1);
    wait_buried(f);
    /* Nothing is left, and numbers rise all the same. */
    reopen(f);
    assert_int_equal(f->njobs, 0);
    id = run_one(f);
    assert_true(id > running);
    assert_true(fixture_find(f, id)->clean_seq > seq + 5);
}

static void test_keeps_all_if_told_to(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 5; i++)
        (void)run_one(f);
    reopen(f);
    assert_int_equal(f->njobs, 5);
    assert_int_equal(f->npurged, 0);
}

/* The daemon was killed when the jobs were out of the store and their folders were not gone. */
static void test_goes_on_with_what_was_begun(void **state)
{
    struct fixture *f = *state;
    uint64_t kept = run_one(f);
    uint64_t doomed = run_one(f);
    char path[320], sql[256];

    fixture_close(f);
    (void)snprintf(sql, sizeof(sql),
                   "INSERT INTO doomed SELECT id FROM jobs WHERE id = %llu RETURNING 1",
                   (unsigned long long)doomed);
    assert_int_equal(store_ask(f, sql), 1);
    assert_int_equal(store_ask(f, "DELETE FROM jobs WHERE id IN doomed RETURNING 1"), 1);
    assert_int_equal(store_ask(f, "DELETE FROM events WHERE id IN doomed RETURNING 1"), 1);
    (void)snprintf(path, sizeof(path), "%s/deep", folder_of(f, doomed));
    assert_int_equal(mkdir(path, 0700), 0); /* whatever there is in it */
    assert_int_equal(symlink("/tmp", strcat(path, "/link")), 0);
    fixture_open(f);
    wait_buried(f);
    assert_false(fixture_exists(folder_of(f, doomed)));
    assert_true(fixture_exists(folder_of(f, kept)));
    assert_int_equal(f->njobs, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_keeps_so_many),
        TEST(test_keeps_so_long),
        TEST(test_keeps_all_if_told_to),
        TEST(test_goes_on_with_what_was_begun),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
