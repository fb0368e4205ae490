// SPDX-License-Identifier: LGPL-3.0-only
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "engine/local/local.h"

FR_DEFINE_CLEANUP(struct fr_jobspec *, jobspec, fr_jobspec_free);
FR_DEFINE_CLEANUP(struct fr_unit *, unit, fr_unit_free);

/* One submission on its way to the disk. */
struct submission {
    struct fr_local *engine;
    struct fr_local_job *job;
    struct fr_jobspec *spec; /* without its environment */
    fr_submit_f cb;
    void *arg;
};

static void submission_free(struct submission *s)
{
    if (!s)
        return;
    fr_run_job_free(s->job);
    fr_jobspec_free(s->spec);
    free(s);
}

FR_DEFINE_CLEANUP(struct submission *, submission, submission_free);

/* What this machine can never do is refused now, not left waiting for ever. */
static int satisfiable(const struct fr_local *engine, const struct fr_jobspec *spec,
                       struct fr_error *err)
{
    struct fr_sched_share total = fr_resources_total(engine->resources);

    if (spec->nnodes > 1)
        return fr_error_set(err, EINVAL, FR_CODE_UNSATISFIABLE,
                            "The server only has 1 nodes, you requested %d", spec->nnodes);
    if (spec->ngpus > 0 && total.gpus == 0)
        return fr_error_set(err, EINVAL, FR_CODE_UNSATISFIABLE,
                            "This server does not support gpus: gpus_per_task cannot be set.");
    if (spec->ngpus > total.gpus)
        return fr_error_set(err, EINVAL, FR_CODE_UNSATISFIABLE,
                            "The server only has %d gpus, you requested %d", total.gpus,
                            spec->ngpus);
    if (spec->ncores > total.cores)
        return fr_error_set(err, EINVAL, FR_CODE_UNSATISFIABLE,
                            "The job needs %d cores (%d slots of %d), and the server only has "
                            "%d: ask for fewer.",
                            spec->ncores, spec->nslots, spec->cores_per_task, total.cores);
    return 0;
}

/* What goes into the store must be readable by whoever launches it. */
static int readable(const struct fr_jobspec *spec, struct fr_error *err)
{
    _cleanup_(fr_cleanup_jobspec) struct fr_jobspec *again = NULL;

    return fr_jobspec_create(json_incref(spec->json), &again, err);
}

/* Takes the environment out of the jobspec, as a text; NULL if it has none. */
static int environment_take(struct fr_jobspec *spec, char **ret)
{
    json_t *system = json_object_get(json_object_get(spec->json, "attributes"), "system");

    *ret = NULL;
    if (!spec->environment)
        return 0;
    *ret = json_dumps(spec->environment, JSON_COMPACT);
    if (!*ret)
        return -ENOMEM;
    spec->environment = NULL;
    (void)json_object_del(system, "environment");
    return 0;
}

static int events_put(struct submission *s, struct fr_unit *unit)
{
    char *submit = NULL;
    double now = fr_time_now();
    int rc = fr_unit_reserve(unit, FR_UNIT_EVENTS + 2 * s->job->ndepends);

    if (rc < 0 || asprintf(&submit, "{\"userid\":%lu,\"urgency\":%d,\"flags\":0,\"version\":1}",
                           (unsigned long)getuid(), s->job->urgency) < 0)
        return -ENOMEM;
    fr_run_event(s->job, unit, "submit", now, submit);
    rc = fr_depend_put(s->job, unit, now);
    if (rc < 0)
        return rc;
    fr_run_event(s->job, unit, "validate", now, NULL);
    if (fr_depend_open(s->job) > 0)
        return 0; /* the rest comes when they are satisfied */
    fr_run_event(s->job, unit, "depend", now, NULL);
    return fr_run_priority(s->job, unit, now);
}

static bool on_submitted(void *arg, const struct fr_unit *unit, int result,
                         const struct fr_error *err)
{
    struct submission *s = arg;
    struct fr_local *engine = s->engine;

    if (result < 0) {
        engine->submitting--;
        s->cb(s->arg, 0, err);
        submission_free(s);
        return false; /* refused is refused: it must not appear later after all */
    }
    fr_run_publish(engine, unit, s->spec);
    engine->submitting--;
    (void)fr_jobs_add(&engine->jobs, unit->id, s->job); /* room was made when it came */
    fr_run_begin(fr_take(s->job));
    s->cb(s->arg, unit->id, NULL);
    submission_free(s);
    fr_run_schedule(engine);
    return false;
}

static int submit(struct fr_local *engine, struct submission *s, int urgency,
                  struct fr_error *err)
{
    uint64_t id = fr_fluid_next(&engine->ids, (uint64_t)(fr_time_now() * 1000));
    _cleanup_(fr_cleanup_unit) struct fr_unit *unit = fr_unit_create(id, on_submitted, s);
    int rc;

    s->job = fr_run_job_create(engine, id, urgency, s->spec);
    if (!unit || !s->job || environment_take(s->spec, &unit->environment) < 0 ||
        fr_jobs_reserve(&engine->jobs, engine->submitting + 1) < 0)
        return -ENOMEM;
    unit->jobspec = json_dumps(s->spec->json, JSON_COMPACT);
    unit->urgency = urgency;
    if (!unit->jobspec)
        return -ENOMEM;
    rc = fr_depend_read(s->job, s->spec, true, err);
    if (rc == 0)
        rc = events_put(s, unit);
    if (rc < 0)
        return rc;
    engine->submitting++;
    fr_store_put(engine->store, fr_take(unit));
    return 0;
}

void fr_local_submit(struct fr_engine *base, struct fr_jobspec *taken, int urgency,
                     fr_submit_f cb, void *arg)
{
    struct fr_local *engine = fr_local_of(base);
    _cleanup_(fr_cleanup_jobspec) struct fr_jobspec *spec = taken;
    _cleanup_(fr_cleanup_submission) struct submission *s = calloc(1, sizeof(*s));
    struct fr_error err = {.code = FR_CODE_INTERNAL};
    int rc;

    if (engine->closing)
        rc = fr_error_set(&err, ESHUTDOWN, FR_CODE_STOPPING, "The service is stopping.");
    else
        rc = satisfiable(engine, spec, &err);
    if (rc == 0)
        rc = fr_local_accept(spec, &err);
    if (rc == 0)
        rc = readable(spec, &err);
    if (rc == 0 && s) {
        *s = (struct submission){.engine = engine, .spec = fr_take(spec), .cb = cb, .arg = arg};
        rc = submit(engine, s, urgency, &err);
    }
    if (rc == 0 && s) {
        s = NULL; /* the store's callback has it now */
        return;
    }
    if (rc == 0 || rc == -ENOMEM)
        (void)fr_error_set(&err, ENOMEM, FR_CODE_INTERNAL, "No memory for another job.");
    fr_later_submit(engine, cb, arg, &err);
}
