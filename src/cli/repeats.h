// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Which events came before: a daemon beside Flux that was started again tells the last minute's
 * once more, and (id, index) tells them apart. Remembers the jobs that were heard of last, at
 * least FR_REPEATS_JOBS of them.
 */
#ifndef FR_CLI_REPEATS_H
#define FR_CLI_REPEATS_H

#include <stdbool.h>
#include <stdint.h>

#define FR_REPEATS_JOBS 65536

struct fr_repeats;

struct fr_repeats *fr_repeats_create(void);       /* NULL: no memory */
void fr_repeats_free(struct fr_repeats *repeats); /* NULL is allowed */

/* Notes an event, and returns whether it came before. Of one job they come in order. */
bool fr_repeats_note(struct fr_repeats *repeats, uint64_t id, int64_t index);

#endif
