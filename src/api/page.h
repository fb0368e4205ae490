// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Where a page of a list ends and the next one begins, as one opaque text: the last job's place
 * (in the table's order) or id, a hash of what the list was asked for, and the first page's
 * cursor, so that to list and then follow is exact over many pages.
 */
#ifndef FR_API_PAGE_H
#define FR_API_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/hub.h"
#include "core/table.h"
#include "http/message.h"

/* Room for the text with its NUL. */
#define FR_PAGE_TEXT (FR_CURSOR_TEXT + 64)

struct fr_page {
    struct fr_table_place place; /* of the last job shown */
    char cursor[FR_CURSOR_TEXT];
};

/* Writes the page of this request that begins after `page`; returns buf. */
const char *fr_page_format(const struct fr_req *req, const struct fr_page *page, char *buf);

/*
 * Reads the request's page (which it must have). 0; -EINVAL with err (FR_CODE_INVALID: none of
 * this list); -ESTALE (FR_CODE_GONE: of another instance or run).
 */
int fr_page_read(const struct fr_req *req, struct fr_page *ret, struct fr_error *err);

#endif
