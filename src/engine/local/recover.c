// SPDX-License-Identifier: LGPL-3.0-only
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "engine/local/local.h"

#define SLICE_EVENTS 1000

/* One event out of the store, on its way from the worker to the loop. */
struct step {
    uint64_t id;
    struct fr_event event;
    int urgency;
    char *name;
    char *context;
    char *cores; /* this and gpus: with `alloc` */
    char *gpus;
    bool cancel; /* with `exception`: it is not the job shell's */
    bool fatal;  /* with `exception`: of severity 0 */
    struct fr_jobspec *spec;
    struct fr_rset *rset;
};

struct slice {
    struct fr_local *engine;
    uint64_t after;
    uint64_t last; /* events up to here were there when we opened */
    size_t count;
    struct step steps[SLICE_EVENTS];
    struct fr_error error;
};

static void slice_reset(struct slice *slice)
{
    for (size_t i = 0; i < slice->count; i++) {
        struct step *step = &slice->steps[i];

        free(step->name);
        free(step->context);
        free(step->cores);
        free(step->gpus);
        fr_jobspec_free(step->spec);
        fr_rset_free(step->rset);
    }
    slice->count = 0;
}

static void slice_free(struct slice *slice)
{
    if (slice)
        slice_reset(slice);
    free(slice);
}

/* One that cannot be read (any more) costs its own job, not all the others. */
static int jobspec_read(struct step *step, const char *text, struct fr_error *err)
{
    json_t *json = json_loads(text, 0, NULL);
    int rc = json ? fr_jobspec_create(json, &step->spec, err) : 0;

    return rc == -ENOMEM ? rc : 0;
}

static int rset_read(struct step *step, const char *text, struct fr_error *err)
{
    json_t *json = json_loads(text, 0, NULL);
    const char *cores = NULL;
    const char *gpus = NULL;
    int rc;

    if (json_unpack(json, "{s:{s:[{s:{s:s, s?s}}]}}", "execution", "R_lite", "children", "core",
                    &cores, "gpu", &gpus) == 0)
        step->cores = strdup(cores);
    if (gpus)
        step->gpus = strdup(gpus);
    if ((cores && !step->cores) || (gpus && !step->gpus)) {
        json_decref(json);
        return -ENOMEM;
    }
    rc = step->cores ? fr_rset_parse(json, &step->rset, err)
                     : fr_error_set(err, EPROTO, FR_CODE_INTERNAL,
                                    "The job store is damaged: R of job %llu is not readable.",
                                    (unsigned long long)step->id);
    json_decref(json);
    return rc;
}

/* Which exceptions a shell raises is known by their type: all but `cancel`. */
static void exception_read(struct step *step, const char *context)
{
    json_t *json = json_loads(context, 0, NULL);
    const char *type = json_string_value(json_object_get(json, "type"));

    step->cancel = type && strcmp(type, "cancel") == 0;
    step->fatal = json_integer_value(json_object_get(json, "severity")) == 0;
    json_decref(json);
}

static int on_row(void *arg, const struct fr_row *row)
{
    struct slice *slice = arg;
    struct step *step = &slice->steps[slice->count++];
    int rc = 0;

    *step = (struct step){.id = row->id, .event = row->event, .urgency = row->urgency};
    step->name = strdup(row->event.name);
    step->context = row->event.context ? strdup(row->event.context) : NULL;
    if (!step->name || (row->event.context && !step->context))
        return fr_error_set(&slice->error, ENOMEM, FR_CODE_INTERNAL, "No memory for an event.");
    step->event.name = step->name;
    step->event.context = step->context;
    if (row->event.context && strcmp(step->name, "exception") == 0)
        exception_read(step, row->event.context);
    if (row->jobspec)
        rc = jobspec_read(step, row->jobspec, &slice->error);
    if (rc == 0 && row->R)
        rc = rset_read(step, row->R, &slice->error);
    return rc;
}

static int slice_work(void *arg)
{
    struct slice *slice = arg;

    return fr_store_read_events(slice->engine->store, slice->after, slice->last, SLICE_EVENTS,
                                on_row, slice, &slice->error);
}

