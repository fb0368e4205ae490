// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Readers of events. A reader is a position in the hub's ring and a sender: it owns no copy of
 * any event, and one that reads slowly costs the others nothing. What there is to tell is told
 * in rounds over all readers, in slices that yield to the loop; with many readers the rounds
 * are some milliseconds apart, so that each costs a reader one write for all that came
 * meanwhile.
 */
#ifndef FR_API_READER_H
#define FR_API_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "api/filter.h"
#include "api/sender.h"

/* What a reader is made with. */
struct fr_reader_plan {
    uint64_t position;       /* the first event to tell */
    struct fr_filter filter; /* taken over */
    uint32_t names;          /* mask of fr_event_known(); 0: all */
    bool snapshot;           /* the jobs as they are come first */
    bool oldest;             /* begins at whatever is the oldest when it is told first */
    /* One job's events, with the index of the next one as their id. */
    bool of_job;
    uint64_t id;
    int64_t index; /* the first to tell */
    bool follow;   /* goes on until the job ends */
};

/* Answers the request with a stream; takes the plan over in any case. */
void fr_reader_open(struct fr_req *req, struct fr_reader_plan *plan);

/* Made and freed with the API. 0 or a negative errno. */
int fr_readers_create(struct fr_api *api, struct fr_readers **ret);
void fr_readers_free(struct fr_readers *readers); /* NULL is allowed */

#endif
