// SPDX-License-Identifier: LGPL-3.0-only
/*
 * POST /v1/jobs/cancel: jobs by filter or ids.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/body.h"
#include "api/filter.h"
#include "api/handlers.h"
#include "api/held.h"
#include "api/jobs.h"
#include "api/problem.h"
#include "base/util.h"
#include "model/fluid.h"

/* Cancels that the engine has not answered. */
#define WINDOW 256
/* Refusals that are listed; the others are only counted. */
#define REFUSED_MAX 1000

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

struct cancels;

struct one {
    struct cancels *all;
    uint64_t id; /* 0: the slot is free */
};

struct cancels {
    struct fr_held held;
    struct fr_actor actor;
    char *reason; /* owned; NULL: none */
    uint64_t *ids;
    size_t count, at, in_flight;
    size_t cancelled, refused;
    struct fr_buf list; /* of refusals */
    struct one slots[WINDOW];
};

static void free_cancels(struct cancels *all)
{
    fr_buf_done(&all->list);
    free(all->reason);
    free(all->ids);
    free(all);
}

static void reply(struct cancels *all)
{
    struct fr_req *req = fr_held_take(&all->held);
    struct fr_buf body = FR_BUF_INIT(FR_REPLY_MAX);

    if (req) {
        fr_buf_printf(&body,
                      "{\"Message\":\"Jobs that are requested to cancel: %zu.\","
                      "\"cancelled\":%zu,\"refused_count\":%zu,\"refused\":[",
                      all->cancelled, all->cancelled, all->refused);
        fr_buf_put(&body, all->list.data, all->list.len);
        fr_buf_puts(&body, "]}\n");
        if (fr_buf_status(&all->list) < 0)
            body.failed = fr_buf_status(&all->list);
        fr_reply_json(req, 200, &body);
    }
    free_cancels(all);
}

static void note_refused(struct cancels *all, uint64_t id, const struct fr_error *err)
{
    char f58[FR_FLUID_TEXT];

    if (all->refused++ >= REFUSED_MAX)
        return;
    fr_buf_printf(&all->list, "%s{\"id\":%llu,\"jobid\":\"%s\",\"code\":\"%s\",\"detail\":",
                  all->refused > 1 ? "," : "", (unsigned long long)id, fr_fluid_f58(id, f58),
                  fr_code_word(err->code));
    fr_buf_put_json_string(&all->list, err->text);
    fr_buf_putc(&all->list, '}');
}

static void go_on(struct cancels *all);

static void on_cancelled(void *arg, const struct fr_error *err)
{
    struct one *one = arg;
    struct cancels *all = one->all;

    if (err)
        note_refused(all, one->id, err);
    else
        all->cancelled++;
    fr_audit_put(all->held.api->audit, &all->actor,
                 &(struct fr_act){.what = "cancelJobs",
                                  .id = &one->id,
                                  .code = err ? fr_code_word(err->code) : NULL});
    one->all = NULL;
    all->in_flight--;
    go_on(all);
}

/* Keeps the window full. What was asked for is done also when the client has left. */
static void go_on(struct cancels *all)
{
    struct fr_engine *engine = fr_service_engine(all->held.api->service);

    for (size_t i = 0; i < WINDOW && all->at < all->count && engine; i++) {
        struct one *one = &all->slots[i];
        if (one->all)
            continue;
        *one = (struct one){.all = all, .id = all->ids[all->at++]};
        all->in_flight++;
        engine->ops->cancel(engine, one->id, all->reason, on_cancelled, one);
    }
    if (all->in_flight == 0)
        reply(all);
}

/* --- the request --- */

static const char *const names[] = {"state", "result", "name",  "user", "ids",
                                    "queue", "since",  "until", "q"};
enum { NAMES = FR_ARRAY_SIZE(names), IDS = 4 };

/* What the request has under each name, as texts. */
struct texts {
    const json_t *values[NAMES];
    struct fr_buf made[NAMES];
};

static void put_scalar(const json_t *value, struct fr_buf *out)
{
    if (json_is_string(value))
        fr_buf_puts(out, json_string_value(value));
    else if (json_is_integer(value))
        fr_buf_put_i64(out, json_integer_value(value));
    else if (json_is_real(value))
        fr_buf_put_double(out, json_real_value(value));
    else
        fr_buf_puts(out, "?"); /* which is refused in words by whoever reads it */
}

