// SPDX-License-Identifier: LGPL-3.0-only
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/util.h"
#include "engine/flux/thread.h"

#define RANKS_MAX 1000000u
#define CHILDREN_MAX 100000u /* cores or GPUs of one node */
#define TEXTS_MAX ((size_t)64 << 20)

/* The nodes while they are put together: found by rank, named by place in a text buffer. */
struct gather {
    struct fr_node *nodes;
    size_t *names, *reasons; /* places in texts, plus one; 0 is none */
    size_t count, room;
    size_t current; /* the node that a walk is at */
    struct fr_buf texts;
    const json_t *children; /* of the R_lite entry that is walked */
    const char *reason;
    enum fr_node_state state;
    struct fr_flux_size *size;
};

static int count_one(unsigned int id, void *arg)
{
    ++*(int *)arg;
    return 0;
}

static int count_set(const json_t *children, const char *what)
{
    const char *text = json_string_value(json_object_get(children, what));
    int count = 0;

    if (text && fr_idset_each(text, CHILDREN_MAX, count_one, &count) < 0)
        return 0;
    return count;
}

/* Calls each for every rank of an R object, with gather->children its entry's children. */
static int each_rank(const json_t *R, struct gather *gather, fr_idset_f each)
{
    const json_t *lite = json_object_get(json_object_get(R, "execution"), "R_lite");
    const json_t *entry;
    size_t i;

    if (!json_is_array(lite))
        return -EINVAL;
    json_array_foreach (lite, i, entry) {
        const char *ranks = json_string_value(json_object_get(entry, "rank"));
        gather->children = json_object_get(entry, "children");
        int rc = ranks ? fr_idset_each(ranks, RANKS_MAX, each, gather) : -EINVAL;
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int add_size(unsigned int rank, void *arg)
{
    struct gather *gather = arg;

    gather->size->nodes++;
    gather->size->cores += count_set(gather->children, "core");
    gather->size->gpus += count_set(gather->children, "gpu");
    return 0;
}

int fr_flux_nodes_size(const json_t *R, struct fr_flux_size *ret)
{
    struct fr_flux_size size = {0};
    struct gather gather = {.size = &size};
    int rc = each_rank(R, &gather, add_size);

    if (rc == 0)
        *ret = size;
    return rc;
}

static int grow(struct gather *gather)
{
    size_t room = gather->room ? gather->room * 2 : 64;
    void *nodes = reallocarray(gather->nodes, room, sizeof *gather->nodes);

    if (nodes)
        gather->nodes = nodes;
    void *names = reallocarray(gather->names, room, sizeof *gather->names);
    if (names)
        gather->names = names;
    void *reasons = reallocarray(gather->reasons, room, sizeof *gather->reasons);
    if (reasons)
        gather->reasons = reasons;
    if (!nodes || !names || !reasons)
        return -ENOMEM;
    gather->room = room;
    return 0;
}

static int add_node(unsigned int rank, void *arg)
{
    struct gather *gather = arg;

    if (gather->count == gather->room && grow(gather) < 0)
        return -ENOMEM;
    gather->names[gather->count] = 0;
    gather->reasons[gather->count] = 0;
    gather->nodes[gather->count++] = (struct fr_node){
        .rank = rank,
        .cores = count_set(gather->children, "core"),
        .gpus = count_set(gather->children, "gpu"),
    };
    return 0;
}

static size_t put_text(struct gather *gather, const char *text)
{
    size_t place = gather->texts.len + 1;

    fr_buf_put(&gather->texts, text, strlen(text) + 1);
    return place;
}

static int add_name(const char *host, void *arg)
{
    struct gather *gather = arg;

    if (gather->current < gather->count)
        gather->names[gather->current++] = put_text(gather, host);
    return 0;
}

static int add_names(const json_t *R, struct gather *gather)
{
    const json_t *list = json_object_get(json_object_get(R, "execution"), "nodelist");
    const json_t *entry;
    size_t i;

    json_array_foreach (list, i, entry) {
        const char *hosts = json_string_value(entry);
        int rc = hosts ? fr_hostlist_each(hosts, RANKS_MAX, add_name, gather) : -EINVAL;
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int by_rank(const void *a, const void *b)
{
    unsigned int left = ((const struct fr_node *)a)->rank;
    unsigned int right = ((const struct fr_node *)b)->rank;

    return left < right ? -1 : left > right;
}

/* The index of a rank, or -1. */
static ssize_t find_rank(const struct gather *gather, unsigned int rank)
{
    struct fr_node key = {.rank = rank}, *node = NULL;

    if (gather->count > 0)
        node = bsearch(&key, gather->nodes, gather->count, sizeof key, by_rank);
    return node ? node - gather->nodes : -1;
}

/* R groups ranks by what they have; hosts are listed in the order of all ranks. */
static int add_nodes(const json_t *R, struct gather *gather)
{
    int rc = each_rank(R, gather, add_node);

    if (rc < 0 || gather->count == 0)
        return rc;
    qsort(gather->nodes, gather->count, sizeof *gather->nodes, by_rank);
    return add_names(R, gather);
}

static int add_used(unsigned int rank, void *arg)
{
    struct gather *gather = arg;
    ssize_t i = find_rank(gather, rank);

    if (i >= 0) {
        gather->nodes[i].cores_used += count_set(gather->children, "core");
        gather->nodes[i].gpus_used += count_set(gather->children, "gpu");
    }
    return 0;
}

static void set_use(struct gather *gather)
{
    for (size_t i = 0; i < gather->count; i++) {
        struct fr_node *node = &gather->nodes[i];
        if (node->cores_used == 0 && node->gpus_used == 0)
            node->state = FR_NODE_FREE;
        else if (node->cores_used < node->cores)
            node->state = FR_NODE_PARTLY;
        else
            node->state = FR_NODE_ALLOCATED;
    }
}

static int mark(unsigned int rank, void *arg)
{
    struct gather *gather = arg;
    ssize_t i = find_rank(gather, rank);

    if (i < 0)
        return 0;
    gather->nodes[i].state = gather->state;
    if (gather->reason)
        gather->reasons[i] = put_text(gather, gather->reason);
    return 0;
}

static int mark_set(struct gather *gather, const char *ranks, enum fr_node_state state,
                    const char *reason)
{
    gather->state = state;
    gather->reason = reason;
    return ranks ? fr_idset_each(ranks, RANKS_MAX, mark, gather) : 0;
}

static int mark_down(unsigned int rank, void *arg)
{
    struct gather *gather = arg;

    gather->state = FR_NODE_DOWN;
    gather->reason = NULL;
    return mark(rank, gather);
}

/* From the least telling to the most: what is said last counts. */
static int mark_states(struct gather *gather, const json_t *down, const json_t *status)
{
    json_t *drain = json_object_get(status, "drain"), *info;
    const char *ranks;
    int rc = each_rank(down, gather, mark_down);

    json_object_foreach (drain, ranks, info) {
        const char *reason = json_string_value(json_object_get(info, "reason"));
        if (rc == 0)
            rc = mark_set(gather, ranks, FR_NODE_DRAINED, reason ? reason : "");
    }
    if (rc == 0)
        rc = mark_set(gather, json_string_value(json_object_get(status, "offline")),
                      FR_NODE_OFFLINE, NULL);
    if (rc == 0) /* whatever else is true of it, no job is ever given it */
        rc = mark_set(gather, json_string_value(json_object_get(status, "exclude")),
                      FR_NODE_EXCLUDED, NULL);
    return rc;
}

/* The texts have found their place: the nodes point there, and the result is whole. */
static int finish(struct gather *gather, struct fr_flux_nodes *nodes)
{
    size_t len;
    int rc = fr_buf_take(&gather->texts, &nodes->texts, &len);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < gather->count; i++) {
        struct fr_node *node = &gather->nodes[i];
        node->name = gather->names[i] ? nodes->texts + gather->names[i] - 1 : "";
        if (gather->reasons[i])
            node->drain_reason = nodes->texts + gather->reasons[i] - 1;
    }
    nodes->nodes = fr_take(gather->nodes);
    nodes->count = gather->count;
    return 0;
}

static int build(const json_t *status, const json_t *all, const json_t *down,
                 const json_t *allocated, struct fr_flux_nodes *nodes)
{
    struct gather gather = {.texts = FR_BUF_INIT(TEXTS_MAX)};
    const json_t *R = json_object_get(status, "R");
    int rc = add_nodes(R, &gather);

    if (rc == 0)
        rc = each_rank(allocated, &gather, add_used);
    if (rc == 0) {
        set_use(&gather);
        rc = mark_states(&gather, down, status);
    }
    if (rc == 0)
        rc = fr_flux_nodes_size(all, &nodes->size);
    if (rc == 0)
        rc = finish(&gather, nodes);
    fr_buf_done(&gather.texts);
    free(gather.nodes);
    free(gather.names);
    free(gather.reasons);
    return rc;
}

static int read_answers(struct fr_flux_request *request)
{
    flux_future_t *use = request->futures[0], *state = request->futures[1];
    json_t *all, *down, *allocated, *status;
    int rc;

    if (flux_rpc_get_unpack(use, "{s:o s:o s:o}", "all", &all, "down", &down, "allocated",
                            &allocated) < 0)
        return fr_error_set(&request->err, errno, FR_CODE_UNAVAILABLE,
                            "Flux cannot tell its resources: %s.", fr_flux_why(use, errno));
    if (flux_rpc_get_unpack(state, "o", &status) < 0)
        return fr_error_set(&request->err, errno, FR_CODE_UNAVAILABLE,
                            "Flux cannot tell its nodes: %s.", fr_flux_why(state, errno));
    request->nodes = calloc(1, sizeof *request->nodes);
    rc = request->nodes ? build(status, all, down, allocated, request->nodes) : -ENOMEM;
    if (rc < 0) {
        fr_flux_nodes_free(fr_take(request->nodes)); /* half a picture is none */
        return fr_error_set(&request->err, -rc, FR_CODE_INTERNAL,
                            "What Flux tells of its nodes cannot be read: %s.", strerror(-rc));
    }
    return 0;
}

/* Comes for each of the two; acts once both are there. */
static void on_answer(flux_future_t *f, void *arg)
{
    struct fr_flux_request *request = arg;

    if (!flux_future_is_ready(request->futures[0]) ||
        !flux_future_is_ready(request->futures[1]))
        return;
    request->failed = read_answers(request) < 0;
    fr_flux_answered(request);
}

int fr_flux_nodes_send(struct fr_flux_request *request)
{
    static const char *const topics[] = {"resource.sched-status", "resource.status"};

    for (size_t i = 0; i < FR_ARRAY_SIZE(topics); i++) {
        flux_future_t *f = flux_rpc(request->thread->h, topics[i], NULL, 0, 0);
        if (fr_flux_then(request, i, f, on_answer) < 0)
            return -1;
    }
    return 0;
}
