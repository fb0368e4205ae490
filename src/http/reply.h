// SPDX-License-Identifier: LGPL-3.0-only
/*
 * A reply that is given many times. Most of what a small reply costs beside the kernel's part
 * is the making of its body and of libmicrohttpd's response with its headers; here that is done
 * once.
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
 * Answers with it. The body is never copied; the headers are made anew while the reply is on
 * its way to another client, or if some were set for this request. The request is dead
 * afterwards.
 */
void fr_reply_give(struct fr_reply *reply, struct fr_req *req);

#endif
