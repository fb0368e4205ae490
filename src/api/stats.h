// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Counts since the daemon's start, and an hour's history in points of ten seconds.
 *
 * No timer keeps it: what the clock has passed is filled in when an event comes or somebody
 * reads, with what is so then.
 */
#ifndef FR_API_STATS_H
#define FR_API_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "core/service.h"

#define FR_STATS_STEP 10 /* seconds */
#define FR_STATS_POINTS 360
#define FR_STATS_BUCKETS 7 /* of latencies; the last is for all above */

struct fr_stats_point {
    uint64_t when; /* seconds since the epoch, a multiple of the step */
    uint64_t submitted, finished;
    unsigned int pending, running, cores_used, gpus_used;
};

struct fr_stats {
    struct fr_service *service;
    struct fr_subscription *subscription;
    uint64_t events, submitted, finished;
    uint64_t requests[6]; /* by the first digit of the status; 0: none was sent */
    uint64_t latencies[FR_STATS_BUCKETS];
    double latency_sum;
    struct fr_stats_point points[FR_STATS_POINTS]; /* a ring; when 0: not yet */
    size_t next;
};

/* Upper bounds of the buckets but the last, in seconds. */
extern const double fr_stats_bounds[FR_STATS_BUCKETS - 1];

/* Begins to count; service must outlive it. 0 or -ENOMEM. */
int fr_stats_init(struct fr_stats *stats, struct fr_service *service);
void fr_stats_done(struct fr_stats *stats);

void fr_stats_note_request(struct fr_stats *stats, unsigned int status, double seconds);

/* What is so now; when is not rounded. */
struct fr_stats_point fr_stats_now(const struct fr_stats *stats, double now);

/* Fills in the points up to now. */
void fr_stats_catch_up(struct fr_stats *stats, double now);

#endif
