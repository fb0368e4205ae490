// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Between post.c, which takes POST /v1/jobs, and bulk.c, which submits many jobs of one
 * request.
 */
#ifndef FR_API_POST_H
#define FR_API_POST_H

#include <jansson.h>

#include "api/accept.h"
#include "http/message.h"

/* Most jobs of one request. */
#define FR_BULK_MAX 100000

/*
 * Submits each object of a list, which is taken, or of the body's lines, and answers with a
 * stream: a list, or lines, of one result for each, in their order. Few are at the engine at a
 * time, and no more are begun than the client reads results of.
 */
void fr_bulk_list(struct fr_req *req, json_t *list);
void fr_bulk_lines(struct fr_req *req);

#endif
