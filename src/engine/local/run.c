// SPDX-License-Identifier: LGPL-3.0-only
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/util.h"
#include "engine/local/local.h"

#define CONTEXT_MAX 65536
#define NOTE_MAX 4096

FR_DEFINE_CLEANUP(struct fr_unit *, unit, fr_unit_free);
FR_DEFINE_CLEANUP(struct fr_rset *, rset, fr_rset_free);
FR_DEFINE_CLEANUP(struct fr_local_job *, job, fr_run_job_free);

struct fr_sched_share fr_run_share(const struct fr_local *engine, const struct fr_jobspec *spec)
{
    struct fr_sched_share total = fr_resources_total(engine->resources);
    struct fr_sched_share share = {spec->ncores, spec->ngpus};

    if (spec->exclusive && share.cores < total.cores)
        share.cores = total.cores;
    if (spec->exclusive && share.gpus < total.gpus)
        share.gpus = total.gpus;
    return share;
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
    if (spec)
        job->share = fr_run_share(engine, spec);
    job->duration = spec ? spec->duration : 0;
    job->child_status = -1;
    job->pidfd = -1;
    job->bell = -1;
    return job;
}

/* It has no resources (any more). */
static void let_go(struct fr_local_job *job)
{
    if (job->cores) {
        TAILQ_REMOVE(&job->engine->holders, job, holder);
        job->engine->nholders--;
    }
    free(fr_take(job->cores));
    free(fr_take(job->gpus));
}

/* The engine is going: nobody is told. */
static void waiters_drop(struct fr_waiters *waiters)
{
    struct fr_depend *depend;

    while ((depend = LIST_FIRST(waiters))) {
        LIST_REMOVE(depend, waiter);
        depend->listed = false;
    }
}

void fr_run_job_free(struct fr_local_job *job)
{
    if (!job)
        return;
    fr_poll_free(job->watch);
    fr_poll_free(job->bell_watch);
    if (job->bell >= 0)
        (void)close(job->bell);
    fr_timer_free(job->timer);
    if (job->pidfd >= 0)
        (void)close(job->pidfd);
    fr_depend_done(job);
    waiters_drop(&job->to_start);
    waiters_drop(&job->to_end);
    let_go(job);
    free(job);
}

void fr_run_hold(struct fr_local_job *job, char *cores, char *gpus, double since)
{
    job->cores = cores;
    job->gpus = gpus;
    job->allocated = since;
    TAILQ_INSERT_TAIL(&job->engine->holders, job, holder);
    job->engine->nholders++;
}

void fr_run_release(struct fr_local_job *job)
{
    if (job->cores)
        fr_resources_mark(job->engine->resources, job->cores, job->gpus, false);
    let_go(job);
}

void fr_run_forget(struct fr_local_job *job)
{
    struct fr_local *engine = job->engine;

    fr_run_release(job);
    fr_run_dequeue(job);
    fr_jobs_end(&engine->jobs, job->id, job->outcome);
    fr_depend_wake(&job->to_start);
    fr_depend_wake(&job->to_end);
    fr_outputs_poke(engine->outputs, job->id, true);
    fr_run_job_free(job);
    fr_purge_look(engine->purge);
    fr_run_schedule(engine);
}

