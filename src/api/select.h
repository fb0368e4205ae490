// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Which jobs a list shows, in which order, from which place on.
 */
#ifndef FR_API_SELECT_H
#define FR_API_SELECT_H

#include <stdbool.h>
#include <stdint.h>

#include "api/page.h"
#include "http/message.h"

#define FR_SELECT_FIELDS_MAX 64

struct fr_selection {
    uint64_t *ids; /* in the order of the list; owned */
    size_t count;
    bool counted;                /* the query has start: total is known */
    size_t total;                /* of all that match, on whatever page */
    char cursor[FR_CURSOR_TEXT]; /* of the first page */
    char next[FR_PAGE_TEXT];     /* the page that follows, or "" */
    char *field_text;            /* owned; what fields point into */
    const char *fields[FR_SELECT_FIELDS_MAX];
    size_t nfields; /* 0: all */
};

/*
 * Reads the query of GET /v1/jobs and chooses. whole: all that match, where no limit is given.
 * False if the request was answered.
 */
bool fr_select_jobs(struct fr_req *req, bool whole, struct fr_selection *ret);
void fr_selection_done(struct fr_selection *selection);

/* The ids that the query names, rising, to be freed. False if the request was answered. */
bool fr_select_ids(struct fr_req *req, uint64_t **ret_ids, size_t *ret_count);

#endif
