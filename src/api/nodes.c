// SPDX-License-Identifier: LGPL-3.0-only
/*
 * GET /v1/nodes.
 */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/handlers.h"
#include "api/held.h"
#include "api/params.h"
#include "api/problem.h"

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

static void put_details(const struct fr_node *nodes, size_t count, struct fr_buf *body)
{
    static const char *const states[] = {
        [FR_NODE_FREE] = "free",           [FR_NODE_PARTLY] = "partly",
        [FR_NODE_ALLOCATED] = "allocated", [FR_NODE_DOWN] = "down",
        [FR_NODE_DRAINED] = "drained",     [FR_NODE_OFFLINE] = "offline",
        [FR_NODE_EXCLUDED] = "excluded",
    };

    for (size_t i = 0; i < count; i++) {
        const struct fr_node *node = &nodes[i];
        fr_buf_puts(body, i ? ",\n{\"name\":" : "{\"name\":");
        fr_buf_put_json_string(body, node->name);
        fr_buf_printf(body,
                      ",\"rank\":%u,\"state\":\"%s\",\"cores\":%d,\"cores_used\":%d,"
                      "\"gpus\":%d,\"gpus_used\":%d,\"drain_reason\":",
                      node->rank, states[node->state], node->cores, node->cores_used,
                      node->gpus, node->gpus_used);
        fr_buf_put_json_string(body, node->drain_reason);
        fr_buf_putc(body, '}');
    }
}

static void on_nodes(void *arg, const struct fr_node *nodes, size_t count,
                     const struct fr_error *err)
{
    struct fr_req *req = fr_held_take(arg);

    free(arg);
    if (!req)
        return;
    if (err) {
        fr_reply_problem(req, 0, err);
        return;
    }
    struct fr_buf body = FR_BUF_INIT(FR_REPLY_MAX);
    fr_buf_puts(&body, "{\"nodes\":[");
    if (fr_param_bool(req, "details", false))
        put_details(nodes, count, &body);
    else
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
