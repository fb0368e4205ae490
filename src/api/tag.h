// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Entity tags: a client that has a reply already is told that it still holds (304).
 *
 * The tags are weak: what follows from the clock alone (the runtime of a running job) may
 * differ under the same one.
 */
#ifndef FR_API_TAG_H
#define FR_API_TAG_H

#include <stdbool.h>

#include "http/message.h"
#include "model/job.h"

/* Room for a tag with its quotes and NUL. */
#define FR_TAG_TEXT 64

/* The tag of a reply about one job, and of one about all; returns buf. */
const char *fr_tag_of_job(const struct fr_req *req, const struct fr_job *job, char *buf);
const char *fr_tag_of_all(const struct fr_req *req, char *buf);

/* Whether the client has what bears this tag. */
bool fr_tag_is_known(const struct fr_req *req, const char *tag);

/* Puts the tag on the reply to come; true if the client has it: then it was answered 304. */
bool fr_tag_answers(struct fr_req *req, const char *tag);

#endif
