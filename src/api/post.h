// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Between post.c, which takes POST /v1/jobs, and bulk.c, which submits many jobs of one
 * request.
 */
#ifndef FR_API_POST_H
#define FR_API_POST_H

#include <jansson.h>
#include <stdbool.h>

#include "api/accept.h"
#include "http/message.h"

/*
 * Submits each object of a list, which is taken, and answers with a stream: a list of one
 * result for each, in their order. Few are at the engine at a time.
 */
void fr_bulk_list(struct fr_req *req, json_t *list);

/*
 * The same for lines. They are submitted as they come, from begin (in the admit hook; false if
 * the request was answered) on; the reply, lines too, begins when the request is whole.
 */
bool fr_bulk_begin_lines(struct fr_req *req);
void fr_bulk_lines(struct fr_req *req);

#endif