static int job_add(struct fr_local *engine, const struct step *step)
{
    struct fr_local_job *job;

    job = fr_run_job_create(engine, step->id, step->urgency, step->spec);
    if (job)
        job->phase = FR_PHASE_DEPEND;
    if (job && step->spec && fr_depend_read(job, step->spec, false, NULL) == -ENOMEM) {
        fr_run_job_free(job);
        return -ENOMEM;
    }
    if (!job || fr_jobs_add(&engine->jobs, step->id, job) < 0) {
        fr_run_job_free(job);
        return -ENOMEM;
    }
    return 0;
}

/* A number in an event's context; fallback if there is none. */
static double number_of(const struct fr_event *event, const char *key, double fallback)
{
    json_t *json = event->context ? json_loads(event->context, 0, NULL) : NULL;
    json_t *value = json_object_get(json, key);
    double number = json_is_number(value) ? json_number_value(value) : fallback;

    json_decref(json);
    return number;
}

static void on_alloc(struct fr_local_job *job, struct step *step)
{
    if (!step->cores)
        return;
    fr_run_hold(job, fr_take(step->cores), fr_take(step->gpus), step->event.timestamp);
    job->phase = FR_PHASE_ATTEND;
    fr_resources_mark(job->engine->resources, job->cores, job->gpus, true);
}

static void on_start(struct fr_local_job *job, struct step *step)
{
    job->started = true;
}

static void on_exception(struct fr_local_job *job, struct step *step)
{
    bool own = job->started && !step->cancel;

    job->told += own;
    job->fatal |= step->fatal && !own;
}

static void on_dependency_remove(struct fr_local_job *job, struct step *step)
{
    fr_depend_close(job, step->context);
}

static void on_depend(struct fr_local_job *job, struct step *step)
{
    job->phase = FR_PHASE_WAITING;
}

static void on_urgency(struct fr_local_job *job, struct step *step)
{
    double urgency = number_of(&step->event, "urgency", job->urgency);

    if (urgency >= 0 && urgency < FR_SCHED_URGENCIES)
        job->urgency = (int)urgency;
}

static void on_jobspec_update(struct fr_local_job *job, struct step *step)
{
    job->duration = number_of(&step->event, "attributes.system.duration", job->duration);
    job->limit_new = job->cores != NULL; /* whether its shell knows is not known */
}

static void on_clean(struct fr_local_job *job, struct step *step)
{
    struct fr_local *engine = job->engine;

    fr_resources_mark(engine->resources, job->cores, job->gpus, false);
    fr_jobs_end(&engine->jobs, step->id, job->outcome);
    fr_run_job_free(job);
}

/* Takes one event of the backlog into account. */
static int apply(struct fr_local *engine, struct step *step)
{
    static const struct {
        const char *name;
        void (*on)(struct fr_local_job *job, struct step *step);
    } handlers[] = {
        {"alloc", on_alloc},
        {"start", on_start},
        {"exception", on_exception},
        {"dependency-remove", on_dependency_remove},
        {"depend", on_depend},
        {"urgency", on_urgency},
        {"jobspec-update", on_jobspec_update},
        {"clean", on_clean},
    };
    struct fr_local_job *job = NULL;
    int rc = strcmp(step->name, "submit") == 0 ? job_add(engine, step) : 0;

    if (rc < 0)
        return rc;
    if (!fr_jobs_find(&engine->jobs, step->id, &job) || !job)
        return 0; /* nothing of ours: a stray event of a job that has ended */
    job->nevents = step->event.index + 1;
    job->last = step->event.timestamp;
    job->outcome |= fr_run_outcome(&step->event);
    for (size_t i = 0; i < FR_ARRAY_SIZE(handlers); i++) {
        if (strcmp(handlers[i].name, step->name) == 0) {
            handlers[i].on(job, step);
            break;
        }
    }
    return 0;
}

