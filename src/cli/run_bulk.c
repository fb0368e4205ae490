// SPDX-License-Identifier: LGPL-3.0-only
/*
 * flux-rest bulksubmit: a job for each line.
 *
 * Lines go out in batches. Each has a key of its own, so that a batch whose answer was lost is
 * sent again as it was, and no job is doubled.
 */
#include "cli/run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "cli/ask.h"
#include "cli/body.h"
#include "cli/format.h"
#include "cli/signals.h"
#include "cli/wait.h"

#define LINE_MAX_BYTES (1U << 20)
#define BATCH_JOBS 500
#define BATCH_BYTES (4U << 20) /* beyond this no line is added */
#define IDS_MAX 1000000        /* that --wait keeps */

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

struct bulk {
    struct fr_cli *cli;
    int fd;
    FILE *file;       /* reads fd, which the end of the process closes */
    const char *name; /* of the file, for messages */
    size_t line;      /* the number of the line read last */
    off_t size;       /* of a regular file, for the bar; else 0 */
    off_t read;       /* bytes */
    json_t *preset;   /* what the options say of every job */
    char key[FR_BODY_KEY];
    struct fr_buf batch;
    size_t lines[BATCH_JOBS]; /* their numbers in the file */
    size_t count;
    size_t answered; /* of the batch */
    size_t submitted, refused, unknown;
    char **ids; /* with --wait */
    size_t nids;
};

static int tell_line(const struct bulk *bulk, size_t line, const char *why)
{
    fr_say("%s, line %zu: %s", bulk->name, line, why);
    return FR_EXIT_FAILED;
}

/* The request of one line: its own fields, then what the options say. NULL, told, if bad. */
static json_t *read_job(struct bulk *bulk, const char *text)
{
    _cleanup_(fr_cleanup_json) json_t *job = NULL;
    char key[FR_BODY_KEY + 32];
    json_error_t error;

    if (*text == '{') {
        job = json_loads(text, 0, &error);
        if (!job)
            (void)tell_line(bulk, bulk->line, error.text);
    } else {
        job = json_pack("{s:s}", "command", text);
        if (!job)
            (void)tell_line(bulk, bulk->line, "it is not valid UTF-8, which JSON needs");
    }
    if (!job)
        return NULL;
    snprintf(key, sizeof key, "%s-%zu", bulk->key, bulk->line);
    bool whole = json_object_get(job, "jobspec") != NULL;
    if ((!whole && json_object_update_missing(job, bulk->preset) < 0) ||
        (!json_object_get(job, "key") &&
         json_object_set_new(job, "key", json_string(key)) < 0)) {
        (void)fr_ask_no_memory();
        return NULL;
    }
    return fr_take(job);
}

/* Adds one line to the batch. What cannot even be sent counts as refused. */
static int add_line(struct bulk *bulk, char *text)
{
    text[strcspn(text, "\r\n")] = '\0';
    text += strspn(text, " \t");
    if (!*text || *text == '#')
        return FR_EXIT_OK;
    _cleanup_(fr_cleanup_json) json_t *job = read_job(bulk, text);
    if (!job) {
        bulk->refused++;
        return FR_EXIT_OK;
    }
    _cleanup_(fr_cleanup_str) char *line = json_dumps(job, JSON_COMPACT);
    if (!line)
        return fr_ask_no_memory();
    fr_buf_printf(&bulk->batch, "%s\n", line);
    if (fr_buf_status(&bulk->batch) < 0)
        return fr_ask_no_memory();
    bulk->lines[bulk->count++] = bulk->line;
    return FR_EXIT_OK;
}

/* Reads one line; *ret_end at the end of the file. */
static int read_line(struct bulk *bulk, char **line, size_t *space, bool *ret_end)
{
    errno = 0;
    ssize_t len = getline(line, space, bulk->file);

    if (len < 0) {
        *ret_end = true;
        if (fr_signals_gave_up())
            return FR_EXIT_INTERRUPTED;
        if (feof(bulk->file))
            return FR_EXIT_OK;
        fr_say("%s cannot be read: %s", bulk->name, strerror(errno));
        return FR_EXIT_FAILED;
    }
    bulk->line++;
    bulk->read += len;
    if (len > (ssize_t)LINE_MAX_BYTES || strlen(*line) != (size_t)len) {
        bulk->refused++;
        (void)tell_line(bulk, bulk->line,
                        "it is longer than 1 MiB, or holds a NUL byte: it is left out");
        return FR_EXIT_OK;
    }
    return add_line(bulk, *line);
}

