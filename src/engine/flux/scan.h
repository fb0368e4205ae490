// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Reads JSON where it stands, without making a tree of it: for the journal, most of whose text
 * is handed on as it came. Only the extent of a value is found; what is in it is left to
 * whoever parses it. No allocation, no recursion.
 */
#ifndef FR_ENGINE_FLUX_SCAN_H
#define FR_ENGINE_FLUX_SCAN_H

#include <stdbool.h>
#include <stddef.h>

/* A value's text, from its first character on; at is NULL where there is none. */
struct fr_flux_span {
    char *at;
    size_t len;
};

/* A walk over the members of an object or the elements of an array. */
struct fr_flux_scan {
    char *at, *end;
    bool is_object, begun, failed;
};

/* A walk over value; if it is neither object nor array the walk has failed. */
struct fr_flux_scan fr_flux_scan_begin(struct fr_flux_span value);

/*
 * Steps to the next member or element. Of a member, ret_key (which may be NULL for an array)
 * is the text between the quotes, escapes and all. False at the end, or if the text is not JSON
 * as far as was looked: then scan->failed.
 */
bool fr_flux_scan_next(struct fr_flux_scan *scan, struct fr_flux_span *ret_key,
                       struct fr_flux_span *ret_value);

/* Whether the text of span is this. */
bool fr_flux_span_is(struct fr_flux_span span, const char *text);

#endif
