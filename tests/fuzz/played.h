// SPDX-License-Identifier: LGPL-3.0-only
/*
 * An engine that runs nothing: it tells of jobs as if they ran, and answers every verb once it
 * is told to go on. For the fuzz harness of the whole request path.
 */
#ifndef PLAYED_H
#define PLAYED_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/engine.h"

struct played;

/* All news go to sink. Never NULL: it aborts where there is no memory. */
struct played *played_create(const struct fr_engine_sink *sink);
struct fr_engine *played_engine(struct played *played);
/* Tells of the jobs that are there from the start. */
void played_open(struct played *played);
/* Gives every answer that is owed, and those that come of them. */
void played_go_on(struct played *played);
/* How often anything was asked of it, reads included, since it was made. */
size_t played_asked(const struct played *played);
/* Forgets the jobs that were submitted. */
void played_forget(struct played *played);
/* Nothing may be owed any more. */
void played_free(struct played *played);

#endif