static void show_progress(struct bulk *bulk)
{
    char note[80] = "";

    if (bulk->refused > 0)
        snprintf(note, sizeof note, "%zu refused", bulk->refused);
    /* How many lines there are is known at the end alone: bytes tell how far we are. */
    size_t done = bulk->submitted + bulk->refused + bulk->unknown;
    size_t total = bulk->size > 0 && bulk->read > 0 && bulk->read <= bulk->size
                       ? (size_t)((double)done * (double)bulk->size / (double)bulk->read)
                       : 0;
    fr_progress_show(done, total, note);
}

static int keep_id(struct bulk *bulk, const char *id)
{
    if (bulk->nids >= IDS_MAX) {
        fr_say("--wait can wait for %d jobs at most", IDS_MAX);
        return FR_EXIT_FAILED;
    }
    if (!bulk->ids)
        bulk->ids = calloc(IDS_MAX, sizeof *bulk->ids);
    if (!bulk->ids || !(bulk->ids[bulk->nids] = strdup(id)))
        return fr_ask_no_memory();
    bulk->nids++;
    return FR_EXIT_OK;
}

static int take_accepted(struct bulk *bulk, const char *jobid)
{
    struct fr_buf line = FR_BUF_INIT(4096);
    int code = FR_EXIT_OK;

    bulk->submitted++;
    if (fr_args_flag(bulk->cli->args, "wait"))
        code = keep_id(bulk, jobid);
    fr_format_put_jobid(jobid, &line);
    fr_buf_putc(&line, '\n');
    fr_progress_clear();
    if (!bulk->cli->json && fr_out_flush(&line) < 0)
        code = FR_EXIT_FAILED;
    fr_buf_done(&line);
    return code;
}

static void tell_refused(struct bulk *bulk, size_t line, const json_t *result)
{
    const json_t *error, *errors = json_object_get(result, "errors");
    const char *detail = json_string_value(json_object_get(result, "detail"));
    size_t i;

    if (fr_ask_is_unknown(json_string_value(json_object_get(result, "code"))))
        bulk->unknown++;
    else
        bulk->refused++;
    if (json_array_size(errors) == 0)
        (void)tell_line(bulk, line, detail ? detail : "refused");
    json_array_foreach (errors, i, error) {
        const char *text = json_string_value(json_object_get(error, "detail"));
        (void)tell_line(bulk, line, text ? text : "refused");
    }
}

/* One line of the answer. */
static int take_result(struct bulk *bulk, const char *text, size_t len)
{
    _cleanup_(fr_cleanup_json) json_t *result = json_loadb(text, len, 0, NULL);
    const char *jobid = json_string_value(json_object_get(result, "jobid"));
    json_int_t status = json_integer_value(json_object_get(result, "status"));

    if (!result || bulk->answered >= bulk->count) {
        fr_say("the server's answer does not match what was sent; is it a flux-restd?");
        return FR_EXIT_FAILED;
    }
    size_t line = bulk->lines[bulk->answered++];
    if (jobid)
        return take_accepted(bulk, jobid);
    if (status >= 200 && status < 300)
        bulk->submitted++; /* --dry-run */
    else
        tell_refused(bulk, line, result);
    return FR_EXIT_OK;
}

static int take_results(struct bulk *bulk, const struct fr_reply *reply)
{
    const char *at = reply->body.data ? reply->body.data : "", *end = at + reply->body.len;
    int code = FR_EXIT_OK;

    if (bulk->cli->json && fr_out_write(STDOUT_FILENO, at, reply->body.len) < 0)
        return FR_EXIT_FAILED;
    while (at < end && code == FR_EXIT_OK) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t len = stop ? (size_t)(stop - at) : (size_t)(end - at);
        if (len > 0)
            code = take_result(bulk, at, len);
        at += len + 1;
    }
    if (code == FR_EXIT_OK && bulk->answered < bulk->count) {
        fr_say("the server answered %zu of %zu lines", bulk->answered, bulk->count);
        return FR_EXIT_UNKNOWN;
    }
    return code;
}

/* Whether a job of the answer is worth another try: then the whole batch is, by its keys. */
static bool has_passing(const struct fr_reply *reply)
{
    const char *at = reply->body.data ? reply->body.data : "";

    while (*at) {
        size_t len = strcspn(at, "\n");
        _cleanup_(fr_cleanup_json) json_t *result = json_loadb(at, len, 0, NULL);
        if (fr_ask_is_passing((long)json_integer_value(json_object_get(result, "status")),
                              json_string_value(json_object_get(result, "code"))))
            return true;
        at += len + (at[len] == '\n');
    }
    return false;
}

/*
 * Asks until no result is one that passes, or it has been tried often enough. Once a try was
 * answered some jobs may be there, whatever becomes of the next.
 */
static int ask_batch(struct bulk *bulk, const struct fr_request *request,
                     struct fr_reply *reply)
{
    double pause = 0.5;

