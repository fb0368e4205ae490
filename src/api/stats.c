// SPDX-License-Identifier: LGPL-3.0-only
#include "api/stats.h"

#include <errno.h>
#include <string.h>

#include "base/loop.h"
#include "model/fluid.h"

const double fr_stats_bounds[FR_STATS_BUCKETS - 1] = {0.001, 0.005, 0.025, 0.1, 0.5, 2.5};

struct fr_stats_point fr_stats_now(const struct fr_stats *stats, double now)
{
    const struct fr_table *table = fr_service_table(stats->service);
    struct fr_table_walk walk = fr_table_walk(table, FR_STATES_RUNNING);
    struct fr_stats_point point = {
        .when = (uint64_t)now, .submitted = stats->submitted, .finished = stats->finished};
    size_t counts[FR_STATE_BITS];
    const struct fr_job *job;

    fr_table_count_states(table, counts);
    for (int i = 0; i < FR_STATE_BITS; i++) {
        if (1 << i & FR_STATES_PENDING)
            point.pending += (unsigned int)counts[i];
        if (1 << i & FR_STATES_RUNNING)
            point.running += (unsigned int)counts[i];
    }
    while ((job = fr_table_next(&walk))) {
        point.cores_used += (unsigned int)job->ncores;
        point.gpus_used += (unsigned int)job->ngpus;
    }
    return point;
}

void fr_stats_catch_up(struct fr_stats *stats, double now)
{
    const uint64_t due = (uint64_t)now / FR_STATS_STEP * FR_STATS_STEP;
    const struct fr_stats_point *last =
        &stats->points[(stats->next + FR_STATS_POINTS - 1) % FR_STATS_POINTS];
    uint64_t when = last->when ? last->when + FR_STATS_STEP : due;

    if (when > due)
        return;
    struct fr_stats_point point = fr_stats_now(stats, now);
    if (due - when > FR_STATS_POINTS * FR_STATS_STEP) /* the clock may have jumped */
        when = due - FR_STATS_POINTS * FR_STATS_STEP;
    for (; when <= due; when += FR_STATS_STEP) {
        point.when = when;
        stats->points[stats->next] = point;
        stats->next = (stats->next + 1) % FR_STATS_POINTS;
    }
}

static void on_news(void *arg, const struct fr_news *news)
{
    struct fr_stats *stats = arg;

    if (news->kind != FR_NEWS_EVENT)
        return;
    stats->events++;
    stats->submitted += strcmp(news->event->name, "submit") == 0;
    stats->finished += strcmp(news->event->name, "clean") == 0;
    fr_stats_catch_up(stats, fr_time_now());
}

int fr_stats_init(struct fr_stats *stats, struct fr_service *service)
{
    stats->service = service;
    stats->subscription =
        fr_hub_subscribe(fr_service_hub(service), FR_FLUID_ANY, on_news, stats);
    return stats->subscription ? 0 : -ENOMEM;
}

void fr_stats_done(struct fr_stats *stats)
{
    fr_hub_unsubscribe(stats->subscription);
    stats->subscription = NULL;
}

void fr_stats_note_request(struct fr_stats *stats, unsigned int status, double seconds)
{
    size_t i = 0;

    while (i < FR_STATS_BUCKETS - 1 && seconds > fr_stats_bounds[i])
        i++;
    stats->latencies[i]++;
    stats->latency_sum += seconds;
    stats->requests[status / 100 < 6 ? status / 100 : 0]++;
}
