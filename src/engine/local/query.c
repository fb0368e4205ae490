// SPDX-License-Identifier: LGPL-3.0-only
/* What the store keeps of one job, and what a waiting one waits for. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/util.h"
#include "engine/local/local.h"

#define TEXT_MAX (256U << 20)

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

struct lookup {
    struct fr_local *engine;
    uint64_t id;
    enum fr_lookup what;
    fr_lookup_f cb;
    void *arg;
    struct fr_buf text;
    struct fr_error err;
};

static int on_row(void *arg, const struct fr_row *row)
{
    struct lookup *lookup = arg;

    fr_event_format(&row->event, &lookup->text);
    fr_buf_putc(&lookup->text, '\n');
    return fr_buf_status(&lookup->text);
}

/* The environment is kept apart, for the table does not want it. */
static int jobspec_read(struct lookup *lookup)
{
    _cleanup_(fr_cleanup_str) char *jobspec = NULL;
    _cleanup_(fr_cleanup_str) char *environment = NULL;
    _cleanup_(fr_cleanup_str) char *whole = NULL;
    _cleanup_(fr_cleanup_json) json_t *json = NULL;
    json_t *system;
    int rc = fr_store_read_spec(lookup->engine->store, lookup->id, &jobspec, &environment);

    if (rc < 0)
        return rc;
    if (!environment) {
        fr_buf_puts(&lookup->text, jobspec);
        return fr_buf_status(&lookup->text);
    }
    json = json_loads(jobspec, 0, NULL);
    system = json_object_get(json_object_get(json, "attributes"), "system");
    if (json_object_set_new(system, "environment", json_loads(environment, 0, NULL)) < 0)
        return -ENOMEM;
    whole = json_dumps(json, JSON_COMPACT);
    if (!whole)
        return -ENOMEM;
    fr_buf_puts(&lookup->text, whole);
    return fr_buf_status(&lookup->text);
}

static int R_read(struct lookup *lookup)
{
    _cleanup_(fr_cleanup_str) char *R = NULL;
    int rc = fr_store_read_R(lookup->engine->store, lookup->id, &R);

    if (rc < 0)
        return rc;
    if (!R)
        return fr_error_set(&lookup->err, ENODATA, FR_CODE_NOT_FOUND,
                            "The job has no R: it was given no resources (yet).");
    fr_buf_puts(&lookup->text, R);
    return fr_buf_status(&lookup->text);
}

static int lookup_work(void *arg)
{
    struct lookup *lookup = arg;
    int rc;

    if (lookup->what == FR_LOOKUP_EVENTLOG)
        rc = fr_store_read_log(lookup->engine->store, lookup->id, on_row, lookup, &lookup->err);
    else
        rc = lookup->what == FR_LOOKUP_R ? R_read(lookup) : jobspec_read(lookup);
    if (rc == -ENOENT)
        return fr_error_set(&lookup->err, ENOENT, FR_CODE_JOB_NOT_FOUND, "unknown job id");
    if (rc < 0 && !lookup->err.text[0])
        return fr_error_set(&lookup->err, -rc, FR_CODE_INTERNAL,
                            "The job store cannot be read: %s.", strerror(-rc));
    return rc;
}

static void lookup_free(struct lookup *lookup)
{
    if (lookup)
        fr_buf_done(&lookup->text);
    free(lookup);
}

static void on_looked_up(void *arg, int result)
{
    struct lookup *lookup = arg;
    struct fr_local *engine = lookup->engine;

    if (result < 0)
        lookup->cb(lookup->arg, NULL, 0, &lookup->err);
    else
        lookup->cb(lookup->arg, lookup->text.data, lookup->text.len, NULL);
    lookup_free(lookup);
    fr_local_work_over(engine);
}

void fr_local_lookup(struct fr_engine *base, uint64_t id, enum fr_lookup what, fr_lookup_f cb,
                     void *arg)
{
    struct fr_local *engine = fr_local_of(base);
    struct fr_local_job *job = NULL;
    struct lookup *lookup = calloc(1, sizeof(*lookup));
    struct fr_error err;
    int rc = fr_local_open_check(engine, &err);

    if (rc == 0 && !fr_jobs_find(&engine->jobs, id, &job))
        rc = fr_error_set(&err, ENOENT, FR_CODE_JOB_NOT_FOUND, "unknown job id");
    if (rc == 0 && lookup) {
        *lookup =
            (struct lookup){.engine = engine, .id = id, .what = what, .cb = cb, .arg = arg};
        fr_buf_init(&lookup->text, TEXT_MAX);
        rc = fr_work_queue(engine->loop, lookup_work, on_looked_up, lookup);
        if (rc == 0) {
            engine->works++;
            return;
        }
    }
    if (rc == 0 || rc == -ENOMEM)
        (void)fr_error_set(&err, ENOMEM, FR_CODE_INTERNAL, "No memory to read the job store.");
    lookup_free(lookup);
    fr_later_lookup(engine, cb, arg, &err);
}

/* "4 cores and 1 GPUs" */
static void share_put(struct fr_buf *out, struct fr_sched_share share)
{
    fr_buf_printf(out, "%d core%s", share.cores, share.cores == 1 ? "" : "s");
    if (share.gpus > 0)
        fr_buf_printf(out, " and %d GPU%s", share.gpus, share.gpus == 1 ? "" : "s");
}

static void why_resources(const struct fr_local_job *job, struct fr_buf *out)
{
    struct fr_sched_share unused = fr_resources_unused(job->engine->resources);

    fr_buf_puts(out, "waits for ");
    share_put(out, job->share);
    fr_buf_printf(out, "; %d", unused.cores);
    if (job->share.gpus > 0)
        fr_buf_printf(out, " and %d", unused.gpus);
    fr_buf_puts(out, unused.cores == 1 && job->share.gpus == 0 ? " is free" : " are free");
}

/* A job that stands in the queue. */
static bool why_queued(const struct fr_local_job *job, struct fr_buf *out)
{
    struct fr_sched_share unused = fr_resources_unused(job->engine->resources);
    struct fr_sched_item head;
    char text[FR_FLUID_TEXT];

    if (job->urgency == 0) {
        fr_buf_puts(out, "held (urgency 0)");
        return true;
    }
    if (job->share.cores > unused.cores || job->share.gpus > unused.gpus) {
        why_resources(job, out);
        return true;
    }
    if (fr_sched_queue_window(&job->engine->queue, &head, 1) == 0 || head.id == job->id)
        return false; /* about to start */
    fr_buf_printf(out, "waits behind job %s", fr_fluid_f58(head.id, text));
    return true;
}

bool fr_local_why(struct fr_engine *base, uint64_t id, char *buf, size_t size)
{
    struct fr_local *engine = fr_local_of(base);
    struct fr_local_job *job = NULL;
    struct fr_buf out = FR_BUF_INIT(512);
    bool known = false;

    if (size == 0 || !fr_jobs_find(&engine->jobs, id, &job) || !job)
        return false;
    if (job->phase == FR_PHASE_DEPEND) {
        fr_depend_why(job, buf, size);
        return true;
    }
    if (job->phase == FR_PHASE_WAITING)
        known = why_queued(job, &out);
    if (known && fr_buf_status(&out) == 0)
        (void)snprintf(buf, size, "%s", out.data);
    else
        known = false;
    fr_buf_done(&out);
    return known;
}
