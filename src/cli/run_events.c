// SPDX-License-Identifier: LGPL-3.0-only
/* flux-rest events: what happens to jobs, as it happens. */
#include "cli/run.h"

#include <string.h>

#include "base/util.h"
#include "cli/ask.h"
#include "cli/display.h"
#include "cli/filter.h"
#include "cli/format.h"
#include "cli/repeats.h"
#include "cli/signals.h"
#include "cli/stream.h"
#include "cli/when.h"

#define PATH_MAX_BYTES (16U << 10)
#define SCREEN_MAX (64U << 20)

FR_DEFINE_CLEANUP(json_t *, json, json_decref);
FR_DEFINE_CLEANUP(struct fr_repeats *, repeats, fr_repeats_free);

struct events {
    struct fr_cli *cli;
    struct fr_repeats *repeats;
    struct fr_buf screen; /* what has come and is not written yet */
    bool of_job;          /* ends with it */
    int code;
};

static const char *text_of(const json_t *row, const char *name)
{
    const char *text = json_string_value(json_object_get(row, name));

    return text ? text : "";
}

static bool came_before(const struct events *events, const json_t *event)
{
    const json_t *index = json_object_get(event, "index");
    json_int_t id = json_integer_value(json_object_get(event, "id"));

    return json_is_integer(index) &&
           fr_repeats_note(events->repeats, (uint64_t)id, json_integer_value(index));
}

/* "2026-11-24 18:18:30 f2oWjGy5m RUN start {…}" */
static void put_line(struct events *events, const json_t *event)
{
    const json_t *context = json_object_get(event, "context");
    _cleanup_(fr_cleanup_str) char *json =
        json_object_size(context) > 0 ? json_dumps(context, JSON_COMPACT) : NULL;
    struct fr_buf *out = &events->screen;
    const bool color = events->cli->color;
    char when[FR_WHEN_TEXT];

    fr_when_put_time(json_number_value(json_object_get(event, "timestamp")), when);
    fr_buf_printf(out, "%s ", when);
    fr_format_put_jobid(text_of(event, "jobid"), out);
    fr_buf_printf(out, " %-8s %s", text_of(event, "state"), color ? FR_COLOR_BOLD : "");
    fr_display_put(out, text_of(event, "name"));
    fr_buf_puts(out, color ? FR_COLOR_END : "");
    if (json) {
        fr_buf_putc(out, ' ');
        fr_display_put(out, json);
    }
    fr_buf_putc(out, '\n');
}

static int on_event(void *arg, const char *kind, const char *data, size_t len)
{
    struct events *events = arg;
    _cleanup_(fr_cleanup_json) json_t *event = json_loadb(data, len, 0, NULL);

    if (strcmp(kind, "lost") == 0)
        fr_say("the server has lost its engine: %s", text_of(event, "reason"));
    if (strcmp(kind, "job") != 0 || came_before(events, event))
        return 0;
    if (events->cli->json)
        fr_buf_printf(&events->screen, "%s\n", data);
    else
        put_line(events, event);
    return events->of_job && strcmp(text_of(event, "state"), "INACTIVE") == 0;
}

static int on_turn(void *arg, double *ret_seconds)
{
    struct events *events = arg;

    if (events->screen.len > 0 && fr_out_flush(&events->screen) < 0)
        events->code = FR_EXIT_FAILED;
    return events->code != FR_EXIT_OK;
}

static bool picks(const struct fr_args *args)
{
    static const char *const names[] = {"filter", "name", "queue", "user", "event", "since"};
    bool any = false;

    for (size_t i = 0; i < FR_ARRAY_SIZE(names); i++)
        any = any || fr_args_text(args, names[i]);
    return any;
}

/* All jobs that the options pick, or one of them from its beginning. */
static int compose_path(const struct fr_args *args, struct fr_buf *path)
{
    struct fr_filter filter;
    int code = fr_filter_read(args, &filter);

    if (code != FR_EXIT_OK)
        return code;
    if (args->nwords > 0) {
        if (picks(args)) {
            fr_say("an ID does not go together with options that pick jobs or events");
            return FR_EXIT_USAGE;
        }
        _cleanup_(fr_cleanup_str) char *one =
            fr_ask_path(FR_ASK_JOBS, args->words[0], "/events?follow=true");
        if (!one)
            return FR_EXIT_USAGE;
        fr_buf_puts(path, one);
    } else {
        fr_buf_puts(path, "/v1/events");
        fr_filter_put_all(path, args, &filter, NULL);
        fr_filter_put(path, "event", fr_args_text(args, "event"));
    }
    return fr_buf_status(path) < 0 ? fr_ask_no_memory() : FR_EXIT_OK;
}

static int tell_gone(const struct fr_cli *cli)
{
    if (cli->args->nwords > 0) {
        fr_say("not all events of %s are kept by the server any more", cli->args->words[0]);
    } else {
        fr_say("the server does not know what happened after that place: it is too old, or of "
               "another instance");
        fr_say_more("'flux-rest jobs -a' lists how things are now.");
    }
    return FR_EXIT_FAILED;
}

static int follow(struct events *events, const char *path)
{
    const char *since = fr_args_text(events->cli->args, "since");
    struct fr_stream stream = {.cli = events->cli,
                               .path = path,
                               .on_event = on_event,
                               .on_turn = on_turn,
                               .arg = events};

    if (since && strlen(since) >= sizeof stream.place) {
        fr_say("--since: this is no cursor; take one of --json, or 0");
        return FR_EXIT_USAGE;
    }
    memcpy(stream.place, since ? since : "", since ? strlen(since) + 1 : 1);
    int code = fr_stream_follow(&stream);
    if (fr_out_flush(&events->screen) < 0)
        code = FR_EXIT_FAILED;
    if (code == FR_EXIT_INTERRUPTED || fr_signals_gave_up())
        return FR_EXIT_OK; /* Ctrl-C is how it is meant to end */
    if (code == FR_STREAM_GONE)
        return tell_gone(events->cli);
    return code == FR_EXIT_OK ? events->code : code;
}

int fr_run_events(struct fr_cli *cli)
{
    _cleanup_(fr_cleanup_repeats) struct fr_repeats *repeats = fr_repeats_create();
    struct events events = {.cli = cli,
                            .repeats = repeats,
                            .screen = FR_BUF_INIT(SCREEN_MAX),
                            .of_job = cli->args->nwords > 0};
    struct fr_buf path = FR_BUF_INIT(PATH_MAX_BYTES);
    int code = repeats ? compose_path(cli->args, &path) : fr_ask_no_memory();

    if (code == FR_EXIT_OK)
        code = follow(&events, path.data);
    fr_buf_done(&path);
    fr_buf_done(&events.screen);
    return code;
}
