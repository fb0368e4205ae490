// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Large replies, packed by gzip where the client takes that, beside the loop.
 */
#ifndef FR_API_PACK_H
#define FR_API_PACK_H

#include "base/buf.h"
#include "http/message.h"

/* As fr_reply_json(), for a body that may be large; answers now or later. */
void fr_pack_reply_json(struct fr_req *req, unsigned int status, struct fr_buf *body);

#endif
