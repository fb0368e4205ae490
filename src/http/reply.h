// SPDX-License-Identifier: LGPL-3.0-only
/*
 * A reply that is given many times. Most of what a small reply costs beside the kernel's part
 * is the making of libmicrohttpd's response and its headers; here that is done once.
 *
 * References are counted: who creates one holds one, and a request that is being answered with
 * it another. On the loop's thread.
 */
#ifndef FR_HTTP_REPLY_H
#define FR_HTTP_REPLY_H

#include "base/buf.h"
#include "http/message.h"

struct fr_reply;

/* A reply of 200. Takes body's bytes, which must not be none. NULL: no memory, or body failed.
 */
struct fr_reply *fr_reply_create(const char *content_type, const char *etag,
                                 struct fr_buf *body);
void fr_reply_unref(struct fr_reply *reply); /* NULL is allowed */

/* The ETag that it was made with. */
const char *fr_reply_etag(const struct fr_reply *reply);

/*
 * Whether it can be given to this request as it is: not while it is on its way to another
 * client, nor if headers were set for this request.
 */
bool fr_reply_fits(const struct fr_reply *reply, const struct fr_req *req);

/* Answers with a reply that fits. The request is dead afterwards. */
void fr_reply_give(struct fr_reply *reply, struct fr_req *req);

#endif
