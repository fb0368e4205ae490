// SPDX-License-Identifier: LGPL-3.0-only
#include "cli/watch.h"

#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "cli/ask.h"
#include "cli/stream.h"

#define PAUSE 0.5 /* seconds between two lists, however much happens */

struct state {
    const struct fr_watch *watch;
    json_t *list; /* as it was shown last */
    double drawn; /* fr_ask_now() of that */
    bool changed; /* something happened since */
    int code;
};

/* Asks for the list and shows it. */
static int refresh(struct state *state)
{
    const struct fr_watch *watch = state->watch;
    json_t *list = NULL;

    state->changed = false;
    int code = fr_ask_json(watch->cli,
                           &(struct fr_request){.method = "GET", .path = watch->list}, &list);
    if (code != FR_EXIT_OK)
        return code;
    json_decref(state->list);
    state->list = list;
    state->drawn = fr_ask_now();
    return watch->draw(watch->arg, list);
}

/* Lets the jobs that run grow older by so many seconds; whether there are any. */
static bool grow_older(json_t *list, double seconds)
{
    json_t *job;
    size_t i;
    bool any = false;

    json_array_foreach (json_object_get(list, "jobs"), i, job) {
        const char *state = json_string_value(json_object_get(job, "state"));
        double runtime = json_number_value(json_object_get(job, "runtime"));
        if (!state || strcmp(state, "RUN") != 0)
            continue;
        any = true;
        (void)json_object_set_new(job, "runtime", json_real(runtime + seconds));
    }
    return any;
}

static int show_older(struct state *state)
{
    double now = fr_ask_now();
    bool any = grow_older(state->list, now - state->drawn);

    state->drawn = now;
    return any ? state->watch->draw(state->watch->arg, state->list) : FR_EXIT_OK;
}

static int on_event(void *arg, const char *kind, const char *data, size_t len)
{
    struct state *state = arg;

    state->changed = state->changed || strcmp(kind, "job") == 0;
    return 0;
}

static int on_turn(void *arg, double *ret_seconds)
{
    struct state *state = arg;
    double since = fr_ask_now() - state->drawn, tick = state->watch->tick;

    if (state->changed && since >= PAUSE)
        state->code = refresh(state);
    else if (tick > 0 && since >= tick)
        state->code = show_older(state);
    else if (state->changed)
        *ret_seconds = PAUSE - since;
    return state->code != FR_EXIT_OK;
}

/* From a new list's cursor on, until the place is not known there any more. */
static int follow(struct state *state)
{
    struct fr_stream stream = {.cli = state->watch->cli,
                               .path = state->watch->events,
                               .on_event = on_event,
                               .on_turn = on_turn,
                               .arg = state};
    int code = refresh(state);

    if (code != FR_EXIT_OK)
        return code;
    const char *cursor = json_string_value(json_object_get(state->list, "cursor"));
    snprintf(stream.place, sizeof stream.place, "%s", cursor ? cursor : "");
    code = fr_stream_follow(&stream);
    return code == FR_EXIT_OK ? state->code : code;
}

int fr_watch_follow(const struct fr_watch *watch)
{
    struct state state = {.watch = watch};
    int code;

    do
        code = follow(&state);
    while (code == FR_STREAM_GONE);
    json_decref(state.list);
    return code;
}
