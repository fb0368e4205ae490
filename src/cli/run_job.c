// SPDX-License-Identifier: LGPL-3.0-only
/* flux-rest job: all that matters of one job. */
#include "cli/run.h"

#include <string.h>

#include "base/util.h"
#include "cli/ask.h"
#include "cli/detail.h"
#include "cli/format.h"
#include "cli/when.h"

#define SCREEN_MAX (64U << 20)
#define VALUE_MAX (1U << 20)

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

/* A column of the table as a line. */
static void put_field(const struct fr_detail *detail, const char *name, const json_t *job,
                      const char *field_name)
{
    struct fr_buf value = FR_BUF_INIT(VALUE_MAX);
    const struct fr_field *field = fr_job_fields;

    while (strcmp(field->name, field_name) != 0)
        field++;
    field->put(job, &value);
    if (value.len > 0 && fr_buf_status(&value) == 0)
        fr_detail_put(detail, name, "%s", value.data);
    fr_buf_done(&value);
}

static void put_time(const struct fr_detail *detail, const char *name, const json_t *job,
                     const char *member)
{
    double time = json_number_value(json_object_get(job, member));
    char text[FR_WHEN_TEXT];

    if (time <= 0)
        return;
    fr_when_put_time(time, text);
    fr_detail_put(detail, name, "%s", text);
}

static void put_runtime(const struct fr_detail *detail, const json_t *job)
{
    double limit = json_number_value(json_object_get(job, "duration"));
    double run = json_number_value(json_object_get(job, "runtime"));
    bool has_run = json_number_value(json_object_get(job, "t_run")) > 0;
    char run_text[FR_WHEN_TEXT], limit_text[FR_WHEN_TEXT];

    fr_when_put_seconds(run, run_text);
    fr_when_put_seconds(limit, limit_text);
    if (has_run && limit > 0)
        fr_detail_put(detail, "ran for", "%s of %s", run_text, limit_text);
    else if (has_run)
        fr_detail_put(detail, "ran for", "%s, without a limit", run_text);
    else if (limit > 0)
        fr_detail_put(detail, "time limit", "%s", limit_text);
}

static void put_count(struct fr_buf *out, const json_t *job, const char *member,
                      const char *one, const char *many)
{
    const json_t *value = json_object_get(job, member);
    json_int_t count = json_integer_value(value);

    if (count > 0)
        fr_buf_printf(out, "%s%lld %s", out->len ? ", " : "", (long long)count,
                      count == 1 ? one : many);
}

static void put_resources(const struct fr_detail *detail, const json_t *job)
{
    struct fr_buf value = FR_BUF_INIT(VALUE_MAX);

    put_count(&value, job, "ntasks", "task", "tasks");
    put_count(&value, job, "ncores", "core", "cores");
    put_count(&value, job, "ngpus", "GPU", "GPUs");
    put_count(&value, job, "nnodes", "node", "nodes");
    if (value.len > 0 && fr_buf_status(&value) == 0)
        fr_detail_put(detail, "resources", "%s", value.data);
    fr_buf_done(&value);
}

static void put_status(const struct fr_detail *detail, const json_t *job)
{
    const char *state = json_string_value(json_object_get(job, "state"));
    const char *result = json_string_value(json_object_get(job, "result"));
    const json_t *code = json_object_get(job, "returncode");

    if (json_is_integer(code))
        fr_detail_put(detail, "state", "%s, %s, exit code %lld", state ? state : "",
                      result ? result : "", (long long)json_integer_value(code));
    else
        fr_detail_put(detail, "state", "%s%s%s", state ? state : "",
                      result && *result ? ", " : "", result ? result : "");
}

/* A list or object that holds nothing is no news. */
static void put_unless_empty(const struct fr_detail *detail, const char *name,
                             const json_t *job)
{
    const json_t *value = json_object_get(job, name);

    if (json_object_size(value) + json_array_size(value) > 0)
        fr_detail_put_member(detail, name, job, name);
}

static void put_job(const struct fr_cli *cli, const json_t *job, struct fr_buf *out)
{
    struct fr_detail detail = {.out = out, .color = cli->color, .columns = fr_out_columns()};

    put_field(&detail, "id", job, "id");
    fr_detail_put_member(&detail, "as decimal", job, "id");
    fr_detail_put_member(&detail, "name", job, "name");
    put_status(&detail, job);
    fr_detail_put_member(&detail, "why", job, "why");
    if (json_is_true(fr_format_member(job, "exception.occurred")))
        put_field(&detail, "exception", job, "exception");
    fr_detail_put_member(&detail, "command", job, "command");
    fr_detail_put_member(&detail, "directory", job, "cwd");
    fr_detail_put_member(&detail, "user", job, "username");
    fr_detail_put_member(&detail, "queue", job, "queue");
    fr_detail_put_member(&detail, "bank", job, "bank");
    put_resources(&detail, job);
    fr_detail_put_member(&detail, "nodes", job, "nodelist");
    fr_detail_put_member(&detail, "urgency", job, "urgency");
    fr_detail_put_member(&detail, "priority", job, "priority");
    put_time(&detail, "submitted", job, "t_submit");
    put_time(&detail, "started", job, "t_run");
    put_time(&detail, "ended", job, "t_inactive");
    put_runtime(&detail, job);
    put_unless_empty(&detail, "dependencies", job);
    put_unless_empty(&detail, "annotations", job);
}

static int show(struct fr_cli *cli, const char *id, struct fr_buf *screen)
{
    _cleanup_(fr_cleanup_str) char *path = fr_ask_path(FR_ASK_JOBS, id, "");
    struct fr_request request = {.method = "GET", .path = path};
    _cleanup_(fr_cleanup_json) json_t *job = NULL;

    if (!path)
        return FR_EXIT_USAGE;
    if (cli->json)
        return fr_ask_through(cli, &request);
    int code = fr_ask_json(cli, &request, &job);
    if (code != FR_EXIT_OK)
        return code;
    put_job(cli, job, screen);
    return fr_out_flush(screen) < 0 ? FR_EXIT_FAILED : FR_EXIT_OK;
}

int fr_run_job(struct fr_cli *cli)
{
    struct fr_buf screen = FR_BUF_INIT(SCREEN_MAX);
    int first = FR_EXIT_OK;

    for (size_t i = 0; i < cli->args->nwords; i++) {
        if (i > 0 && !cli->json)
            fr_buf_putc(&screen, '\n');
        int code = show(cli, cli->args->words[i], &screen);
        if (first == FR_EXIT_OK)
            first = code;
        if (code == FR_EXIT_UNREACHABLE || code == FR_EXIT_INTERRUPTED)
            break;
    }
    fr_buf_done(&screen);
    return first;
}
