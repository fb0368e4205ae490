// SPDX-License-Identifier: LGPL-3.0-only
#include "played.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/loop.h"
#include "base/util.h"

enum { JOBS_MAX = 20000, GIVEN = 3 };

struct fr_output_watch {
    LIST_ENTRY(fr_output_watch) link;
    fr_output_f cb;
    void *arg;
    uint64_t told; /* pieces of output */
    bool paused;
    bool ended;
};

/* An answer that is owed. */
struct owed {
    STAILQ_ENTRY(owed) link;
    uint64_t id;
    fr_submit_f submitted;
    fr_done_f done;
    fr_lookup_f found;
    fr_nodes_f nodes;
    fr_queues_f queues;
    void *arg;
};

struct played {
    struct fr_engine base;
    const struct fr_engine_sink *sink;
    STAILQ_HEAD(, owed) owed;
    LIST_HEAD(, fr_output_watch) watches;
    size_t asked;
    uint64_t jobs; /* ids 1 to jobs are there, the first GIVEN for ever */
};

static struct played *of(struct fr_engine *engine)
{
    return fr_container_of(engine, struct played, base);
}

static struct owed *owe(struct fr_engine *engine, uint64_t id, void *arg)
{
    struct played *played = of(engine);
    struct owed *owed = calloc(1, sizeof *owed);

    if (!owed)
        abort();
    owed->id = id;
    owed->arg = arg;
    played->asked++;
    STAILQ_INSERT_TAIL(&played->owed, owed, link);
    return owed;
}

static const char *instance(struct fr_engine *engine)
{
    return "played";
}

static void size_of(struct fr_engine *engine, int *ret_nodes, int *ret_cores, int *ret_gpus)
{
    *ret_nodes = 2;
    *ret_cores = 8;
    *ret_gpus = 1;
}

static void tell(struct played *played, uint64_t id, const struct fr_jobspec *spec)
{
    const double now = fr_time_now();
    const struct fr_event events[] = {
        {.timestamp = now,
         .name = "submit",
         .context = "{\"userid\":0,\"urgency\":16,\"flags\":0,\"version\":1}"},
        {.timestamp = now, .name = "validate", .index = 1},
        {.timestamp = now, .name = "depend", .index = 2},
        {.timestamp = now, .name = "priority", .context = "{\"priority\":16}", .index = 3},
        {.timestamp = now, .name = "alloc", .index = 4},
    };

    played->sink->journal(played->sink->arg,
                          &(struct fr_journal_entry){.id = id,
                                                     .events = events,
                                                     /* Every other one waits. */
                                                     .nevents = id % 2 ? 5 : 4,
                                                     .jobspec = spec});
}

static void submit(struct fr_engine *engine, struct fr_jobspec *spec, int urgency,
                   fr_submit_f cb, void *arg)
{
    struct played *played = of(engine);
    struct owed *owed = owe(engine, 0, arg);

    owed->submitted = cb;
    if (played->jobs < JOBS_MAX) {
        owed->id = ++played->jobs;
        tell(played, owed->id, spec);
    }
    fr_jobspec_free(spec);
}

static void cancel(struct fr_engine *engine, uint64_t id, const char *note, fr_done_f cb,
                   void *arg)
{
    owe(engine, id, arg)->done = cb;
}

static void set_int(struct fr_engine *engine, uint64_t id, int value, fr_done_f cb, void *arg)
{
    owe(engine, id, arg)->done = cb;
}

static void duration(struct fr_engine *engine, uint64_t id, double seconds, fr_done_f cb,
                     void *arg)
{
    owe(engine, id, arg)->done = cb;
}

static void lookup(struct fr_engine *engine, uint64_t id, enum fr_lookup what, fr_lookup_f cb,
                   void *arg)
{
    owe(engine, id, arg)->found = cb;
}

static bool why(struct fr_engine *engine, uint64_t id, char *buf, size_t size)
{
    return snprintf(buf, size, "it waits for nothing") > 0;
}

static struct fr_output_watch *output(struct fr_engine *engine, uint64_t id, uint64_t offset,
                                      fr_output_f cb, void *arg)
{
    struct fr_output_watch *watch = calloc(1, sizeof *watch);

    if (!watch)
        abort();
    of(engine)->asked++;
    watch->cb = cb;
    watch->arg = arg;
    watch->told = offset;
    LIST_INSERT_HEAD(&of(engine)->watches, watch, link);
    return watch;
}

static void output_pause(struct fr_output_watch *watch, bool paused)
{
    watch->paused = paused;
}

static void output_free(struct fr_output_watch *watch)
{
    LIST_REMOVE(watch, link);
    free(watch);
}

static void nodes(struct fr_engine *engine, fr_nodes_f cb, void *arg)
{
    owe(engine, 0, arg)->nodes = cb;
}

static void drain(struct fr_engine *engine, const char *targets, const char *reason,
                  fr_done_f cb, void *arg)
{
    owe(engine, 0, arg)->done = cb;
}

