// SPDX-License-Identifier: LGPL-3.0-only
/* Urgency and time limit of a job that is there already. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/util.h"
#include "engine/local/local.h"
#include "shell/folder.h"

#define CONTEXT_MAX 256

FR_DEFINE_CLEANUP(struct fr_unit *, unit, fr_unit_free);

/* One change on its way to the disk. */
struct change {
    struct fr_local *engine;
    uint64_t id;
    bool limit;   /* the shell is to learn of a new time limit */
    fr_done_f cb; /* NULL once answered */
    void *arg;
};

static void answer(struct change *change, const struct fr_error *err)
{
    fr_done_f cb = change->cb;

    change->cb = NULL;
    if (cb)
        cb(change->arg, err);
}

static bool on_changed(void *arg, const struct fr_unit *unit, int result,
                       const struct fr_error *err)
{
    struct change *change = arg;
    struct fr_local *engine = change->engine;
    struct fr_local_job *job = NULL;
    struct fr_error kept;

    /* It has taken effect, and what came after it counts on its place in the job's log. */
    if (result < 0 && !engine->closing) {
        (void)fr_error_set(&kept, -result, FR_CODE_OUTCOME_UNKNOWN,
                           "The change is made, and will be written down when the disk takes "
                           "it: %.400s",
                           err->text);
        answer(change, &kept);
        return true;
    }
    if (result == 0)
        fr_run_publish(engine, unit, NULL);
    answer(change, result < 0 ? err : NULL);
    if (result == 0 && fr_jobs_find(&engine->jobs, change->id, &job) && job) {
        job->limit_new |= change->limit;
        fr_steer_limit(job);
        fr_run_schedule(engine);
    }
    free(change);
    return false;
}

static int event_put(struct fr_local_job *job, struct fr_unit *unit, const char *name,
                     double now, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static int event_put(struct fr_local_job *job, struct fr_unit *unit, const char *name,
                     double now, const char *fmt, ...)
{
    struct fr_buf buf = FR_BUF_INIT(CONTEXT_MAX);
    char *context;
    size_t len;
    va_list ap;

    va_start(ap, fmt);
    fr_buf_vprintf(&buf, fmt, ap);
    va_end(ap);
    if (fr_buf_take(&buf, &context, &len) < 0)
        return -ENOMEM;
    fr_run_event(job, unit, name, now, context);
    return 0;
}

/* Finds the job, and makes what its change needs. */
static int change_begin(struct fr_local *engine, uint64_t id, fr_done_f cb, void *arg,
                        struct fr_local_job **ret_job, struct fr_unit **ret_unit,
                        struct fr_error *err)
{
    struct fr_local_job *job;
    struct change *change;
    struct fr_unit *unit;
    int rc = fr_local_find(engine, id, &job, err);

    if (rc < 0)
        return rc;
    if (job->phase == FR_PHASE_END)
        return fr_error_set(err, EINVAL, FR_CODE_JOB_INACTIVE, "job is inactive");
    change = malloc(sizeof(*change));
    unit = change ? fr_unit_create(id, on_changed, change) : NULL;
    if (!unit) {
        free(change);
        return fr_error_set(err, ENOMEM, FR_CODE_INTERNAL, "No memory to change the job.");
    }
    *change = (struct change){.engine = engine, .id = id, .cb = cb, .arg = arg};
    *ret_job = job;
    *ret_unit = unit;
    return 0;
}

/* Puts the unit, or undoes it. */
static int change_end(struct fr_local_job *job, struct fr_unit *unit, int rc, int64_t nevents,
                      struct fr_error *err)
{
    if (rc == 0) {
        fr_store_put(job->engine->store, unit);
        return 0;
    }
    job->nevents = nevents;
    free(unit->arg);
    fr_unit_free(unit);
    if (rc == -ENOMEM)
        return fr_error_set(err, ENOMEM, FR_CODE_INTERNAL, "No memory to change the job.");
    return rc;
}

static bool has_resources(const struct fr_local_job *job)
{
    return job->phase != FR_PHASE_DEPEND && job->phase != FR_PHASE_WAITING;
}

/* Moves a waiting job to where it stands now. */
static void requeue(struct fr_local_job *job, int urgency, double duration)
{
    fr_run_dequeue(job);
    job->urgency = urgency;
    job->duration = duration;
    if (job->phase == FR_PHASE_WAITING)
        fr_run_enqueue(job);
}

static int urgency_put(struct fr_local_job *job, struct fr_unit *unit, int urgency,
                       struct fr_error *err)
{
    double now = fr_time_now();
    int before = job->urgency;
    int rc;

    if (has_resources(job))
        return fr_error_set(err, EINVAL, FR_CODE_JOB_STATE,
                            "urgency cannot be changed once resources are allocated");
    rc = event_put(job, unit, "urgency", now, "{\"userid\":%lu,\"urgency\":%d}",
                   (unsigned long)getuid(), urgency);
    job->urgency = urgency;
    if (rc == 0 && fr_depend_open(job) == 0)
        rc = fr_run_priority(job, unit, now);
    job->urgency = before;
    if (rc == 0)
        requeue(job, urgency, job->duration);
    return rc;
}

void fr_local_urgency(struct fr_engine *base, uint64_t id, int urgency, fr_done_f cb, void *arg)
{
    struct fr_local *engine = fr_local_of(base);
    struct fr_local_job *job;
    struct fr_unit *unit;
    struct fr_error err;
    int rc = change_begin(engine, id, cb, arg, &job, &unit, &err);

    if (rc == 0) {
        int64_t nevents = job->nevents;

        if (urgency < 0 || urgency >= FR_SCHED_URGENCIES)
            rc = fr_error_set(&err, EINVAL, FR_CODE_INVALID, "urgency must be 0 to 31, not %d.",
                              urgency);
        if (rc == 0)
            rc = urgency_put(job, unit, urgency, &err);
        rc = change_end(job, unit, rc, nevents, &err);
    }
    if (rc < 0)
        fr_later_done(engine, cb, arg, &err);
}

/* A job that has its resources: the limit counts from when it got them. */
static int limit_put(struct fr_local_job *job, struct fr_unit *unit, double seconds, double now,
                     struct fr_error *err)
{
    double expiration = seconds > 0 ? job->allocated + seconds : 0;

    if (seconds > 0 && expiration <= now)
        return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                            "requested duration places job expiration in the past");
    unit->expiration = expiration;
    ((struct change *)unit->arg)->limit = true;
    return event_put(job, unit, "resource-update", now, "{\"expiration\":%.6f}", expiration);
}

