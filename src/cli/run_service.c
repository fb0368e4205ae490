// SPDX-License-Identifier: LGPL-3.0-only
/* flux-rest info, stop, nodes and queues. */
#include "cli/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "cli/ask.h"
#include "cli/detail.h"
#include "cli/format.h"
#include "cli/when.h"

#define SCREEN_MAX (64U << 20)

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

/* --- tables --- */

static const char *node_color(const json_t *row)
{
    const char *state = json_string_value(json_object_get(row, "state"));

    if (!state || strcmp(state, "free") == 0)
        return FR_COLOR_GREEN;
    if (strcmp(state, "partly") == 0 || strcmp(state, "allocated") == 0)
        return FR_COLOR_BLUE;
    return FR_COLOR_RED;
}

static void put_used(const json_t *row, const char *used, const char *all, struct fr_buf *out)
{
    json_int_t total = json_integer_value(json_object_get(row, all));

    if (total > 0)
        fr_buf_printf(out, "%lld/%lld",
                      (long long)json_integer_value(json_object_get(row, used)),
                      (long long)total);
}

static void put_cores(const json_t *row, struct fr_buf *out)
{
    put_used(row, "cores_used", "cores", out);
}

static void put_gpus(const json_t *row, struct fr_buf *out)
{
    put_used(row, "gpus_used", "gpus", out);
}

static const struct fr_field node_fields[] = {
    {"name", "NODE", "the node's name", NULL, NULL},
    {"rank", "RANK", "its rank", NULL, NULL},
    {"state", "STATE", "free, partly, allocated, down, drained or offline", NULL, node_color},
    {"cores_used", "CORES-USED", "cores in use", NULL, NULL},
    {"cores", "CORES", "cores in all", NULL, NULL},
    {"gpus_used", "GPUS-USED", "GPUs in use", NULL, NULL},
    {"gpus", "GPUS", "GPUs in all", NULL, NULL},
    {"cores_of", "CORES", "cores in use and in all", put_cores, NULL},
    {"gpus_of", "GPUS", "GPUs in use and in all", put_gpus, NULL},
    {"drain_reason", "REASON", "why it is drained", NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL}};

static void put_yes(const json_t *row, const char *name, struct fr_buf *out)
{
    const json_t *value = json_object_get(row, name);

    if (json_is_boolean(value))
        fr_buf_puts(out, json_is_true(value) ? "yes" : "no");
}

static void put_enabled(const json_t *row, struct fr_buf *out)
{
    put_yes(row, "enabled", out);
}

static void put_started(const json_t *row, struct fr_buf *out)
{
    put_yes(row, "started", out);
}

static void put_queue_name(const json_t *row, struct fr_buf *out)
{
    const char *name = json_string_value(json_object_get(row, "name"));

    fr_buf_puts(out, name && *name ? name : "(the only one)");
}

static void put_queue_reason(const json_t *row, struct fr_buf *out)
{
    const char *disabled = json_string_value(json_object_get(row, "disable_reason"));
    const char *stopped = json_string_value(json_object_get(row, "stop_reason"));

    fr_buf_printf(out, "%s%s%s", disabled ? disabled : "", disabled && stopped ? "; " : "",
                  stopped ? stopped : "");
}

static const struct fr_field queue_fields[] = {
    {"name", "QUEUE", "the queue's name", put_queue_name, NULL},
    {"enabled", "ENABLED", "whether it takes jobs", put_enabled, NULL},
    {"started", "STARTED", "whether it starts jobs", put_started, NULL},
    {"pending", "PENDING", "jobs that wait", NULL, NULL},
    {"running", "RUNNING", "jobs that run", NULL, NULL},
    {"reason", "REASON", "why not", put_queue_reason, NULL},
    {NULL, NULL, NULL, NULL, NULL}};

/* Asks for a list and shows it as a table. */
static int show_table(struct fr_cli *cli, const char *path, const char *member,
                      const struct fr_field *fields, const char *preset)
{
    struct fr_request request = {.method = "GET", .path = path};
    const char *text = fr_args_text(cli->args, "format");
    _cleanup_(fr_cleanup_json) json_t *reply = NULL;
    struct fr_buf screen = FR_BUF_INIT(SCREEN_MAX);
    struct fr_format *format = NULL;
    struct fr_error err = {.text = ""};

    if (cli->json)
        return fr_ask_through(cli, &request);
    if (text && strcmp(text, "help") == 0) {
        fr_format_put_help(fields, &screen);
    } else {
        if (fr_format_parse(text ? text : preset, fields, &format, &err) < 0) {
            fr_say("--format: %s", *err.text ? err.text : "out of memory");
            return FR_EXIT_USAGE;
        }
        int code = fr_ask_json(cli, &request, &reply);
        if (code != FR_EXIT_OK) {
            fr_format_free(format);
            return code;
        }
        fr_format_put(format, json_object_get(reply, member),
                      &(struct fr_format_look){.header = !fr_args_flag(cli->args, "no-header"),
                                               .color = cli->color,
                                               .columns = fr_out_columns()},
                      &screen);
    }
    int r = fr_out_flush(&screen);
    fr_buf_done(&screen);
    fr_format_free(format);
    return r < 0 ? FR_EXIT_FAILED : FR_EXIT_OK;
}