static void undrain(struct fr_engine *engine, const char *targets, fr_done_f cb, void *arg)
{
    owe(engine, 0, arg)->done = cb;
}

static void queues(struct fr_engine *engine, fr_queues_f cb, void *arg)
{
    owe(engine, 0, arg)->queues = cb;
}

static void answer_nodes(const struct owed *owed)
{
    static const struct fr_node all[] = {
        {.name = "one", .state = FR_NODE_FREE, .cores = 4},
        {.name = "two", .rank = 1, .state = FR_NODE_DRAINED, .drain_reason = "\"a\"\n"},
    };

    owed->nodes(owed->arg, all, FR_ARRAY_SIZE(all), NULL);
}

static void answer(const struct owed *owed)
{
    static const char text[] = "{\"timestamp\":1.0,\"name\":\"submit\"}\n";
    static const struct fr_queue queue = {.name = "batch", .enabled = true};
    struct fr_error err;

    (void)fr_error_set(&err, ENOENT, FR_CODE_JOB_NOT_FOUND, "unknown job id");
    if (owed->submitted)
        owed->submitted(owed->arg, owed->id, owed->id ? NULL : &err);
    else if (owed->done)
        owed->done(owed->arg, owed->id % 2 ? &err : NULL);
    else if (owed->found)
        owed->found(owed->arg, text, sizeof text - 1, NULL);
    else if (owed->nodes)
        answer_nodes(owed);
    else
        owed->queues(owed->arg, &queue, 1, NULL);
}

/* false: it has nothing to tell now. The callback may free the watch. */
static bool tell_output(struct fr_output_watch *watch)
{
    static const char data[] = "line\nhalf \xe2\x82 a \0 line";
    struct fr_output piece = {.kind = FR_OUTPUT_DATA, .rank = "0", .data = data};

    if (watch->paused || watch->ended)
        return false;
    piece.len = sizeof data - 1;
    piece.offset = ++watch->told;
    piece.is_stderr = watch->told % 2;
    if (watch->told == 3)
        piece.kind = FR_OUTPUT_CAUGHT_UP;
    if (watch->told > 4) {
        watch->ended = true;
        piece.kind = FR_OUTPUT_END;
    }
    watch->cb(watch->arg, &piece);
    return true;
}

static bool tell_outputs(struct played *played)
{
    struct fr_output_watch *watch;

    LIST_FOREACH(watch, &played->watches, link)
    if (tell_output(watch))
        return true;
    return false;
}

void played_go_on(struct played *played)
{
    while (!STAILQ_EMPTY(&played->owed)) {
        struct owed *owed = STAILQ_FIRST(&played->owed);
        STAILQ_REMOVE_HEAD(&played->owed, link);
        answer(owed);
        free(owed);
    }
    while (tell_outputs(played))
        ;
}

size_t played_asked(const struct played *played)
{
    return played->asked;
}

struct fr_engine *played_engine(struct played *played)
{
    return &played->base;
}

void played_forget(struct played *played)
{
    for (; played->jobs > GIVEN; played->jobs--)
        played->sink->purged(played->sink->arg, &played->jobs, 1);
}

static void add_given(struct played *played)
{
    struct fr_jobspec *spec;
    json_t *json = json_pack(
        "{s:i, s:[{s:s, s:i, s:s, s:[{s:s, s:i}]}], s:[{s:[s], s:s, s:{s:i}}],"
        " s:{s:{s:i, s:{s:s}}}}",
        "version", 1, "resources", "type", "slot", "count", 1, "label", "task", "with", "type",
        "core", "count", 1, "tasks", "command", "true", "slot", "task", "count", "per_slot", 1,
        "attributes", "system", "duration", 0, "job", "name", "given");

    if (fr_jobspec_create(json, &spec, NULL) < 0)
        abort();
    while (played->jobs < GIVEN)
        tell(played, ++played->jobs, spec);
    fr_jobspec_free(spec);
}

struct played *played_create(const struct fr_engine_sink *sink)
{
    static const struct fr_engine_ops ops = {.name = "local",
                                             .instance = instance,
                                             .size = size_of,
                                             .submit = submit,
                                             .cancel = cancel,
                                             .kill = set_int,
                                             .urgency = set_int,
                                             .duration = duration,
                                             .lookup = lookup,
                                             .why = why,
                                             .output = output,
                                             .output_pause = output_pause,
                                             .output_free = output_free,
                                             .nodes = nodes,
                                             .drain = drain,
                                             .undrain = undrain,
                                             .queues = queues};
    struct played *played = calloc(1, sizeof *played);

    if (!played)
        abort();
    played->base.ops = &ops;
    played->sink = sink;
    STAILQ_INIT(&played->owed);
    LIST_INIT(&played->watches);
    return played;
}

void played_open(struct played *played)
{
    add_given(played);
    played->sink->caught_up(played->sink->arg, 0);
}

void played_free(struct played *played)
{
    if (!STAILQ_EMPTY(&played->owed) || !LIST_EMPTY(&played->watches))
        abort();
    free(played);
}
