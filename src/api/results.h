// SPDX-License-Identifier: LGPL-3.0-only
/*
 * What became of many jobs of one request: kept in few bytes each, told in the order of the
 * request, as a list or as lines.
 */
#ifndef FR_API_RESULTS_H
#define FR_API_RESULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "http/message.h"
#include "model/problems.h"

/* Bytes of the stream's queue that telling needs; a piece of it is written at a time. */
#define FR_RESULTS_QUEUE (256 * 1024)

struct fr_results;

/* For at most so many results. NULL: no memory. */
struct fr_results *fr_results_create(size_t most, bool as_list);
void fr_results_free(struct fr_results *results); /* NULL is allowed */

/* Bytes that results of so many jobs may come to hold. */
size_t fr_results_size(size_t most);

/* Adds one that is not known yet, and returns its index. There must be room. */
size_t fr_results_add(struct fr_results *results);

/* How many were added. */
size_t fr_results_count(const struct fr_results *results);

/* The job is there: submitted (201) or known by its key (200). */
void fr_results_set_id(struct fr_results *results, size_t index, unsigned int status,
                       uint64_t id);
/* It was only tried, and could run. */
void fr_results_set_valid(struct fr_results *results, size_t index);
/*
 * It failed. Texts are kept up to a limit for all of them; beyond it a failure is told by its
 * status, code and title alone.
 */
void fr_results_set_error(struct fr_results *results, size_t index, const struct fr_error *err);
void fr_results_set_problems(struct fr_results *results, size_t index,
                             const struct fr_problems *problems);

/*
 * Tells the results that are due and were not told. 0; -EAGAIN if the client must read first;
 * -ENOMEM.
 */
int fr_results_tell(struct fr_results *results, struct fr_stream *stream);

/* Whether all that were added have been told. */
bool fr_results_are_told(const struct fr_results *results);

/* Tells the end of the list, if it is one. As fr_results_tell(). */
int fr_results_tell_end(const struct fr_results *results, struct fr_stream *stream);

#endif