/* Tells steps from..to, all of one job. */
static void tell(struct fr_local *engine, const struct slice *slice, size_t from, size_t to)
{
    struct fr_event events[SLICE_EVENTS];
    struct fr_journal_entry entry = {.id = slice->steps[from].id, .events = events};

    for (size_t i = from; i < to; i++) {
        events[entry.nevents++] = slice->steps[i].event;
        if (slice->steps[i].spec)
            entry.jobspec = slice->steps[i].spec;
        if (slice->steps[i].rset)
            entry.R = slice->steps[i].rset;
    }
    engine->sink.journal(engine->sink.arg, &entry);
}

static int slice_take(struct slice *slice)
{
    size_t from = 0;

    for (size_t i = 0; i < slice->count; i++) {
        int rc = apply(slice->engine, &slice->steps[i]);

        if (rc < 0)
            return fr_error_set(&slice->error, -rc, FR_CODE_INTERNAL,
                                "The job store cannot be taken up: %s.", strerror(-rc));
        if (i + 1 == slice->count || slice->steps[i + 1].id != slice->steps[from].id) {
            tell(slice->engine, slice, from, i + 1);
            from = i + 1;
        }
    }
    if (slice->count > 0)
        slice->after = slice->steps[slice->count - 1].event.seq;
    return 0;
}

/* Ends a job that waits although it can never run on this machine as it is now. */
static bool outgrown(struct fr_local_job *job)
{
    struct fr_sched_share total = fr_resources_total(job->engine->resources);
    char note[160] = "the stored jobspec cannot be read";

    if (job->share.cores > 0 && job->share.cores <= total.cores &&
        job->share.gpus <= total.gpus)
        return false;
    if (job->share.cores > 0)
        (void)snprintf(note, sizeof(note),
                       "unsatisfiable request: the job needs %d cores and %d gpus, the server "
                       "only has %d and %d now",
                       job->share.cores, job->share.gpus, total.cores, total.gpus);
    return fr_end_waiting(job, "alloc", note, false, NULL, NULL) == 0;
}

/* All is known: takes up each active job where it stands. */
static void take_up(struct fr_local *engine)
{
    struct fr_local_job *job;

    engine->caught_up = true;
    engine->sink.caught_up(engine->sink.arg);
    TAILQ_FOREACH(job, &engine->jobs.active, active)
    {
        if ((job->phase == FR_PHASE_DEPEND || job->phase == FR_PHASE_WAITING) && !outgrown(job))
            fr_run_begin(job);
        else if (job->phase == FR_PHASE_ATTEND)
            fr_run_resume(job);
    }
    fr_store_release(engine->store);
    fr_purge_begin(engine->purge);
    fr_run_schedule(engine);
}

static void on_slice(void *arg, int result)
{
    struct slice *slice = arg;
    struct fr_local *engine = slice->engine;
    bool more = slice->count == SLICE_EVENTS;

    if (!engine->closing && result == 0)
        result = slice_take(slice);
    if (!engine->closing && result < 0)
        engine->sink.ended(engine->sink.arg, &slice->error);
    slice_reset(slice);
    if (!engine->closing && result == 0 && more) {
        result = fr_work_queue(engine->loop, slice_work, on_slice, slice);
        if (result == 0)
            return;
        (void)fr_error_set(&slice->error, -result, FR_CODE_INTERNAL, "No memory.");
        engine->sink.ended(engine->sink.arg, &slice->error);
    } else if (!engine->closing && result == 0) {
        take_up(engine);
    }
    slice_free(slice);
    fr_local_work_over(engine);
}

int fr_recover_begin(struct fr_local *engine, struct fr_error *err)
{
    struct slice *slice = calloc(1, sizeof(*slice));
    int rc = slice ? 0 : -ENOMEM;

    if (slice) {
        slice->engine = engine;
        slice->last = fr_store_last_seq(engine->store);
        rc = fr_work_queue(engine->loop, slice_work, on_slice, slice);
    }
    if (rc < 0) {
        slice_free(slice);
        return fr_error_set(err, -rc, FR_CODE_INTERNAL, "No memory to read the job store.");
    }
    engine->works++;
    return 0;
}
