// SPDX-License-Identifier: LGPL-3.0-only
#include "local_fixture.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"

#define LIMIT_MS 60000

const char *fixture_path(const struct fixture *f, const char *name)
{
    static char paths[8][160];
    static unsigned int turn;
    char *path = paths[turn++ % 8];

    (void)snprintf(path, sizeof(paths[0]), "%s/%s", f->dir, name);
    return path;
}

int fixture_lines(const char *path)
{
    FILE *file = fopen(path, "r");
    int lines = 0;
    int c;

    if (!file)
        return 0;
    while ((c = getc(file)) != EOF)
        lines += c == '\n';
    (void)fclose(file);
    return lines;
}

bool fixture_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

void fixture_touch(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    (void)close(fd);
}

struct job_log *fixture_find(struct fixture *f, uint64_t id)
{
    for (size_t i = f->njobs; i-- > 0;) {
        if (f->jobs[i].id == id)
            return &f->jobs[i];
    }
    return NULL;
}

static struct job_log *log_of(struct fixture *f, uint64_t id)
{
    struct job_log *log = fixture_find(f, id);

    if (log)
        return log;
    assert_true(f->njobs < FIXTURE_JOBS);
    log = &f->jobs[f->njobs++];
    *log = (struct job_log){.id = id, .job = fr_job_create(id)};
    assert_non_null(log->job);
    return log;
}

static void on_event(struct fixture *f, struct job_log *log, const struct fr_event *event,
                     const struct fr_journal_entry *entry)
{
    size_t used = strlen(log->names);

    assert_int_equal(event->index, log->job->nevents);
    /* A backlog comes job by job. */
    assert_true(event->seq > (f->ncaught_up ? f->last_seq : log->last_seq));
    assert_true(event->timestamp >= log->last);
    log->last_seq = event->seq;
    if (event->seq > f->last_seq)
        f->last_seq = event->seq;
    log->last = event->timestamp;
    (void)snprintf(log->names + used, sizeof(log->names) - used, "%s ", event->name);
    if (strcmp(event->name, "alloc") == 0) {
        assert_non_null(entry->R);
        log->alloc_seq = event->seq;
        log->alloc_count++;
    }
    if (strcmp(event->name, "clean") == 0)
        log->clean_seq = event->seq;
    assert_int_equal(fr_job_apply(log->job, event, entry->jobspec, entry->R, NULL), 0);
}

static void on_journal(void *arg, const struct fr_journal_entry *entry)
{
    struct fixture *f = arg;
    struct job_log *log = log_of(f, entry->id);

    if (entry->ended) {
        fr_job_free(log->job);
        log->job = fr_take(*entry->ended);
        (void)snprintf(log->names, sizeof(log->names), "(whole) ");
    } else if (log->job->nevents == 0) {
        assert_non_null(entry->jobspec);
        assert_null(entry->jobspec->environment);
    }
    for (size_t i = 0; i < entry->nevents; i++)
        on_event(f, log, &entry->events[i], entry);
}

static void on_caught_up(void *arg, uint64_t seq)
{
    ((struct fixture *)arg)->ncaught_up++;
}

static void on_purged(void *arg, const uint64_t *ids, size_t count)
{
    ((struct fixture *)arg)->npurged += count;
}

static void on_ended(void *arg, const struct fr_error *err)
{
    struct fixture *f = arg;

    print_message("ended: %s\n", err ? err->text : "");
    f->nended++;
}

static void on_closed(void *arg)
{
    ((struct fixture *)arg)->closed = true;
}

static void on_limit(uv_timer_t *timer)
{
    ((struct fixture *)timer->data)->over = true;
}

void fixture_wait_begin(struct fixture *f)
{
    f->over = false;
    uv_update_time(&f->loop);
    assert_int_equal(uv_timer_start(&f->limit, on_limit, LIMIT_MS, 0), 0);
}

void fixture_step(struct fixture *f, const char *what, const char *file, int line)
{
    if (f->over) {
        print_error("waited in vain for: %s\n", what);
        _fail(file, line);
    }
    (void)uv_run(&f->loop, UV_RUN_ONCE);
}

