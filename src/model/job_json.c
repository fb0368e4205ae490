// SPDX-License-Identifier: LGPL-3.0-only
#include "model/job_json.h"

#include <inttypes.h>
#include <math.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/util.h"
#include "model/fluid.h"

#define USERS_CACHED 64
#define USER_RETRY 60.0 /* seconds until a uid without a name is asked for again */

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

/* A member's key, or any other text that never needs escaping. */
#define PUT(out, literal) fr_buf_put_short((out), "" literal, sizeof(literal) - 1)

/*
 * Names of users, asked for once: a directory service may take its time. Belongs to the
 * loop's thread like everything that writes replies.
 */
static struct user {
    int64_t uid_plus_one; /* 0: the slot is empty */
    double until;         /* when to ask again */
    char name[256];
} users[USERS_CACHED];

static const char *username(int64_t uid, double now)
{
    struct user *slot = &users[(uint64_t)uid % USERS_CACHED];
    struct passwd entry, *found = NULL;
    char space[4096];

    if (slot->uid_plus_one == uid + 1 && now < slot->until)
        return slot->name;
    if (getpwuid_r((uid_t)uid, &entry, space, sizeof(space), &found) != 0)
        found = NULL;
    slot->uid_plus_one = uid + 1;
    slot->until = found ? INFINITY : now + USER_RETRY;
    if (found)
        snprintf(slot->name, sizeof(slot->name), "%s", found->pw_name);
    else
        snprintf(slot->name, sizeof(slot->name), "%" PRId64, uid);
    return slot->name;
}

/* Writes the last n digits of value. */
static void put_digits(char *to, size_t n, uint32_t value)
{
    while (n > 0) {
        to[--n] = (char)('0' + value % 10);
        value /= 10;
    }
}

/*
 * Times near ours have doubles 2.4e-7 s apart, so that seven decimals always read back as the
 * same one. That is what Flux's times need, and it is ten times as fast as trying with printf.
 */
static void put_time(struct fr_buf *out, double value)
{
    uint64_t whole, tenth_micro, micro;
    char text[18];
    size_t len = sizeof text;

    if (!(value >= 0x1p30 && value < 0x1p32 - 1)) {
        fr_buf_put_double(out, value);
        return;
    }
    whole = (uint64_t)value;
    tenth_micro = (uint64_t)((value - (double)whole) * 1e7 + 0.5);
    micro = (tenth_micro + 5) / 10;
    if ((double)(whole * 1000000 + micro) / 1e6 == value) /* six decimals are enough */
        tenth_micro = micro * 10;
    whole += tenth_micro / 10000000;
    tenth_micro %= 10000000;
    put_digits(text + 11, 7, (uint32_t)tenth_micro);
    text[10] = '.';
    put_digits(text, 10, (uint32_t)whole); /* from 2^30 on, and below 2^32: ten digits */
    while (len > 12 && text[len - 1] == '0')
        len--;
    fr_buf_put_short(out, text, len);
}

static void put_empty(struct fr_buf *out)
{
    PUT(out, "\"\"");
}

static void put_text(struct fr_buf *out, const char *text)
{
    if (text)
        fr_buf_put_json_string(out, text);
    else
        put_empty(out);
}

/* A number, or "" where there is none. */
static void put_known(struct fr_buf *out, int64_t value, bool known)
{
    if (known)
        fr_buf_put_i64(out, value);
    else
        put_empty(out);
}

/* Members that are left out while there is nothing to tell. */
#define PUT_TEXT_MEMBER(out, key, text)                                                        \
    do {                                                                                       \
        if (text) {                                                                            \
            PUT(out, ",\"" key "\":");                                                         \
            fr_buf_put_json_string(out, text);                                                 \
        }                                                                                      \
    } while (0)

#define PUT_COUNT_MEMBER(out, key, count)                                                      \
    do {                                                                                       \
        if ((count) > 0) {                                                                     \
            PUT(out, ",\"" key "\":");                                                         \
            fr_buf_put_i64(out, count);                                                        \
        }                                                                                      \
    } while (0)

#define PUT_TIME_MEMBER(out, key, time)                                                        \
    do {                                                                                       \
        if ((time) > 0) {                                                                      \
            PUT(out, ",\"" key "\":");                                                         \
            put_time(out, time);                                                               \
        }                                                                                      \
    } while (0)