static int duration_put(struct fr_local_job *job, struct fr_unit *unit, double seconds,
                        struct fr_error *err)
{
    double now = fr_time_now();
    int rc;

    if (!isfinite(seconds) || seconds < 0)
        return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                            "duration must be a number of seconds of at least 0, found %g.",
                            seconds);
    unit->duration = seconds;
    rc = event_put(job, unit, "jobspec-update", now, "{\"attributes.system.duration\":%.6f}",
                   seconds);
    if (rc == 0 && has_resources(job))
        rc = limit_put(job, unit, seconds, now, err);
    else if (rc == 0 && fr_depend_open(job) == 0)
        rc = fr_run_priority(job, unit, now);
    if (rc < 0)
        return rc;
    requeue(job, job->urgency, seconds);
    return 0;
}

void fr_local_duration(struct fr_engine *base, uint64_t id, double seconds, fr_done_f cb,
                       void *arg)
{
    struct fr_local *engine = fr_local_of(base);
    struct fr_local_job *job;
    struct fr_unit *unit;
    struct fr_error err;
    int rc = change_begin(engine, id, cb, arg, &job, &unit, &err);

    if (rc == 0) {
        int64_t nevents = job->nevents;

        rc = change_end(job, unit, duration_put(job, unit, seconds, &err), nevents, &err);
    }
    if (rc < 0)
        fr_later_done(engine, cb, arg, &err);
}

/* --- telling the shell --- */

struct limit_work {
    struct fr_local *engine;
    uint64_t id;
    char text[64];
};

static int limit_work(void *arg)
{
    struct limit_work *work = arg;
    char path[PATH_MAX];

    fr_folder_path(work->engine->state_dir, work->id, path, sizeof(path));
    return fr_folder_write(path, FR_FOLDER_LIMIT, work->text, strlen(work->text));
}

static void on_limit_written(void *arg, int result)
{
    struct limit_work *work = arg;
    struct fr_local *engine = work->engine;
    struct fr_local_job *job = NULL;

    if (fr_jobs_find(&engine->jobs, work->id, &job) && job) {
        job->limit_busy = false;
        if (result < 0) {
            job->limit_new = true;
            fr_local_tick_soon(engine);
        } else if (job->phase == FR_PHASE_RUN) {
            (void)fr_launch_signal(job->pidfd, job->pid, FR_SIGNAL_RELAY, FR_RELAY_LIMIT);
            fr_steer_limit(job); /* if it was changed again meanwhile */
        }
    }
    free(work);
    fr_local_work_over(engine);
}

void fr_steer_limit(struct fr_local_job *job)
{
    struct limit_work *work;

    if (!job->limit_new || job->limit_busy || job->phase != FR_PHASE_RUN ||
        job->engine->closing)
        return;
    work = calloc(1, sizeof(*work));
    if (work) {
        work->engine = job->engine;
        work->id = job->id;
        (void)snprintf(work->text, sizeof(work->text), "%.6f\n", job->duration);
    }
    if (!work || fr_work_queue(job->engine->loop, limit_work, on_limit_written, work) < 0) {
        free(work);
        fr_local_tick_soon(job->engine);
        return;
    }
    job->engine->works++;
    job->limit_new = false;
    job->limit_busy = true;
}
