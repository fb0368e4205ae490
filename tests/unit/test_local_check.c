// SPDX-License-Identifier: LGPL-3.0-only
/* The look at a whole store: it finds each kind of damage, and none where there is none. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/util.h"
#include "local_fixture.h"

static void on_fault(void *arg, const char *text)
{
    char *all = arg;

    assert_true(strlen(all) + strlen(text) < 8000);
    (void)strcat(strcat(all, text), "\n");
}

/* Checks; expects so many faults, one of which says `text`. */
static void check(struct fixture *f, int faults, const char *text)
{
    struct fr_error err = {.text = ""};
    char all[8192] = "";
    int rc = fr_local_check(f->state, on_fault, all, &err);

    if (rc != faults)
        fail_msg("%d faults, not %d: %s%s", rc, faults, all, rc < 0 ? err.text : "");
    if (text && !strstr(all, text))
        fail_msg("no %s in %s", text, all);
}

static void damage(struct fixture *f, const char *fmt, uint64_t id)
{
    char path[160], sql[256];
    sqlite3 *handle;

    (void)snprintf(path, sizeof(path), "%s/store.db", f->state);
    (void)snprintf(sql, sizeof(sql), "%s %llu", fmt, (unsigned long long)id);
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    if (sqlite3_exec(handle, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(handle));
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}

static uint64_t run_one(struct fixture *f)
{
    uint64_t id = fixture_run(f, fixture_script("echo out"));

    (void)fixture_finished(f, id);
    return id;
}

static void test_nothing_is_wrong(void **state)
{
    struct fixture *f = *state;
    struct answer held, a;
    uint64_t running;

    (void)run_one(f);
    (void)fixture_finished(f, fixture_run(f, fixture_script("exit 3")));
    fixture_submit(f, fixture_script("true"), 0, &held);
    WAIT(f, held.done);
    running = fixture_run(f, fixture_script("exec sleep 600"));
    WAIT(f, fixture_is(f, running, FR_STATE_RUN));
    check(f, -EBUSY, NULL); /* the engine has it */
    fixture_close(f);
    check(f, 0, NULL);
    check(f, 0, NULL);
    fixture_open(f);
    fixture_cancel(f, held.id, &a);
    fixture_cancel(f, running, &a);
    (void)fixture_finished(f, running);
    fixture_close(f);
    check(f, 0, NULL);
}

static void test_damaged_rows(void **state)
{
    struct fixture *f = *state;
    uint64_t ids[7];

    for (size_t i = 0; i < 7; i++)
        ids[i] = run_one(f);
    fixture_close(f);
    damage(f, "DELETE FROM events WHERE name = 'start' AND id =", ids[0]);
    check(f, 1, "stands where 5 was to be");
    damage(f, "UPDATE events SET idx = idx - 1 WHERE idx > 5 AND id =", ids[0]);
    check(f, 1, "its record says otherwise");
    damage(f, "UPDATE records SET record = NULL WHERE id =", ids[0]);
    check(f, 0, NULL);
    damage(f, "UPDATE jobs SET jobspec = '{' WHERE id =", ids[1]);
    check(f, 1, "its jobspec cannot be read");
    damage(f, "DELETE FROM events WHERE name = 'clean' AND id =", ids[2]);
    check(f, 2, "its events say otherwise");
    damage(f, "UPDATE jobs SET R = NULL WHERE id =", ids[3]);
    check(f, 3, "its R cannot be read");
    damage(f, "DELETE FROM events WHERE id =", ids[4]);
    check(f, 4, "it has no events");
    damage(f, "UPDATE events SET timestamp = 1 WHERE name = 'finish' AND id =", ids[5]);
    check(f, 5, "the times of its events fall");
    damage(f,
           "UPDATE records SET record = replace(record, 'true', 'false') WHERE id =", ids[6]);
    check(f, 6, "its record says otherwise");
    damage(f, "UPDATE records SET record = NULL WHERE id =", ids[6]);
    check(f, 5, NULL); /* then a start reads the events */
}

static void test_damaged_folders(void **state)
{
    struct fixture *f = *state;
    uint64_t id = run_one(f);
    char path[256], name[300];

    fixture_close(f);
    (void)snprintf(path, sizeof(path), "%s/jobs/%02x/%llu", f->state,
                   (unsigned int)(id >> 24) & 0xff, (unsigned long long)id);
    (void)snprintf(name, sizeof(name), "%s/output", path);
    assert_int_equal(unlink(name), 0);
    check(f, 1, "its output is lost");
    (void)snprintf(name, sizeof(name), "%s/jobs/%02x/77", f->state,
                   (unsigned int)(id >> 24) & 0xff);
    assert_int_equal(mkdir(name, 0700), 0);
    check(f, 2, "/77 is of no job");
    damage(f, "INSERT INTO doomed SELECT", 77); /* and nobody's fault if it is to go */
    check(f, 1, "its output is lost");
}

static void test_damaged_database(void **state)
{
    struct fixture *f = *state;
    char path[160], noise[4096];
    FILE *file;
    long size;

    for (int i = 0; i < 20; i++)
        (void)run_one(f);
    fixture_close(f);
    (void)snprintf(path, sizeof(path), "%s/store.db", f->state);
    file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size = ftell(file);
    memset(noise, 0x5a, sizeof(noise));
    assert_int_equal(fseek(file, size - 4096, SEEK_SET), 0);
    assert_int_equal(fwrite(noise, sizeof(noise), 1, file), 1);
    assert_int_equal(fclose(file), 0);
    {
        char all[8192] = "";

        assert_true(fr_local_check(f->state, on_fault, all, NULL) != 0);
    }
}

static void test_no_store(void **state)
{
    struct fr_error err = {.text = ""};
    char all[8192] = "";

    assert_int_equal(fr_local_check("/nonexistent", on_fault, all, &err), -ENOENT);
    assert_non_null(strstr(err.text, "/nonexistent"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_nothing_is_wrong),     TEST(test_damaged_rows),
        TEST(test_damaged_folders),      TEST(test_damaged_database),
        cmocka_unit_test(test_no_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