static void make_texts(struct texts *texts)
{
    const json_t *entry;
    size_t k;

    for (size_t i = 0; i < NAMES; i++) {
        fr_buf_init(&texts->made[i], 1 << 20);
        if (!texts->values[i])
            continue;
        if (i != IDS || !json_is_array(texts->values[i])) {
            put_scalar(texts->values[i], &texts->made[i]);
            continue;
        }
        fr_buf_puts(&texts->made[i], "");
        json_array_foreach (texts->values[i], k, entry) {
            if (k > 0)
                fr_buf_putc(&texts->made[i], ',');
            put_scalar(entry, &texts->made[i]);
        }
    }
}

static const char *get(void *arg, const char *name)
{
    const struct texts *texts = arg;

    for (size_t i = 0; i < NAMES; i++)
        if (strcmp(names[i], name) == 0)
            return texts->values[i] ? texts->made[i].data : NULL;
    return NULL;
}

/* The ids of the jobs that are meant: those named, or the active ones that pass. */
static int choose(const struct fr_table *table, struct fr_filter *filter, uint64_t **ret_ids,
                  size_t *ret_count)
{
    struct fr_table_walk walk = fr_table_walk(table, filter->states & FR_STATES_ACTIVE);
    const struct fr_job *job;

    *ret_count = filter->nids;
    *ret_ids = fr_take(filter->ids);
    if (*ret_ids)
        return 0;
    uint64_t *ids = malloc((fr_table_count(table) + 1) * sizeof *ids);
    if (!ids)
        return -ENOMEM;
    while ((job = fr_table_next(&walk)))
        if (fr_filter_passes(filter, job))
            ids[(*ret_count)++] = job->id;
    *ret_ids = ids;
    return 0;
}

static void begin(struct fr_req *req, struct fr_filter *filter, const char *reason)
{
    const struct fr_table *table = fr_service_table(fr_api_call(req)->api->service);
    struct cancels *all = calloc(1, sizeof *all);

    if (all)
        all->reason = reason ? strdup(reason) : NULL;
    if (!all || (reason && !all->reason) || choose(table, filter, &all->ids, &all->count) < 0) {
        if (all)
            free_cancels(all);
        fr_reply_no_memory(req);
        return;
    }
    fr_buf_init(&all->list, FR_REPLY_MAX);
    fr_api_get_actor(req, &all->actor);
    fr_held_init(&all->held, req, FR_CODE_OUTCOME_UNKNOWN, NULL);
    go_on(all);
}

/* A text that was cut would mean other jobs than were named. */
static void check_texts(const struct texts *texts, struct fr_problems *problems)
{
    bool any = false;

    for (size_t i = 0; i < NAMES; i++) {
        any |= texts->values[i] != NULL;
        if (fr_buf_status(&texts->made[i]) < 0)
            fr_problems_add(problems, FR_CODE_TOO_LARGE, "", "%s is too long", names[i]);
    }
    if (any)
        return;
    fr_problems_add(problems, FR_CODE_INVALID, "",
                    "say which jobs: by ids, or by state, result, name, user, queue, since, "
                    "until or q; state=active means all that have not ended");
}

/* What the query does not have came in the body. */
static void point_into_body(const struct fr_req *req, struct fr_problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        char *pointer = problems->items[i].pointer;
        if (pointer && pointer[0] == '?' && !fr_req_query(req, pointer + 1))
            pointer[0] = '/';
    }
}

void fr_handle_cancel_many(struct fr_req *req)
{
    _cleanup_(fr_cleanup_json) json_t *fields = NULL;
    const char *reason = NULL;
    struct fr_member members[NAMES + 1];
    struct fr_problems problems;
    struct fr_filter filter;
    struct texts texts = {0};

    for (size_t i = 0; i < NAMES; i++)
        members[i] = (struct fr_member){names[i], FR_MEMBER_JSON, &texts.values[i]};
    members[NAMES] = (struct fr_member){"reason", FR_MEMBER_TEXT, &reason};
    if (!fr_jobs_readable(req) || !fr_body_read(req, members, NAMES + 1, &fields))
        return;
    fr_problems_init(&problems);
    make_texts(&texts);
    check_texts(&texts, &problems);
    int rc = fr_filter_read(get, &texts, &filter, &problems);
    point_into_body(req, &problems);
    if (rc < 0)
        fr_reply_no_memory(req);
    else if (problems.count || problems.left_out)
        fr_reply_problems(req, 0, NULL, &problems);
    else
        begin(req, &filter, reason);
    fr_filter_done(&filter);
    for (size_t i = 0; i < NAMES; i++)
        fr_buf_done(&texts.made[i]);
    fr_problems_done(&problems);
}
