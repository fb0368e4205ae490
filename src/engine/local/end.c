// SPDX-License-Identifier: LGPL-3.0-only
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "engine/local/local.h"
#include "shell/folder.h"

FR_DEFINE_CLEANUP(struct fr_unit *, unit, fr_unit_free);

static bool on_ended(void *arg, const struct fr_unit *unit, int result,
                     const struct fr_error *err)
{
    struct fr_local_job *job = arg;

    if (result < 0)
        return true;
    fr_run_publish(job->engine, unit, NULL);
    fr_run_forget(job);
    return false;
}

static int exception_put(struct fr_local_job *job, struct fr_unit *unit, double when,
                         const char *type, const char *note, bool by_user)
{
    char *context = fr_run_exception(type, note, by_user);

    if (!context)
        return -ENOMEM;
    fr_run_event(job, unit, "exception", when, context);
    return 0;
}

int fr_end_exceptions(struct fr_local_job *job, struct fr_unit *unit,
                      const struct fr_report *report)
{
    int rc = 0;

    for (; rc == 0 && job->told < report->nexceptions; job->told += rc == 0)
        rc = exception_put(job, unit, report->exceptions[job->told].timestamp,
                           report->exceptions[job->told].type,
                           report->exceptions[job->told].note, true);
    return rc;
}

static int exceptions_put(struct fr_local_job *job, struct fr_unit *unit,
                          const struct fr_report *report)
{
    char note[640];
    int rc = fr_end_exceptions(job, unit, report);

    if (rc == 0 && report->state == FR_FOLDER_DIED)
        return exception_put(job, unit, fr_time_now(), "exec",
                             "the job shell died without leaving a result: it was killed, or "
                             "the machine or container was restarted",
                             false);
    if (rc < 0 || report->state != FR_FOLDER_VOID || job->fatal)
        return rc;
    (void)snprintf(note, sizeof(note), "the job could not be started: %s",
                   job->failure.text[0] ? job->failure.text : "see the daemon before this one");
    return exception_put(job, unit, fr_time_now(), "exec", note, false);
}

/* What the job ends with, whatever it ran as; a shell without a result was killed. */
static int finish_put(struct fr_local_job *job, struct fr_unit *unit,
                      const struct fr_report *report)
{
    bool ended = report->state == FR_FOLDER_ENDED;
    int status = ended ? report->status : SIGKILL;
    char *context = NULL;

    if (!ended && job->child_status > 0)
        status = job->child_status;
    if (asprintf(&context, "{\"status\":%d}", status) < 0)
        return -ENOMEM;
    fr_run_event(job, unit, "finish", ended ? report->end : fr_time_now(), context);
    return 0;
}

static int end_put(struct fr_local_job *job, struct fr_unit *unit,
                   const struct fr_report *report)
{
    char *release = strdup("{\"ranks\":\"all\",\"final\":true}");
    int rc;

    if (!job->started && report->state != FR_FOLDER_VOID) {
        fr_run_event(job, unit, "start", report->start, NULL);
        job->started = true;
    }
    rc = exceptions_put(job, unit, report);
    if (rc == 0 && report->state != FR_FOLDER_VOID)
        rc = finish_put(job, unit, report);
    if (rc < 0 || !release) {
        free(release);
        return -ENOMEM;
    }
    fr_run_event(job, unit, "release", fr_time_now(), release);
    fr_run_event(job, unit, "free", fr_time_now(), NULL);
    fr_run_event(job, unit, "clean", fr_time_now(), NULL);
    return 0;
}

void fr_end_job(struct fr_local_job *job, const struct fr_report *report)
{
    _cleanup_(fr_cleanup_unit) struct fr_unit *unit = fr_unit_create(job->id, on_ended, job);
    int64_t nevents = job->nevents;
    bool started = job->started;
    int told = job->told;

    if (!unit || end_put(job, unit, report) < 0) {
        job->nevents = nevents;
        job->started = started;
        job->told = told;
        fr_attend(job, report->state == FR_FOLDER_VOID ? FR_ERRAND_VOID : FR_ERRAND_EXAMINE,
                  1000);
        return;
    }
    job->phase = FR_PHASE_END;
    fr_store_put(job->engine->store, fr_take(unit));
    /* Units reach the disk in this order: whoever gets its cores is never seen to have them
     * yet. */
    fr_run_release(job);
    fr_run_schedule(job->engine);
}

