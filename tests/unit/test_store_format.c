// SPDX-License-Identifier: LGPL-3.0-only
/* Stores of another version, and files that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "store_fixture.h"

static void test_refuses_a_newer_format(void **state)
{
    struct store_bench *bench = *state;
    struct fr_error err = {.text = ""};
    struct fr_store *store = NULL;
    sqlite3 *handle;

    store_close(bench);
    assert_int_equal(sqlite3_open(bench->path, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, "PRAGMA user_version=99", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
    assert_int_equal(fr_store_open(&bench->loop, bench->path, &store, &err), -EPROTO);
    assert_non_null(strstr(err.text, "99"));
    assert_non_null(strstr(err.text, bench->path));
    assert_null(store);
}

static const char version_1[] =
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE jobs (id INTEGER PRIMARY KEY, urgency INTEGER NOT NULL,"
    " jobspec TEXT NOT NULL, environment TEXT, R TEXT);"
    "CREATE TABLE events (seq INTEGER PRIMARY KEY, id INTEGER NOT NULL, idx INTEGER NOT NULL,"
    " timestamp REAL NOT NULL, name TEXT NOT NULL, context TEXT);"
    "INSERT INTO meta VALUES ('uuid', '12345678-1234-4234-8234-123456789abc'),"
    " ('epoch', '1700000000000');"
    "INSERT INTO jobs VALUES (7, 16, '{\"a\":1}', '{\"A\":\"b\"}', '{}'),"
    " (9, 0, '{\"a\":2}', NULL, NULL);"
    "INSERT INTO events VALUES (1, 7, 0, 10.5, 'submit', '{}'), (2, 9, 0, 10.75, 'submit', "
    "'{}'), (3, 7, 1, 11.5, 'clean', NULL);"
    "PRAGMA user_version=1;";

static void sql_run(const char *path, const char *sql)
{
    sqlite3 *handle;

    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    if (sqlite3_exec(handle, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(handle));
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}

static int sql_ask(const char *path, const char *sql)
{
    sqlite3_stmt *stmt;
    sqlite3 *handle;
    int number;

    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(handle, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    number = sqlite3_column_int(stmt, 0);
    assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
    return number;
}

static void test_takes_over_version_1(void **state)
{
    struct store_bench *bench = *state;
    struct store_outcome outcome = {0};

    store_close(bench);
    assert_int_equal(unlink(bench->path), 0);
    sql_run(bench->path, version_1);
    for (int i = 0; i < 2; i++) { /* and opens it again as its own */
        store_open(bench);
        assert_string_equal(fr_store_uuid(bench->store),
                            "12345678-1234-4234-8234-123456789abc");
        assert_int_equal(fr_store_last_seq(bench->store), 3);
        assert_string_equal(store_read_all(bench).text, "7.0:submit+J 7.1:clean 9.0:submit+J ");
        store_close(bench);
        assert_int_equal(sql_ask(bench->path, "SELECT COUNT(*) FROM jobs WHERE ended = 11.5"),
                         1);
        assert_int_equal(sql_ask(bench->path, "SELECT COUNT(*) FROM jobs WHERE ended IS NULL"),
                         1);
    }
    store_open(bench);
    fr_store_release(bench->store);
    store_put_event(bench, 9, "clean", 1, &outcome);
    store_wait_calls(bench, &outcome, 1);
    assert_int_equal(outcome.result, 0);
    store_close(bench);
    assert_int_equal(sql_ask(bench->path, "SELECT COUNT(*) FROM jobs WHERE ended = 2.25"), 1);
}

/* A migration that fails leaves the old version whole. */
static void test_failed_take_over(void **state)
{
    struct store_bench *bench = *state;
    struct fr_store *store = NULL;
    struct fr_error err = {.text = ""};

    store_close(bench);
    assert_int_equal(unlink(bench->path), 0);
    sql_run(bench->path, version_1);
    sql_run(bench->path, "CREATE TABLE doomed (other TEXT)"); /* in its way, at the end */
    assert_true(fr_store_open(&bench->loop, bench->path, &store, &err) < 0);
    assert_int_equal(sql_ask(bench->path, "PRAGMA user_version"), 1);
    sql_run(bench->path, "DROP TABLE doomed");
    store_open(bench);
    assert_string_equal(store_read_all(bench).text, "7.0:submit+J 7.1:clean 9.0:submit+J ");
}

static void test_refuses_what_is_no_database(void **state)
{
    struct store_bench *bench = *state;
    struct fr_error err = {.text = ""};
    struct fr_store *store = NULL;
    FILE *file;

    store_close(bench);
    file = fopen(bench->path, "w");
    assert_non_null(file);
    (void)fputs("This is not what was to be here, and it is long enough to show that.\n", file);
    assert_int_equal(fclose(file), 0);
    assert_true(fr_store_open(&bench->loop, bench->path, &store, &err) < 0);
    assert_true(strlen(err.text) > 0);
    assert_true(fr_store_open(&bench->loop, "/nonexistent/store.db", &store, &err) < 0);
    assert_null(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refuses_a_newer_format, store_setup,
                                        store_teardown),
        cmocka_unit_test_setup_teardown(test_takes_over_version_1, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(test_failed_take_over, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(test_refuses_what_is_no_database, store_setup,
                                        store_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
