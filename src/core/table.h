// SPDX-License-Identifier: LGPL-3.0-only
/*
 * All jobs of the instance, kept from the engine's journal; every read is answered from here.
 *
 * Jobs stand in Flux's order of listing: waiting (highest priority first, then oldest), then
 * running (started last first), then finished (ended last first). Each of the three is a
 * sorted array, so that a walk from any place costs what it shows. Belongs to the loop.
 */
#ifndef FR_CORE_TABLE_H
#define FR_CORE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/job.h"

struct fr_table;

int fr_table_create(struct fr_table **ret); /* 0 or -ENOMEM */
void fr_table_free(struct fr_table *table); /* NULL is allowed */

/*
 * A new table takes a backlog in any order of jobs and shows none of them; settling puts them
 * all in order at once, and from then on each change keeps the order. 0 or -ENOMEM (nothing
 * changed).
 */
int fr_table_settle(struct fr_table *table);

/*
 * Takes one event into account, as fr_job_apply() does; a job not known yet is added by the
 * event `submit` alone. A job that `invalidate` shows to have never been is removed. seq is
 * kept in the job as changed_seq. Returns the job (borrowed until the next change) through
 * ret_job, NULL if it was removed. 0; -EALREADY for a repeat; -ENOENT for an event of an
 * unknown job; -EPROTO; -ENOMEM.
 */
int fr_table_apply(struct fr_table *table, uint64_t id, const struct fr_event *event,
                   const struct fr_jobspec *jobspec, const struct fr_rset *R, uint64_t seq,
                   const struct fr_job **ret_job, struct fr_error *err);

/*
 * Adds a job that has ended, whole, to a table that is not settled; takes *job and leaves NULL.
 * 0; -EALREADY for one that is known, -ENOMEM (nothing changed).
 */
int fr_table_add(struct fr_table *table, struct fr_job **job, uint64_t seq);

/* Removes a job, if it is known. */
void fr_table_remove(struct fr_table *table, uint64_t id);

/* The job with this id, or NULL. Borrowed until the next change. */
const struct fr_job *fr_table_find(const struct fr_table *table, uint64_t id);

size_t fr_table_count(const struct fr_table *table);

/* Jobs in each state: counts[i] is for the state with bit i, as in enum fr_state. */
#define FR_STATE_BITS 7
void fr_table_count_states(const struct fr_table *table, size_t counts[FR_STATE_BITS]);

/*
 * A walk in the order of listing over the groups that hold a state of `states` (a mask of enum
 * fr_state). The table must not change during it.
 *
 *   struct fr_table_walk walk = fr_table_walk(table, FR_STATES_ALL);
 *   while ((job = fr_table_next(&walk))) …
 */
struct fr_table_walk {
    const struct fr_table *table;
    int states;
    bool with_texts; /* set it where names will be looked at: it is faster then */
    int group;
    size_t next;
};

struct fr_table_walk fr_table_walk(const struct fr_table *table, int states);
const struct fr_job *fr_table_next(struct fr_table_walk *walk);

/* A job's place in the order of listing, which outlives the job. */
struct fr_table_place {
    int group;
    double key;
    uint64_t id;
};

/* Where a job of this table stands. */
struct fr_table_place fr_table_place(const struct fr_job *job);

/* Lets a walk that has not begun begin after a place; costs a binary search. */
void fr_table_walk_after(struct fr_table_walk *walk, const struct fr_table_place *place);

#endif