static struct fr_sched_item item_of(const struct fr_local_job *job)
{
    return (struct fr_sched_item){job->id, job->urgency, job->share, job->duration};
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
    if (job->queued)
        fr_sched_queue_remove(&job->engine->queue, job->id, job->urgency);
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

int fr_run_priority(struct fr_local_job *job, struct fr_unit *unit, double when)
{
    char *context;

    /* Flux's own scale: the urgency, unless it is the highest (RFC 30). */
    if (asprintf(&context, "{\"priority\":%lld}",
                 job->urgency == 31 ? 4294967295LL : (long long)job->urgency) < 0)
        return -ENOMEM;
    fr_run_event(job, unit, "priority", when, context);
    return 0;
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

unsigned int fr_run_outcome(const struct fr_event *event)
{
    const char *context = event->context ? event->context : "";

    if (strcmp(event->name, "alloc") == 0)
        return FR_OUTCOME_ALLOC;
    if (strcmp(event->name, "start") == 0)
        return FR_OUTCOME_START;
    /* Our own words, as they were written; a note cannot hold them, for its quotes are escaped.
     */
    if (strcmp(event->name, "finish") == 0)
        return strcmp(context, "{\"status\":0}") == 0 ? FR_OUTCOME_ZERO : 0;
    if (strcmp(event->name, "exception") == 0)
        return strstr(context, "\"severity\":0,") ? FR_OUTCOME_EXCEPTION : 0;
    return 0;
}

static void outcome_note(struct fr_local *engine, const struct fr_unit *unit)
{
    struct fr_local_job *job = NULL;
    unsigned int outcome = 0;

    for (size_t i = 0; i < unit->nevents; i++)
        outcome |= fr_run_outcome(&unit->events[i]);
    if (!outcome || !fr_jobs_find(&engine->jobs, unit->id, &job) || !job)
        return;
    job->outcome |= outcome;
    if (outcome & FR_OUTCOME_START)
        fr_depend_wake(&job->to_start);
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
    outcome_note(engine, unit);
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
    if (job->gpus) {
        fr_buf_puts(&buf, ",\"gpu\":");
        fr_buf_put_json_string(&buf, job->gpus);
    }
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

    if (job->phase == FR_PHASE_DEPEND)
        fr_depend_look(job);
    else
        fr_attend(job, job->errand, 0);
}

void fr_run_begin(struct fr_local_job *job)
{
    if (fr_depend_open(job) == 0 && job->phase != FR_PHASE_DEPEND) {
        fr_run_enqueue(job);
        return;
    }
    job->phase = FR_PHASE_DEPEND;
    if (!job->timer && fr_timer_create(job->engine->loop, on_errand, job, &job->timer) < 0) {
        fr_local_tick_soon(job->engine);
        return;
    }
    fr_depend_watch(job);
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
    char *cores, *gpus;
    int rc;

    if (!unit)
        return -ENOMEM;
    if (!job->timer && fr_timer_create(engine->loop, on_errand, job, &job->timer) < 0)
        return -ENOMEM;
    rc = fr_resources_take(engine->resources, job->share, &cores, &gpus);
    if (rc < 0)
        return rc;
    fr_run_hold(job, cores, gpus, now);
    unit->R = resources_text(job, now);
    if (!unit->R) {
        fr_run_release(job);
        return -ENOMEM;
    }
    fr_run_event(job, unit, "alloc", now, NULL);
    fr_run_dequeue(job);
    job->phase = FR_PHASE_ALLOCATE;
    fr_store_put(engine->store, fr_take(unit));
    return 0;
}

/* All that have resources, with room for those that are about to. 0 or -ENOMEM. */
static int running_list(struct fr_local *engine)
{
    size_t need = engine->nholders + FR_LOCAL_STARTS;
    const struct fr_local_job *job;
    size_t n = 0;

    if (need > engine->running_cap) {
        struct fr_sched_running *list = reallocarray(engine->running, need * 2, sizeof(*list));

        if (!list)
            return -ENOMEM;
        engine->running = list;
        engine->running_cap = need * 2;
    }
    TAILQ_FOREACH(job, &engine->holders, holder)
    engine->running[n++] = (struct fr_sched_running){
        job->duration > 0 ? job->allocated + job->duration : 0, job->share};
    return 0;
}

/* One look at the queue. Returns how many were started, or -ENOMEM. */
static int starts_do(struct fr_local *engine)
{
    size_t places[FR_LOCAL_STARTS];
    size_t count = fr_sched_queue_window(&engine->queue, engine->window, FR_LOCAL_WINDOW);
    size_t n;

    if (count == 0)
        return 0;
    if (running_list(engine) < 0)
        return -ENOMEM;
    n = fr_sched_starts(engine->window, count, engine->running, engine->nholders,
                        fr_resources_unused(engine->resources), fr_time_now(), places,
                        FR_LOCAL_STARTS);
    for (size_t i = 0; i < n; i++) {
        struct fr_local_job *job = NULL;

        (void)fr_jobs_find(&engine->jobs, engine->window[places[i]].id, &job);
        if (!job || allocate(job) < 0)
            return -ENOMEM;
    }
    return (int)n;
}

void fr_run_schedule(struct fr_local *engine)
{
    int n;

    if (!engine->caught_up || engine->closing)
        return;
    do {
        if (fr_resources_unused(engine->resources).cores == 0)
            return;
        n = starts_do(engine);
    } while (n > 0);
    if (n < 0)
        fr_local_tick_soon(engine);
}

void fr_run_tick(struct fr_local *engine)
{
    struct fr_local_job *job;

    TAILQ_FOREACH(job, &engine->jobs.active, active)
    {
        if (job->phase == FR_PHASE_DEPEND || (job->phase == FR_PHASE_WAITING && !job->queued))
            fr_run_begin(job);
        else if (job->phase == FR_PHASE_ATTEND && !job->timer)
            fr_run_resume(job);
        if (job->phase != FR_PHASE_RUN)
            continue;
        fr_steer_limit(job);
        fr_attend_look(job);
    }
    fr_run_schedule(engine);
}
