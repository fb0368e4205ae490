// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Watches on the output of jobs.
 *
 * A watch reads the job's output file in slices, on a worker, and tells its frames; at the end
 * of what is there it waits for inotify (and, in case that is exhausted, looks every second).
 * Belongs to the loop's thread.
 */
#ifndef FR_LOCAL_OUTPUT_H
#define FR_LOCAL_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "engine/engine.h"

struct fr_outputs; /* all watches of one engine */

int fr_outputs_create(uv_loop_t *loop, const char *state_dir, struct fr_outputs **ret);
/*
 * No callback of any watch comes after this. The watches are still to be freed by their
 * owners, before or after; memory shared with a worker goes when that is done with it.
 */
void fr_outputs_free(struct fr_outputs *outputs);

/* As `output` in engine.h. state of the job: ended, or known at all (else the answer is err).
 */
struct fr_output_watch *fr_outputs_open(struct fr_outputs *outputs, uint64_t id,
                                        uint64_t offset, bool ended, const struct fr_error *err,
                                        fr_output_f cb, void *arg);
void fr_outputs_pause(struct fr_output_watch *watch, bool paused);
void fr_outputs_watch_free(struct fr_output_watch *watch); /* NULL is allowed */

/* The job has got a folder, or (ended) no more will come. */
void fr_outputs_poke(struct fr_outputs *outputs, uint64_t id, bool ended);

#endif
