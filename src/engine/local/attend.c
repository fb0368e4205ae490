// SPDX-License-Identifier: LGPL-3.0-only
#include <limits.h>
#include <string.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/util.h"
#include "engine/local/leftovers.h"
#include "engine/local/local.h"
#include "shell/folder.h"

#define LAUNCH_TRIES 8
#define LAUNCH_PAUSE_MS 20U
#define LACK_DOUBLINGS 6 /* of the pause: to 1.3 seconds */
#define AGAIN_MS 1000U
/* From a ring to the look: a job that is over by then costs one look and one commit, not two.
 */
#define BELL_MS 10U
#define SWEEPS 10 /* looks after processes that even SIGKILL does not end */

/* One errand of a worker. */
struct errand {
    struct fr_local_job *job;
    struct fr_local *engine;
    enum fr_errand kind;
    char path[PATH_MAX];
    char *cpus;
    pid_t pid;
    int pidfd;
    int bell; /* opened, unless the job has one */
    bool bell_wanted;
    struct fr_report report;
    int left; /* processes that would not end yet */
    struct fr_error error;
};

/* Descriptors that nobody took are closed. */
static void errand_free(struct errand *errand)
{
    if (!errand)
        return;
    if (errand->bell >= 0)
        (void)close(errand->bell);
    if (errand->pidfd >= 0)
        (void)close(errand->pidfd);
    if (errand->report.pidfd >= 0)
        (void)close(errand->report.pidfd);
    free(errand->cpus);
    free(errand);
}

FR_DEFINE_CLEANUP(struct errand *, errand, errand_free);

/* First the bell and then the look, so that nothing falls between the two. */
static int examine(struct errand *errand)
{
    int rc = errand->bell_wanted ? fr_folder_bell(errand->path, &errand->bell) : 0;
    char tmpdir[PATH_MAX];

    if (rc < 0 && rc != -ENOENT)
        return rc;
    rc = fr_folder_examine(errand->path, &errand->report);
    if (rc < 0 || errand->report.state != FR_FOLDER_DIED)
        return rc;
    fr_folder_tmpdir(errand->engine->state_dir, errand->job->id, tmpdir, sizeof(tmpdir));
    errand->left = fr_leftovers_end(errand->report.session, tmpdir);
    return errand->left < 0 ? errand->left : 0;
}

static int launch(struct errand *errand)
{
    const struct fr_launch_job job = {errand->job->id, errand->cpus, errand->job->gpus};

    return fr_launch_start(&errand->engine->launch, errand->engine->store, &job,
                           errand->bell_wanted ? &errand->bell : NULL, &errand->pid,
                           &errand->pidfd, &errand->error);
}

static int errand_work(void *arg)
{
    struct errand *errand = arg;

    switch (errand->kind) {
    case FR_ERRAND_LAUNCH:
        return launch(errand);
    case FR_ERRAND_EXAMINE:
        return examine(errand);
    default: {
        int rc = fr_folder_make(errand->engine->launch.state_dir, errand->job->id);

        return rc < 0 ? rc : fr_folder_void(errand->path);
    }
    }
}

static bool on_told(void *arg, const struct fr_unit *unit, int result,
                    const struct fr_error *err)
{
    if (result < 0)
        return true;
    fr_run_publish(arg, unit, NULL);
    return false;
}