static void jobs_forget(struct fixture *f)
{
    for (size_t i = 0; i < f->njobs; i++)
        fr_job_free(f->jobs[i].job);
    f->njobs = 0;
    f->last_seq = 0;
}

int fixture_try_open(struct fixture *f, struct fr_error *err)
{
    const struct fr_engine_sink sink = {.journal = on_journal,
                                        .caught_up = on_caught_up,
                                        .purged = on_purged,
                                        .ended = on_ended,
                                        .arg = f};
    const struct fr_local_options options = {.state_dir = f->state,
                                             .shell_path = f->shell,
                                             .output_max = f->output_max,
                                             .cores = f->cores,
                                             .gpus = f->gpus,
                                             .keep_jobs = f->keep_jobs,
                                             .keep_seconds = f->keep_seconds};
    int rc = fr_local_create(&f->loop, &options, &sink, &f->engine, err);

    return rc < 0 ? rc : f->engine->ops->open(f->engine, err);
}

void fixture_open(struct fixture *f)
{
    struct fr_error err = {.text = ""};

    jobs_forget(f);
    f->ncaught_up = 0;
    f->closed = false;
    if (fixture_try_open(f, &err) < 0)
        fail_msg("open: %s", err.text);
    WAIT(f, f->ncaught_up > 0 || f->nended > 0);
    assert_int_equal(f->nended, 0);
}

void fixture_close(struct fixture *f)
{
    f->engine->ops->close(f->engine, on_closed, f);
    WAIT(f, f->closed);
    f->engine = NULL;
}

struct fixture *fixture_create(void)
{
    struct fixture *f = calloc(1, sizeof(*f));
    const char *shell = getenv("FR_TEST_SHELL");

    assert_non_null(f);
    if (!shell)
        fail_msg("FR_TEST_SHELL does not name the job shell");
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/fr-local-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->state, sizeof(f->state), "%s/state", f->dir);
    (void)snprintf(f->shell, sizeof(f->shell), "%s", shell);
    f->cores = 2;
    f->output_max = 1 << 20;
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_int_equal(uv_timer_init(&f->loop, &f->limit), 0);
    f->limit.data = f;
    return f;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

void fixture_forget(struct fixture *f)
{
    if (f->engine)
        fixture_close(f);
    (void)uv_timer_stop(&f->limit);
    uv_close((uv_handle_t *)&f->limit, NULL);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&f->loop), 0); /* every handle was given back */
    jobs_forget(f);
    free(f);
}

