// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Small requests of a few known members, whichever way they came: JSON, a form or the query.
 */
#ifndef FR_API_BODY_H
#define FR_API_BODY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "http/message.h"

enum fr_member_kind {
    FR_MEMBER_TEXT, /* const char **: a text without NUL, borrowed from the fields */
    FR_MEMBER_BOOL, /* bool *: true or false, also as the words that a query may have */
    FR_MEMBER_JSON  /* const json_t **: any value, borrowed from the fields */
};

/* One member that a request may have, and where its value goes: untouched if it is not given.
 */
struct fr_member {
    const char *name;
    enum fr_member_kind kind;
    void *to;
};

/*
 * Reads the request's members. True with the fields, which the caller releases; false if the
 * request was answered: with every fault at once, members that are not known among them.
 */
bool fr_body_read(struct fr_req *req, const struct fr_member *members, size_t count,
                  json_t **ret_fields);

#endif
