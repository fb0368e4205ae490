// SPDX-License-Identifier: LGPL-3.0-only
#include <limits.h>
#include <string.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/util.h"
#include "engine/local/local.h"
#include "shell/folder.h"

#define LAUNCH_TRIES 8
#define LAUNCH_PAUSE_MS 20U
#define LACK_DOUBLINGS 6 /* of the pause: to 1.3 seconds */
#define AGAIN_MS 1000U

/* One errand of a worker. */
struct errand {
    struct fr_local_job *job;
    struct fr_local *engine;
    enum fr_errand kind;
    char path[PATH_MAX];
    char *cpus;
    pid_t pid;
    int pidfd;
    struct fr_report report;
    struct fr_error error;
};

static void errand_free(struct errand *errand)
{
    if (errand)
        free(errand->cpus);
    free(errand);
}

FR_DEFINE_CLEANUP(struct errand *, errand, errand_free);

static int errand_work(void *arg)
{
    struct errand *errand = arg;

    switch (errand->kind) {
    case FR_ERRAND_LAUNCH:
        return fr_launch_start(&errand->engine->launch, errand->engine->store, errand->job->id,
                               errand->cpus, &errand->pid, &errand->pidfd, &errand->error);
    case FR_ERRAND_EXAMINE:
        return fr_folder_examine(errand->path, &errand->report);
    default: {
        int rc = fr_folder_make(errand->engine->launch.state_dir, errand->job->id);

        return rc < 0 ? rc : fr_folder_void(errand->path);
    }
    }
}

static bool on_started(void *arg, const struct fr_unit *unit, int result,
                       const struct fr_error *err)
{
    if (result < 0)
        return true;
    fr_run_publish(arg, unit, NULL);
    return false;
}

/* `start` goes into the log once in a job's life. */
static void start_tell(struct fr_local_job *job, double when)
{
    struct fr_unit *unit;

    if (job->started)
        return;
    unit = fr_unit_create(job->id, on_started, job->engine);
    if (!unit)
        return; /* told with the job's end, then */
    fr_run_event(job, unit, "start", when, NULL);
    job->started = true;
    fr_store_put(job->engine->store, unit);
}

static void watch_end(struct fr_local_job *job)
{
    fr_poll_free(job->watch);
    job->watch = NULL;
    if (job->pidfd >= 0)
        (void)close(job->pidfd);
    job->pidfd = -1;
    job->gone = job->pid;
    job->pid = 0;
}

/* Lets a child of ours go. False while it lives. */
static bool child_reap(struct fr_local_job *job)
{
    int status = 0;
    pid_t pid = waitpid(job->pid, &status, WNOHANG);

    if (pid == 0)
        return false;
    job->child_status = pid == job->pid ? status : 0;
    job->child = false;
    return true;
}

static void on_shell_gone(void *arg, int status, int events)
{
    struct fr_local_job *job = arg;

    if (job->child && !child_reap(job))
        return;
    watch_end(job);
    fr_attend(job, FR_ERRAND_EXAMINE, 0);
}

/* A shell runs the job: from now on its end is what we wait for. Takes the pidfd. */
static void shell_watch(struct fr_local_job *job, pid_t pid, int pidfd, double started)
{
    job->phase = FR_PHASE_RUN;
    job->pid = pid;
    job->pidfd = pidfd;
    start_tell(job, started);
    fr_outputs_poke(job->engine->outputs, job->id, false);
    if (job->cancelled)
        (void)fr_launch_signal(pidfd, pid, SIGTERM, 0);
    fr_steer_limit(job);
    /* A dead one whose lock lives on (a task that is not yet at its exec) cannot be polled. */
    if (pidfd >= 0 && pid != job->gone &&
        fr_poll_create(job->engine->loop, pidfd, on_shell_gone, job, &job->watch) == 0 &&
        fr_poll_set(job->watch, UV_READABLE) == 0)
        return;
    fr_poll_free(job->watch);
    job->watch = NULL;
    fr_local_tick_soon(job->engine);
}

/* What passes is waited for as long as it takes, with the job's cores kept. */
static void launch_later(struct fr_local_job *job, const struct fr_error *err)
{
    uint64_t pause = LAUNCH_PAUSE_MS
                     << (job->lacks < LACK_DOUBLINGS ? ++job->lacks : LACK_DOUBLINGS);

    if (!job->engine->lacking) /* the jobs behind it would say the same */
        fr_log_warning("A job cannot be started now: %s. Jobs wait until it can.", err->text);
    job->engine->lacking = true;
    fr_attend(job, FR_ERRAND_LAUNCH, pause);
}

static void launch_failed(struct fr_local_job *job, const struct fr_error *err)
{
    job->failure = *err;
    if (++job->attempts < LAUNCH_TRIES)
        fr_attend(job, FR_ERRAND_LAUNCH, LAUNCH_PAUSE_MS << job->attempts);
    else
        fr_attend(job, FR_ERRAND_VOID, 0);
}

