// SPDX-License-Identifier: LGPL-3.0-only
/* flux-rest wait: until jobs have ended. Lists them, then follows from the list's cursor. */
#include "cli/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "cli/ask.h"
#include "cli/filter.h"
#include "cli/follow.h"
#include "cli/stream.h"

#define LIST_JOBS 100 /* asked for at once: their ids are in the address */
#define GATHER_SECONDS 0.1
#define IDS_MAX_BYTES (64U << 10)

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

enum state {
    AWAITED,
    ENDED, /* by its event: how, is to be asked */
    TOLD
};

struct awaited {
    json_int_t id;
    enum state state;
    unsigned int seen; /* the list that had it last */
};

struct wait {
    struct fr_cli *cli;
    bool quiet;
    struct awaited *jobs; /* by id, each once, when all are known */
    size_t count, told, bad;
    size_t total; /* as far as it is known: of words, then count */
    size_t ended; /* not asked for yet */
    double due;   /* fr_ask_now() when they are; 0: there are none */
    unsigned int list;
    char cursor[FR_SSE_PLACE]; /* of the first list, or "" */
    int code;                  /* of what ended the stream */
};

static int compare(const void *a, const void *b)
{
    json_int_t left = ((const struct awaited *)a)->id, right = ((const struct awaited *)b)->id;

    return left < right ? -1 : left > right;
}

static struct awaited *find(const struct wait *wait, const json_t *row)
{
    const struct awaited key = {.id = json_integer_value(json_object_get(row, "id"))};

    return bsearch(&key, wait->jobs, wait->count, sizeof key, compare);
}

/* --- telling --- */

static int print_job(const json_t *job)
{
    _cleanup_(fr_cleanup_str) char *text = json_dumps(job, JSON_COMPACT);
    struct fr_buf line = FR_BUF_INIT(16U << 20);

    fr_buf_printf(&line, "%s\n", text ? text : "");
    int r = fr_out_flush(&line);
    fr_buf_done(&line);
    return r < 0 ? FR_EXIT_FAILED : FR_EXIT_OK;
}

static void count_told(struct wait *wait, struct awaited *awaited, bool is_bad)
{
    char note[64] = "";

    awaited->state = TOLD;
    wait->told++;
    wait->bad += is_bad;
    if (wait->bad > 0)
        snprintf(note, sizeof note, "%zu did not do well", wait->bad);
    fr_progress_show(wait->told, wait->total, note);
}

/* A job as a list has it: told if it has ended. */
static int take_job(struct wait *wait, struct awaited *awaited, const json_t *job)
{
    const char *state = json_string_value(json_object_get(job, "state"));
    int code = FR_EXIT_OK;

    awaited->seen = wait->list;
    if (awaited->state == TOLD || !state || strcmp(state, "INACTIVE") != 0)
        return FR_EXIT_OK;
    if (wait->cli->json)
        code = print_job(job);
    if (!fr_follow_is_good(job) && !wait->quiet)
        fr_follow_tell(job);
    count_told(wait, awaited, !fr_follow_is_good(job));
    return code;
}

/* --- asking --- */

/* Asks for these jobs, with that added to the query. */
static int ask_list(struct wait *wait, struct fr_buf *ids, const char *more, json_t **ret)
{
    struct fr_buf path = FR_BUF_INIT(4 * IDS_MAX_BYTES);

    fr_buf_printf(&path, "/v1/jobs?user=all&limit=1000%s", more);
    fr_filter_put(&path, "ids", ids->data);
    int code = fr_buf_status(&path) < 0 || fr_buf_status(ids) < 0
                   ? fr_ask_no_memory()
                   : fr_ask_json(wait->cli,
                                 &(struct fr_request){.method = "GET", .path = path.data}, ret);
    fr_buf_done(&path);
    const char *cursor = json_string_value(json_object_get(*ret, "cursor"));
    if (!*wait->cursor && cursor)
        snprintf(wait->cursor, sizeof wait->cursor, "%s", cursor);
    return code;
}

