// SPDX-License-Identifier: LGPL-3.0-only
/*
 * What each event does to a job's record: RFC 21's state machine, and the facts that the
 * contexts carry. Where the RFC leaves it open this follows Flux's job-manager for the state
 * and its job-list for the rest.
 */
#include <string.h>

#include "base/text.h"
#include "base/util.h"
#include "model/job.h"

FR_DEFINE_CLEANUP(json_t *, json, json_decref);
FR_DEFINE_CLEANUP(char *, text, free);

/* One event on its way into a record. */
struct step {
    struct fr_job *job;
    const struct fr_event *event;
    const struct fr_jobspec *jobspec; /* NULL if not there */
    const struct fr_rset *R;          /* NULL if not there */
    const json_t *context;            /* NULL if there is none */
    struct fr_error *err;
};

static int bad_context(const struct step *step)
{
    return fr_error_set(step->err, EPROTO, FR_CODE_INTERNAL,
                        "The context of the event %s cannot be read.", step->event->name);
}

static int set_text(char **field, const char *text)
{
    char *copy = NULL;

    if (text && *field && strcmp(*field, text) == 0)
        return 0;
    if (text) {
        copy = strndup(text, FR_JOB_TEXT_MAX);
        if (!copy)
            return -ENOMEM;
        if (strlen(copy) == FR_JOB_TEXT_MAX)
            fr_text_trim(copy);
    }
    free(*field);
    *field = copy;
    return 0;
}

/* Stores an object or array as text; an empty one as none. */
static int set_json(char **field, const json_t *value)
{
    char *text = NULL;

    if (json_object_size(value) > 0 || json_array_size(value) > 0) {
        text = json_dumps(value, JSON_COMPACT);
        if (!text)
            return -ENOMEM;
    }
    free(*field);
    *field = text;
    return 0;
}

static int get_integer(const struct step *step, const char *key, int64_t low, int64_t high,
                       int64_t *ret)
{
    const json_t *value = json_object_get(step->context, key);

    if (!json_is_integer(value) || json_integer_value(value) < low ||
        json_integer_value(value) > high)
        return bad_context(step);
    *ret = json_integer_value(value);
    return 0;
}

static enum fr_result result_of(const struct fr_job *job)
{
    if (job->success)
        return FR_RESULT_COMPLETED;
    if (job->exception_type && strcmp(job->exception_type, "cancel") == 0)
        return FR_RESULT_CANCELED;
    if (job->exception_type && strcmp(job->exception_type, "timeout") == 0)
        return FR_RESULT_TIMEOUT;
    return FR_RESULT_FAILED;
}

static void enter(const struct step *step, enum fr_state state)
{
    struct fr_job *job = step->job;
    double now = step->event->timestamp;

    job->state = (uint8_t)state;
    if (state == FR_STATE_DEPEND)
        job->t_depend = now;
    else if (state == FR_STATE_PRIORITY && job->t_priority == 0)
        job->t_priority = now;
    else if (state == FR_STATE_SCHED && job->t_sched == 0)
        job->t_sched = now;
    else if (state == FR_STATE_RUN)
        job->t_run = now;
    else if (state == FR_STATE_CLEANUP)
        job->t_cleanup = now;
    else if (state == FR_STATE_INACTIVE) {
        job->t_inactive = now;
        job->result = (uint8_t)result_of(job);
    }
}

static void enter_from(const struct step *step, enum fr_state from, enum fr_state to)
{
    if (step->job->state == from)
        enter(step, to);
}

static int set_command(struct fr_job *job, const struct fr_jobspec *spec)
{
    _cleanup_(fr_cleanup_text) char *command = fr_jobspec_command(spec);

    if (!command)
        return -ENOMEM;
    if (strlen(command) > FR_JOB_COMMAND_MAX) {
        size_t len = FR_JOB_COMMAND_MAX;
        while (len > 0 && ((unsigned char)command[len] & 0xc0) == 0x80)
            len--; /* never half a character */
        command[len] = '\0';
    }
    return set_text(&job->command, command);
}

static int take_jobspec(struct fr_job *job, const struct fr_jobspec *spec)
{
    bool from_R = spec->tasks_per_node || spec->tasks_per_core;

    job->duration = spec->duration;
    job->nnodes = spec->nnodes;
    job->ngpus = spec->ngpus;
    job->ncores = spec->nnodes && spec->exclusive ? 0 : spec->ncores;
    job->ntasks = from_R ? 0 : spec->ntasks;
    job->tasks_per_node = spec->tasks_per_node;
    job->tasks_per_core = spec->tasks_per_core;
    if (set_text(&job->name, spec->name) < 0 || set_text(&job->cwd, spec->cwd) < 0 ||
        set_text(&job->queue, spec->queue) < 0 || set_text(&job->bank, spec->bank) < 0 ||
        set_text(&job->project, spec->project) < 0)
        return -ENOMEM;
    return set_command(job, spec);
}

