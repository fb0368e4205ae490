// SPDX-License-Identifier: LGPL-3.0-only
#include "engine/local/store.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/util.h"
#include "engine/local/jobs.h"
#include "model/job_record.h"

struct bench {
    uv_loop_t loop;
    struct fr_store *store;
    char dir[64];
    char path[96];
    bool closed;
};

/* What became of one unit. */
struct outcome {
    int calls;
    int result; /* of the last call */
    enum fr_code code;
    uint64_t seq;
    bool keep; /* what the callback says to a failure */
};

static bool on_unit(void *arg, const struct fr_unit *unit, int result,
                    const struct fr_error *err)
{
    struct outcome *outcome = arg;

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
    ((struct bench *)arg)->closed = true;
}

static void open_store(struct bench *bench)
{
    struct fr_error err = {.text = ""};

    if (fr_store_open(&bench->loop, bench->path, &bench->store, &err) < 0)
        fail_msg("%s", err.text);
}

static void close_store(struct bench *bench)
{
    bench->closed = false;
    fr_store_close(bench->store, on_closed, bench);
    while (!bench->closed)
        (void)uv_run(&bench->loop, UV_RUN_ONCE);
    bench->store = NULL;
}

static int setup(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));

    assert_non_null(bench);
    (void)signal(SIGXFSZ, SIG_IGN);
    strcpy(bench->dir, "/tmp/fr-store-XXXXXX");
    assert_non_null(mkdtemp(bench->dir));
    (void)snprintf(bench->path, sizeof(bench->path), "%s/store.db", bench->dir);
    assert_int_equal(uv_loop_init(&bench->loop), 0);
    open_store(bench);
    *state = bench;
    return 0;
}

