// SPDX-License-Identifier: LGPL-3.0-only
#include "engine/local/depend.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/util.h"
#include "engine/local/local.h"

#define TEXT_MAX 2048
/* The wall clock can jump, and a sleeping machine's timers stand still: look again then. */
#define LOOK_SECONDS 60.0

FR_DEFINE_CLEANUP(struct fr_unit *, unit, fr_unit_free);

enum verdict { NOT_YET, SATISFIED, NEVER };

struct fr_depend_kind {
    const char *scheme;
    const char *word; /* in the log */
    const char *why;  /* "waits for job ƒ… " and this; NULL: it is a time */
    /* What the target's outcome must have, and must not. */
    unsigned int with, without;
    bool at_start; /* satisfied already when it starts */
};

static const struct fr_depend_kind kinds[] = {
    {"after", "after-start", "to start", FR_OUTCOME_START, 0, true},
    {"afterstart", "after-start", "to start", FR_OUTCOME_START, 0, true},
    {"afterany", "after-finish", "to end", 0, 0, false},
    {"afterok", "after-success", "to end well", FR_OUTCOME_ALLOC | FR_OUTCOME_ZERO,
     FR_OUTCOME_EXCEPTION, false},
    {"afternotok", "after-failure", "to fail", FR_OUTCOME_ALLOC, 0, false},
    {"afterexcept", "after-except", "to be ended by an exception",
     FR_OUTCOME_ALLOC | FR_OUTCOME_EXCEPTION, 0, false},
    {"begin-time", "begin-time", NULL, 0, 0, false},
};

static bool is_begin_time(const struct fr_depend *depend)
{
    return !depend->kind->why;
}

static bool ended_well(unsigned int outcome)
{
    return (outcome & FR_OUTCOME_ZERO) && !(outcome & FR_OUTCOME_EXCEPTION);
}

static enum verdict judge_ended(const struct fr_depend *depend, unsigned int outcome)
{
    const struct fr_depend_kind *kind = depend->kind;
    bool good = (outcome & kind->with) == kind->with && !(outcome & kind->without);

    if (strcmp(kind->scheme, "afternotok") == 0)
        good = good && !ended_well(outcome);
    return good ? SATISFIED : NEVER;
}

/* ret_outcome: of a target that has ended, or 0. */
static enum verdict judge(const struct fr_depend *depend, unsigned int *ret_outcome)
{
    const struct fr_jobs *jobs = &depend->job->engine->jobs;
    struct fr_local_job *target = NULL;

    *ret_outcome = 0;
    if (is_begin_time(depend))
        return fr_time_now() >= depend->begin ? SATISFIED : NOT_YET;
    if (!fr_jobs_find(jobs, depend->target, &target))
        return NEVER;
    if (target)
        return depend->kind->at_start && (target->outcome & FR_OUTCOME_START) ? SATISFIED
                                                                              : NOT_YET;
    *ret_outcome = fr_jobs_outcome(jobs, depend->target);
    return judge_ended(depend, *ret_outcome);
}

/* --- reading --- */

/* In Flux's words. */
static int reject(const struct fr_depend *depend, const char *value, struct fr_error *err)
{
    const char *scheme = depend->kind->scheme;
    struct fr_local_job *target = NULL;
    unsigned int outcome;

    if (!fr_jobs_find(&depend->job->engine->jobs, depend->target, &target))
        return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                            "dependency: %s: id %.100s: job not found", scheme, value);
    outcome = fr_jobs_outcome(&depend->job->engine->jobs, depend->target);
    if (!(outcome & FR_OUTCOME_ALLOC) || depend->kind->at_start)
        return fr_error_set(err, EINVAL, FR_CODE_UNSATISFIABLE,
                            "dependency: %s: %.100s never started", scheme, value);
    return fr_error_set(err, EINVAL, FR_CODE_UNSATISFIABLE, "dependency: %s: job %.100s %s",
                        scheme, value,
                        strcmp(scheme, "afterok") == 0      ? "failed or was canceled"
                        : strcmp(scheme, "afternotok") == 0 ? "succeeded"
                                                            : "had no exception");
}

static const struct fr_depend_kind *kind_find(const char *scheme)
{
    for (size_t i = 0; i < FR_ARRAY_SIZE(kinds); i++) {
        if (strcmp(kinds[i].scheme, scheme) == 0)
            return &kinds[i];
    }
    return NULL;
}

static int value_read(struct fr_depend *depend, const char *value, struct fr_error *err)
{
    char *end;
    int n;

    if (is_begin_time(depend)) {
        depend->begin = strtod(value, &end);
        if (end == value || *end || !isfinite(depend->begin) || depend->begin < 0)
            return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                                "dependency: begin-time: \"%.100s\" is no time: give it in "
                                "seconds since 1970.",
                                value);
        n = asprintf(&depend->text, "begin-time=%.3f", depend->begin);
    } else {
        if (strlen(value) > TEXT_MAX / 2 || fr_fluid_parse(value, &depend->target) < 0)
            return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                                "dependency: %s: \"%.100s\" is not a valid jobid",
                                depend->kind->scheme, value);
        n = asprintf(&depend->text, "%s=%s", depend->kind->word, value);
    }
    return n < 0 ? -ENOMEM : 0;
}

