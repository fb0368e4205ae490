// SPDX-License-Identifier: LGPL-3.0-only
#include <stddef.h>

#include "base/util.h"
#include "engine/local/local.h"

struct fr_later {
    struct fr_later *next;
    fr_submit_f submit;
    fr_done_f done;
    fr_lookup_f lookup;
    fr_nodes_f nodes;
    void *arg;
    bool failed;
    struct fr_error err;
};

static void answer_nodes(struct fr_local *engine, const struct fr_later *later)
{
    struct fr_sched_share total = fr_resources_total(engine->resources);
    struct fr_sched_share unused = fr_resources_unused(engine->resources);
    struct fr_node node = {.name = engine->host,
                           .cores = total.cores,
                           .cores_used = total.cores - unused.cores,
                           .gpus = total.gpus,
                           .gpus_used = total.gpus - unused.gpus};

    node.state = unused.cores == total.cores ? FR_NODE_FREE
                 : unused.cores              ? FR_NODE_PARTLY
                                             : FR_NODE_ALLOCATED;
    later->nodes(later->arg, &node, 1, NULL);
}

static void answer(struct fr_local *engine, const struct fr_later *later)
{
    const struct fr_error *err = later->failed ? &later->err : NULL;

    if (later->submit)
        later->submit(later->arg, 0, err);
    else if (later->lookup)
        later->lookup(later->arg, NULL, 0, err);
    else if (later->done)
        later->done(later->arg, err);
    else
        answer_nodes(engine, later);
}

static void add(struct fr_local *engine, const struct fr_later *what)
{
    struct fr_later *later = malloc(sizeof(*later));

    if (!later) {
        answer(engine, what); /* too early is better than never */
        return;
    }
    *later = *what;
    later->next = NULL;
    *engine->later_end = later;
    engine->later_end = &later->next;
    fr_wake_send(engine->wake);
}

void fr_later_submit(struct fr_local *engine, fr_submit_f cb, void *arg,
                     const struct fr_error *err)
{
    struct fr_later later = {.submit = cb, .arg = arg, .failed = true, .err = *err};

    add(engine, &later);
}

void fr_later_done(struct fr_local *engine, fr_done_f cb, void *arg, const struct fr_error *err)
{
    struct fr_later later = {.done = cb, .arg = arg, .failed = err != NULL};

    if (err)
        later.err = *err;
    add(engine, &later);
}

void fr_later_lookup(struct fr_local *engine, fr_lookup_f cb, void *arg,
                     const struct fr_error *err)
{
    struct fr_later later = {.lookup = cb, .arg = arg, .failed = true, .err = *err};

    add(engine, &later);
}

void fr_later_nodes(struct fr_local *engine, fr_nodes_f cb, void *arg)
{
    struct fr_later later = {.nodes = cb, .arg = arg};

    add(engine, &later);
}

void fr_later_run(struct fr_local *engine)
{
    struct fr_later *list = fr_take(engine->later);

    engine->later_end = &engine->later;
    while (list) {
        struct fr_later *later = list;

        list = later->next;
        answer(engine, later);
        free(later);
    }
}