/* One cancel on its way to the disk. */
struct cancel {
    struct fr_local *engine;
    uint64_t id;
    fr_done_f cb; /* NULL once answered, or if nobody asked */
    void *arg;
};

static void cancel_answer(struct cancel *cancel, const struct fr_error *err)
{
    if (cancel->cb)
        cancel->cb(cancel->arg, err);
    cancel->cb = NULL;
}

/* Whatever the job is at, it sees that it is cancelled; a running one is told. */
static void cancel_take_effect(struct fr_local *engine, uint64_t id, bool kept)
{
    struct fr_local_job *job = NULL;

    if (!fr_jobs_find(&engine->jobs, id, &job) || !job)
        return;
    job->fatal = true;
    job->cancel_kept = kept;
    if (job->phase == FR_PHASE_RUN)
        (void)fr_launch_signal(job->pidfd, job->pid, SIGTERM, 0);
}

static bool on_cancelled(void *arg, const struct fr_unit *unit, int result,
                         const struct fr_error *err)
{
    struct cancel *cancel = arg;

    /*
     * A full disk must not keep anyone from ending the job that fills it: so it is done then,
     * and written down when there is room.
     */
    if (result == 0)
        fr_run_publish(cancel->engine, unit, NULL);
    if (cancel->cb || result == 0)
        cancel_take_effect(cancel->engine, cancel->id, result < 0);
    cancel_answer(cancel, NULL);
    if (result < 0 && !cancel->engine->closing)
        return true;
    free(cancel);
    return false;
}

static int cancel_active(struct fr_local_job *job, const char *note, fr_done_f cb, void *arg)
{
    if (job->cancel_kept) { /* one is kept, not as many as are asked for while there is no room
                             */
        cancel_take_effect(job->engine, job->id, true);
        fr_later_done(job->engine, cb, arg, NULL);
        return 0;
    }
    struct cancel *cancel = malloc(sizeof(*cancel));
    _cleanup_(fr_cleanup_unit) struct fr_unit *unit =
        fr_unit_create(job->id, on_cancelled, cancel);

    if (!cancel || !unit || exception_put(job, unit, fr_time_now(), "cancel", note, true) < 0) {
        free(cancel);
        return -ENOMEM;
    }
    *cancel = (struct cancel){job->engine, job->id, cb, arg};
    fr_store_put(job->engine->store, fr_take(unit));
    return 0;
}

/* A waiting job's end, which is one commit. */
struct ending {
    struct fr_local_job *job;
    int64_t nevents; /* of the job before it */
    fr_done_f cb;    /* may be NULL */
    void *arg;
};

static void ending_free(struct ending *ending)
{
    free(ending);
}

FR_DEFINE_CLEANUP(struct ending *, ending, ending_free);

static bool on_waiting_ended(void *arg, const struct fr_unit *unit, int result,
                             const struct fr_error *err)
{
    _cleanup_(fr_cleanup_ending) struct ending *ending = arg;
    struct fr_local_job *job = ending->job;

    if (result < 0 && !ending->cb && !job->engine->closing) {
        ending = NULL;
        return true; /* it can never run: out of the queue it is already */
    }
    if (result == 0) {
        fr_run_publish(job->engine, unit, NULL);
        fr_run_forget(job);
    } else if (!job->engine->closing) {
        /* Who asked is told that it was not done, so it waits on. */
        job->nevents = ending->nevents;
        job->phase = FR_PHASE_WAITING;
        fr_run_enqueue(job);
        fr_run_schedule(job->engine);
    }
    if (ending->cb)
        ending->cb(ending->arg, result < 0 ? err : NULL);
    return false;
}