int fr_run_nodes(struct fr_cli *cli)
{
    return show_table(cli, "/v1/nodes?details=true", "nodes", node_fields,
                      "+:{name:<4.40} {rank:>4} +:{state:<5} +:{cores_of:>5h} "
                      "?+:{gpus_of:>4} ?+:{drain_reason}");
}

int fr_run_queues(struct fr_cli *cli)
{
    return show_table(
        cli, "/v1/queues", "queues", queue_fields,
        "+:{name:<5.40} {enabled:<7h} {started:<7h} {pending:>7h} {running:>7h} ?+:{reason}");
}

/* --- the service --- */

static json_int_t count_of(const json_t *reply, const char *path)
{
    return json_integer_value(fr_format_member(reply, path));
}

static void put_roles(const json_t *reply, struct fr_buf *value)
{
    const json_t *role;
    size_t i;

    fr_format_put_value(json_object_get(reply, "user"), value);
    fr_buf_puts(value, ", by ");
    fr_format_put_value(json_object_get(reply, "identified_by"), value);
    json_array_foreach (json_object_get(reply, "roles"), i, role) {
        fr_buf_puts(value, i ? ", " : "; may ");
        fr_format_put_value(role, value);
    }
}

static void put_info(const struct fr_cli *cli, const json_t *reply, struct fr_buf *out)
{
    struct fr_detail detail = {.out = out, .color = cli->color, .columns = fr_out_columns()};
    struct fr_buf value = FR_BUF_INIT(64U << 10);
    char text[FR_WHEN_TEXT];

    fr_detail_put(&detail, "server", "%s", fr_client_url(cli->client));
    fr_format_put_value(json_object_get(reply, "version"), &value);
    fr_detail_put(&detail, "version", "%s", value.data ? value.data : "");
    fr_detail_put_member(&detail, "engine", reply, "engine");
    fr_detail_put_member(&detail, "status", reply, "status");
    fr_detail_put_member(&detail, "lost", reply, "lost");
    fr_detail_put_member(&detail, "instance", reply, "instance");
    fr_detail_put(&detail, "size", "nodes %lld, cores %lld, GPUs %lld",
                  (long long)count_of(reply, "nodes"), (long long)count_of(reply, "cores"),
                  (long long)count_of(reply, "gpus"));
    fr_detail_put(&detail, "jobs", "%lld waiting, %lld running, %lld ended",
                  (long long)(count_of(reply, "jobs.DEPEND") +
                              count_of(reply, "jobs.PRIORITY") + count_of(reply, "jobs.SCHED") +
                              count_of(reply, "jobs.NEW")),
                  (long long)(count_of(reply, "jobs.RUN") + count_of(reply, "jobs.CLEANUP")),
                  (long long)count_of(reply, "jobs.INACTIVE"));
    fr_when_put_clock(json_number_value(json_object_get(reply, "uptime")), text);
    fr_detail_put(&detail, "up for", "%s", text);
    fr_buf_reset(&value);
    put_roles(reply, &value);
    fr_detail_put(&detail, "you are", "%s", value.data ? value.data : "");
    fr_buf_done(&value);
}

int fr_run_info(struct fr_cli *cli)
{
    struct fr_request request = {.method = "GET", .path = "/v1/service"};
    _cleanup_(fr_cleanup_json) json_t *reply = NULL;
    struct fr_buf screen = FR_BUF_INIT(SCREEN_MAX);

    if (cli->json)
        return fr_ask_through(cli, &request);
    int code = fr_ask_json(cli, &request, &reply);
    if (code != FR_EXIT_OK)
        return code;
    put_info(cli, reply, &screen);
    code = fr_out_flush(&screen) < 0 ? FR_EXIT_FAILED : FR_EXIT_OK;
    fr_buf_done(&screen);
    return code;
}

int fr_run_stop(struct fr_cli *cli)
{
    bool keep = fr_args_flag(cli->args, "keep-instance");
    bool drain = fr_args_flag(cli->args, "drain"), cancel = fr_args_flag(cli->args, "cancel");
    char path[100];

    snprintf(path, sizeof path, "/v1/service/stop?instance=%s%s%s", keep ? "false" : "true",
             drain ? "&drain=true" : "", cancel ? "&cancel=true" : "");
    int code = fr_ask_done(cli, &(struct fr_request){.method = "POST", .path = path});
    if (code == FR_EXIT_OK && !cli->json)
        fr_say("the server at %s %s", fr_client_url(cli->client),
               cancel  ? "stops when all jobs have ended, for which they are cancelled"
               : drain ? "stops when no job runs any more"
                       : "is stopping");
    return code;
}
