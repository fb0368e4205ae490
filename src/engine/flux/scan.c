// SPDX-License-Identifier: LGPL-3.0-only
#include "engine/flux/scan.h"

#include <string.h>

static char *skip_blanks(char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
        at++;
    return at;
}

/* From an opening quote to behind the closing one; NULL if there is none. */
static char *skip_string(char *at, const char *end)
{
    for (at++; at < end; at++) {
        if (*at == '\\')
            at++;
        else if (*at == '"')
            return at + 1;
    }
    return NULL;
}

/* From an opening bracket to behind its closing one; NULL if there is none. */
static char *skip_nested(char *at, const char *end)
{
    size_t depth = 0;

    while (at && at < end) {
        switch (*at) {
        case '"':
            at = skip_string(at, end);
            continue;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            if (--depth == 0)
                return at + 1;
            break;
        default:
            break;
        }
        at++;
    }
    return NULL;
}

/* A number, true, false or null: up to what can follow it. */
static char *skip_word(char *at, const char *end)
{
    char *from = at;

    while (at < end && !strchr(",]} \t\n\r\":[{", *at))
        at++;
    return at > from ? at : NULL;
}

static char *skip_value(char *at, const char *end)
{
    if (at == end)
        return NULL;
    if (*at == '"')
        return skip_string(at, end);
    return *at == '{' || *at == '[' ? skip_nested(at, end) : skip_word(at, end);
}

struct fr_flux_scan fr_flux_scan_begin(struct fr_flux_span value)
{
    struct fr_flux_scan scan = {.at = value.at, .end = value.at + value.len};

    if (!value.at || value.len < 2 || (*value.at != '{' && *value.at != '[')) {
        scan.failed = true;
        return scan;
    }
    scan.is_object = *value.at == '{';
    scan.at++;
    return scan;
}

/* Steps over the comma to what follows. False at the end, or if there is neither. */
static bool step(struct fr_flux_scan *scan)
{
    scan->at = skip_blanks(scan->at, scan->end);
    if (scan->at == scan->end) {
        scan->failed = true;
        return false;
    }
    if (*scan->at == (scan->is_object ? '}' : ']'))
        return false;
    if (scan->begun) {
        if (*scan->at != ',') {
            scan->failed = true;
            return false;
        }
        scan->at = skip_blanks(scan->at + 1, scan->end);
    }
    scan->begun = true;
    return true;
}

/* A member's key and its colon. */
static bool read_key(struct fr_flux_scan *scan, struct fr_flux_span *ret)
{
    char *from = scan->at, *to;

    if (from == scan->end || *from != '"' || !(to = skip_string(from, scan->end)))
        return false;
    *ret = (struct fr_flux_span){from + 1, (size_t)(to - from) - 2};
    to = skip_blanks(to, scan->end);
    if (to == scan->end || *to != ':')
        return false;
    scan->at = skip_blanks(to + 1, scan->end);
    return true;
}

bool fr_flux_scan_next(struct fr_flux_scan *scan, struct fr_flux_span *ret_key,
                       struct fr_flux_span *ret_value)
{
    char *to;

    if (scan->failed || !step(scan))
        return false;
    if ((scan->is_object && !read_key(scan, ret_key)) ||
        !(to = skip_value(scan->at, scan->end))) {
        scan->failed = true;
        return false;
    }
    *ret_value = (struct fr_flux_span){scan->at, (size_t)(to - scan->at)};
    scan->at = to;
    return true;
}

bool fr_flux_span_is(struct fr_flux_span span, const char *text)
{
    return span.at && strlen(text) == span.len && memcmp(span.at, text, span.len) == 0;
}
