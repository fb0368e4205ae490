// SPDX-License-Identifier: LGPL-3.0-only
/* flux-rest jobs: the list, once or again and again. */
#include "cli/run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "cli/ask.h"
#include "cli/filter.h"
#include "cli/format.h"
#include "cli/signals.h"
#include "cli/watch.h"
#include "cli/when.h"

#define SCREEN_MAX (64U << 20)
#define PATH_MAX_BYTES (64U << 10)
#define TICK 2.0  /* seconds after which --watch shows how long jobs have run */
#define NARROW 66 /* columns below which fewer of them are shown */

FR_DEFINE_CLEANUP(json_t *, json, json_decref);
FR_DEFINE_CLEANUP(struct fr_format *, format, fr_format_free);

struct list {
    struct fr_cli *cli;
    struct fr_format *format;
    struct fr_buf path;
    struct fr_buf screen;
    size_t last_size; /* bytes of what was shown last */
};

static int put_since(struct fr_buf *path, const struct fr_args *args)
{
    const char *text = fr_args_text(args, "since");
    char number[40];
    double since;

    if (!text)
        return FR_EXIT_OK;
    if (fr_when_parse_time(text, (double)time(NULL), &since) < 0) {
        fr_say("--since: '%.60s' is no time; give seconds since the epoch, 'YYYY-MM-DD HH:MM' "
               "or -90m",
               text);
        return FR_EXIT_USAGE;
    }
    snprintf(number, sizeof number, "%.3f", since);
    fr_filter_put(path, "since", number);
    return FR_EXIT_OK;
}

static int compose_path(struct list *list)
{
    const struct fr_args *args = list->cli->args;
    struct fr_filter filter;
    int code = fr_filter_read(args, &filter);
    bool all = fr_args_flag(args, "all") || fr_args_flag(args, "since") || args->nwords > 0;
    struct fr_buf ids = FR_BUF_INIT(PATH_MAX_BYTES);

    if (code != FR_EXIT_OK)
        return code;
    fr_buf_puts(&list->path, "/v1/jobs");
    fr_filter_put_all(&list->path, args, &filter, all ? NULL : "active");
    fr_filter_put(&list->path, "limit", fr_args_text(args, "count"));
    fr_filter_put(&list->path, "q", fr_args_text(args, "search"));
    for (size_t i = 0; i < args->nwords; i++)
        fr_buf_printf(&ids, "%s%s", i ? "," : "", args->words[i]);
    fr_filter_put(&list->path, "ids", ids.data);
    code = put_since(&list->path, args);
    if (code == FR_EXIT_OK && (fr_buf_status(&ids) < 0 || fr_buf_status(&list->path) < 0)) {
        fr_say("these are too many ids for one list");
        code = FR_EXIT_USAGE;
    }
    fr_buf_done(&ids);
    return code;
}

/* The format that is asked for, or fits the terminal. */
static int choose_format(struct list *list)
{
    const char *text = fr_args_text(list->cli->args, "format");
    size_t columns = fr_out_columns();
    struct fr_error err = {.text = ""};

    if (!text)
        text = columns > 0 && columns < NARROW ? "narrow" : "default";
    if (fr_job_format(text))
        text = fr_job_format(text);
    int r = fr_format_parse(text, fr_job_fields, &list->format, &err);
    if (r == -ENOMEM)
        return fr_ask_no_memory();
    if (r < 0) {
        fr_say("--format: %s", err.text);
        return FR_EXIT_USAGE;
    }
    return FR_EXIT_OK;
}

/* What an empty list may mean; not where a program reads along. */
static void put_nothing(struct list *list, struct fr_buf *out)
{
    if (fr_out_columns() == 0)
        return;
    if (strstr(list->path.data, "state=active"))
        fr_buf_puts(out, "No job is waiting or running; -a shows those that have ended.\n");
    else
        fr_buf_puts(out, "There is no such job.\n");
}

static void put_list(struct list *list, const json_t *reply, size_t lines, struct fr_buf *out)
{
    const json_t *jobs = json_object_get(reply, "jobs");
    struct fr_format_look look = {
        .header = !fr_args_flag(list->cli->args, "no-header"),
        .color = list->cli->color,
        .columns = fr_out_columns(),
        .lines = lines,
    };

    if (json_array_size(jobs) == 0 && look.header && look.columns > 0)
        put_nothing(list, out);
    else
        fr_format_put(list->format, jobs, &look, out);
}

