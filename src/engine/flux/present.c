// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Whether there is a Flux, told without libflux, so that a daemon built without it can say
 * what it misses.
 */
#include "engine/flux/present.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "engine/engine.h"

/* flux_open(3) goes by FLUX_URI, else to the system instance, whose socket must exist. */
bool fr_flux_present(void)
{
    const char *uri = getenv("FLUX_URI");
    struct stat st;
    char path[256];

    if (uri)
        return *uri != '\0';
    int n = snprintf(path, sizeof path, "%s/local", fr_flux_rundir());
    return n > 0 && (size_t)n < sizeof path && stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}