    for (int tries = 1;; tries++) {
        int code = fr_ask(bulk->cli, request, reply);
        if (code != FR_EXIT_OK)
            return tries == 1 || code == FR_EXIT_INTERRUPTED ? code : FR_EXIT_UNKNOWN;
        if (tries == FR_ASK_TRIES || !has_passing(reply))
            return FR_EXIT_OK;
        if (!fr_signals_sleep(pause))
            return FR_EXIT_INTERRUPTED;
        fr_reply_done(reply);
        pause *= 2;
    }
}

static int send_batch(struct bulk *bulk)
{
    struct fr_reply reply;
    bool dry = fr_args_flag(bulk->cli->args, "dry-run");

    if (bulk->count == 0)
        return FR_EXIT_OK;
    bulk->answered = 0;
    int code = ask_batch(bulk,
                         &(struct fr_request){
                             .method = "POST",
                             .path = dry ? "/v1/jobs?dry_run=true" : "/v1/jobs",
                             .type = "application/x-ndjson",
                             .accept = "application/x-ndjson",
                             .keys_inside = true,
                             .body = bulk->batch.data,
                             .body_len = bulk->batch.len,
                         },
                         &reply);
    if (code == FR_EXIT_OK)
        code = take_results(bulk, &reply);
    fr_reply_done(&reply);
    fr_buf_reset(&bulk->batch);
    bulk->count = 0;
    show_progress(bulk);
    return code;
}

static int submit_all(struct bulk *bulk)
{
    _cleanup_(fr_cleanup_str) char *line = NULL;
    size_t space = 0;
    int code = FR_EXIT_OK;
    bool end = false;

    while (code == FR_EXIT_OK && !end) {
        code = read_line(bulk, &line, &space, &end);
        if (code == FR_EXIT_OK &&
            (end || bulk->count == BATCH_JOBS || bulk->batch.len >= BATCH_BYTES))
            code = send_batch(bulk);
    }
    return code;
}

static ssize_t read_file(void *cookie, char *data, size_t size)
{
    const struct bulk *bulk = cookie;

    return fr_signals_read(bulk->fd, data, size);
}

static int open_file(struct bulk *bulk)
{
    const struct fr_args *args = bulk->cli->args;
    bool is_stdin = args->nwords == 0 || strcmp(args->words[0], "-") == 0;
    struct stat st;

    bulk->name = is_stdin ? "standard input" : args->words[0];
    bulk->fd = is_stdin ? STDIN_FILENO : open(args->words[0], O_RDONLY | O_CLOEXEC);
    if (bulk->fd >= 0)
        bulk->file = fopencookie(bulk, "r", (cookie_io_functions_t){.read = read_file});
    if (!bulk->file) {
        fr_say("%s cannot be opened: %s", bulk->name, strerror(errno));
        return FR_EXIT_USAGE;
    }
    if (fstat(bulk->fd, &st) == 0 && S_ISREG(st.st_mode))
        bulk->size = st.st_size;
    return FR_EXIT_OK;
}

static int finish(struct bulk *bulk, int code)
{
    bool dry = fr_args_flag(bulk->cli->args, "dry-run");
    bool whole = code == FR_EXIT_OK || code == FR_EXIT_FAILED;

    fr_progress_clear();
    if (code == FR_EXIT_OK && bulk->unknown > 0)
        code = FR_EXIT_UNKNOWN;
    else if (code == FR_EXIT_OK && bulk->refused > 0)
        code = FR_EXIT_FAILED;
    if (code != FR_EXIT_OK)
        fr_say("%zu job%s %s, %zu refused%s", bulk->submitted, bulk->submitted == 1 ? "" : "s",
               dry ? "could run" : "submitted", bulk->refused,
               code == FR_EXIT_FAILED ? "" : "; the rest was not, or it is not known");
    if (bulk->nids > 0 && whole) {
        int waited = fr_wait_for(bulk->cli, (const char *const *)bulk->ids, bulk->nids, false);
        if (code == FR_EXIT_OK)
            code = waited;
    }
    return code;
}

int fr_run_bulksubmit(struct fr_cli *cli)
{
    struct bulk bulk = {.cli = cli, .batch = FR_BUF_INIT(BATCH_BYTES + 8 * LINE_MAX_BYTES)};
    int code = fr_body_read(cli, &bulk.preset);

    if (code == FR_EXIT_OK && fr_body_make_key(bulk.key) < 0) {
        fr_say("the system gives no random numbers");
        code = FR_EXIT_FAILED;
    }
    if (code == FR_EXIT_OK)
        code = open_file(&bulk);
    if (code == FR_EXIT_OK)
        code = finish(&bulk, submit_all(&bulk));
    if (bulk.file)
        fclose(bulk.file);
    for (size_t i = 0; i < bulk.nids; i++)
        free(bulk.ids[i]);
    free(bulk.ids);
    json_decref(bulk.preset);
    fr_buf_done(&bulk.batch);
    return code;
}