/* Asks for these jobs, which count to LIST_JOBS; those that are not there are gone. */
static int ask_for(struct wait *wait, struct awaited *const *jobs, size_t count)
{
    _cleanup_(fr_cleanup_json) json_t *reply = NULL;
    struct fr_buf ids = FR_BUF_INIT(IDS_MAX_BYTES);
    const json_t *job;
    size_t i;

    for (i = 0; i < count; i++)
        fr_buf_printf(&ids, "%s%lld", i ? "," : "", (long long)jobs[i]->id);
    wait->list++;
    int code = ask_list(wait, &ids, "", &reply);
    fr_buf_done(&ids);
    json_array_foreach (json_object_get(reply, "jobs"), i, job) {
        struct awaited *awaited = find(wait, job);
        if (code == FR_EXIT_OK && awaited)
            code = take_job(wait, awaited, job);
    }
    for (i = 0; i < count && code == FR_EXIT_OK; i++) {
        if (jobs[i]->seen == wait->list)
            continue;
        fr_say("job %lld was purged before it told how it ended", (long long)jobs[i]->id);
        count_told(wait, jobs[i], true);
    }
    return code;
}

/* Asks for all jobs that are in this state. */
static int ask_for_all(struct wait *wait, enum state state)
{
    struct awaited *some[LIST_JOBS];
    size_t count = 0;
    int code = FR_EXIT_OK;

    for (size_t i = 0; i < wait->count && code == FR_EXIT_OK; i++) {
        if (wait->jobs[i].state == state)
            some[count++] = &wait->jobs[i];
        if (count == LIST_JOBS || (count > 0 && i + 1 == wait->count)) {
            code = ask_for(wait, some, count);
            count = 0;
        }
    }
    return code;
}

/* --- the first list --- */

/* Some of these are not there, or were named twice. */
static int check_each(struct wait *wait, const char *const *ids, size_t count)
{
    int code = FR_EXIT_OK;

    for (size_t i = 0; i < count && code == FR_EXIT_OK; i++) {
        _cleanup_(fr_cleanup_str) char *path = fr_ask_path(FR_ASK_JOBS, ids[i], "");
        _cleanup_(fr_cleanup_json) json_t *job = NULL;
        if (!path)
            return FR_EXIT_USAGE;
        code =
            fr_ask_json(wait->cli, &(struct fr_request){.method = "GET", .path = path}, &job);
    }
    return code;
}

static int list_slice(struct wait *wait, const char *const *words, size_t count)
{
    _cleanup_(fr_cleanup_json) json_t *reply = NULL;
    struct fr_buf ids = FR_BUF_INIT(IDS_MAX_BYTES);
    const json_t *jobs, *job;
    size_t i;

    for (i = 0; i < count; i++)
        fr_buf_printf(&ids, "%s%s", i ? "," : "", words[i]);
    int code = ask_list(wait, &ids, "&fields=id", &reply);
    fr_buf_done(&ids);
    jobs = json_object_get(reply, "jobs");
    if (code == FR_EXIT_OK && json_array_size(jobs) < count)
        code = check_each(wait, words, count);
    json_array_foreach (jobs, i, job) {
        if (code != FR_EXIT_OK || i == count)
            break;
        wait->jobs[wait->count++] =
            (struct awaited){.id = json_integer_value(json_object_get(job, "id"))};
    }
    return code;
}

/* In the order of ids, without those that were named twice. */
static void put_in_order(struct wait *wait)
{
    size_t count = 0;

    qsort(wait->jobs, wait->count, sizeof *wait->jobs, compare);
    for (size_t i = 0; i < wait->count; i++) {
        if (count == 0 || wait->jobs[count - 1].id != wait->jobs[i].id)
            wait->jobs[count++] = wait->jobs[i];
    }
    wait->count = wait->total = count;
}