static bool is_repeated(const struct fr_local_job *job, const struct fr_depend *depend)
{
    for (size_t i = 0; i < job->ndepends; i++) {
        if (strcmp(job->depends[i].text, depend->text) == 0)
            return true;
    }
    return false;
}

/* Reads one into the place behind the last. */
static int depend_read(struct fr_local_job *job, const json_t *entry, bool check,
                       struct fr_error *err)
{
    const char *scheme = json_string_value(json_object_get(entry, "scheme"));
    const char *value = json_string_value(json_object_get(entry, "value"));
    struct fr_depend depend = {.job = job, .open = true};
    unsigned int outcome;
    int rc;

    depend.kind = scheme ? kind_find(scheme) : NULL;
    if (!depend.kind || !value)
        return fr_error_set(err, EINVAL, FR_CODE_UNSUPPORTED,
                            "dependency scheme \"%.100s\" not supported: use afterok, "
                            "afternotok, afterany, afterstart, afterexcept or begin-time.",
                            scheme ? scheme : "");
    rc = value_read(&depend, value, err);
    if (rc == 0 && check && judge(&depend, &outcome) == NEVER)
        rc = reject(&depend, value, err);
    if (rc < 0 || is_repeated(job, &depend)) {
        free(depend.text);
        return rc;
    }
    job->depends[job->ndepends++] = depend;
    return 0;
}

int fr_depend_read(struct fr_local_job *job, const struct fr_jobspec *spec, bool check,
                   struct fr_error *err)
{
    const json_t *system = json_object_get(json_object_get(spec->json, "attributes"), "system");
    const json_t *list = json_object_get(system, "dependencies");
    size_t count = json_array_size(list);
    const json_t *entry;
    size_t i;
    int rc = 0;

    if (list && !json_is_null(list) && !json_is_array(list))
        return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                            "dependencies must be a list of objects with scheme and value.");
    if (count > FR_DEPENDS_MAX)
        return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                            "dependencies has %zu entries, at most %d are taken.", count,
                            FR_DEPENDS_MAX);
    if (count == 0)
        return 0;
    job->depends = calloc(count, sizeof(*job->depends));
    if (!job->depends)
        return -ENOMEM;
    json_array_foreach (list, i, entry) {
        if (rc == 0)
            rc = depend_read(job, entry, check, err);
    }
    return rc;
}

static void unlist(struct fr_depend *depend)
{
    if (depend->listed)
        LIST_REMOVE(depend, waiter);
    depend->listed = false;
}

void fr_depend_done(struct fr_local_job *job)
{
    for (size_t i = 0; i < job->ndepends; i++) {
        unlist(&job->depends[i]);
        free(job->depends[i].text);
    }
    free(job->depends);
    job->depends = NULL;
    job->ndepends = 0;
}

size_t fr_depend_open(const struct fr_local_job *job)
{
    size_t open = 0;

    for (size_t i = 0; i < job->ndepends; i++)
        open += job->depends[i].open;
    return open;
}

/* --- events --- */

static char *context_of(const struct fr_depend *depend)
{
    struct fr_buf buf = FR_BUF_INIT(8 * TEXT_MAX);
    char *text = NULL;
    size_t len;

    fr_buf_puts(&buf, "{\"description\":");
    fr_buf_put_json_string(&buf, depend->text);
    fr_buf_putc(&buf, '}');
    return fr_buf_take(&buf, &text, &len) == 0 ? text : NULL;
}

static int event_put(const struct fr_depend *depend, struct fr_unit *unit, const char *name,
                     double now)
{
    char *context = context_of(depend);

    if (!context)
        return -ENOMEM;
    fr_run_event(depend->job, unit, name, now, context);
    return 0;
}

int fr_depend_put(struct fr_local_job *job, struct fr_unit *unit, double now)
{
    unsigned int outcome;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < job->ndepends; i++) {
        struct fr_depend *depend = &job->depends[i];

        rc = event_put(depend, unit, "dependency-add", now);
        if (rc == 0 && judge(depend, &outcome) == SATISFIED) {
            rc = event_put(depend, unit, "dependency-remove", now);
            depend->open = false;
        }
    }
    return rc;
}

void fr_depend_close(struct fr_local_job *job, const char *context)
{
    json_t *json = context ? json_loads(context, 0, NULL) : NULL;
    const char *text = json_string_value(json_object_get(json, "description"));

    for (size_t i = 0; text && i < job->ndepends; i++) {
        if (strcmp(job->depends[i].text, text) == 0)
            job->depends[i].open = false;
    }
    json_decref(json);
}

/* --- waiting --- */

static void timer_set(struct fr_local_job *job)
{
    double next = LOOK_SECONDS;
    bool any = false;

    for (size_t i = 0; i < job->ndepends; i++) {
        const struct fr_depend *depend = &job->depends[i];

        if (!depend->open || !is_begin_time(depend))
            continue;
        any = true;
        next = fmin(next, fmax(depend->begin - fr_time_now(), 0));
    }
    if (any)
        fr_timer_start(job->timer, (uint64_t)(next * 1000) + 1, 0);
}

