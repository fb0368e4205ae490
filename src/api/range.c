// SPDX-License-Identifier: LGPL-3.0-only
#include "api/range.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A number of digits alone; its end through *text. -1 if there is none; huge ones are cut. */
static int read_number(const char **text, size_t *ret)
{
    char *end;

    if (!isdigit((unsigned char)**text))
        return -1;
    *ret = strtoul(*text, &end, 10);
    *text = end;
    return 0;
}

/* first-last, first- or -count. */
struct range {
    bool has_first, has_last;
    size_t first, last;
};

static bool parse(const char *header, struct range *ret)
{
    *ret = (struct range){0};
    if (!header || strncasecmp(header, "bytes=", 6) != 0)
        return false;
    const char *at = header + 6;
    ret->has_first = read_number(&at, &ret->first) == 0;
    if (*at++ != '-')
        return false;
    ret->has_last = read_number(&at, &ret->last) == 0;
    if (*at != '\0' || (!ret->has_first && !ret->has_last))
        return false;
    return !ret->has_first || !ret->has_last || ret->last >= ret->first;
}

int fr_range_read(const char *header, size_t len, size_t *ret_from, size_t *ret_to)
{
    struct range range;

    if (!parse(header, &range))
        return 0;
    if (range.has_first ? range.first >= len : range.last == 0 || len == 0)
        return -ERANGE;
    *ret_to = len;
    if (!range.has_first)
        *ret_from = range.last < len ? len - range.last : 0;
    else
        *ret_from = range.first;
    if (range.has_first && range.has_last && range.last < len)
        *ret_to = range.last + 1;
    return 1;
}