/* No shell has it, and none of ours is left that could. */
static void unclaimed(struct fr_local_job *job)
{
    struct fr_error err;

    if (job->cancelled || job->child_status < 0) { /* after a restart: it was never begun */
        fr_attend(job, FR_ERRAND_LAUNCH, 0);
    } else if (WIFEXITED(job->child_status) &&
               WEXITSTATUS(job->child_status) == FR_SHELL_LATER) {
        (void)fr_error_set(&err, EAGAIN, FR_CODE_STORAGE,
                           "the job shell has no room, memory or descriptors to take the job");
        launch_later(job, &err);
    } else {
        (void)fr_error_set(&err, ECHILD, FR_CODE_INTERNAL,
                           "the job shell ended (wait status %d) before it took the job",
                           job->child_status);
        launch_failed(job, &err);
    }
}

static void examined(struct fr_local_job *job, const struct fr_report *report)
{
    if (report->state != FR_FOLDER_UNCLAIMED && job->engine->lacking) {
        fr_log_notice("Jobs can be started again.");
        job->engine->lacking = false;
    }
    switch (report->state) {
    case FR_FOLDER_UNCLAIMED:
        unclaimed(job);
        break;
    case FR_FOLDER_RUNNING:
        shell_watch(job, report->pid, report->pidfd, report->start);
        break;
    default:
        fr_end_job(job, report);
        break;
    }
}

static void voided(struct fr_local_job *job, int result)
{
    struct fr_report report = {.state = FR_FOLDER_VOID, .pidfd = -1};

    if (result == 0)
        fr_end_job(job, &report);
    else /* a shell was quicker, or the disk will not have it: look again */
        fr_attend(job, result == -EEXIST ? FR_ERRAND_EXAMINE : FR_ERRAND_VOID,
                  result == -EEXIST ? 0 : AGAIN_MS);
}

/* Closing: what a worker found is left for the next daemon to find. */
static void errand_drop(struct errand *errand, int result)
{
    if (errand->kind == FR_ERRAND_LAUNCH && result == 0) {
        start_tell(errand->job, fr_time_now());
        if (errand->pidfd >= 0)
            (void)close(errand->pidfd);
    } else if (errand->kind == FR_ERRAND_EXAMINE && result == 0 && errand->report.pidfd >= 0) {
        (void)close(errand->report.pidfd);
    }
}

static void on_errand_done(void *arg, int result)
{
    _cleanup_(fr_cleanup_errand) struct errand *errand = arg;
    struct fr_local_job *job = errand->job;
    struct fr_local *engine = errand->engine;

    if (engine->closing) {
        errand_drop(errand, result);
    } else if (errand->kind == FR_ERRAND_VOID) {
        voided(job, result);
    } else if (errand->kind == FR_ERRAND_LAUNCH && result == 0) {
        job->child = true;
        job->gone = 0;
        shell_watch(job, errand->pid, errand->pidfd, fr_time_now());
    } else if (errand->kind == FR_ERRAND_LAUNCH && result == -EAGAIN) {
        launch_later(job, &errand->error);
    } else if (errand->kind == FR_ERRAND_LAUNCH) {
        launch_failed(job, &errand->error);
    } else if (result == 0) {
        examined(job, &errand->report);
    } else {
        fr_attend(job, FR_ERRAND_EXAMINE, AGAIN_MS);
    }
    fr_local_work_over(engine);
}

void fr_attend(struct fr_local_job *job, enum fr_errand kind, uint64_t after_ms)
{
    struct fr_local *engine = job->engine;
    _cleanup_(fr_cleanup_errand) struct errand *errand = NULL;

    if (kind == FR_ERRAND_LAUNCH && job->cancelled)
        kind = FR_ERRAND_VOID;
    job->phase = FR_PHASE_ATTEND;
    job->errand = kind;
    if (engine->closing)
        return; /* the next daemon does it */
    if (after_ms == 0)
        errand = calloc(1, sizeof(*errand));
    if (!errand) {
        fr_timer_start(job->timer, after_ms ? after_ms : AGAIN_MS, 0);
        return;
    }
    errand->job = job;
    errand->engine = engine;
    errand->kind = kind;
    errand->pidfd = -1;
    fr_folder_path(engine->state_dir, job->id, errand->path, sizeof(errand->path));
    if ((kind == FR_ERRAND_LAUNCH &&
         fr_resources_cpus(engine->resources, job->cores, &errand->cpus) < 0) ||
        fr_work_queue(engine->loop, errand_work, on_errand_done, errand) < 0) {
        fr_timer_start(job->timer, AGAIN_MS, 0);
        return;
    }
    engine->works++;
    errand = NULL; /* the worker has it now */
}

void fr_attend_tick(struct fr_local *engine)
{
    struct fr_local_job *job;

    TAILQ_FOREACH(job, &engine->holders, holder)
    {
        if (job->phase != FR_PHASE_RUN || job->watch)
            continue;
        if (job->child && job->pid > 0 && !child_reap(job)) {
            fr_local_tick_soon(engine);
            continue;
        }
        watch_end(job);
        fr_attend(job, FR_ERRAND_EXAMINE, 0);
    }
}