static int on_submit(const struct step *step)
{
    struct fr_job *job = step->job;
    int64_t urgency, userid;
    int r = step->jobspec ? take_jobspec(job, step->jobspec) : 0;

    job->t_submit = step->event->timestamp;
    if (r < 0)
        return r;
    r = get_integer(step, "userid", 0, UINT32_MAX, &userid);
    if (r == 0)
        job->userid = userid;
    if (r == 0)
        r = get_integer(step, "urgency", 0, 31, &urgency);
    if (r == 0)
        job->urgency = (int32_t)urgency;
    return r;
}

static int on_validate(const struct step *step)
{
    enter_from(step, FR_STATE_NEW, FR_STATE_DEPEND);
    return 0;
}

static int on_invalidate(const struct step *step)
{
    step->job->invalidated = true;
    return 0;
}

static int on_depend(const struct step *step)
{
    enter_from(step, FR_STATE_DEPEND, FR_STATE_PRIORITY);
    return 0;
}

/* Adds to the open dependencies, or removes from them. */
static int change_dependencies(const struct step *step, bool add)
{
    const char *text = json_string_value(json_object_get(step->context, "description"));
    char **field = &step->job->dependencies;
    _cleanup_(fr_cleanup_json) json_t *list = NULL;
    size_t i, found = SIZE_MAX;
    const json_t *entry;

    if (!text)
        return bad_context(step);
    list = *field ? json_loads(*field, 0, NULL) : json_array();
    if (!list)
        return -ENOMEM;
    json_array_foreach (list, i, entry) {
        if (strcmp(json_string_value(entry), text) == 0)
            found = i;
    }
    if (add && found == SIZE_MAX) {
        if (json_array_append_new(list, json_string(text)) < 0)
            return -ENOMEM;
    } else if (!add && found != SIZE_MAX) {
        (void)json_array_remove(list, found);
    }
    return set_json(field, list);
}

static int on_dependency_add(const struct step *step)
{
    return change_dependencies(step, true);
}

static int on_dependency_remove(const struct step *step)
{
    return change_dependencies(step, false);
}

static int on_priority(const struct step *step)
{
    int64_t priority;
    int r = get_integer(step, "priority", 0, UINT32_MAX, &priority);

    if (r == 0)
        step->job->priority = priority;
    enter_from(step, FR_STATE_PRIORITY, FR_STATE_SCHED);
    return r;
}

static int on_urgency(const struct step *step)
{
    int64_t urgency;
    int r = get_integer(step, "urgency", 0, 31, &urgency);

    if (r == 0)
        step->job->urgency = (int32_t)urgency;
    enter_from(step, FR_STATE_SCHED, FR_STATE_PRIORITY);
    return r;
}

static int on_flux_restart(const struct step *step)
{
    enter_from(step, FR_STATE_SCHED, FR_STATE_PRIORITY);
    return 0;
}

static int take_R(struct fr_job *job, const struct fr_rset *R)
{
    job->nnodes = R->nnodes;
    job->ncores = R->ncores;
    job->ngpus = R->ngpus;
    job->expiration = R->expiration;
    if (job->tasks_per_node)
        job->ntasks = job->tasks_per_node * R->nnodes;
    else if (job->tasks_per_core)
        job->ntasks = job->tasks_per_core * R->ncores;
    if (set_text(&job->ranks, R->ranks) < 0)
        return -ENOMEM;
    return set_text(&job->nodelist, R->nodelist);
}

/* Takes members of null out, at every depth, and objects that are empty after that. */
static void drop_nulls(json_t *object)
{
    const char *key;
    json_t *value;
    void *next;

    json_object_foreach_safe (object, next, key, value) {
        if (json_is_object(value))
            drop_nulls(value);
        if (json_is_null(value) || (json_is_object(value) && json_object_size(value) == 0))
            (void)json_object_del(object, key);
    }
}

/* Merges into the annotations; null takes a member out. */
static int merge_annotations(struct fr_job *job, json_t *update)
{
    char **field = &job->annotations;
    _cleanup_(fr_cleanup_json) json_t *all =
        *field ? json_loads(*field, 0, NULL) : json_object();

    if (!all || !update || json_object_update_recursive(all, update) < 0)
        return -ENOMEM;
    drop_nulls(all);
    return set_json(field, all);
}

static int on_alloc(const struct step *step)
{
    json_t *annotations = json_object_get(step->context, "annotations");
    struct fr_job *job = step->job;
    int r = 0;

    enter_from(step, FR_STATE_SCHED, FR_STATE_RUN);
    if (step->R)
        r = take_R(job, step->R);
    /* Live, an event `annotations` said the same just before; a backlog has only this. */
    if (r == 0 && json_is_object(annotations))
        r = merge_annotations(job, annotations);
    return r;
}