/* Which jobs there are first, however often they are named; then how they are. */
static int list_all(struct wait *wait, const char *const *ids, size_t count)
{
    int code = FR_EXIT_OK;

    for (size_t at = 0; at < count && code == FR_EXIT_OK; at += LIST_JOBS)
        code = list_slice(wait, ids + at, count - at < LIST_JOBS ? count - at : LIST_JOBS);
    put_in_order(wait);
    return code == FR_EXIT_OK ? ask_for_all(wait, AWAITED) : code;
}

/* --- following --- */

static int on_event(void *arg, const char *kind, const char *data, size_t len)
{
    struct wait *wait = arg;
    _cleanup_(fr_cleanup_json) json_t *event =
        strcmp(kind, "job") == 0 ? json_loadb(data, len, 0, NULL) : NULL;
    struct awaited *awaited = event ? find(wait, event) : NULL;

    if (awaited && awaited->state == AWAITED) {
        awaited->state = ENDED;
        wait->ended++;
        if (wait->due == 0)
            wait->due = fr_ask_now() + GATHER_SECONDS;
    }
    return 0;
}

/* What ended is asked for together, a moment after the first of them. */
static int on_turn(void *arg, double *ret_seconds)
{
    struct wait *wait = arg;
    double left = wait->due - fr_ask_now();

    if (wait->due > 0 && (left <= 0 || wait->told + wait->ended == wait->count)) {
        wait->due = 0;
        wait->ended = 0;
        wait->code = ask_for_all(wait, ENDED);
    } else if (wait->due > 0) {
        *ret_seconds = left;
    }
    return wait->code != FR_EXIT_OK || wait->told == wait->count;
}

static int follow(struct wait *wait)
{
    struct fr_buf path = FR_BUF_INIT(IDS_MAX_BYTES);
    struct fr_stream stream = {
        .cli = wait->cli, .on_event = on_event, .on_turn = on_turn, .arg = wait};

    /* Of few the server tells these alone. */
    fr_buf_puts(&path, "/v1/events?user=all&state=inactive");
    for (size_t i = 0; i < wait->count && wait->count <= LIST_JOBS; i++)
        fr_buf_printf(&path, "%s%lld", i ? "%2C" : "&ids=", (long long)wait->jobs[i].id);
    memcpy(stream.place, wait->cursor, sizeof stream.place);
    stream.path = path.data;
    int code = fr_buf_status(&path) < 0 ? fr_ask_no_memory() : fr_stream_follow(&stream);
    fr_buf_done(&path);
    return code == FR_EXIT_OK ? wait->code : code;
}

int fr_wait_for(struct fr_cli *cli, const char *const *ids, size_t count, bool quiet)
{
    struct wait wait = {
        .cli = cli, .quiet = quiet, .total = count, .jobs = calloc(count, sizeof *wait.jobs)};
    fr_progress_show(0, count, "");
    int code = wait.jobs ? list_all(&wait, ids, count) : fr_ask_no_memory();

    while (code == FR_EXIT_OK && wait.told < wait.count) {
        code = follow(&wait);
        if (code != FR_STREAM_GONE)
            continue;
        wait.cursor[0] = '\0'; /* too old, or of another instance */
        code = ask_for_all(&wait, AWAITED);
    }
    fr_progress_clear();
    free(wait.jobs);
    if (code != FR_EXIT_OK)
        return code;
    if (wait.bad > 0 && wait.count > 1 && !quiet)
        fr_say("%zu of %zu jobs did not do well", wait.bad, wait.count);
    return wait.bad > 0 ? FR_EXIT_FAILED : FR_EXIT_OK;
}

int fr_run_wait(struct fr_cli *cli)
{
    return fr_wait_for(cli, cli->args->words, cli->args->nwords,
                       fr_args_flag(cli->args, "quiet"));
}