/* What the shell told so far goes into the log: that it began, and its exceptions. */
static void news_tell(struct fr_local_job *job, const struct fr_report *report)
{
    struct fr_unit *unit;

    if (job->started && job->told >= report->nexceptions)
        return;
    unit = fr_unit_create(job->id, on_told, job->engine);
    if (!unit)
        return; /* told with the job's end, then */
    if (!job->started)
        fr_run_event(job, unit, "start", report->start, NULL);
    job->started = true;
    (void)fr_end_exceptions(job, unit, report); /* likewise */
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
    job->phase = FR_PHASE_ATTEND;
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

static void on_bell(void *arg, int status, int events)
{
    struct fr_local_job *job = arg;
    char bytes[64];

    while (read(job->bell, bytes, sizeof(bytes)) > 0)
        ;
    /* A shell may ring before we hear that it was started: then we look when we have. */
    if (job->phase == FR_PHASE_RUN || job->busy)
        fr_attend(job, FR_ERRAND_EXAMINE, BELL_MS);
}

/* Listens to the bell that a worker opened. Without one, all is told at the job's end. */
static void bell_take(struct fr_local_job *job, struct errand *errand)
{
    if (job->bell >= 0 || errand->bell < 0)
        return;
    if (fr_poll_create(job->engine->loop, errand->bell, on_bell, job, &job->bell_watch) < 0)
        return;
    if (fr_poll_set(job->bell_watch, UV_READABLE) < 0) {
        fr_poll_free(job->bell_watch);
        job->bell_watch = NULL;
        return;
    }
    job->bell = errand->bell;
    errand->bell = -1;
}

/* A shell has the job, or is about to: from now on its end is what we wait for. */
static void shell_watch(struct fr_local_job *job, pid_t pid, int *pidfd)
{
    job->phase = FR_PHASE_RUN;
    job->pid = pid;
    job->pidfd = *pidfd;
    *pidfd = -1;
    fr_outputs_poke(job->engine->outputs, job->id, false);
    if (job->fatal)
        (void)fr_launch_signal(job->pidfd, pid, SIGTERM, 0);
    fr_steer_limit(job);
    /* A dead one whose lock lives on (a task that is not yet at its exec) cannot be polled. */
    if (job->pidfd >= 0 && pid != job->gone &&
        fr_poll_create(job->engine->loop, job->pidfd, on_shell_gone, job, &job->watch) == 0 &&
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

    if (job->fatal || job->child_status < 0) { /* after a restart: it was never begun */
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

static void examined(struct fr_local_job *job, struct fr_report *report)
{
    if (report->state != FR_FOLDER_UNCLAIMED && job->engine->lacking) {
        fr_log_notice("Jobs can be started again.");
        job->engine->lacking = false;
    }
    if (report->state == FR_FOLDER_RUNNING && job->phase != FR_PHASE_RUN)
        shell_watch(job, report->pid, &report->pidfd);
    if (report->state == FR_FOLDER_RUNNING)
        news_tell(job, report);
    else if (job->phase == FR_PHASE_RUN)
        return; /* its shell is ending: we look again when it has */
    else if (report->state == FR_FOLDER_UNCLAIMED)
        unclaimed(job);
    else
        fr_end_job(job, report);
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

static void errand_over(struct fr_local_job *job, struct errand *errand, int result)
{
    bell_take(job, errand);
    if (errand->kind == FR_ERRAND_VOID) {
        voided(job, result);
    } else if (errand->kind == FR_ERRAND_LAUNCH && result == 0) {
        job->child = true;
        job->gone = 0;
        shell_watch(job, errand->pid, &errand->pidfd);
    } else if (errand->kind == FR_ERRAND_LAUNCH && result == -EAGAIN) {
        launch_later(job, &errand->error);
    } else if (errand->kind == FR_ERRAND_LAUNCH) {
        launch_failed(job, &errand->error);
    } else if (result == 0 && errand->left > 0 && job->sweeps++ < SWEEPS) {
        fr_attend(job, FR_ERRAND_EXAMINE, AGAIN_MS);
    } else if (result == 0) {
        if (errand->left > 0)
            fr_log_warning("%d processes of job %llu, whose shell was killed, cannot be ended.",
                           errand->left, (unsigned long long)job->id);
        examined(job, &errand->report);
    } else {
        fr_attend(job, FR_ERRAND_EXAMINE, AGAIN_MS);
    }
}

static void on_errand_done(void *arg, int result)
{
    _cleanup_(fr_cleanup_errand) struct errand *errand = arg;
    struct fr_local_job *job = errand->job;
    struct fr_local *engine = errand->engine;
    bool again = job->again;

    job->busy = false;
    job->again = false;
    /* Closing: what the worker found is left for the next daemon to find. */
    if (!engine->closing && (errand->kind != FR_ERRAND_EXAMINE || !again))
        errand_over(job, errand, result);
    if (again && (errand->kind == FR_ERRAND_EXAMINE || job->phase == FR_PHASE_RUN))
        fr_attend(job, FR_ERRAND_EXAMINE, /* nothing while closing */
                  job->phase == FR_PHASE_RUN ? BELL_MS : 0);
    fr_local_work_over(engine);
}

static struct errand *errand_create(struct fr_local_job *job, enum fr_errand kind)
{
    _cleanup_(fr_cleanup_errand) struct errand *errand = calloc(1, sizeof(*errand));
    struct fr_local *engine = job->engine;

    if (!errand)
        return NULL;
    errand->job = job;
    errand->engine = engine;
    errand->kind = kind;
    errand->pidfd = -1;
    errand->bell = -1;
    errand->report.pidfd = -1;
    errand->bell_wanted = job->bell < 0;
    fr_folder_path(engine->state_dir, job->id, errand->path, sizeof(errand->path));
    if (kind == FR_ERRAND_LAUNCH &&
        fr_resources_cpus(engine->resources, job->cores, &errand->cpus) < 0)
        return NULL;
    return fr_take(errand);
}

void fr_attend(struct fr_local_job *job, enum fr_errand kind, uint64_t after_ms)
{
    struct fr_local *engine = job->engine;
    _cleanup_(fr_cleanup_errand) struct errand *errand = NULL;

    if (kind == FR_ERRAND_LAUNCH && job->fatal)
        kind = FR_ERRAND_VOID;
    if (kind != FR_ERRAND_EXAMINE)
        job->phase = FR_PHASE_ATTEND;
    if (engine->closing)
        return;      /* the next daemon does it */
    if (job->busy) { /* what it finds may have come too early */
        job->again = true;
        return;
    }
    job->errand = kind;
    fr_timer_stop(job->timer); /* whatever was to come later comes now */
    if (after_ms == 0)
        errand = errand_create(job, kind);
    if (!errand || fr_work_queue(engine->loop, errand_work, on_errand_done, errand) < 0) {
        fr_timer_start(job->timer, after_ms ? after_ms : AGAIN_MS, 0);
        return;
    }
    job->busy = true;
    engine->works++;
    errand = NULL; /* the worker has it now */
}

void fr_attend_look(struct fr_local_job *job)
{
    if (job->watch)
        return;
    if (job->child && job->pid > 0 && !child_reap(job)) {
        fr_local_tick_soon(job->engine);
        return;
    }
    watch_end(job);
    fr_attend(job, FR_ERRAND_EXAMINE, 0);
}
