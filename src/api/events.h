// SPDX-License-Identifier: LGPL-3.0-only
/*
 * One job's events as a stream.
 */
#ifndef FR_API_EVENTS_H
#define FR_API_EVENTS_H

#include <stdint.h>

#include "http/message.h"

/* Answers the request with the events of the job with this id. */
void fr_events_follow_job(struct fr_req *req, uint64_t id);

#endif