static int on_exception(const struct step *step)
{
    const char *type = json_string_value(json_object_get(step->context, "type"));
    const char *note = json_string_value(json_object_get(step->context, "note"));
    struct fr_job *job = step->job;
    int64_t severity;
    int r = get_integer(step, "severity", 0, 7, &severity);

    if (r < 0)
        return r;
    if (severity == 0 && (job->state & FR_STATES_ACTIVE) && job->state != FR_STATE_CLEANUP)
        enter(step, FR_STATE_CLEANUP);
    if (!type)
        return bad_context(step);
    if (job->exception_severity >= 0 && severity >= job->exception_severity)
        return 0;
    job->exception_severity = (int32_t)severity;
    if (set_text(&job->exception_type, type) < 0)
        return -ENOMEM;
    return set_text(&job->exception_note, note);
}

static int on_finish(const struct step *step)
{
    struct fr_job *job = step->job;
    int64_t status;
    int r = get_integer(step, "status", 0, INT32_MAX, &status);

    if (r == 0) {
        job->waitstatus = (int32_t)status;
        job->success = status == 0 && job->exception_severity != 0;
    }
    enter_from(step, FR_STATE_RUN, FR_STATE_CLEANUP);
    return r;
}

static int on_clean(const struct step *step)
{
    enter_from(step, FR_STATE_CLEANUP, FR_STATE_INACTIVE);
    return 0;
}

static int on_annotations(const struct step *step)
{
    const json_t *annotations = json_object_get(step->context, "annotations");

    if (!json_is_object(annotations) && !json_is_null(annotations))
        return bad_context(step);
    return set_json(&step->job->annotations, annotations);
}

static int on_memo(const struct step *step)
{
    _cleanup_(fr_cleanup_json) json_t *memo = NULL;

    if (!json_is_object(step->context))
        return bad_context(step);
    memo = json_pack("{s:O}", "user", step->context);
    return merge_annotations(step->job, memo);
}

static int on_jobspec_update(const struct step *step)
{
    struct fr_job *job = step->job;
    const struct {
        const char *key;
        char **field;
    } texts[] = {
        {"attributes.system.queue", &job->queue},
        {"attributes.system.bank", &job->bank},
        {"attributes.system.project", &job->project},
        {"attributes.system.job.name", &job->name},
        {"attributes.system.cwd", &job->cwd},
    };
    const json_t *duration = json_object_get(step->context, "attributes.system.duration");

    if (!json_is_object(step->context) || (duration && !json_is_number(duration)))
        return bad_context(step);
    if (duration)
        job->duration = json_number_value(duration);
    for (size_t i = 0; i < FR_ARRAY_SIZE(texts); i++) {
        const json_t *value = json_object_get(step->context, texts[i].key);
        if (json_is_string(value) && set_text(texts[i].field, json_string_value(value)) < 0)
            return -ENOMEM;
    }
    enter_from(step, FR_STATE_SCHED, FR_STATE_PRIORITY);
    return 0;
}

static int on_resource_update(const struct step *step)
{
    const json_t *expiration = json_object_get(step->context, "expiration");

    if (!json_is_number(expiration))
        return bad_context(step);
    step->job->expiration = json_number_value(expiration);
    return 0;
}

/* Events that change nothing here (start, release, free, prolog-*, debug.* …) are not listed.
 */
static const struct {
    const char *name;
    int (*on)(const struct step *step);
    bool wants_context;
} handlers[] = {
    {"submit", on_submit, true},
    {"validate", on_validate, false},
    {"invalidate", on_invalidate, false},
    {"dependency-add", on_dependency_add, true},
    {"dependency-remove", on_dependency_remove, true},
    {"depend", on_depend, false},
    {"priority", on_priority, true},
    {"urgency", on_urgency, true},
    {"flux-restart", on_flux_restart, false},
    {"annotations", on_annotations, true},
    {"memo", on_memo, true},
    {"jobspec-update", on_jobspec_update, true},
    {"resource-update", on_resource_update, true},
    {"alloc", on_alloc, true},
    {"exception", on_exception, true},
    {"finish", on_finish, true},
    {"clean", on_clean, false},
};

static int dispatch(struct step *step)
{
    _cleanup_(fr_cleanup_json) json_t *context = NULL;

    for (size_t i = 0; i < FR_ARRAY_SIZE(handlers); i++) {
        if (strcmp(handlers[i].name, step->event->name) != 0)
            continue;
        if (handlers[i].wants_context && step->event->context)
            context = json_loads(step->event->context, 0, NULL);
        step->context = context;
        return handlers[i].on(step);
    }
    return 0;
}

int fr_job_apply(struct fr_job *job, const struct fr_event *event,
                 const struct fr_jobspec *jobspec, const struct fr_rset *R,
                 struct fr_error *err)
{
    struct step step = {.job = job, .event = event, .jobspec = jobspec, .R = R, .err = err};

    if (event->index >= 0) {
        if (event->index < job->nevents)
            return -EALREADY;
        job->nevents = (int32_t)event->index + 1;
    }
    return dispatch(&step);
}