static void put_identity(const struct fr_job *job, double now, struct fr_buf *out)
{
    char jobid[FR_FLUID_TEXT];
    const char *f58 = fr_fluid_f58(job->id, jobid);

    PUT(out, "{\"id\":");
    fr_buf_put_u64(out, job->id);
    PUT(out, ",\"jobid\":\"");
    fr_buf_put(out, f58, strlen(f58));
    PUT(out, "\",\"name\":");
    put_text(out, job->name);
    if (job->userid >= 0) {
        PUT(out, ",\"userid\":");
        fr_buf_put_i64(out, job->userid);
        PUT(out, ",\"username\":");
        fr_buf_put_json_string(out, username(job->userid, now));
    }
    PUT(out, ",\"urgency\":");
    put_known(out, job->urgency, job->urgency >= 0);
    PUT(out, ",\"priority\":");
    put_known(out, job->priority, job->priority >= 0);
    PUT_TEXT_MEMBER(out, "command", job->command);
    PUT_TEXT_MEMBER(out, "cwd", job->cwd);
    PUT_TEXT_MEMBER(out, "queue", job->queue);
    PUT_TEXT_MEMBER(out, "project", job->project);
    PUT_TEXT_MEMBER(out, "bank", job->bank);
}

static void put_times(const struct fr_job *job, double now, struct fr_buf *out)
{
    PUT(out, ",\"t_submit\":");
    put_time(out, job->t_submit);
    PUT_TIME_MEMBER(out, "t_depend", job->t_depend);
    PUT_TIME_MEMBER(out, "t_priority", job->t_priority);
    PUT_TIME_MEMBER(out, "t_sched", job->t_sched);
    PUT_TIME_MEMBER(out, "t_run", job->t_run);
    PUT_TIME_MEMBER(out, "t_cleanup", job->t_cleanup);
    PUT_TIME_MEMBER(out, "t_inactive", job->t_inactive);
    PUT(out, ",\"duration\":");
    fr_buf_put_double(out, job->duration);
    PUT(out, ",\"expiration\":");
    if (job->t_run > 0)
        put_time(out, job->expiration);
    else
        put_empty(out);
    PUT(out, ",\"runtime\":");
    /* The difference of two such times tells nothing beyond the microsecond. */
    fr_buf_put_double(out, round(fr_job_runtime(job, now) * 1e6) / 1e6);
}

static void put_resources(const struct fr_job *job, struct fr_buf *out)
{
    PUT_COUNT_MEMBER(out, "ntasks", job->ntasks);
    PUT_COUNT_MEMBER(out, "ncores", job->ncores);
    PUT_COUNT_MEMBER(out, "ngpus", job->ngpus);
    PUT(out, ",\"nnodes\":");
    put_known(out, job->nnodes, job->nnodes > 0);
    PUT(out, ",\"ranks\":");
    put_text(out, job->ranks);
    PUT(out, ",\"nodelist\":");
    put_text(out, job->nodelist);
}

static void put_bool(struct fr_buf *out, bool value)
{
    if (value)
        PUT(out, "true");
    else
        PUT(out, "false");
}

/* As an object, and flat as job-list has it, which tells only once the job has ended. */
static void put_exception(const struct fr_job *job, struct fr_buf *out)
{
    bool occurred = job->exception_severity >= 0;

    PUT(out, ",\"exception\":{\"occurred\":");
    put_bool(out, occurred);
    PUT(out, ",\"severity\":");
    put_known(out, job->exception_severity, occurred);
    PUT(out, ",\"type\":");
    put_text(out, job->exception_type);
    PUT(out, ",\"note\":");
    put_text(out, job->exception_note);
    PUT(out, "}");
    if (job->state != FR_STATE_INACTIVE)
        return;
    PUT(out, ",\"exception_occurred\":");
    put_bool(out, occurred);
    if (!occurred)
        return;
    PUT(out, ",\"exception_severity\":");
    fr_buf_put_i64(out, job->exception_severity);
    PUT_TEXT_MEMBER(out, "exception_type", job->exception_type);
    PUT_TEXT_MEMBER(out, "exception_note", job->exception_note);
}

