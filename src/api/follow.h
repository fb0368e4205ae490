// SPDX-License-Identifier: LGPL-3.0-only
/*
 * A job's output as server-sent events.
 */
#ifndef FR_API_FOLLOW_H
#define FR_API_FOLLOW_H

#include <stdint.h>

#include "http/message.h"

/* Answers the request with the output of a job that is in the table. */
void fr_output_follow(struct fr_req *req, uint64_t id);

#endif
