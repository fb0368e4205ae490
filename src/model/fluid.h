// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Job ids: FLUIDs (RFC 19), their spellings, and a generator of them.
 *
 * A FLUID is 40 bits of milliseconds since the generator's epoch, 14 bits of generator id and
 * 10 bits of sequence. It exceeds 2^53 after some days, so whatever a browser reads uses F58.
 */
#ifndef FR_MODEL_FLUID_H
#define FR_MODEL_FLUID_H

#include <stdint.h>

/* No job. Flux's FLUX_JOBID_ANY. */
#define FR_FLUID_ANY UINT64_MAX

/* Room for any spelling with its NUL: "ƒ" (2 bytes) and at most 11 digits; kvs takes 24. */
#define FR_FLUID_TEXT 32

/*
 * Reads any form that Flux reads: decimal, F58 with ƒ or f, hex (0x…), dotted hex
 * (0000.0000.0000.0000), kvs (job.0000.…). White space around is allowed, as Flux does.
 * 0 or -EINVAL (no such form, out of range, or FR_FLUID_ANY).
 */
int fr_fluid_parse(const char *text, uint64_t *ret_id);

/* Writes "ƒ…" (UTF-8) into buf of FR_FLUID_TEXT bytes and returns buf. */
const char *fr_fluid_f58(uint64_t id, char *buf);

/* Makes ids that rise strictly. One generator per store; not for several threads at once. */
struct fr_fluid_gen {
    uint64_t epoch_ms; /* wall clock of time 0 of this generator, ms since 1970 */
    uint64_t last;     /* the id given last; 0 before the first */
};

/*
 * The next id, given the wall clock in ms since 1970. Rises even when the clock steps back or
 * more than 1024 ids fall into a millisecond (time is then borrowed from the future).
 */
uint64_t fr_fluid_next(struct fr_fluid_gen *gen, uint64_t now_ms);

#endif
