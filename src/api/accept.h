// SPDX-License-Identifier: LGPL-3.0-only
/*
 * What a client says that it takes.
 */
#ifndef FR_API_ACCEPT_H
#define FR_API_ACCEPT_H

#include <stdbool.h>

#include "http/message.h"

#define FR_TYPE_LINES "application/x-ndjson"

/*
 * The weight (0 to 1000) that a list such as that of Accept or Accept-Encoding gives to a name,
 * in any case; -1 if it does not name it. Wildcards are names like others.
 */
int fr_accept_weight(const char *list, const char *name);

/* Whether the client asks for lines of JSON, and for nothing that we have more than for that.
 */
bool fr_accepts_lines(const struct fr_req *req);

/* Whether it asks for an event stream (SSE). */
#define FR_TYPE_EVENTS "text/event-stream"
bool fr_accepts_events(const struct fr_req *req);

/* Whether it takes a reply that is packed by gzip. */
bool fr_accepts_gzip(const struct fr_req *req);

#endif
