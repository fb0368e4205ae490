// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The fields of a submit request, whichever way they came: a JSON object, a form, the query,
 * or a query whose body is the environment (as released clients send it).
 */
#ifndef FR_API_FIELDS_H
#define FR_API_FIELDS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "http/message.h"
#include "model/problems.h"

/*
 * Reads them into a new object, which the caller releases. depth_max: most levels of nesting.
 * 0; -EINVAL with at least one problem (malformed, wrong media type, a field given twice);
 * -ENOMEM.
 */
int fr_fields_read(const struct fr_req *req, unsigned int depth_max, json_t **ret,
                   struct fr_problems *problems);

/*
 * Adds the members of a body of this content type (NULL: none given) to fields, an object.
 * body is NUL-terminated beyond len. 0, also with problems; or, where the body cannot be read
 * at all, -EINVAL with a problem, or -ENOMEM.
 */
int fr_fields_read_body(const char *type, const char *body, size_t len, unsigned int depth_max,
                        json_t *fields, struct fr_problems *problems);

/* Whether a Content-Type (NULL: none) is of this type, whatever its parameters. */
bool fr_fields_has_type(const char *content_type, const char *type);

/*
 * Reads a JSON text whose nesting is at most depth_max. 0; -EINVAL with a problem that names
 * line and column; -ENOMEM.
 */
int fr_fields_parse_json(const char *text, size_t len, unsigned int depth_max, json_t **ret,
                         struct fr_problems *problems);

#endif
