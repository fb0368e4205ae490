// SPDX-License-Identifier: LGPL-3.0-only
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/util.h"
#include "engine/local/local.h"
#include "model/fluid.h"
#include "model/job_record.h"

#define SLICE_EVENTS 1000
/*
 * Of so many of the latest events each is told, so that whoever followed them can go on; of
 * jobs that had ended before, only what became of them.
 */
#define RECENT_EVENTS 10000
#define TEXTS_MAX (1U << 30)

/* One event out of the store, on its way from the worker to the loop. */
struct step {
    uint64_t id;
    struct fr_event event;
    int urgency;
    size_t name, context; /* places in the slice's texts, plus one; 0: none */
    char *cores;          /* this and gpus: with `alloc` */
    char *gpus;
    bool cancel; /* with `exception`: it is not the job shell's */
    bool fatal;  /* with `exception`: of severity 0 */
    struct fr_jobspec *spec;
    struct fr_rset *rset;
    unsigned int outcome; /* of a job that has ended: `context` is its record, seq the last */
};

struct slice {
    struct fr_local *engine;
    bool ended; /* it holds jobs that have ended, else events */
    size_t count;
    struct step steps[SLICE_EVENTS];
    struct fr_buf texts;
    struct fr_error error;
};

/*
 * While the loop takes up what one slice holds, a worker reads the next into the other: the
 * worker also frees what it made, which is cheaper than to do so on another thread.
 */
struct recovery {
    struct fr_local *engine;
    uint64_t cut;   /* the latest event of those that are not told */
    bool events;    /* the jobs that have ended are through */
    uint64_t after; /* the last of them so far */
    struct slice slices[2];
    int reading; /* which of them the worker has */
    bool failed;
};

static void slice_reset(struct slice *slice)
{
    for (size_t i = 0; i < slice->count; i++) {
        struct step *step = &slice->steps[i];

        free(step->cores);
        free(step->gpus);
        fr_jobspec_free(step->spec);
        fr_rset_free(step->rset);
    }
    slice->count = 0;
    fr_buf_reset(&slice->texts);
}

static void recovery_free(struct recovery *recovery)
{
    for (int i = 0; recovery && i < 2; i++) {
        slice_reset(&recovery->slices[i]);
        fr_buf_done(&recovery->slices[i].texts);
    }
    free(recovery);
}

/* The same text, if it is one that most logs hold: those need not be copied. */
static const char *name_known(const char *name)
{
    static const char *const names[] = {"submit", "validate", "depend",   "priority",
                                        "alloc",  "start",    "finish",   "release",
                                        "free",   "clean",    "exception"};

    for (size_t i = 0; i < FR_ARRAY_SIZE(names); i++) {
        if (strcmp(names[i], name) == 0)
            return names[i];
    }
    return NULL;
}

static size_t text_put(struct fr_buf *texts, const char *text)
{
    size_t place = texts->len + 1;

    fr_buf_put(texts, text, strlen(text) + 1);
    return place;
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
    step->event.name = name_known(row->event.name);
    step->event.context = NULL;
    if (!step->event.name)
        step->name = text_put(&slice->texts, row->event.name);
    if (row->event.context)
        step->context = text_put(&slice->texts, row->event.context);
    if (fr_buf_status(&slice->texts) < 0)
        return fr_error_set(&slice->error, ENOMEM, FR_CODE_INTERNAL, "No memory for an event.");
    if (row->event.context && strcmp(row->event.name, "exception") == 0)
        exception_read(step, row->event.context);
    if (row->jobspec)
        rc = jobspec_read(step, row->jobspec, &slice->error);
    if (rc == 0 && row->R)
        rc = rset_read(step, row->R, &slice->error);
    return rc;
}

static int on_ended(void *arg, const struct fr_ended *ended)
{
    struct slice *slice = arg;
    struct step *step = &slice->steps[slice->count++];

    *step = (struct step){.id = ended->id,
                          .event = {.seq = ended->seq},
                          .outcome = ended->outcome,
                          .context = text_put(&slice->texts, ended->record)};
    if (fr_buf_status(&slice->texts) < 0)
        return fr_error_set(&slice->error, ENOMEM, FR_CODE_INTERNAL, "No memory for a job.");
    return 0;
}