void fixture_free(struct fixture *f)
{
    char dir[sizeof(f->dir)];

    memcpy(dir, f->dir, sizeof(dir));
    fixture_forget(f);
    (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int fixture_setup(void **state)
{
    struct fixture *f = fixture_create();

    fixture_open(f);
    *state = f;
    return 0;
}

int fixture_teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

struct fr_jobspec *fixture_spec(int ntasks, int cores_per_task, double duration,
                                const char *cwd, const char *const *argv)
{
    struct fr_error err = {.text = ""};
    struct fr_jobspec *spec = NULL;
    json_t *command = json_array();

    for (; *argv; argv++)
        (void)json_array_append_new(command, json_string(*argv));
    json_t *json = json_pack(
        "{s:i s:[{s:s s:i s:s s:[{s:s s:i}]}] s:[{s:o s:s s:{s:i}}]"
        " s:{s:{s:f s:s s:{s:s s:s s:s}}}}",
        "version", 1, "resources", "type", "slot", "count", ntasks, "label", "task", "with",
        "type", "core", "count", cores_per_task, "tasks", "command", command, "slot", "task",
        "count", "per_slot", 1, "attributes", "system", "duration", duration, "cwd", cwd,
        "environment", "PATH", "/usr/bin:/bin", "GREETING", "hello", "FLUX_URI", "local:///no");
    assert_non_null(json);
    if (fr_jobspec_create(json, &spec, &err) < 0)
        fail_msg("jobspec: %s", err.text);
    return spec;
}

struct fr_jobspec *fixture_gpu_spec(int ntasks, int cores_per_task, int gpus_per_task,
                                    const char *const *argv)
{
    struct fr_jobspec *spec = fixture_spec(ntasks, cores_per_task, 0, "/tmp", argv);
    struct fr_jobspec *with = NULL;
    json_t *json = json_incref(spec->json);
    json_t *slot = json_array_get(json_object_get(json, "resources"), 0);

    assert_int_equal(
        json_array_append_new(json_object_get(slot, "with"),
                              json_pack("{s:s s:i}", "type", "gpu", "count", gpus_per_task)),
        0);
    fr_jobspec_free(spec);
    assert_int_equal(fr_jobspec_create(json, &with, NULL), 0);
    return with;
}

struct fr_jobspec *fixture_script(const char *fmt, ...)
{
    char script[1024];
    const char *argv[] = {"sh", "-c", script, NULL};
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(script, sizeof(script), fmt, ap);
    va_end(ap);
    return fixture_spec(1, 1, 0, "/tmp", argv);
}

static void on_submitted(void *arg, uint64_t id, const struct fr_error *err)
{
    struct answer *a = arg;

    assert_false(a->done);
    a->done = true;
    a->id = id;
    a->failed = err != NULL;
    if (err)
        a->err = *err;
}

static void on_done(void *arg, const struct fr_error *err)
{
    on_submitted(arg, 0, err);
}

void fixture_submit(struct fixture *f, struct fr_jobspec *spec, int urgency, struct answer *a)
{
    *a = (struct answer){0};
    f->engine->ops->submit(f->engine, spec, urgency, on_submitted, a);
}

uint64_t fixture_run(struct fixture *f, struct fr_jobspec *spec)
{
    struct answer a;

    fixture_submit(f, spec, 16, &a);
    WAIT(f, a.done);
    if (a.failed)
        fail_msg("submit: %s", a.err.text);
    return a.id;
}

void fixture_cancel(struct fixture *f, uint64_t id, struct answer *a)
{
    *a = (struct answer){0};
    f->engine->ops->cancel(f->engine, id, "enough", on_done, a);
    WAIT(f, a->done);
}

void fixture_kill(struct fixture *f, uint64_t id, int signum, struct answer *a)
{
    *a = (struct answer){0};
    f->engine->ops->kill(f->engine, id, signum, on_done, a);
    WAIT(f, a->done);
}

bool fixture_is(struct fixture *f, uint64_t id, int states)
{
    struct job_log *log = fixture_find(f, id);

    return log && (log->job->state & states);
}

struct job_log *fixture_finished(struct fixture *f, uint64_t id)
{
    WAIT(f, fixture_is(f, id, FR_STATE_INACTIVE));
    return fixture_find(f, id);
}

static void on_output(void *arg, const struct fr_output *piece)
{
    struct heard *heard = arg;
    char *to = piece->is_stderr ? heard->err : heard->out;
    size_t *len = piece->is_stderr ? &heard->nerr : &heard->nout;

    assert_false(heard->ended);
    if (piece->kind == FR_OUTPUT_DATA) {
        assert_true(*len + piece->len < sizeof(heard->out));
        memcpy(to + *len, piece->data, piece->len);
        *len += piece->len;
        heard->offset = piece->offset;
    }
    heard->caught_up += piece->kind == FR_OUTPUT_CAUGHT_UP;
    heard->ended = piece->kind == FR_OUTPUT_END || piece->kind == FR_OUTPUT_ERROR;
    heard->failed = piece->kind == FR_OUTPUT_ERROR;
    if (heard->failed)
        heard->error = *piece->err;
}

void fixture_listen(struct fixture *f, uint64_t id, uint64_t offset, struct heard *heard)
{
    memset(heard, 0, sizeof(*heard));
    heard->watch = f->engine->ops->output(f->engine, id, offset, on_output, heard);
    assert_non_null(heard->watch);
}

void fixture_deafen(struct fixture *f, struct heard *heard)
{
    f->engine->ops->output_free(fr_take(heard->watch));
}

void fixture_hear(struct fixture *f, uint64_t id, uint64_t offset, struct heard *heard)
{
    fixture_listen(f, id, offset, heard);
    WAIT(f, heard->ended);
    fixture_deafen(f, heard);
}
