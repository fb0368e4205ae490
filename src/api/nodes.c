// SPDX-License-Identifier: LGPL-3.0-only
/*
 * GET /v1/nodes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/handlers.h"
#include "api/held.h"
#include "api/params.h"
#include "api/problem.h"
#include "model/fluid.h"
#include "model/rset.h"

#define RANKS_MAX (1 << 20)

static bool is_up(const struct fr_node *node)
{
    return node->state < FR_NODE_DOWN || node->state == FR_NODE_DRAINED;
}

/* Several brokers of one machine bear one name: it is listed once, as older servers do. */
static bool is_listed_before(const struct fr_node *nodes, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (is_up(&nodes[i]) && strcmp(nodes[i].name, nodes[at].name) == 0)
            return true;
    return false;
}

static void put_names(const struct fr_node *nodes, size_t count, struct fr_buf *body)
{
    bool any = false;

    for (size_t i = 0; i < count; i++) {
        if (!is_up(&nodes[i]) || is_listed_before(nodes, i))
            continue;
        if (any)
            fr_buf_putc(body, ',');
        fr_buf_put_json_string(body, nodes[i].name);
        any = true;
    }
}

/* The ids of the jobs on each node, as the inside of a JSON list. */
struct jobs_of {
    const struct fr_node *nodes;
    size_t count;
    struct fr_buf *lists;
    char jobid[FR_FLUID_TEXT]; /* of the job whose ranks are being read */
};

/* Nodes come in the order of ranks, mostly without gaps. */
static int compare_rank(const void *key, const void *node)
{
    unsigned int rank = *(const unsigned int *)key,
                 other = ((const struct fr_node *)node)->rank;

    return (rank > other) - (rank < other);
}

static int add_job(unsigned int rank, void *arg)
{
    struct jobs_of *jobs = arg;
    const struct fr_node *node =
        bsearch(&rank, jobs->nodes, jobs->count, sizeof *node, compare_rank);

    if (node) {
        struct fr_buf *list = &jobs->lists[node - jobs->nodes];
        fr_buf_puts(list, list->len ? ",\"" : "\"");
        fr_buf_puts(list, jobs->jobid);
        fr_buf_putc(list, '"');
    }
    return 0;
}

/* 0 or -ENOMEM; the lists are freed with free_jobs(). */
static int find_jobs(const struct fr_table *table, const struct fr_node *nodes, size_t count,
                     struct jobs_of *ret)
{
    struct fr_table_walk walk = fr_table_walk(table, FR_STATES_RUNNING);
    const struct fr_job *job;

    *ret = (struct jobs_of){
        .nodes = nodes, .count = count, .lists = calloc(count + 1, sizeof *ret->lists)};
    if (!ret->lists)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        fr_buf_init(&ret->lists[i], FR_REPLY_MAX);
    while ((job = fr_table_next(&walk))) {
        (void)fr_fluid_f58(job->id, ret->jobid);
        /* A text of ranks that was cut tells of fewer nodes. */
        if (job->ranks)
            (void)fr_idset_each(job->ranks, RANKS_MAX, add_job, ret);
    }
    return 0;
}

static void free_jobs(struct jobs_of *jobs)
{
    for (size_t i = 0; i < jobs->count; i++)
        fr_buf_done(&jobs->lists[i]);
    free(jobs->lists);
}

static void put_details(const struct jobs_of *jobs, struct fr_buf *body)
{
    static const char *const states[] = {
        [FR_NODE_FREE] = "free",           [FR_NODE_PARTLY] = "partly",
        [FR_NODE_ALLOCATED] = "allocated", [FR_NODE_DOWN] = "down",
        [FR_NODE_DRAINED] = "drained",     [FR_NODE_OFFLINE] = "offline",
        [FR_NODE_EXCLUDED] = "excluded",
    };

    for (size_t i = 0; i < jobs->count; i++) {
        const struct fr_node *node = &jobs->nodes[i];
        const struct fr_buf *list = &jobs->lists[i];
        fr_buf_puts(body, i ? ",\n{\"name\":" : "{\"name\":");
        fr_buf_put_json_string(body, node->name);
        fr_buf_printf(body,
                      ",\"rank\":%u,\"state\":\"%s\",\"cores\":%d,\"cores_used\":%d,"
                      "\"gpus\":%d,\"gpus_used\":%d,\"drain_reason\":",
                      node->rank, states[node->state], node->cores, node->cores_used,
                      node->gpus, node->gpus_used);
        fr_buf_put_json_string(body, node->drain_reason);
        fr_buf_puts(body, ",\"jobs\":[");
        fr_buf_put(body, list->data, list->len);
        fr_buf_puts(body, "]}");
        if (fr_buf_status(list) < 0)
            body->failed = fr_buf_status(list);
    }
}

static void reply_details(struct fr_req *req, const struct fr_node *nodes, size_t count)
{
    const struct fr_table *table = fr_service_table(fr_api_call(req)->api->service);
    struct fr_buf body = FR_BUF_INIT(FR_REPLY_MAX);
    struct jobs_of jobs;

    if (find_jobs(table, nodes, count, &jobs) < 0) {
        fr_reply_no_memory(req);
        return;
    }
    fr_buf_puts(&body, "{\"nodes\":[");
    put_details(&jobs, &body);
    fr_buf_puts(&body, "]}\n");
    free_jobs(&jobs);
    fr_reply_json(req, 200, &body);
}

static void on_nodes(void *arg, const struct fr_node *nodes, size_t count,
                     const struct fr_error *err)
{
    struct fr_req *req = fr_held_take_unless(arg, err);

    free(arg);
    if (!req)
        return;
    if (fr_param_bool(req, "details", false)) {
        reply_details(req, nodes, count);
        return;
    }
    struct fr_buf body = FR_BUF_INIT(FR_REPLY_MAX);
    fr_buf_puts(&body, "{\"nodes\":[");
    put_names(nodes, count, &body);
    fr_buf_puts(&body, "]}\n");
    fr_reply_json(req, 200, &body);
}

void fr_handle_nodes(struct fr_req *req)
{
    struct fr_engine *engine = fr_service_engine(fr_api_call(req)->api->service);
    struct fr_held *held = calloc(1, sizeof *held);

    if (!held) {
        fr_reply_no_memory(req);
        return;
    }
    fr_held_init(held, req, FR_CODE_UNAVAILABLE, NULL);
    engine->ops->nodes(engine, on_nodes, held);
}
