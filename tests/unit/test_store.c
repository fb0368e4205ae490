// SPDX-License-Identifier: LGPL-3.0-only
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

#include "base/util.h"
#include "engine/local/jobs.h"
#include "model/job_record.h"
#include "store_fixture.h"

static void test_keeps_what_it_is_given(void **state)
{
    struct store_bench *bench = *state;
    struct store_outcome a = {0};
    struct store_outcome b = {0};
    struct fr_unit *unit = fr_unit_create(7, store_on_unit, &b);
    char uuid[40];
    char *jobspec;
    char *environment;

    fr_store_release(bench->store);
    store_put_job(bench, 7, 3, &a);
    unit->R = strdup("{}");
    fr_unit_event(unit, "alloc", 2, 2, NULL);
    fr_store_put(bench->store, unit);
    assert_int_equal(a.calls, 0); /* never from inside the call */
    store_wait_calls(bench, &b, 1);
    assert_int_equal(a.calls, 1);
    assert_int_equal(a.seq, 1);
    assert_int_equal(b.seq, 3);
    (void)snprintf(uuid, sizeof(uuid), "%s", fr_store_uuid(bench->store));
    assert_int_equal(strlen(uuid), 36);
    store_close(bench);

    store_open(bench);
    assert_string_equal(fr_store_uuid(bench->store), uuid);
    assert_int_equal(fr_store_last_seq(bench->store), 3);
    assert_int_equal(fr_store_last_id(bench->store), 7);
    assert_true(fr_store_epoch(bench->store) > 1600000000000ULL);
    assert_string_equal(store_read_all(bench).text, "7.0:submit+J 7.1:validate 7.2:alloc+R ");
    assert_int_equal(fr_store_read_spec(bench->store, 7, &jobspec, &environment), 0);
    assert_string_equal(jobspec, "{\"fill\":\"000\"}");
    assert_string_equal(environment, "{\"A\":\"b\"}");
    free(jobspec);
    free(environment);
    assert_int_equal(fr_store_read_spec(bench->store, 8, &jobspec, &environment), -ENOENT);
}

static void test_reads_in_slices(void **state)
{
    struct store_bench *bench = *state;
    struct store_outcome outcome = {0};
    struct store_rows rows = {.text = ""};

    fr_store_release(bench->store);
    for (uint64_t id = 1; id <= 50; id++)
        store_put_job(bench, id, 3, &outcome);
    store_wait_calls(bench, &outcome, 50);
    for (size_t i = 1; i <= 14; i++) {
        assert_int_equal(fr_store_read_events(bench->store, 0, 7, store_on_row, &rows, NULL),
                         0);
        assert_int_equal(rows.count, 7 * i);
    }
    assert_int_equal(fr_store_read_events(bench->store, 0, 7, store_on_row, &rows, NULL), 0);
    assert_int_equal(rows.count, 100);
    rows = (struct store_rows){.text =
                                   ""}; /* from the start again, and ended before all is read */
    assert_int_equal(fr_store_read_events(bench->store, 0, 7, store_on_row, &rows, NULL), 0);
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
static void put_whole(struct store_bench *bench, uint64_t id, struct store_outcome *outcome)
{
    struct fr_unit *unit = fr_unit_create(id, store_on_unit, outcome);

    unit->jobspec = strdup(SPEC);
    unit->urgency = 16;
    fr_unit_event(unit, "submit", 1.5, 0, strdup("{\"userid\":5,\"urgency\":16}"));
    fr_unit_event(unit, "validate", 2.5, 1, NULL);
    fr_unit_event(unit, "depend", 3.5, 2, NULL);
    fr_unit_event(unit, "priority", 4.5, 3, strdup("{\"priority\":16}"));
    fr_store_put(bench->store, unit);
    unit = fr_unit_create(id, store_on_unit, outcome);
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
    struct store_bench *bench = *state;
    struct store_outcome outcome = {0};
    struct store_rows rows = {.text = ""};
    int count = 0;

    fr_store_release(bench->store);
    for (uint64_t id = 3; id <= 5; id++)
        put_whole(bench, id, &outcome);
    store_put_job(bench, 6, 3, &outcome);
    store_put_event(bench, 6, "clean", 2, &outcome); /* its jobspec cannot be read */
    store_put_job(bench, 7, 3, &outcome);
    store_wait_calls(bench, &outcome, 9);
    assert_int_equal(fr_store_read_records(bench->store, 2, 18, 10, on_record, &count, NULL),
                     0);
    assert_int_equal(count, 2);
    assert_int_equal(fr_store_read_records(bench->store, 4, 30, 10, on_record, &count, NULL),
                     0);
    assert_int_equal(count, 3);
    assert_int_equal(fr_store_read_events(bench->store, 27, 99, store_on_row, &rows, NULL), 0);
    assert_string_equal(rows.text, "6.0:submit+J 6.1:validate 6.2:clean 7.0:submit+J "
                                   "7.1:validate ");
    rows = (struct store_rows){.text = ""};
    assert_int_equal(fr_store_read_events(bench->store, 26, 99, store_on_row, &rows, NULL), 0);
    assert_int_equal(rows.count, 9 + 5);
}

static void test_holds_until_released(void **state)
{
    struct store_bench *bench = *state;
    struct store_outcome outcome = {0};

    store_put_job(bench, 1, 3, &outcome);
    for (int i = 0; i < 10; i++)
        (void)uv_run(&bench->loop, UV_RUN_NOWAIT);
    assert_int_equal(outcome.calls, 0);
    fr_store_release(bench->store);
    store_wait_calls(bench, &outcome, 1);
    assert_int_equal(outcome.result, 0);
}

static void test_close_commits_what_waits(void **state)
{
    struct store_bench *bench = *state;
    struct store_outcome outcome = {0};

    for (uint64_t id = 1; id <= 3000; id++) /* more than one batch */
        store_put_job(bench, id, 3, &outcome);
    store_close(bench);
    assert_int_equal(outcome.calls, 3000);
    assert_int_equal(outcome.result, 0);
    store_open(bench);
    assert_int_equal(store_read_all(bench).count, 6000);
}

static off_t size_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? st.st_size : 0;
}