static int show_once(struct list *list)
{
    struct fr_request request = {.method = "GET", .path = list->path.data};
    _cleanup_(fr_cleanup_json) json_t *reply = NULL;

    if (list->cli->json)
        return fr_ask_through(list->cli, &request);
    int code = fr_ask_json(list->cli, &request, &reply);
    if (code != FR_EXIT_OK)
        return code;
    put_list(list, reply, 0, &list->screen);
    if (fr_out_flush(&list->screen) < 0)
        return FR_EXIT_FAILED;
    if (json_array_size(json_object_get(reply, "jobs")) < list->cli->args->nwords) {
        fr_say("not all of the jobs that were named are there, or pass the filter");
        return FR_EXIT_FAILED;
    }
    if (json_is_string(json_object_get(reply, "next")) &&
        !fr_args_flag(list->cli->args, "count"))
        fr_say("there are more jobs than these: see --count, or pick by --filter, --name or "
               "--since");
    return FR_EXIT_OK;
}

/* In a terminal the new picture takes the old one's place; elsewhere it follows. */
static int draw(void *arg, const json_t *reply)
{
    struct list *list = arg;
    size_t lines = fr_out_lines();
    char now[FR_WHEN_TEXT];

    if (lines > 0) {
        fr_when_put_time((double)time(NULL), now);
        fr_buf_puts(&list->screen, "\033[H\033[J");
        put_list(list, reply, lines > 3 ? lines - 2 : 1, &list->screen);
        fr_buf_printf(&list->screen, "%s  Ctrl-C ends this", now);
    } else {
        if (list->last_size > 0)
            fr_buf_putc(&list->screen, '\n');
        put_list(list, reply, 0, &list->screen);
    }
    list->last_size = list->screen.len;
    return fr_out_flush(&list->screen) < 0 ? FR_EXIT_FAILED : FR_EXIT_OK;
}

/* A job may leave the list by what happens to it, so that states and times pick no events. */
static void compose_events(const struct list *list, struct fr_buf *path)
{
    const struct fr_args *args = list->cli->args;
    const char *ids = strstr(list->path.data, "ids=");

    fr_buf_puts(path, "/v1/events");
    fr_filter_put(path, "name", fr_args_text(args, "name"));
    fr_filter_put(path, "queue", fr_args_text(args, "queue"));
    fr_filter_put(path, "user", fr_args_text(args, "user"));
    if (args->nwords > 0 && ids)
        fr_buf_printf(path, "%c%.*s", path->data && strchr(path->data, '?') ? '&' : '?',
                      (int)strcspn(ids, "&"), ids);
}

static int watch(struct list *list)
{
    struct fr_buf events = FR_BUF_INIT(PATH_MAX_BYTES);
    bool is_terminal = fr_out_lines() > 0;

    if (list->cli->json) {
        fr_say(
            "--watch and --json do not go together: flux-rest events --json is for programs");
        return FR_EXIT_USAGE;
    }
    compose_events(list, &events);
    int code = fr_buf_status(&events) < 0
                   ? fr_ask_no_memory()
                   : fr_watch_follow(&(struct fr_watch){.cli = list->cli,
                                                        .list = list->path.data,
                                                        .events = events.data,
                                                        .tick = is_terminal ? TICK : 0,
                                                        .draw = draw,
                                                        .arg = list});
    fr_buf_done(&events);
    if (is_terminal && list->last_size > 0)
        (void)fr_out_write(STDOUT_FILENO, "\n", 1);
    /* Ctrl-C is how it is meant to end. */
    return code == FR_EXIT_INTERRUPTED || fr_signals_gave_up() ? FR_EXIT_OK : code;
}

static int print_fields(void)
{
    struct fr_buf text = FR_BUF_INIT(SCREEN_MAX);

    fr_format_put_help(fr_job_fields, &text);
    int r = fr_out_flush(&text);
    fr_buf_done(&text);
    return r < 0 ? FR_EXIT_FAILED : FR_EXIT_OK;
}

int fr_run_jobs(struct fr_cli *cli)
{
    struct list list = {
        .cli = cli, .path = FR_BUF_INIT(PATH_MAX_BYTES), .screen = FR_BUF_INIT(SCREEN_MAX)};
    const char *format = fr_args_text(cli->args, "format");

    if (format && strcmp(format, "help") == 0)
        return print_fields();
    int code = choose_format(&list);
    if (code == FR_EXIT_OK)
        code = compose_path(&list);
    if (code == FR_EXIT_OK)
        code = fr_args_flag(cli->args, "watch") ? watch(&list) : show_once(&list);
    fr_format_free(list.format);
    fr_buf_done(&list.path);
    fr_buf_done(&list.screen);
    return code;
}
