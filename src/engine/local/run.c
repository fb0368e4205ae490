// SPDX-License-Identifier: LGPL-3.0-only
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/util.h"
#include "engine/local/local.h"

#define STARTS_MAX 64
#define CONTEXT_MAX 65536
#define NOTE_MAX 4096

FR_DEFINE_CLEANUP(struct fr_unit *, unit, fr_unit_free);
FR_DEFINE_CLEANUP(struct fr_rset *, rset, fr_rset_free);
FR_DEFINE_CLEANUP(struct fr_local_job *, job, fr_run_job_free);

int fr_run_cores(const struct fr_local *engine, const struct fr_jobspec *spec)
{
    long long cores = (long long)spec->ntasks * spec->cores_per_task;

    if (spec->exclusive && cores < fr_resources_total(engine->resources))
        return fr_resources_total(engine->resources);
    return cores < INT32_MAX ? (int)cores : INT32_MAX;
}

struct fr_local_job *fr_run_job_create(struct fr_local *engine, uint64_t id, int urgency,
                                       const struct fr_jobspec *spec)
{
    struct fr_local_job *job = calloc(1, sizeof(*job));

    if (!job)
        return NULL;
    job->engine = engine;
    job->id = id;
    job->phase = FR_PHASE_WAITING;
    job->urgency = urgency;
    job->ncores = spec ? fr_run_cores(engine, spec) : 0;
    job->duration = spec ? spec->duration : 0;
    job->child_status = -1;
    job->pidfd = -1;
    return job;
}

void fr_run_job_free(struct fr_local_job *job)
{
    if (!job)
        return;
    fr_poll_free(job->watch);
    fr_timer_free(job->timer);
    if (job->pidfd >= 0)
        (void)close(job->pidfd);
    free(job->cores);
    free(job);
}

void fr_run_forget(struct fr_local_job *job)
{
    struct fr_local *engine = job->engine;

    if (job->cores)
        fr_resources_mark(engine->resources, job->cores, false);
    fr_run_dequeue(job);
    fr_jobs_end(&engine->jobs, job->id);
    fr_outputs_poke(engine->outputs, job->id, true);
    fr_run_job_free(job);
    fr_run_schedule(engine);
}

static struct fr_sched_item item_of(const struct fr_local_job *job)
{
    return (struct fr_sched_item){job->id, job->urgency, job->ncores};
}

void fr_run_enqueue(struct fr_local_job *job)
{
    struct fr_sched_item item = item_of(job);

    /* What fails here for want of memory is seen again by fr_run_tick(). */
    job->queued = fr_sched_queue_add(&job->engine->queue, &item) == 0;
    if (!job->queued)
        fr_local_tick_soon(job->engine);
}

void fr_run_dequeue(struct fr_local_job *job)
{
    struct fr_sched_item item = item_of(job);

    if (job->queued)
        fr_sched_queue_remove(&job->engine->queue, &item);
    job->queued = false;
}

void fr_run_event(struct fr_local_job *job, struct fr_unit *unit, const char *name, double when,
                  char *context)
{
    if (when < job->last)
        when = job->last;
    job->last = when;
    fr_unit_event(unit, name, when, job->nevents++, context);
}

char *fr_run_exception(const char *type, const char *note, bool by_user)
{
    struct fr_buf buf = FR_BUF_INIT(CONTEXT_MAX);
    char *text = NULL;
    size_t len;

    fr_buf_puts(&buf, "{\"type\":");
    fr_buf_put_json_string(&buf, type);
    fr_buf_puts(&buf, ",\"severity\":0,\"note\":");
    fr_buf_put_json_stringn(&buf, note ? note : "", note ? strnlen(note, NOTE_MAX) : 0);
    if (by_user)
        fr_buf_printf(&buf, ",\"userid\":%lu", (unsigned long)getuid());
    fr_buf_putc(&buf, '}');
    return fr_buf_take(&buf, &text, &len) == 0 ? text : NULL;
}

void fr_run_publish(struct fr_local *engine, const struct fr_unit *unit,
                    const struct fr_jobspec *spec)
{
    _cleanup_(fr_cleanup_rset) struct fr_rset *rset = NULL;
    json_t *R = unit->R ? json_loads(unit->R, 0, NULL) : NULL;
    struct fr_journal_entry entry = {
        .id = unit->id, .events = unit->events, .nevents = unit->nevents, .jobspec = spec};

    if (R)
        (void)fr_rset_parse(R, &rset, NULL);
    json_decref(R);
    entry.R = rset;
    engine->sink.journal(engine->sink.arg, &entry);
}

