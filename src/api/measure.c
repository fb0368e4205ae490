// SPDX-License-Identifier: LGPL-3.0-only
/*
 * GET /v1/stats and /metrics.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/api.h"
#include "api/handlers.h"
#include "api/jobs.h"
#include "api/params.h"
#include "api/problem.h"
#include "api/sender.h"
#include "base/loop.h"
#include "base/version.h"
#include "model/jobspec.h"

#define THROUGHPUT_SECONDS 60

static void put_states(const struct fr_table *table, struct fr_buf *body)
{
    size_t counts[FR_STATE_BITS];

    fr_table_count_states(table, counts);
    for (int i = 0; i < FR_STATE_BITS; i++)
        fr_buf_printf(body, "%s\"%s\":%zu", i ? "," : "", fr_state_word(1 << i), counts[i]);
}

/* The oldest point that is not older than so many seconds, NULL if there is none. */
static const struct fr_stats_point *point_since(const struct fr_stats *stats, double now,
                                                double seconds)
{
    for (size_t i = 0; i < FR_STATS_POINTS; i++) {
        const struct fr_stats_point *point =
            &stats->points[(stats->next + i) % FR_STATS_POINTS];
        if (point->when && (double)point->when >= now - seconds)
            return point;
    }
    return NULL;
}

/* Jobs that ended a second, over the last minute or as long as is known. */
static double throughput(const struct fr_stats *stats, double now)
{
    const struct fr_stats_point *point = point_since(stats, now, THROUGHPUT_SECONDS);
    double elapsed = point ? now - (double)point->when : 0;

    return elapsed > 0 ? (double)(stats->finished - point->finished) / elapsed : 0;
}

static void put_history(const struct fr_stats *stats, double now, double seconds,
                        struct fr_buf *body)
{
    bool any = false;

    fr_buf_puts(body, ",\"history\":[");
    for (size_t i = 0; i < FR_STATS_POINTS; i++) {
        const struct fr_stats_point *point =
            &stats->points[(stats->next + i) % FR_STATS_POINTS];
        if (!point->when || (double)point->when < now - seconds)
            continue;
        fr_buf_printf(body,
                      "%s{\"t\":%llu,\"pending\":%u,\"running\":%u,\"cores_used\":%u,"
                      "\"gpus_used\":%u,\"submitted\":%llu,\"finished\":%llu}",
                      any ? ",\n" : "", (unsigned long long)point->when, point->pending,
                      point->running, point->cores_used, point->gpus_used,
                      (unsigned long long)point->submitted,
                      (unsigned long long)point->finished);
        any = true;
    }
    fr_buf_putc(body, ']');
}

void fr_handle_stats(struct fr_req *req)
{
    struct fr_api *api = fr_api_call(req)->api;
    struct fr_engine *engine = fr_service_engine(api->service);
    const char *history = fr_req_query(req, "history");
    struct fr_buf body = FR_BUF_INIT(FR_REPLY_MAX);
    int nodes, cores, gpus;
    double now = fr_time_now(), seconds = 0;

    if (!fr_jobs_readable(req))
        return;
    fr_stats_catch_up(&api->stats, now);
    struct fr_stats_point point = fr_stats_now(&api->stats, now);
    engine->ops->size(engine, &nodes, &cores, &gpus);
    fr_buf_puts(&body, "{\"t\":");
    fr_buf_put_double(&body, now);
    fr_buf_puts(&body, ",\"jobs\":{");
    put_states(fr_service_table(api->service), &body);
    fr_buf_printf(&body,
                  "},\"nodes\":%d,\"cores\":%d,\"cores_used\":%u,\"gpus\":%d,\"gpus_used\":%u,"
                  "\"submitted\":%llu,\"finished\":%llu,\"throughput\":",
                  nodes, cores, point.cores_used, gpus, point.gpus_used,
                  (unsigned long long)point.submitted, (unsigned long long)point.finished);
    fr_buf_put_double(&body, throughput(&api->stats, now));
    if (history && fr_fsd_parse(history, &seconds) == 0)
        put_history(&api->stats, now, seconds, &body);
    fr_buf_puts(&body, "}\n");
    fr_reply_json(req, 200, &body);
}

/* --- OpenMetrics --- */

static void put_family(struct fr_buf *body, const char *name, const char *type,
                       const char *help)
{
    fr_buf_printf(body, "# TYPE %s %s\n# HELP %s %s\n", name, type, name, help);
}

