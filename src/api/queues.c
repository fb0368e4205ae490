// SPDX-License-Identifier: LGPL-3.0-only
/*
 * GET /v1/queues.
 */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/handlers.h"
#include "api/held.h"
#include "api/jobs.h"
#include "api/problem.h"

/* Jobs of a queue (NULL: of none) in these states. */
static size_t count_jobs(const struct fr_table *table, const char *queue, int states)
{
    struct fr_table_walk walk = fr_table_walk(table, states);
    const struct fr_job *job;
    size_t count = 0;

    while ((job = fr_table_next(&walk)))
        count += queue ? job->queue && strcmp(job->queue, queue) == 0 : !job->queue;
    return count;
}

/* A group of limits as Flux names them; what has none is not there. */
static void put_sizes(const char *name, const int limits[FR_SIZES], struct fr_buf *body)
{
    static const char *const names[FR_SIZES] = {
        [FR_SIZE_NODES] = "nnodes", [FR_SIZE_CORES] = "ncores", [FR_SIZE_GPUS] = "ngpus"};
    const char *comma = "";

    fr_buf_printf(body, "\"%s\":{", name);
    for (int i = 0; i < FR_SIZES; i++) {
        if (limits[i] < 0)
            continue;
        fr_buf_printf(body, "%s\"%s\":%d", comma, names[i], limits[i]);
        comma = ",";
    }
    fr_buf_putc(body, '}');
}

static void put_limits(const struct fr_limits *limits, struct fr_buf *body)
{
    fr_buf_puts(body, ",\"limits\":{");
    if (limits->duration >= 0) {
        fr_buf_puts(body, "\"duration\":");
        fr_buf_put_double(body, limits->duration);
        fr_buf_putc(body, ',');
    }
    put_sizes("max", limits->max, body);
    fr_buf_putc(body, ',');
    put_sizes("min", limits->min, body);
    fr_buf_putc(body, '}');
}

static void put_queue(const struct fr_table *table, const struct fr_queue *queue,
                      struct fr_buf *body)
{
    fr_buf_puts(body, "{\"name\":");
    fr_buf_put_json_string(body, queue->name);
    fr_buf_printf(body, ",\"enabled\":%s,\"started\":%s,\"disable_reason\":",
                  queue->enabled ? "true" : "false", queue->started ? "true" : "false");
    fr_buf_put_json_string(body, queue->disable_reason);
    fr_buf_puts(body, ",\"stop_reason\":");
    fr_buf_put_json_string(body, queue->stop_reason);
    put_limits(&queue->limits, body);
    fr_buf_printf(body, ",\"pending\":%zu,\"running\":%zu}",
                  count_jobs(table, queue->name, FR_STATES_PENDING),
                  count_jobs(table, queue->name, FR_STATES_RUNNING));
}

static void on_queues(void *arg, const struct fr_queue *queues, size_t count,
                      const struct fr_error *err)
{
    struct fr_req *req = fr_held_take_unless(arg, err);

    free(arg);
    if (!req)
        return;
    const struct fr_table *table = fr_service_table(fr_api_call(req)->api->service);
    struct fr_buf body = FR_BUF_INIT(FR_REPLY_MAX);
    fr_buf_puts(&body, "{\"queues\":[");
    for (size_t i = 0; i < count; i++) {
        if (i)
            fr_buf_puts(&body, ",\n");
        put_queue(table, &queues[i], &body);
    }
    fr_buf_puts(&body, "]}\n");
    fr_reply_json(req, 200, &body);
}

void fr_handle_queues(struct fr_req *req)
{
    struct fr_engine *engine = fr_service_engine(fr_api_call(req)->api->service);

    if (!engine->ops->queues) {
        fr_reply_unsupported(req, "tell of queues");
        return;
    }
    if (!fr_jobs_readable(req))
        return;
    struct fr_held *held = calloc(1, sizeof *held);
    if (!held) {
        fr_reply_no_memory(req);
        return;
    }
    fr_held_init(held, req, FR_CODE_UNAVAILABLE, NULL);
    engine->ops->queues(engine, on_queues, held);
}
