// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Where a Flux would be. The two builds, with and without flux-core, differ in this only.
 */
#ifndef FR_ENGINE_FLUX_PRESENT_H
#define FR_ENGINE_FLUX_PRESENT_H

/* The directory of the system instance's socket. Static storage. */
const char *fr_flux_rundir(void);

#endif