static int slice_work(void *arg)
{
    struct recovery *recovery = arg;
    struct slice *slice = &recovery->slices[recovery->reading];
    struct fr_store *store = slice->engine->store;
    int rc;

    slice_reset(slice);
    slice->ended = !recovery->events;
    if (slice->ended)
        rc = fr_store_read_records(store, recovery->after, recovery->cut, SLICE_EVENTS,
                                   on_ended, slice, &slice->error);
    else
        rc = fr_store_read_events(store, recovery->cut, SLICE_EVENTS, on_row, slice,
                                  &slice->error);
    recovery->events = slice->count < SLICE_EVENTS || !slice->ended;
    if (slice->count > 0)
        recovery->after = slice->steps[slice->count - 1].id;
    /* Only now do the texts stay where they are. */
    for (size_t i = 0; i < slice->count; i++) {
        struct step *step = &slice->steps[i];

        if (step->name)
            step->event.name = slice->texts.data + step->name - 1;
        if (step->context)
            step->event.context = slice->texts.data + step->context - 1;
    }
    return rc;
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
    fr_depend_close(job, step->event.context);
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
    fr_jobs_end(&job->engine->jobs, step->id, job->outcome);
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
    int rc = strcmp(step->event.name, "submit") == 0 ? job_add(engine, step) : 0;

    if (rc < 0)
        return rc;
    if (!fr_jobs_find(&engine->jobs, step->id, &job) || !job)
        return 0; /* nothing of ours: a stray event of a job that has ended */
    job->nevents = step->event.index + 1;
    job->last = step->event.timestamp;
    job->outcome |= fr_run_outcome(&step->event);
    for (size_t i = 0; i < FR_ARRAY_SIZE(handlers); i++) {
        if (strcmp(handlers[i].name, step->event.name) == 0) {
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

/* Tells of a job that has ended, and notes that it has. */
static int tell_ended(struct fr_local *engine, const struct step *step)
{
    struct fr_job *job = NULL;
    struct fr_journal_entry entry = {.id = step->id, .ended = &job, .seq = step->event.seq};
    int rc = fr_job_record_parse(step->event.context, step->id, &job, &entry.user);

    if (rc == 0 && fr_jobs_add_ended(&engine->jobs, step->id, step->outcome) < 0)
        rc = -ENOMEM;
    if (rc == 0)
        engine->sink.journal(engine->sink.arg, &entry);
    fr_job_free(job);
    json_decref(entry.user);
    return rc;
}

static int take_failed(struct slice *slice, const struct step *step, int rc)
{
    char id[FR_FLUID_TEXT];

    return fr_error_set(&slice->error, -rc, FR_CODE_INTERNAL,
                        "The job store cannot be taken up, at job %s: %s; flux-restd "
                        "--check-store tells more.",
                        fr_fluid_f58(step->id, id), strerror(-rc));
}

static int slice_take(struct slice *slice)
{
    size_t from = 0;

    for (size_t i = 0; slice->ended && i < slice->count; i++) {
        int rc = tell_ended(slice->engine, &slice->steps[i]);

        if (rc < 0)
            return take_failed(slice, &slice->steps[i], rc);
    }
    for (size_t i = 0; !slice->ended && i < slice->count; i++) {
        int rc = apply(slice->engine, &slice->steps[i]);

        if (rc < 0)
            return take_failed(slice, &slice->steps[i], rc);
        if (i + 1 == slice->count || slice->steps[i + 1].id != slice->steps[from].id) {
            tell(slice->engine, slice, from, i + 1);
            from = i + 1;
        }
    }
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

    /*
     * Not as the events came: job after job is read, and one whose events come later may have
     * ended before the other was given the same cores.
     */
    TAILQ_FOREACH(job, &engine->holders, holder)
    fr_resources_mark(engine->resources, job->cores, job->gpus, true);
    engine->caught_up = true;
    engine->sink.caught_up(engine->sink.arg, fr_store_last_seq(engine->store));
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

static void on_slice(void *arg, int result);

/* Sends the worker on with the slice that is free, from where the last one ended. */
static int read_next(struct recovery *recovery)
{
    int rc;

    recovery->reading = 1 - recovery->reading;
    rc = fr_work_queue(recovery->engine->loop, slice_work, on_slice, recovery);
    if (rc == 0)
        recovery->engine->works++;
    return rc;
}

static void fail(struct recovery *recovery, const struct fr_error *err)
{
    struct fr_local *engine = recovery->engine;

    if (!recovery->failed && !engine->closing)
        engine->sink.ended(engine->sink.arg, err);
    recovery->failed = true;
}

static void on_slice(void *arg, int result)
{
    struct recovery *recovery = arg;
    struct fr_local *engine = recovery->engine;
    struct slice *slice = &recovery->slices[recovery->reading];
    bool more = slice->ended || slice->count == SLICE_EVENTS;
    bool reading = false;

    if (result < 0)
        fail(recovery, &slice->error);
    if (more && !recovery->failed && !engine->closing) {
        reading = read_next(recovery) == 0;
        if (!reading) {
            (void)fr_error_set(&slice->error, ENOMEM, FR_CODE_INTERNAL, "No memory.");
            fail(recovery, &slice->error);
        }
    }
    if (!recovery->failed && !engine->closing && slice_take(slice) < 0)
        fail(recovery, &slice->error);
    if (!reading) {
        if (!recovery->failed && !engine->closing)
            take_up(engine);
        recovery_free(recovery);
    }
    fr_local_work_over(engine);
}

int fr_recover_begin(struct fr_local *engine, struct fr_error *err)
{
    struct recovery *recovery = calloc(1, sizeof(*recovery));

    for (int i = 0; recovery && i < 2; i++) {
        recovery->slices[i].engine = engine;
        fr_buf_init(&recovery->slices[i].texts, TEXTS_MAX);
    }
    if (recovery) {
        uint64_t last = fr_store_last_seq(engine->store);

        recovery->engine = engine;
        recovery->cut = last > RECENT_EVENTS ? last - RECENT_EVENTS : 0;
    }
    if (!recovery || read_next(recovery) < 0) {
        recovery_free(recovery);
        return fr_error_set(err, ENOMEM, FR_CODE_INTERNAL, "No memory to read the job store.");
    }
    return 0;
}
