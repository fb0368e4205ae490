// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Stands in for the Flux engine in a build without flux-core.
 */
#include <errno.h>
#include <stddef.h>

#include "engine/engine.h"
#include "engine/flux/present.h"

int fr_flux_create(uv_loop_t *loop, const struct fr_flux_options *options,
                   const struct fr_engine_sink *sink, struct fr_engine **ret,
                   struct fr_error *err)
{
    return fr_error_set(err, ENOSYS, FR_CODE_UNSUPPORTED,
                        "This flux-restd was built without flux-core: it has no Flux engine. "
                        "Use the local engine, or a build with flux-core.");
}

const char *fr_flux_version(void)
{
    return NULL;
}

const char *fr_flux_rundir(void)
{
    return "/run/flux";
}