/* R as RFC 20 has it. */
static char *resources_text(const struct fr_local_job *job, double now)
{
    struct fr_buf buf = FR_BUF_INIT(1 << 20);
    char *text = NULL;
    size_t len;

    fr_buf_puts(&buf, "{\"version\":1,\"execution\":{\"R_lite\":[{\"rank\":\"0\","
                      "\"children\":{\"core\":");
    fr_buf_put_json_string(&buf, job->cores);
    fr_buf_puts(&buf, "}}],\"nodelist\":[");
    fr_buf_put_json_string(&buf, job->engine->host);
    fr_buf_puts(&buf, "],\"starttime\":");
    fr_buf_put_double(&buf, now);
    fr_buf_puts(&buf, ",\"expiration\":");
    fr_buf_put_double(&buf, job->duration > 0 ? now + job->duration : 0);
    fr_buf_puts(&buf, "}}");
    return fr_buf_take(&buf, &text, &len) == 0 ? text : NULL;
}

static bool on_allocated(void *arg, const struct fr_unit *unit, int result,
                         const struct fr_error *err)
{
    struct fr_local_job *job = arg;

    if (result < 0)
        return true; /* as long as it takes: the job waits with its cores */
    fr_run_publish(job->engine, unit, NULL);
    fr_attend(job, FR_ERRAND_LAUNCH, 0);
    return false;
}

static void on_errand(void *arg)
{
    struct fr_local_job *job = arg;

    fr_attend(job, job->errand, 0);
}

void fr_run_resume(struct fr_local_job *job)
{
    if (fr_timer_create(job->engine->loop, on_errand, job, &job->timer) == 0)
        fr_attend(job, FR_ERRAND_EXAMINE, 0);
    else
        fr_local_tick_soon(job->engine);
}

static int allocate(struct fr_local_job *job)
{
    _cleanup_(fr_cleanup_unit) struct fr_unit *unit =
        fr_unit_create(job->id, on_allocated, job);
    struct fr_local *engine = job->engine;
    double now = fr_time_now();
    int rc;

    if (!unit)
        return -ENOMEM;
    if (!job->timer && fr_timer_create(engine->loop, on_errand, job, &job->timer) < 0)
        return -ENOMEM;
    rc = fr_resources_take(engine->resources, job->ncores, &job->cores);
    if (rc < 0)
        return rc;
    unit->R = resources_text(job, now);
    if (!unit->R) {
        fr_resources_mark(engine->resources, job->cores, false);
        free(fr_take(job->cores));
        return -ENOMEM;
    }
    fr_run_event(job, unit, "alloc", now, NULL);
    fr_run_dequeue(job);
    job->phase = FR_PHASE_ALLOCATE;
    fr_store_put(engine->store, fr_take(unit));
    return 0;
}

void fr_run_schedule(struct fr_local *engine)
{
    struct fr_sched_queue *queue = &engine->queue;
    size_t places[STARTS_MAX];
    uint64_t ids[STARTS_MAX];
    size_t n;

    if (!engine->caught_up || engine->closing)
        return;
    do {
        n = fr_sched_starts(queue->items + queue->first, queue->end - queue->first,
                            fr_resources_unused(engine->resources), places, STARTS_MAX);
        for (size_t i = 0; i < n; i++) /* ids first: starting moves the queue */
            ids[i] = queue->items[queue->first + places[i]].id;
        for (size_t i = 0; i < n; i++) {
            struct fr_local_job *job = NULL;

            (void)fr_jobs_find(&engine->jobs, ids[i], &job);
            if (!job || allocate(job) < 0) {
                fr_local_tick_soon(engine);
                return;
            }
        }
    } while (n == STARTS_MAX);
}

void fr_run_tick(struct fr_local *engine)
{
    for (size_t i = engine->jobs.count; i-- > 0;) {
        struct fr_local_job *job = engine->jobs.items[i].job;

        if (job && job->phase == FR_PHASE_WAITING && !job->queued)
            fr_run_enqueue(job);
        else if (job && job->phase == FR_PHASE_ATTEND && !job->timer)
            fr_run_resume(job);
    }
    fr_run_schedule(engine);
}
