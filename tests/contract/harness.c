// SPDX-License-Identifier: LGPL-3.0-only
#include "harness.h"

#include <errno.h>
#include <ftw.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"

/* A wait longer than this has hung. */
#define LIMIT_MS 180000

const char *harness_engine_name;

static char directory[64];

const char *harness_path(const char *name)
{
    static char path[256];

    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)remove(path);
    return 0;
}

void harness_clean(void)
{
    if (*directory)
        (void)nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

bool harness_is_since(int minor)
{
    const char *version = fr_flux_version();
    int major, have;

    if (strcmp(harness_engine_name, "flux") != 0)
        return true;
    return version && sscanf(version, "%d.%d", &major, &have) == 2 &&
           (major > 0 || have >= minor);
}

bool harness_can_run(const char **ret_why)
{
    if (strcmp(harness_engine_name, "flux") == 0) {
        *ret_why = fr_flux_version() ? "there is no Flux instance around us (FLUX_URI)"
                                     : "this build has no Flux engine";
        return fr_flux_version() && getenv("FLUX_URI");
    }
    *ret_why = "FR_TEST_SHELL does not name the job shell";
    return getenv("FR_TEST_SHELL");
}

static void check_callback(struct harness *h)
{
    assert_false(h->in_call);
}

struct job_record *harness_find(struct harness *h, uint64_t id)
{
    for (size_t i = 0; i < h->njobs; i++)
        if (h->jobs[i]->id == id)
            return h->jobs[i];
    return NULL;
}

static struct job_record *find_or_add(struct harness *h, uint64_t id)
{
    struct job_record *record = harness_find(h, id);

    if (record)
        return record;
    assert_true(h->njobs < HARNESS_JOBS_MAX);
    record = calloc(1, sizeof *record);
    assert_non_null(record);
    record->id = id;
    record->job = fr_job_create(id);
    assert_non_null(record->job);
    h->jobs[h->njobs++] = record;
    return record;
}

static void on_journal(void *arg, const struct fr_journal_entry *entry)
{
    struct harness *h = arg;
    struct job_record *record = find_or_add(h, entry->id);

    check_callback(h);
    for (size_t i = 0; i < entry->nevents; i++) {
        const struct fr_event *event = &entry->events[i];
        const struct fr_jobspec *spec =
            strcmp(event->name, "submit") == 0 ? entry->jobspec : NULL;
        const struct fr_rset *R = strcmp(event->name, "alloc") == 0 ? entry->R : NULL;
        struct event_record *copy = &record->events[record->nevents++];

        assert_true(record->nevents < HARNESS_EVENTS_MAX);
        copy->name = strdup(event->name);
        copy->context = event->context ? strdup(event->context) : NULL;
        copy->timestamp = event->timestamp;
        copy->index = event->index;
        copy->has_jobspec = spec != NULL;
        copy->has_R = R != NULL;
        int rc = fr_job_apply(record->job, event, spec, R, NULL);
        assert_true(rc == 0 || rc == -EALREADY);
    }
}

static void on_caught_up(void *arg, uint64_t seq)
{
    struct harness *h = arg;

    check_callback(h);
    h->ncaught_up++;
}

static void on_purged(void *arg, const uint64_t *ids, size_t count)
{
    check_callback(arg);
}

static void on_lost(void *arg, const char *reason)
{
    struct harness *h = arg;

    check_callback(h);
    print_message("lost: %s\n", reason);
    h->nlost++;
}

static void on_resumed(void *arg)
{
    check_callback(arg);
}

static void on_back(void *arg)
{
    struct harness *h = arg;

    check_callback(h);
    h->nback++;
}

static void on_ended(void *arg, const struct fr_error *err)
{
    struct harness *h = arg;

    check_callback(h);
    h->nended++;
}

static void on_closed(void *arg)
{
    struct harness *h = arg;

    check_callback(h);
    h->closed = true;
}

static void on_limit(uv_timer_t *timer)
{
    ((struct harness *)timer->data)->over = true;
}

void harness_wait_begin(struct harness *h)
{
    h->over = false;
    uv_update_time(&h->loop);
    uv_timer_start(&h->limit, on_limit, LIMIT_MS, 0);
}

void harness_step(struct harness *h, const char *what, const char *file, int line)
{
    if (h->over) {
        print_error("waited in vain for: %s\n", what);
        _fail(file, line);
    }
    (void)uv_run(&h->loop, UV_RUN_ONCE);
}

static void forget_jobs(struct harness *h)
{
    for (size_t i = 0; i < h->njobs; i++) {
        struct job_record *record = h->jobs[i];
        for (size_t j = 0; j < record->nevents; j++) {
            free(record->events[j].name);
            free(record->events[j].context);
        }
        fr_job_free(record->job);
        free(record);
    }
    h->njobs = 0;
}

static int create_engine(struct harness *h, struct fr_error *err)
{
    static struct fr_engine_sink sink = {
        .journal = on_journal,
        .caught_up = on_caught_up,
        .purged = on_purged,
        .lost = on_lost,
        .resumed = on_resumed,
        .back = on_back,
        .ended = on_ended,
    };
    struct fr_flux_options flux = {.uri = NULL};
    struct fr_local_options local = {
        .state_dir = harness_path("state"),
        .shell_path = getenv("FR_TEST_SHELL"),
        .output_max = 1 << 20,
    };

    sink.arg = h;
    if (strcmp(harness_engine_name, "flux") == 0)
        return fr_flux_create(&h->loop, &flux, &sink, &h->engine, err);
    return fr_local_create(&h->loop, &local, &sink, &h->engine, err);
}

void harness_open(struct harness *h)
{
    struct fr_error err = {.text = ""};

    forget_jobs(h);
    h->ncaught_up = h->nlost = h->nback = h->nended = 0;
    h->closed = false;
    if (create_engine(h, &err) < 0)
        fail_msg("create: %s", err.text);
    h->in_call = true;
    int rc = h->engine->ops->open(h->engine, &err);
    h->in_call = false;
    if (rc < 0)
        fail_msg("open: %s", err.text);
    HARNESS_WAIT(h, h->ncaught_up > 0);
}

void harness_close(struct harness *h)
{
    h->in_call = true;
    h->engine->ops->close(h->engine, on_closed, h);
    h->in_call = false;
    HARNESS_WAIT(h, h->closed);
    h->engine = NULL;
}

int harness_setup(void **state)
{
    struct harness *h = calloc(1, sizeof *h);

    assert_non_null(h);
    if (!*directory) {
        strcpy(directory, "/tmp/fr-contract-XXXXXX");
        assert_non_null(mkdtemp(directory));
    }
    assert_int_equal(uv_loop_init(&h->loop), 0);
    assert_int_equal(uv_timer_init(&h->loop, &h->limit), 0);
    h->limit.data = h;
    harness_open(h);
    *state = h;
    return 0;
}

/* Every handle that the engine had must be closed, or the loop would not end. */
int harness_teardown(void **state)
{
    struct harness *h = *state;

    if (h->engine)
        harness_close(h);
    uv_timer_stop(&h->limit);
    uv_close((uv_handle_t *)&h->limit, NULL);
    assert_int_equal(uv_run(&h->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&h->loop), 0);
    forget_jobs(h);
    free(h);
    return 0;
}

struct fr_jobspec *harness_jobspec(double seconds, const char *const *argv)
{
    struct fr_error err = {.text = ""};
    struct fr_jobspec *spec = NULL;
    json_t *command = json_array();

    for (; *argv; argv++)
        json_array_append_new(command, json_string(*argv));
    json_t *json =
        json_pack("{s:i s:[{s:s s:i s:s s:[{s:s s:i}]}] s:[{s:o s:s s:{s:i}}]"
                  " s:{s:{s:f s:s s:{s:s}}}}",
                  "version", 1, "resources", "type", "slot", "count", 1, "label", "task",
                  "with", "type", "core", "count", 1, "tasks", "command", command, "slot",
                  "task", "count", "per_slot", 1, "attributes", "system", "duration", seconds,
                  "cwd", "/tmp", "environment", "PATH", "/usr/local/bin:/usr/bin:/bin");
    assert_non_null(json);
    if (fr_jobspec_create(json, &spec, &err) < 0)
        fail_msg("jobspec: %s", err.text);
    return spec;
}

struct fr_jobspec *harness_script(double seconds, const char *script)
{
    const char *argv[] = {"sh", "-c", script, NULL};

    return harness_jobspec(seconds, argv);
}

struct fr_jobspec *harness_fields(const char *fmt, ...)
{
    char *const environ_of[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "GREETING=hello", NULL};
    const struct fr_jobspec_place place = {.cwd = "/tmp", .environ = environ_of};
    struct fr_jobspec_submit submit = {0};
    struct fr_problems problems;
    json_error_t error;
    json_t *fields;
    va_list ap;

    va_start(ap, fmt);
    fields = json_vpack_ex(&error, 0, fmt, ap);
    va_end(ap);
    if (!fields)
        fail_msg("fields: %s", error.text);
    fr_problems_init(&problems);
    if (fr_jobspec_build(fields, &place, &submit, &problems) < 0)
        fail_msg("fields: %s", problems.count ? problems.items[0].detail : "");
    fr_problems_done(&problems);
    json_decref(fields);
    return submit.spec;
}

static void on_answer(struct answer *a, uint64_t id, const struct fr_error *err)
{
    check_callback(a->harness);
    assert_false(a->done); /* an answer comes once */
    a->done = true;
    a->id = id;
    a->failed = err != NULL;
    if (err)
        a->err = *err;
}

static void on_submitted(void *arg, uint64_t id, const struct fr_error *err)
{
    on_answer(arg, id, err);
}

void harness_on_done(void *arg, const struct fr_error *err)
{
    on_answer(arg, 0, err);
}

void harness_submit(struct harness *h, struct fr_jobspec *spec, int urgency, struct answer *a)
{
    *a = (struct answer){.harness = h};
    h->in_call = true;
    h->engine->ops->submit(h->engine, spec, urgency, on_submitted, a);
    h->in_call = false;
}

uint64_t harness_run(struct harness *h, struct fr_jobspec *spec)
{
    struct answer a;

    harness_submit(h, spec, 16, &a);
    HARNESS_WAIT(h, a.done);
    if (a.failed)
        fail_msg("submit: %s", a.err.text);
    return a.id;
}

void harness_cancel(struct harness *h, uint64_t id, const char *note, struct answer *a)
{
    *a = (struct answer){.harness = h};
    h->in_call = true;
    h->engine->ops->cancel(h->engine, id, note, harness_on_done, a);
    h->in_call = false;
}

void harness_kill(struct harness *h, uint64_t id, int signum, struct answer *a)
{
    *a = (struct answer){.harness = h};
    h->in_call = true;
    h->engine->ops->kill(h->engine, id, signum, harness_on_done, a);
    h->in_call = false;
}

bool harness_is(struct harness *h, uint64_t id, int states)
{
    struct job_record *record = harness_find(h, id);

    return record && record->job->state & states;
}

struct job_record *harness_finished(struct harness *h, uint64_t id)
{
    HARNESS_WAIT(h, harness_is(h, id, FR_STATE_INACTIVE));
    return harness_find(h, id);
}

struct event_record *harness_event(struct job_record *record, const char *name)
{
    for (size_t i = 0; i < record->nevents; i++)
        if (strcmp(record->events[i].name, name) == 0)
            return &record->events[i];
    return NULL;
}

bool harness_has(struct harness *h, uint64_t id, const char *event)
{
    struct job_record *record = harness_find(h, id);

    return record && harness_event(record, event);
}

static void add_data(struct reader *reader, const struct fr_output *piece)
{
    char *to = piece->is_stderr ? reader->errors : reader->out;
    size_t *len = piece->is_stderr ? &reader->nerrors : &reader->nout;

    assert_true(piece->len > 0);
    assert_true(*len + piece->len < HARNESS_OUTPUT_MAX);
    memcpy(to + *len, piece->data, piece->len);
    *len += piece->len;
    assert_true(piece->offset >= reader->offset);
    reader->offset = piece->offset;
    if (reader->npieces++ == 0) {
        reader->first_offset = piece->offset;
        reader->first_len = piece->len;
    }
}

static void on_output(void *arg, const struct fr_output *piece)
{
    struct reader *reader = arg;

    check_callback(reader->harness);
    assert_false(reader->ended); /* nothing comes after the last call */
    assert_non_null(reader->watch);
    if (piece->kind == FR_OUTPUT_DATA)
        add_data(reader, piece);
    if (piece->kind == FR_OUTPUT_REDIRECT)
        (void)snprintf(reader->paths[piece->is_stderr], sizeof(reader->paths[0]), "%s",
                       piece->path);
    reader->ncaught_up += piece->kind == FR_OUTPUT_CAUGHT_UP;
    reader->ended = piece->kind == FR_OUTPUT_END || piece->kind == FR_OUTPUT_ERROR;
    reader->failed = piece->kind == FR_OUTPUT_ERROR;
    if (reader->failed)
        reader->err = *piece->err;
    if (reader->free_at_first)
        harness_read_end(reader);
}

void harness_read(struct harness *h, uint64_t id, uint64_t offset, struct reader *reader)
{
    memset(reader, 0, offsetof(struct reader, free_at_first));
    reader->harness = h;
    h->in_call = true;
    reader->watch = h->engine->ops->output(h->engine, id, offset, on_output, reader);
    h->in_call = false;
    assert_non_null(reader->watch);
}

void harness_read_end(struct reader *reader)
{
    struct fr_output_watch *watch = fr_take(reader->watch);

    reader->harness->engine->ops->output_free(watch);
}

void harness_check(const struct answer *a)
{
    if (a->failed)
        fail_msg("%s", a->err.text);
}

void harness_end(struct harness *h, uint64_t id)
{
    struct answer a;

    harness_cancel(h, id, NULL, &a);
    HARNESS_WAIT(h, a.done);
    harness_check(&a);
    harness_finished(h, id);
}
