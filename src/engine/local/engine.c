// SPDX-License-Identifier: LGPL-3.0-only
#include "engine/engine.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/util.h"
#include "engine/local/local.h"

#define TICK_MS 500

static void engine_free(struct fr_local *engine)
{
    struct fr_local_job *job;

    if (!engine)
        return;
    while ((job = TAILQ_FIRST(&engine->jobs.active))) {
        TAILQ_REMOVE(&engine->jobs.active, job, active);
        fr_run_job_free(job);
    }
    fr_jobs_done(&engine->jobs);
    fr_sched_queue_done(&engine->queue);
    free(engine->running);
    fr_outputs_free(engine->outputs);
    fr_purge_free(engine->purge);
    fr_resources_free(engine->resources);
    fr_timer_free(engine->tick);
    fr_wake_free(engine->wake);
    if (engine->lock >= 0)
        (void)close(engine->lock);
    free(engine->state_dir);
    free(engine->shell_path);
    free(engine);
}

static void on_store_closed(void *arg)
{
    struct fr_local *engine = arg;
    void (*closed)(void *arg) = engine->closed;
    void *closed_arg = engine->closed_arg;

    engine->store = NULL;
    fr_later_run(engine); /* those that came meanwhile */
    engine_free(engine);
    closed(closed_arg);
}

/* Called as an engine that was never opened is thrown away, too. */
static void on_store_dropped(void *arg)
{
}

static void engine_drop(struct fr_local *engine)
{
    if (engine && engine->store)
        fr_store_close(engine->store, on_store_dropped, NULL);
    engine_free(engine);
}

FR_DEFINE_CLEANUP(struct fr_local *, engine, engine_drop);

static void maybe_close(struct fr_local *engine)
{
    if (!engine->closing || engine->works > 0 || engine->store_closing)
        return;
    engine->store_closing = true;
    fr_store_close(engine->store, on_store_closed, engine);
}

void fr_local_work_over(struct fr_local *engine)
{
    engine->works--;
    maybe_close(engine);
}

static void on_tick(void *arg)
{
    struct fr_local *engine = arg;

    engine->ticking = false;
    if (engine->closing)
        return;
    fr_run_tick(engine);
}

void fr_local_tick_soon(struct fr_local *engine)
{
    if (!engine->ticking && !engine->closing)
        fr_timer_start(engine->tick, TICK_MS, 0);
    engine->ticking = true;
}

static void on_wake(void *arg)
{
    fr_later_run(arg);
    maybe_close(arg);
}

static int local_open(struct fr_engine *base, struct fr_error *err)
{
    return fr_recover_begin(fr_local_of(base), err);
}

static void local_close(struct fr_engine *base, void (*closed)(void *arg), void *arg)
{
    struct fr_local *engine = fr_local_of(base);

    engine->closing = true;
    engine->closed = closed;
    engine->closed_arg = arg;
    fr_outputs_free(fr_take(engine->outputs));
    fr_purge_stop(engine->purge);
    fr_timer_free(engine->tick);
    engine->tick = NULL;
    fr_wake_send(engine->wake); /* closes once the callback that we may be in is over */
}

static const char *local_instance(struct fr_engine *base)
{
    return fr_store_uuid(fr_local_of(base)->store);
}

static void local_size(struct fr_engine *base, int *ret_nodes, int *ret_cores, int *ret_gpus)
{
    struct fr_sched_share total = fr_resources_total(fr_local_of(base)->resources);

    *ret_nodes = 1;
    *ret_cores = total.cores;
    *ret_gpus = total.gpus;
}

static struct fr_output_watch *local_output(struct fr_engine *base, uint64_t id,
                                            uint64_t offset, fr_output_f cb, void *arg)
{
    struct fr_local *engine = fr_local_of(base);
    struct fr_local_job *job = NULL;
    struct fr_error err;
    int rc;

    if (engine->closing)
        return NULL;
    rc = fr_local_open_check(engine, &err);
    if (rc == 0 && !fr_jobs_find(&engine->jobs, id, &job))
        rc = fr_error_set(&err, ENOENT, FR_CODE_JOB_NOT_FOUND, "unknown job id");
    return fr_outputs_open(engine->outputs, id, offset, !job, rc < 0 ? &err : NULL, cb, arg);
}

static void local_nodes(struct fr_engine *base, fr_nodes_f cb, void *arg)
{
    fr_later_nodes(fr_local_of(base), cb, arg);
}