int fr_end_waiting(struct fr_local_job *job, const char *type, const char *note, bool by_user,
                   fr_done_f cb, void *arg)
{
    struct ending *ending = malloc(sizeof(*ending));
    _cleanup_(fr_cleanup_unit) struct fr_unit *unit =
        fr_unit_create(job->id, on_waiting_ended, ending);
    int64_t nevents = job->nevents;

    if (!ending || !unit || exception_put(job, unit, fr_time_now(), type, note, by_user) < 0) {
        free(ending);
        return -ENOMEM;
    }
    *ending = (struct ending){job, nevents, cb, arg};
    fr_run_event(job, unit, "clean", fr_time_now(), NULL);
    fr_run_dequeue(job);
    job->phase = FR_PHASE_END;
    fr_store_put(job->engine->store, fr_take(unit));
    return 0;
}

int fr_local_open_check(const struct fr_local *engine, struct fr_error *err)
{
    if (engine->closing)
        return fr_error_set(err, ESHUTDOWN, FR_CODE_STOPPING, "The service is stopping.");
    if (!engine->caught_up)
        return fr_error_set(err, EAGAIN, FR_CODE_UNAVAILABLE,
                            "The job store is still being read: try again.");
    return 0;
}

int fr_local_find(struct fr_local *engine, uint64_t id, struct fr_local_job **ret,
                  struct fr_error *err)
{
    struct fr_local_job *job = NULL;
    int rc = fr_local_open_check(engine, err);

    if (rc < 0)
        return rc;
    if (!fr_jobs_find(&engine->jobs, id, &job))
        return fr_error_set(err, ENOENT, FR_CODE_JOB_NOT_FOUND, "unknown job id");
    if (!job || (job->phase == FR_PHASE_END && !(job->outcome & FR_OUTCOME_ALLOC)))
        return fr_error_set(err, EINVAL, FR_CODE_JOB_INACTIVE, "job is inactive");
    *ret = job;
    return 0;
}

void fr_local_cancel(struct fr_engine *base, uint64_t id, const char *note, fr_done_f cb,
                     void *arg)
{
    struct fr_local *engine = fr_local_of(base);
    struct fr_local_job *job = NULL;
    struct fr_error err;
    int rc = fr_local_find(engine, id, &job, &err);

    if (rc == 0 && job->phase == FR_PHASE_END)
        rc = fr_error_set(&err, EINVAL, FR_CODE_JOB_INACTIVE, "job is inactive");
    if (rc == 0) {
        rc = job->phase == FR_PHASE_WAITING || job->phase == FR_PHASE_DEPEND
                 ? fr_end_waiting(job, "cancel", note, true, cb, arg)
                 : cancel_active(job, note, cb, arg);
        if (rc < 0)
            (void)fr_error_set(&err, ENOMEM, FR_CODE_INTERNAL, "No memory to cancel the job.");
    }
    if (rc < 0)
        fr_later_done(engine, cb, arg, &err);
}

static int relay(struct fr_local *engine, uint64_t id, int signum, struct fr_error *err)
{
    struct fr_local_job *job = NULL;
    int rc = fr_local_find(engine, id, &job, err);

    if (rc < 0)
        return rc;
    if (signum <= 0 || signum >= NSIG)
        return fr_error_set(err, EINVAL, FR_CODE_INVALID, "%d is not the number of a signal.",
                            signum);
    rc = job->phase == FR_PHASE_RUN
             ? fr_launch_signal(job->pidfd, job->pid, FR_SIGNAL_RELAY, signum)
             : -ESRCH;
    if (rc == -ESRCH)
        return fr_error_set(err, ESRCH, FR_CODE_JOB_STATE, "job is not running");
    if (rc < 0)
        return fr_error_set(err, -rc, FR_CODE_REFUSED,
                            "The job's shell cannot be signalled: %s.", strerror(-rc));
    return 0;
}

void fr_local_kill(struct fr_engine *base, uint64_t id, int signum, fr_done_f cb, void *arg)
{
    struct fr_local *engine = fr_local_of(base);
    struct fr_error err;
    int rc = relay(engine, id, signum, &err);

    fr_later_done(engine, cb, arg, rc < 0 ? &err : NULL);
}