static void put_outcome(const struct fr_job *job, struct fr_buf *out)
{
    int code = fr_job_returncode(job);

    PUT(out, ",\"state\":\"");
    fr_buf_puts(out, fr_state_word((enum fr_state)job->state));
    PUT(out, "\",\"result\":\"");
    fr_buf_puts(out, fr_result_word((enum fr_result)job->result));
    PUT(out, "\",\"returncode\":");
    put_known(out, code, code != FR_JOB_NO_RETURNCODE);
    PUT(out, ",\"waitstatus\":");
    put_known(out, job->waitstatus, job->waitstatus >= 0);
    if (job->state == FR_STATE_INACTIVE) {
        PUT(out, ",\"success\":");
        put_bool(out, job->success);
    }
    put_exception(job, out);
}

void fr_job_json(const struct fr_job *job, double now, const char *why, struct fr_buf *out)
{
    put_identity(job, now, out);
    put_outcome(job, out);
    put_times(job, now, out);
    put_resources(job, out);
    PUT(out, ",\"dependencies\":");
    fr_buf_puts(out, job->dependencies ? job->dependencies : "[]");
    PUT(out, ",\"annotations\":");
    fr_buf_puts(out, job->annotations ? job->annotations : "{}");
    PUT(out, ",\"why\":");
    if (job->state & (FR_STATE_NEW | FR_STATES_PENDING)) {
        char own[FR_JOB_WHY_MAX];
        if (!why)
            fr_job_why(job, own, sizeof(own));
        fr_buf_put_json_string(out, why ? why : own);
    } else {
        put_empty(out);
    }
    PUT(out, "}");
}

/* Appends ", expected to start at …" where the scheduler has an estimate. */
static void why_estimate(const json_t *sched, char *out, size_t size)
{
    double when = json_number_value(json_object_get(sched, "t_estimate"));
    size_t used = strlen(out);
    time_t seconds;
    struct tm tm;

    if (!(when > 0 && when < 1e11))
        return;
    seconds = (time_t)when;
    if (gmtime_r(&seconds, &tm) && size - used > 64)
        (void)strftime(out + used, size - used, "; expected to start at %Y-%m-%d %H:%M:%S UTC",
                       &tm);
}

/* What the scheduler says of a job that waits for resources. */
static void why_scheduler(const struct fr_job *job, char *out, size_t size)
{
    _cleanup_(fr_cleanup_json) json_t *all =
        job->annotations ? json_loads(job->annotations, 0, NULL) : NULL;
    const json_t *sched = json_object_get(all, "sched");
    const char *reason = json_string_value(json_object_get(sched, "reason_pending"));
    json_int_t ahead = json_integer_value(json_object_get(sched, "jobs_ahead"));

    if (!reason)
        reason = "waiting for resources";
    if (ahead > 0)
        snprintf(out, size, "%s; jobs ahead: %" JSON_INTEGER_FORMAT, reason, ahead);
    else
        snprintf(out, size, "%s", reason);
    why_estimate(sched, out, size);
}

static void why_dependencies(const struct fr_job *job, char *out, size_t size)
{
    _cleanup_(fr_cleanup_json) json_t *list =
        job->dependencies ? json_loads(job->dependencies, 0, NULL) : NULL;
    const json_t *entry;
    size_t i;
    size_t used;

    snprintf(out, size, "waiting for its dependencies");
    json_array_foreach (list, i, entry) { /* where it is cut it is still true */
        used = strlen(out);
        snprintf(out + used, size - used, "%s%s", i > 0 ? ", " : ": ",
                 json_string_value(entry));
    }
}

void fr_job_why(const struct fr_job *job, char *out, size_t size)
{
    if (job->state == FR_STATE_NEW)
        snprintf(out, size, "waiting to be validated");
    else if (job->state == FR_STATE_DEPEND)
        why_dependencies(job, out, size);
    else if (!(job->state & FR_STATES_PENDING))
        snprintf(out, size, "%s", "");
    else if (job->urgency == 0)
        snprintf(out, size, "held: its urgency is 0");
    else if (job->state == FR_STATE_PRIORITY)
        snprintf(out, size, "waiting for a priority");
    else if (job->priority == 0)
        snprintf(out, size, "held: its priority is 0");
    else
        why_scheduler(job, out, size);
}