static const struct fr_engine_ops local_ops = {
    .name = "local",
    .numbered = true,
    .open = local_open,
    .close = local_close,
    .instance = local_instance,
    .size = local_size,
    .submit = fr_local_submit,
    .cancel = fr_local_cancel,
    .kill = fr_local_kill,
    .urgency = fr_local_urgency,
    .duration = fr_local_duration,
    .lookup = fr_local_lookup,
    .why = fr_local_why,
    .output = local_output,
    .output_pause = fr_outputs_pause,
    .output_free = fr_outputs_watch_free,
    .nodes = local_nodes,
};

/* What jobs are to find as the daemon found it. */
static void surroundings_note(struct fr_launch_settings *launch)
{
    struct rlimit limit;

    launch->umask = umask(077);
    (void)umask(launch->umask);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        launch->nofile = limit.rlim_cur;
}

static int options_take(struct fr_local *engine, const struct fr_local_options *options,
                        struct fr_error *err)
{
    engine->state_dir = strdup(options->state_dir);
    engine->shell_path = strdup(options->shell_path);
    if (!engine->state_dir || !engine->shell_path)
        return fr_error_set(err, ENOMEM, FR_CODE_INTERNAL, "No memory for the local engine.");
    if (access(engine->shell_path, X_OK) < 0)
        return fr_error_set(err, errno, FR_CODE_INVALID,
                            "The job shell %s cannot be executed: %s. Say where it is with "
                            "--shell.",
                            engine->shell_path, strerror(errno));
    engine->launch = (struct fr_launch_settings){.state_dir = engine->state_dir,
                                                 .shell_path = engine->shell_path,
                                                 .host = engine->host,
                                                 .output_max = options->output_max};
    surroundings_note(&engine->launch);
    (void)gethostname(engine->host, sizeof(engine->host) - 1);
    engine->host[strcspn(engine->host, ".")] = '\0';
    return 0;
}

static int helpers_create(struct fr_local *engine, const struct fr_local_options *options,
                          struct fr_error *err)
{
    int rc = fr_timer_create(engine->loop, on_tick, engine, &engine->tick);

    if (rc == 0)
        rc = fr_purge_create(engine, options->keep_jobs, options->keep_seconds, &engine->purge);
    if (rc == 0)
        rc = fr_wake_create(engine->loop, on_wake, engine, &engine->wake);
    if (rc == 0)
        rc = fr_outputs_create(engine->loop, engine->state_dir, &engine->outputs);
    if (rc < 0)
        return fr_error_set(err, -rc, FR_CODE_INTERNAL,
                            "The local engine cannot be set up: %s.", strerror(-rc));
    return 0;
}

static int store_open(struct fr_local *engine, struct fr_error *err)
{
    char path[PATH_MAX];
    char *whole;
    int rc = fr_file_make_directory("state directory", engine->state_dir, err);

    if (rc < 0)
        return rc;
    whole = realpath(engine->state_dir, NULL); /* jobs are told names in it */
    if (whole) {
        free(engine->state_dir);
        engine->state_dir = whole;
        engine->launch.state_dir = whole;
    }
    rc = fr_lock_take(engine->state_dir, &engine->lock, err);
    if (rc < 0)
        return rc;
    (void)snprintf(path, sizeof(path), "%s/store.db", engine->state_dir);
    rc = fr_store_open(engine->loop, path, &engine->store, err);
    if (rc < 0)
        return rc;
    engine->ids =
        (struct fr_fluid_gen){fr_store_epoch(engine->store), fr_store_last_id(engine->store)};
    return 0;
}

int fr_local_create(uv_loop_t *loop, const struct fr_local_options *options,
                    const struct fr_engine_sink *sink, struct fr_engine **ret,
                    struct fr_error *err)
{
    _cleanup_(fr_cleanup_engine) struct fr_local *engine = calloc(1, sizeof(*engine));
    int rc;

    if (!engine)
        return fr_error_set(err, ENOMEM, FR_CODE_INTERNAL, "No memory for the local engine.");
    engine->base.ops = &local_ops;
    engine->loop = loop;
    engine->sink = *sink;
    engine->lock = -1;
    engine->later_end = &engine->later;
    fr_jobs_init(&engine->jobs);
    TAILQ_INIT(&engine->holders);
    rc = options_take(engine, options, err);
    if (rc == 0)
        rc = store_open(engine, err);
    if (rc == 0)
        rc = fr_resources_create(options->cores, options->gpus, &engine->resources, err);
    if (rc == 0)
        rc = helpers_create(engine, options, err);
    if (rc < 0)
        return rc;
    *ret = &fr_take(engine)->base;
    return 0;
}