void fr_depend_watch(struct fr_local_job *job)
{
    for (size_t i = 0; i < job->ndepends; i++) {
        struct fr_depend *depend = &job->depends[i];
        struct fr_local_job *target = NULL;

        if (!depend->open || is_begin_time(depend) || depend->listed)
            continue;
        (void)fr_jobs_find(&job->engine->jobs, depend->target, &target);
        if (!target)
            continue;
        LIST_INSERT_HEAD(depend->kind->at_start ? &target->to_start : &target->to_end, depend,
                         waiter);
        depend->listed = true;
    }
    fr_depend_look(job); /* what it waits for may have come about meanwhile */
}

static bool on_satisfied(void *arg, const struct fr_unit *unit, int result,
                         const struct fr_error *err)
{
    struct fr_local_job *job = arg;

    if (result < 0)
        return true;
    fr_run_publish(job->engine, unit, NULL);
    if (job->phase == FR_PHASE_DEPEND && fr_depend_open(job) == 0) {
        job->phase = FR_PHASE_WAITING;
        fr_run_enqueue(job);
        fr_run_schedule(job->engine);
    }
    return false;
}

/* Tells of those that are satisfied; after the last the job goes on. 0 or -ENOMEM. */
static int satisfy(struct fr_local_job *job, const bool *satisfied, size_t count)
{
    _cleanup_(fr_cleanup_unit) struct fr_unit *unit =
        fr_unit_create(job->id, on_satisfied, job);
    bool last = count == fr_depend_open(job);
    int64_t nevents = job->nevents;
    double now = fr_time_now();
    int rc = unit ? fr_unit_reserve(unit, count + 2) : -ENOMEM;

    for (size_t i = 0; rc == 0 && i < job->ndepends; i++) {
        if (satisfied[i])
            rc = event_put(&job->depends[i], unit, "dependency-remove", now);
    }
    if (rc == 0 && last) {
        fr_run_event(job, unit, "depend", now, NULL);
        rc = fr_run_priority(job, unit, now);
    }
    if (rc < 0) {
        job->nevents = nevents;
        return rc;
    }
    for (size_t i = 0; i < job->ndepends; i++) {
        if (satisfied[i]) {
            job->depends[i].open = false;
            unlist(&job->depends[i]);
        }
    }
    fr_store_put(job->engine->store, fr_take(unit));
    return 0;
}

static int end_unsatisfied(struct fr_local_job *job, const struct fr_depend *depend,
                           unsigned int outcome)
{
    char note[TEXT_MAX];

    (void)snprintf(note, sizeof(note), "dependency %.1500s %s", depend->text,
                   outcome & FR_OUTCOME_ALLOC ? "can never be satisfied" : "job never started");
    return fr_end_waiting(job, "dependency", note, true, NULL, NULL);
}

void fr_depend_look(struct fr_local_job *job)
{
    bool satisfied[FR_DEPENDS_MAX] = {false};
    size_t count = 0;
    int rc = 0;

    if (job->phase != FR_PHASE_DEPEND || job->engine->closing)
        return;
    for (size_t i = 0; i < job->ndepends; i++) {
        unsigned int outcome;
        enum verdict verdict =
            job->depends[i].open ? judge(&job->depends[i], &outcome) : NOT_YET;

        if (verdict == NEVER) {
            if (end_unsatisfied(job, &job->depends[i], outcome) < 0)
                fr_local_tick_soon(job->engine); /* looks again */
            return;
        }
        satisfied[i] = verdict == SATISFIED;
        count += verdict == SATISFIED;
    }
    if (count > 0)
        rc = satisfy(job, satisfied, count);
    if (rc < 0)
        fr_local_tick_soon(job->engine);
    timer_set(job);
}

void fr_depend_wake(struct fr_waiters *waiters)
{
    struct fr_depend *depend;

    while ((depend = LIST_FIRST(waiters))) {
        unlist(depend);
        fr_depend_look(depend->job);
    }
}

/* --- why --- */

void fr_depend_why(const struct fr_local_job *job, char *buf, size_t size)
{
    const struct fr_depend *first = NULL;
    size_t open = fr_depend_open(job);
    char text[FR_FLUID_TEXT];
    struct tm tm;
    size_t used;
    time_t at;

    for (size_t i = 0; i < job->ndepends && !first; i++) {
        if (job->depends[i].open)
            first = &job->depends[i];
    }
    if (!first) {
        (void)snprintf(buf, size, "waits for the disk");
        return;
    }
    at = (time_t)first->begin;
    if (!is_begin_time(first))
        used = (size_t)snprintf(buf, size, "waits for job %s %s",
                                fr_fluid_f58(first->target, text), first->kind->why);
    else if (gmtime_r(&at, &tm))
        used = strftime(buf, size, "waits until %Y-%m-%dT%H:%M:%SZ", &tm);
    else
        used = (size_t)snprintf(buf, size, "waits until %.0f seconds since 1970", first->begin);
    if (open > 1 && used < size)
        (void)snprintf(buf + used, size - used, ", and for %zu more", open - 1);
}
