// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Names of files with {{…}} in them, as Flux's job shell has them.
 */
#ifndef FR_LOCAL_TEMPLATE_H
#define FR_LOCAL_TEMPLATE_H

#include <stdint.h>

#include "base/buf.h"

/* What is told of a job in such a name. */
struct fr_template {
    uint64_t id;
    const char *name; /* of the job */
    int ntasks;
    const char *tmpdir; /* its own */
    const char *host;
};

/*
 * Appends text with {{id}} ({{jobid}}; also .f58, .f58plain, .dec, .hex, .dothex, .kvs),
 * {{name}},
 * {{nnodes}}, {{ntasks}}, {{size}}, {{tmpdir}}, {{node.id}} and {{node.name}} filled in. Any
 * other, those of tasks above all, stays as it is.
 */
void fr_template_render(const struct fr_template *job, const char *text, struct fr_buf *out);

#endif