static int teardown(void **state)
{
    struct bench *bench = *state;
    char name[128];

    if (bench->store)
        close_store(bench);
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

static void put_job(struct bench *bench, uint64_t id, size_t size, struct outcome *outcome)
{
    struct fr_unit *unit = fr_unit_create(id, on_unit, outcome);

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

static void put_event(struct bench *bench, uint64_t id, const char *name, int64_t index,
                      struct outcome *outcome)
{
    struct fr_unit *unit = fr_unit_create(id, on_unit, outcome);

    assert_non_null(unit);
    fr_unit_event(unit, name, 2.25, index, NULL);
    fr_store_put(bench->store, unit);
}

static void wait_calls(struct bench *bench, const struct outcome *outcome, int calls)
{
    while (outcome->calls < calls)
        (void)uv_run(&bench->loop, UV_RUN_ONCE);
}

struct rows {
    char text[4096];
    size_t count;
    uint64_t last_id, last_seq;
};

static int on_row(void *arg, const struct fr_row *row)
{
    struct rows *rows = arg;
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

static struct rows read_all(struct bench *bench)
{
    struct rows rows = {.text = ""};

    assert_int_equal(fr_store_read_events(bench->store, 0, 100000, on_row, &rows, NULL), 0);
    return rows;
}

static void test_keeps_what_it_is_given(void **state)
{
    struct bench *bench = *state;
    struct outcome a = {0};
    struct outcome b = {0};
    struct fr_unit *unit = fr_unit_create(7, on_unit, &b);
    char uuid[40];
    char *jobspec;
    char *environment;

    fr_store_release(bench->store);
    put_job(bench, 7, 3, &a);
    unit->R = strdup("{}");
    fr_unit_event(unit, "alloc", 2, 2, NULL);
    fr_store_put(bench->store, unit);
    assert_int_equal(a.calls, 0); /* never from inside the call */
    wait_calls(bench, &b, 1);
    assert_int_equal(a.calls, 1);
    assert_int_equal(a.seq, 1);
    assert_int_equal(b.seq, 3);
    (void)snprintf(uuid, sizeof(uuid), "%s", fr_store_uuid(bench->store));
    assert_int_equal(strlen(uuid), 36);
    close_store(bench);

    open_store(bench);
    assert_string_equal(fr_store_uuid(bench->store), uuid);
    assert_int_equal(fr_store_last_seq(bench->store), 3);
    assert_int_equal(fr_store_last_id(bench->store), 7);
    assert_true(fr_store_epoch(bench->store) > 1600000000000ULL);
    assert_string_equal(read_all(bench).text, "7.0:submit+J 7.1:validate 7.2:alloc+R ");
    assert_int_equal(fr_store_read_spec(bench->store, 7, &jobspec, &environment), 0);
    assert_string_equal(jobspec, "{\"fill\":\"000\"}");
    assert_string_equal(environment, "{\"A\":\"b\"}");
    free(jobspec);
    free(environment);
    assert_int_equal(fr_store_read_spec(bench->store, 8, &jobspec, &environment), -ENOENT);
}

static void test_reads_in_slices(void **state)
{
    struct bench *bench = *state;
    struct outcome outcome = {0};
    struct rows rows = {.text = ""};

    fr_store_release(bench->store);
    for (uint64_t id = 1; id <= 50; id++)
        put_job(bench, id, 3, &outcome);
    wait_calls(bench, &outcome, 50);
    for (size_t i = 1; i <= 14; i++) {
        assert_int_equal(fr_store_read_events(bench->store, 0, 7, on_row, &rows, NULL), 0);
        assert_int_equal(rows.count, 7 * i);
    }
    assert_int_equal(fr_store_read_events(bench->store, 0, 7, on_row, &rows, NULL), 0);
    assert_int_equal(rows.count, 100);
    rows = (struct rows){.text = ""}; /* from the start again, and ended before all is read */
    assert_int_equal(fr_store_read_events(bench->store, 0, 7, on_row, &rows, NULL), 0);
    assert_int_equal(rows.count, 7);
}

#define SPEC                                                                                   \
    "{\"resources\":[{\"type\":\"slot\",\"count\":2,\"label\":\"task\",\"with\":[{\"type\":"   \
    "\"core\","                                                                                \
    "\"count\":1}]}],\"tasks\":[{\"command\":[\"a\",\"b c\"],\"slot\":\"task\",\"count\":{"    \
    "\"per_slot\":1}}],\"attributes\":{\"system\":{\"duration\":60.5,\"cwd\":\"/"              \
    "tmp\"},\"user\":{"                                                                        \
    "\"k\":[1,\"v\"]}},\"version\":1}"

/* One job from its submit to its end, in two units. */
static void put_whole(struct bench *bench, uint64_t id, struct outcome *outcome)
{
    struct fr_unit *unit = fr_unit_create(id, on_unit, outcome);

    unit->jobspec = strdup(SPEC);
    unit->urgency = 16;
    fr_unit_event(unit, "submit", 1.5, 0, strdup("{\"userid\":5,\"urgency\":16}"));
    fr_unit_event(unit, "validate", 2.5, 1, NULL);
    fr_unit_event(unit, "depend", 3.5, 2, NULL);
    fr_unit_event(unit, "priority", 4.5, 3, strdup("{\"priority\":16}"));
    fr_store_put(bench->store, unit);
    unit = fr_unit_create(id, on_unit, outcome);
    unit->R = strdup("{\"version\":1,\"execution\":{\"R_lite\":[{\"rank\":\"0\",\"children\":{"
                     "\"core\":\"0-1\"}}],\"nodelist\":[\"here\"],\"starttime\":1,"
                     "\"expiration\":0}}");
    fr_unit_event(unit, "alloc", 5.123456789, 4, NULL);
    fr_unit_event(unit, "start", 6.5, 5, NULL);
    fr_unit_event(unit, "exception", 7.5, 6,
                  strdup("{\"type\":\"timeout\",\"severity\":0,\"note\":\"a \\\"note\\\"\"}"));
    fr_unit_event(unit, "finish", 7.5, 7, strdup("{\"status\":15}"));
    fr_unit_event(unit, "clean", 8.5, 8, NULL);
    fr_store_put(bench->store, unit);
}

static int on_record(void *arg, const struct fr_ended *ended)
{
    int *count = arg;
    struct fr_job *job = NULL;
    json_t *user = NULL;

    assert_int_equal(ended->id, 3 + *count);
    assert_int_equal(ended->seq, 9 * (*count + 1));
    assert_int_equal(ended->outcome,
                     FR_OUTCOME_ALLOC | FR_OUTCOME_START | FR_OUTCOME_EXCEPTION);
    assert_int_equal(fr_job_record_parse(ended->record, ended->id, &job, &user), 0);
    assert_int_equal(job->id, ended->id);
    assert_int_equal(job->state, FR_STATE_INACTIVE);
    assert_int_equal(job->result, FR_RESULT_TIMEOUT);
    assert_int_equal(job->waitstatus, 15);
    assert_int_equal(job->nevents, 9);
    assert_int_equal(job->ncores, 2);
    assert_true(job->t_run == 5.123456789 && job->duration == 60.5);
    assert_string_equal(job->command, "a b c");
    assert_string_equal(job->nodelist, "here");
    assert_string_equal(job->exception_note, "a \"note\"");
    assert_null(job->queue);
    assert_string_equal(json_string_value(json_array_get(json_object_get(user, "k"), 1)), "v");
    fr_job_free(job);
    json_decref(user);
    ++*count;
    return 0;
}

/* Of a job that has ended there is a record; whoever wants to know the latest reads events. */
static void test_records(void **state)
{
    struct bench *bench = *state;
    struct outcome outcome = {0};
    struct rows rows = {.text = ""};
    int count = 0;

    fr_store_release(bench->store);
    for (uint64_t id = 3; id <= 5; id++)
        put_whole(bench, id, &outcome);
    put_job(bench, 6, 3, &outcome);
    put_event(bench, 6, "clean", 2, &outcome); /* its jobspec cannot be read */
    put_job(bench, 7, 3, &outcome);
    wait_calls(bench, &outcome, 9);
    assert_int_equal(fr_store_read_records(bench->store, 2, 18, 10, on_record, &count, NULL),
                     0);
    assert_int_equal(count, 2);
    assert_int_equal(fr_store_read_records(bench->store, 4, 30, 10, on_record, &count, NULL),
                     0);
    assert_int_equal(count, 3);
    assert_int_equal(fr_store_read_events(bench->store, 27, 99, on_row, &rows, NULL), 0);
    assert_string_equal(rows.text, "6.0:submit+J 6.1:validate 6.2:clean 7.0:submit+J "
                                   "7.1:validate ");
    rows = (struct rows){.text = ""};
    assert_int_equal(fr_store_read_events(bench->store, 26, 99, on_row, &rows, NULL), 0);
    assert_int_equal(rows.count, 9 + 5);
}

static void test_holds_until_released(void **state)
{
    struct bench *bench = *state;
    struct outcome outcome = {0};

    put_job(bench, 1, 3, &outcome);
    for (int i = 0; i < 10; i++)
        (void)uv_run(&bench->loop, UV_RUN_NOWAIT);
    assert_int_equal(outcome.calls, 0);
    fr_store_release(bench->store);
    wait_calls(bench, &outcome, 1);
    assert_int_equal(outcome.result, 0);
}

static void test_close_commits_what_waits(void **state)
{
    struct bench *bench = *state;
    struct outcome outcome = {0};

    for (uint64_t id = 1; id <= 3000; id++) /* more than one batch */
        put_job(bench, id, 3, &outcome);
    close_store(bench);
    assert_int_equal(outcome.calls, 3000);
    assert_int_equal(outcome.result, 0);
    open_store(bench);
    assert_int_equal(read_all(bench).count, 6000);
}

static off_t size_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? st.st_size : 0;
}

/* No file may grow beyond what the store's have now: as good as a full disk. */
static void disk_fill(struct bench *bench)
{
    struct rlimit limit;
    char wal[128];
    off_t size;

    (void)snprintf(wal, sizeof(wal), "%s-wal", bench->path);
    size = size_of(wal) > size_of(bench->path) ? size_of(wal) : size_of(bench->path);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = (rlim_t)size + 4096;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void disk_free(void)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_full_disk(void **state)
{
    struct bench *bench = *state;
    struct outcome before = {0};
    struct outcome refused = {0};
    struct outcome kept = {.keep = true};
    struct outcome behind = {.keep = true};
    struct outcome after = {0};

    fr_store_release(bench->store);
    put_job(bench, 1, 3, &before);
    wait_calls(bench, &before, 1);
    disk_fill(bench);
    put_event(bench, 1, "alloc", 2, &kept);
    put_job(bench, 2, 100000, &refused);
    put_event(bench, 1, "start", 3, &behind);
    wait_calls(bench, &refused, 1);
    assert_true(refused.result < 0);
    assert_int_equal(refused.code, FR_CODE_STORAGE);
    disk_free();
    put_job(bench, 3, 3, &after);
    wait_calls(bench, &after, 1);
    wait_calls(bench, &behind, 1);
    assert_int_equal(refused.calls, 1);
    assert_int_equal(kept.result, 0);
    assert_int_equal(behind.result, 0);
    assert_int_equal(after.result, 0);
    close_store(bench);

    open_store(bench);
    assert_string_equal(read_all(bench).text,
                        "1.0:submit+J 1.1:validate 1.2:alloc 1.3:start 3.0:submit+J "
                        "3.1:validate ");
}

/* Without anything new, too, what was kept is tried again; and closing does not wait for it. */
static void test_full_disk_is_tried_again(void **state)
{
    struct bench *bench = *state;
    struct outcome big = {.keep = true};
    struct outcome hopeless = {.keep = true};

    fr_store_release(bench->store);
    disk_fill(bench);
    put_job(bench, 1, 100000, &big);
    wait_calls(bench, &big, 2);
    assert_true(big.result < 0);
    disk_free();
    while (big.result < 0)
        (void)uv_run(&bench->loop, UV_RUN_ONCE);
    disk_fill(bench);
    put_job(bench, 2, 200000, &hopeless);
    close_store(bench);
    disk_free();
    assert_true(hopeless.result < 0);
    open_store(bench);
    assert_string_equal(read_all(bench).text, "1.0:submit+J 1.1:validate ");
}

/* Whoever asks is told that there is no room, however much is kept before him. */
static void test_full_disk_behind_many(void **state)
{
    struct bench *bench = *state;
    struct outcome kept = {.keep = true};
    struct outcome refused = {0};

    fr_store_release(bench->store);
    disk_fill(bench);
    for (uint64_t id = 1; id <= 3000; id++)
        put_job(bench, id, 5000, &kept);
    wait_calls(bench, &kept, 1);
    assert_true(kept.result < 0);
    put_job(bench, 5000, 3, &refused);
    wait_calls(bench, &refused, 1);
    assert_true(refused.result < 0);
    assert_true(kept.result < 0);
    disk_free();
    while (kept.result < 0)
        (void)uv_run(&bench->loop, UV_RUN_ONCE);
    close_store(bench);
    open_store(bench);
    assert_int_equal(read_all(bench).count, 6000);
}

static void test_refuses_a_newer_format(void **state)
{
    struct bench *bench = *state;
    struct fr_error err = {.text = ""};
    struct fr_store *store = NULL;
    sqlite3 *handle;

    close_store(bench);
    assert_int_equal(sqlite3_open(bench->path, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, "PRAGMA user_version=99", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
    assert_int_equal(fr_store_open(&bench->loop, bench->path, &store, &err), -EPROTO);
    assert_non_null(strstr(err.text, "99"));
    assert_non_null(strstr(err.text, bench->path));
    assert_null(store);
}

/* As the first released version made it; it is not to be changed. */
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
    struct bench *bench = *state;
    struct outcome outcome = {0};

    close_store(bench);
    assert_int_equal(unlink(bench->path), 0);
    sql_run(bench->path, version_1);
    for (int i = 0; i < 2; i++) { /* and opens it again as its own */
        open_store(bench);
        assert_string_equal(fr_store_uuid(bench->store),
                            "12345678-1234-4234-8234-123456789abc");
        assert_int_equal(fr_store_last_seq(bench->store), 3);
        assert_string_equal(read_all(bench).text, "7.0:submit+J 7.1:clean 9.0:submit+J ");
        close_store(bench);
        assert_int_equal(sql_ask(bench->path, "SELECT COUNT(*) FROM jobs WHERE ended = 11.5"),
                         1);
        assert_int_equal(sql_ask(bench->path, "SELECT COUNT(*) FROM jobs WHERE ended IS NULL"),
                         1);
    }
    open_store(bench);
    fr_store_release(bench->store);
    put_event(bench, 9, "clean", 1, &outcome);
    wait_calls(bench, &outcome, 1);
    assert_int_equal(outcome.result, 0);
    close_store(bench);
    assert_int_equal(sql_ask(bench->path, "SELECT COUNT(*) FROM jobs WHERE ended = 2.25"), 1);
}

/* A migration that fails leaves the old version whole. */
static void test_failed_take_over(void **state)
{
    struct bench *bench = *state;
    struct fr_store *store = NULL;
    struct fr_error err = {.text = ""};

    close_store(bench);
    assert_int_equal(unlink(bench->path), 0);
    sql_run(bench->path, version_1);
    sql_run(bench->path, "CREATE TABLE doomed (other TEXT)"); /* in its way, at the end */
    assert_true(fr_store_open(&bench->loop, bench->path, &store, &err) < 0);
    assert_int_equal(sql_ask(bench->path, "PRAGMA user_version"), 1);
    sql_run(bench->path, "DROP TABLE doomed");
    open_store(bench);
    assert_string_equal(read_all(bench).text, "7.0:submit+J 7.1:clean 9.0:submit+J ");
}

static void test_unit_with_many_events(void **state)
{
    struct bench *bench = *state;
    struct outcome outcome = {0};
    struct fr_unit *unit = fr_unit_create(5, on_unit, &outcome);

    unit->jobspec = strdup("{}");
    assert_int_equal(fr_unit_reserve(unit, 3), 0);
    for (int i = 0; i < 500; i++) {
        assert_int_equal(fr_unit_reserve(unit, (size_t)i + 1), 0);
        fr_unit_event(unit, "dependency-add", 1, i, strdup("{}"));
    }
    fr_store_release(bench->store);
    fr_store_put(bench->store, unit);
    wait_calls(bench, &outcome, 1);
    assert_int_equal(read_all(bench).count, 500);
}

static void test_refuses_what_is_no_database(void **state)
{
    struct bench *bench = *state;
    struct fr_error err = {.text = ""};
    struct fr_store *store = NULL;
    FILE *file;

    close_store(bench);
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
        cmocka_unit_test_setup_teardown(test_keeps_what_it_is_given, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reads_in_slices, setup, teardown),
        cmocka_unit_test_setup_teardown(test_records, setup, teardown),
        cmocka_unit_test_setup_teardown(test_holds_until_released, setup, teardown),
        cmocka_unit_test_setup_teardown(test_close_commits_what_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_disk_is_tried_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_disk_behind_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refuses_a_newer_format, setup, teardown),
        cmocka_unit_test_setup_teardown(test_takes_over_version_1, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failed_take_over, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unit_with_many_events, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refuses_what_is_no_database, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
