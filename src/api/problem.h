// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Replies: JSON, and problem documents (RFC 9457) for all that went wrong.
 *
 * A problem carries, beside the standard's members, `Message` and `Errors` for older clients.
 */
#ifndef FR_API_PROBLEM_H
#define FR_API_PROBLEM_H

#include "base/buf.h"
#include "base/error.h"
#include "http/message.h"
#include "model/problems.h"

/* Most bytes of a reply that is built in memory. */
#define FR_REPLY_MAX (256u * 1024 * 1024)

/* The HTTP status that a code is answered with. */
unsigned int fr_problem_status(enum fr_code code);

/* Appends `,"errors":[…]`, with pointer, detail and code of each. */
void fr_problem_put_errors(struct fr_buf *body, const struct fr_problems *problems);

/* Answers with a JSON body. */
void fr_reply_json(struct fr_req *req, unsigned int status, struct fr_buf *body);

/* Answers {"Message": message}. */
void fr_reply_message(struct fr_req *req, unsigned int status, const char *message);

/* Answers that there is no memory for what was asked. */
void fr_reply_no_memory(struct fr_req *req);

/* Answers 501: this engine cannot `what` ("send signals to jobs"). */
void fr_reply_unsupported(struct fr_req *req, const char *what);

/* Answers with a problem; the status is the code's unless one is given (not 0). */
void fr_reply_problem(struct fr_req *req, unsigned int status, const struct fr_error *err);

/* Likewise, of a code that is answered 429 or 503: it may be asked again after some seconds. */
void fr_reply_problem_later(struct fr_req *req, unsigned int seconds,
                            const struct fr_error *err);

/*
 * Answers with a list of faults (at least one). message is the text of `Message` for older
 * clients; NULL: the first fault's.
 */
void fr_reply_problems(struct fr_req *req, unsigned int status, const char *message,
                       const struct fr_problems *problems);

#endif
