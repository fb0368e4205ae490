// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The jobs that match a filter, told one by one while the table goes on changing. Each is told
 * as it is when its turn comes, with the number of its last event noted: what a reader finds in
 * the ring up to that number is in what it was told already.
 */
#ifndef FR_API_SNAPSHOT_H
#define FR_API_SNAPSHOT_H

#include "api/filter.h"
#include "api/sender.h"

struct fr_snapshot;

/* Notes the ids of all jobs that match, states included. 0 or -ENOMEM. */
int fr_snapshot_create(const struct fr_table *table, const struct fr_filter *filter,
                       struct fr_snapshot **ret);
void fr_snapshot_free(struct fr_snapshot *snapshot); /* NULL is allowed */

/* Whether every job has been told. */
bool fr_snapshot_is_told(const struct fr_snapshot *snapshot);

/* Tells the next job, if it is still there. 0 or -ENOMEM. */
int fr_snapshot_put_next(struct fr_snapshot *snapshot, struct fr_api *api,
                         struct fr_sender *sender);

/* Whether what was told of this job has the event with this number in it. All must be told. */
bool fr_snapshot_has(const struct fr_snapshot *snapshot, uint64_t id, uint64_t seq);

#endif
