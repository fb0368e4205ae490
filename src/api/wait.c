// SPDX-License-Identifier: LGPL-3.0-only
#include "api/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/params.h"
#include "api/problem.h"
#include "base/loop.h"
#include "model/fluid.h"
#include "model/jobspec.h"

#define TIMEOUT_DEFAULT 30.0
#define TIMEOUT_MAX 3600.0
#define LOOK_MS 1000

struct waiting {
    struct fr_held held;
    struct fr_wait_params params;
    uint64_t *ids; /* rising */
    size_t count;
    struct fr_subscription *subscription;
    struct fr_timer *timer;
    uint64_t deadline;    /* uv_now() */
    uint64_t changed_seq; /* FR_WAIT_CHANGE on one job: of its last event when we began */
    fr_wait_f answer;
    void *arg;
    void (*free_arg)(void *arg);
};

static const struct {
    const char *word;
    enum fr_wait_for what;
} words[] = {{"run", FR_WAIT_RUN}, {"inactive", FR_WAIT_INACTIVE}, {"change", FR_WAIT_CHANGE}};

static enum fr_wait_for read_word(const char *value)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(value, words[i].word) == 0)
            return words[i].what;
    return FR_WAIT_NONE;
}

/* Seconds; negative if it is none. */
static double read_timeout(const char *value)
{
    double seconds;

    return fr_fsd_parse(value, &seconds) == 0 && seconds <= TIMEOUT_MAX &&
                   strcasecmp(value, "infinity") != 0
               ? seconds
               : -1;
}

void fr_wait_check(const char *name, const char *value, struct fr_problems *problems)
{
    if (read_word(value) == FR_WAIT_NONE)
        fr_problems_add(problems, FR_CODE_INVALID, "?wait",
                        "%s must be run, inactive or change, not \"%.64s\"", name, value);
}

void fr_wait_check_timeout(const char *name, const char *value, struct fr_problems *problems)
{
    char pointer[80];

    snprintf(pointer, sizeof pointer, "?%.64s", name);
    if (read_timeout(value) < 0)
        fr_problems_add(problems, FR_CODE_INVALID, pointer,
                        "%s must be seconds or a text such as 90s or 5m, at most %.0f s, not "
                        "\"%.64s\"",
                        name, TIMEOUT_MAX, value);
}

void fr_wait_read(struct fr_req *req, struct fr_wait_params *ret)
{
    const char *wait = fr_req_query(req, "wait"), *timeout = fr_req_query(req, "timeout");
    double seconds = timeout ? read_timeout(timeout) : TIMEOUT_DEFAULT;

    ret->what = wait ? read_word(wait) : FR_WAIT_NONE;
    ret->all = fr_param_bool(req, "all", false);
    ret->timeout_ms = (uint64_t)(seconds * 1000);
}

static void free_waiting(struct waiting *waiting)
{
    fr_hub_unsubscribe(waiting->subscription);
    fr_timer_free(waiting->timer);
    if (waiting->free_arg)
        waiting->free_arg(waiting->arg);
    free(waiting->ids);
    free(waiting);
}

static void answer(struct waiting *waiting, bool reached)
{
    struct fr_req *req = fr_held_take(&waiting->held);

    waiting->answer(req, waiting->arg, reached);
    free_waiting(waiting);
}

static bool is_there(const struct waiting *waiting, uint64_t id)
{
    const struct fr_table *table = fr_service_table(waiting->held.api->service);
    const struct fr_job *job = fr_table_find(table, id);

    if (!job)
        return true;
    if (waiting->params.what == FR_WAIT_RUN)
        return job->state & (FR_STATES_RUNNING | FR_STATE_INACTIVE);
    return waiting->params.what == FR_WAIT_INACTIVE && job->state == FR_STATE_INACTIVE;
}

static bool is_reached(const struct waiting *waiting)
{
    size_t there = 0;

    for (size_t i = 0; i < waiting->count; i++)
        there += is_there(waiting, waiting->ids[i]);
    return waiting->params.all ? there == waiting->count : there > 0;
}

static int compare_ids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void on_news(void *arg, const struct fr_news *news)
{
    struct waiting *waiting = arg;

    if (news->kind != FR_NEWS_EVENT && news->kind != FR_NEWS_PURGED)
        return;
    if (!bsearch(&news->id, waiting->ids, waiting->count, sizeof news->id, compare_ids))
        return;
    if (waiting->params.what == FR_WAIT_CHANGE || is_reached(waiting))
        answer(waiting, true);
}

/* Whether anything is new of the one job that is waited for. */
static bool is_changed(const struct waiting *waiting)
{
    const struct fr_table *table = fr_service_table(waiting->held.api->service);
    const struct fr_job *job = fr_table_find(table, waiting->ids[0]);

    return waiting->count == 1 && (!job || job->changed_seq != waiting->changed_seq);
}

/*
 * Not all comes as an event that can be found in the table at once: jobs are purged, and after
 * the engine was lost the table is replaced as a whole. So it is looked at now and then too.
 */
static void on_time(void *arg)
{
    struct waiting *waiting = arg;
    bool reached =
        waiting->params.what == FR_WAIT_CHANGE ? is_changed(waiting) : is_reached(waiting);

    if (reached || uv_now(waiting->held.api->loop) >= waiting->deadline)
        answer(waiting, reached);
}

static void on_dropped(struct fr_held *held)
{
    free_waiting((struct waiting *)held);
}

/* The service ends: the client learns what is known now. */
static void on_expired(struct fr_held *held)
{
    answer((struct waiting *)held, false);
}

/* The hub tells whoever waits for one job of that job alone. */
static uint64_t id_of(const struct waiting *waiting)
{
    return waiting->count == 1 ? waiting->ids[0] : FR_FLUID_ANY;
}

static bool begin(struct waiting *waiting, struct fr_req *req)
{
    struct fr_api *api = fr_api_call(req)->api;

    waiting->subscription =
        fr_hub_subscribe(fr_service_hub(api->service), id_of(waiting), on_news, waiting);
    if (!waiting->subscription ||
        fr_timer_create(api->loop, on_time, waiting, &waiting->timer) < 0)
        return false;
    uint64_t timeout = waiting->params.timeout_ms;
    const struct fr_job *job = fr_table_find(fr_service_table(api->service), waiting->ids[0]);
    waiting->deadline = uv_now(api->loop) + timeout;
    waiting->changed_seq = job ? job->changed_seq : 0;
    fr_timer_start(waiting->timer, timeout < LOOK_MS ? timeout : LOOK_MS, LOOK_MS);
    fr_held_init(&waiting->held, req, FR_CODE_UNAVAILABLE, on_dropped);
    fr_held_set_expired(&waiting->held, on_expired);
    if (waiting->params.what != FR_WAIT_CHANGE && is_reached(waiting))
        answer(waiting, true);
    return true;
}

void fr_wait_begin(struct fr_req *req, const struct fr_wait_params *params, uint64_t *ids,
                   size_t count, fr_wait_f answer_f, void *arg, void (*free_arg)(void *arg))
{
    struct waiting *waiting = calloc(1, sizeof *waiting);

    if (!waiting) {
        free(ids);
        if (free_arg)
            free_arg(arg);
        fr_reply_no_memory(req);
        return;
    }
    *waiting = (struct waiting){.params = *params,
                                .ids = ids,
                                .count = count,
                                .answer = answer_f,
                                .arg = arg,
                                .free_arg = free_arg};
    if (!begin(waiting, req)) {
        free_waiting(waiting);
        fr_reply_no_memory(req);
    }
}