/* No file may grow beyond what the store's have now: as good as a full disk. */
static void disk_fill(struct store_bench *bench)
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
    struct store_bench *bench = *state;
    struct store_outcome before = {0};
    struct store_outcome refused = {0};
    struct store_outcome kept = {.keep = true};
    struct store_outcome behind = {.keep = true};
    struct store_outcome after = {0};

    fr_store_release(bench->store);
    store_put_job(bench, 1, 3, &before);
    store_wait_calls(bench, &before, 1);
    disk_fill(bench);
    store_put_event(bench, 1, "alloc", 2, &kept);
    store_put_job(bench, 2, 100000, &refused);
    store_put_event(bench, 1, "start", 3, &behind);
    store_wait_calls(bench, &refused, 1);
    assert_true(refused.result < 0);
    assert_int_equal(refused.code, FR_CODE_STORAGE);
    disk_free();
    store_put_job(bench, 3, 3, &after);
    store_wait_calls(bench, &after, 1);
    store_wait_calls(bench, &behind, 1);
    assert_int_equal(refused.calls, 1);
    assert_int_equal(kept.result, 0);
    assert_int_equal(behind.result, 0);
    assert_int_equal(after.result, 0);
    store_close(bench);

    store_open(bench);
    assert_string_equal(store_read_all(bench).text,
                        "1.0:submit+J 1.1:validate 1.2:alloc 1.3:start 3.0:submit+J "
                        "3.1:validate ");
}

/* Without anything new, too, what was kept is tried again; and closing does not wait for it. */
static void test_full_disk_is_tried_again(void **state)
{
    struct store_bench *bench = *state;
    struct store_outcome big = {.keep = true};
    struct store_outcome hopeless = {.keep = true};

    fr_store_release(bench->store);
    disk_fill(bench);
    store_put_job(bench, 1, 100000, &big);
    store_wait_calls(bench, &big, 2);
    assert_true(big.result < 0);
    disk_free();
    while (big.result < 0)
        (void)uv_run(&bench->loop, UV_RUN_ONCE);
    disk_fill(bench);
    store_put_job(bench, 2, 200000, &hopeless);
    store_close(bench);
    disk_free();
    assert_true(hopeless.result < 0);
    store_open(bench);
    assert_string_equal(store_read_all(bench).text, "1.0:submit+J 1.1:validate ");
}

/* Whoever asks is told that there is no room, however much is kept before him. */
static void test_full_disk_behind_many(void **state)
{
    struct store_bench *bench = *state;
    struct store_outcome kept = {.keep = true};
    struct store_outcome refused = {0};

    fr_store_release(bench->store);
    disk_fill(bench);
    for (uint64_t id = 1; id <= 3000; id++)
        store_put_job(bench, id, 5000, &kept);
    store_wait_calls(bench, &kept, 1);
    assert_true(kept.result < 0);
    store_put_job(bench, 5000, 3, &refused);
    store_wait_calls(bench, &refused, 1);
    assert_true(refused.result < 0);
    assert_true(kept.result < 0);
    disk_free();
    while (kept.result < 0)
        (void)uv_run(&bench->loop, UV_RUN_ONCE);
    store_close(bench);
    store_open(bench);
    assert_int_equal(store_read_all(bench).count, 6000);
}

static void test_unit_with_many_events(void **state)
{
    struct store_bench *bench = *state;
    struct store_outcome outcome = {0};
    struct fr_unit *unit = fr_unit_create(5, store_on_unit, &outcome);

    unit->jobspec = strdup("{}");
    assert_int_equal(fr_unit_reserve(unit, 3), 0);
    for (int i = 0; i < 500; i++) {
        assert_int_equal(fr_unit_reserve(unit, (size_t)i + 1), 0);
        fr_unit_event(unit, "dependency-add", 1, i, strdup("{}"));
    }
    fr_store_release(bench->store);
    fr_store_put(bench->store, unit);
    store_wait_calls(bench, &outcome, 1);
    assert_int_equal(store_read_all(bench).count, 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_keeps_what_it_is_given, store_setup,
                                        store_teardown),
        cmocka_unit_test_setup_teardown(test_reads_in_slices, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(test_records, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(test_holds_until_released, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(test_close_commits_what_waits, store_setup,
                                        store_teardown),
        cmocka_unit_test_setup_teardown(test_full_disk, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(test_full_disk_is_tried_again, store_setup,
                                        store_teardown),
        cmocka_unit_test_setup_teardown(test_full_disk_behind_many, store_setup,
                                        store_teardown),
        cmocka_unit_test_setup_teardown(test_unit_with_many_events, store_setup,
                                        store_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