static void put_requests(const struct fr_stats *stats, struct fr_buf *body)
{
    static const char *const classes[] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
    unsigned long long sum = 0;

    put_family(body, "flux_restd_requests", "counter", "Requests, by the class of the status.");
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        fr_buf_printf(body, "flux_restd_requests_total{status=\"%s\"} %llu\n", classes[i],
                      (unsigned long long)stats->requests[i]);
    put_family(body, "flux_restd_request_seconds", "histogram",
               "Time from a request's line to the end of its reply.");
    for (size_t i = 0; i < FR_STATS_BUCKETS; i++) {
        sum += stats->latencies[i];
        if (i < FR_STATS_BUCKETS - 1)
            fr_buf_printf(body, "flux_restd_request_seconds_bucket{le=\"%g\"} %llu\n",
                          fr_stats_bounds[i], sum);
    }
    fr_buf_printf(body,
                  "flux_restd_request_seconds_bucket{le=\"+Inf\"} %llu\n"
                  "flux_restd_request_seconds_count %llu\nflux_restd_request_seconds_sum ",
                  sum, sum);
    fr_buf_put_double(body, stats->latency_sum);
    fr_buf_putc(body, '\n');
}

static void put_jobs(const struct fr_stats *stats, const struct fr_table *table,
                     struct fr_buf *body)
{
    size_t counts[FR_STATE_BITS];

    fr_table_count_states(table, counts);
    put_family(body, "flux_restd_jobs", "gauge", "Jobs that are known, by state.");
    for (int i = 0; i < FR_STATE_BITS; i++)
        fr_buf_printf(body, "flux_restd_jobs{state=\"%s\"} %zu\n", fr_state_word(1 << i),
                      counts[i]);
    put_family(body, "flux_restd_jobs_submitted", "counter", "Jobs submitted since the start.");
    fr_buf_printf(body, "flux_restd_jobs_submitted_total %llu\n",
                  (unsigned long long)stats->submitted);
    put_family(body, "flux_restd_jobs_finished", "counter", "Jobs ended since the start.");
    fr_buf_printf(body, "flux_restd_jobs_finished_total %llu\n",
                  (unsigned long long)stats->finished);
    put_family(body, "flux_restd_events", "counter", "Events of jobs since the start.");
    fr_buf_printf(body, "flux_restd_events_total %llu\n", (unsigned long long)stats->events);
}

/* Bytes of resident memory; 0 if the system does not tell. */
static unsigned long long resident(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    unsigned long long pages = 0;

    if (!file)
        return 0;
    if (fscanf(file, "%*u %19llu", &pages) != 1)
        pages = 0;
    (void)fclose(file);
    return pages * (unsigned long long)sysconf(_SC_PAGESIZE);
}

static void put_service(const struct fr_service *service, struct fr_buf *body)
{
    put_family(body, "flux_restd", "info", "What runs here.");
    fr_buf_printf(body, "flux_restd_info{version=\"%s\",engine=\"%s\"} 1\n", FR_VERSION,
                  fr_service_engine(service)->ops->name);
    put_family(body, "flux_restd_engine_up", "gauge", "Whether the engine can be reached.");
    fr_buf_printf(body, "flux_restd_engine_up %d\n", fr_service_lost(service) == NULL);
    put_family(body, "flux_restd_subscribers", "gauge", "Who waits for events.");
    fr_buf_printf(body, "flux_restd_subscribers %zu\n",
                  fr_hub_subscribers(fr_service_hub(service)));
    put_family(body, "flux_restd_resident_memory_bytes", "gauge", "Memory of the daemon.");
    fr_buf_printf(body, "flux_restd_resident_memory_bytes %llu\n", resident());
    put_family(body, "flux_restd_start_time_seconds", "gauge", "When the daemon began.");
    fr_buf_puts(body, "flux_restd_start_time_seconds ");
    fr_buf_put_double(body, fr_service_started(service));
    fr_buf_puts(body, "\n# EOF\n");
}

static void put_clients(const struct fr_req *req, struct fr_buf *body)
{
    size_t behind;
    size_t streams = fr_senders_count(fr_api_call(req)->api, &behind);

    put_family(body, "flux_restd_connections", "gauge", "Open connections.");
    fr_buf_printf(body, "flux_restd_connections %u\n", fr_req_connections(req));
    put_family(body, "flux_restd_streams", "gauge", "Open streams of events.");
    fr_buf_printf(body, "flux_restd_streams %zu\n", streams);
    put_family(body, "flux_restd_stream_lag_bytes", "gauge",
               "What waits for the client of a stream that is furthest behind.");
    fr_buf_printf(body, "flux_restd_stream_lag_bytes %zu\n", behind);
}

void fr_handle_metrics(struct fr_req *req)
{
    const struct fr_api *api = fr_api_call(req)->api;
    struct fr_buf body = FR_BUF_INIT(FR_REPLY_MAX);

    put_requests(&api->stats, &body);
    put_jobs(&api->stats, fr_service_table(api->service), &body);
    put_clients(req, &body);
    put_service(api->service, &body);
    fr_req_reply(req, 200, "application/openmetrics-text; version=1.0.0; charset=utf-8", &body);
}
