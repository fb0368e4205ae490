// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The web page: files that were made from web/ and built in, as one document for every address
 * that a person opens, and what it loads. It holds no data and so needs no credentials; what
 * it shows it asks for like any other client. Built without node, the daemon has none of it.
 */
#ifndef FR_API_WEB_H
#define FR_API_WEB_H

#include <stdbool.h>
#include <stddef.h>

#include "api/routes.h"
#include "http/message.h"

/* A file of the page. The names hold a hash of the content, all but the document's. */
struct fr_web_file {
    const char *name; /* "app-1a2b3c4d.js"; the document, which is the first, has "" */
    const char *type;
    const char *etag; /* quoted */
    bool gzip;        /* how the bytes are packed */
    const unsigned char *data;
    size_t len;
};

/* Made by web/build.mjs, or the empty ones of web_none.c. */
extern const struct fr_web_file fr_web_files[];
extern const size_t fr_web_count; /* 0: there is no page */

/* The route that answers, if there is a page and the request is for one of its files, or is a
 * browser's (it prefers text/html over JSON) for one of its addresses; else NULL. */
const struct fr_route *fr_web_route(const struct fr_req *req);

#endif
