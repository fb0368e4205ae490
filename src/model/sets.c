// SPDX-License-Identifier: LGPL-3.0-only
/*
 * RFC 22 idsets and RFC 29 hostlists, expanded one by one.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "model/rset.h"

#define HOST_MAX 512   /* bytes of one host's name */
#define BRACKETS_MAX 8 /* groups in brackets within one name */
#define PADDING_MAX 18 /* digits of a number in a name */

/* Reads a number without leading zeros and moves on; UINT_MAX is Flux's "no id". */
static int take_id(const char **p, unsigned int *ret)
{
    uint64_t value = 0;
    const char *start = *p;

    while (isdigit((unsigned char)**p)) {
        value = value * 10 + (uint64_t)(**p - '0');
        if (value >= UINT_MAX)
            return -EINVAL;
        ++*p;
    }
    if (*p == start || (*start == '0' && *p - start > 1))
        return -EINVAL;
    *ret = (unsigned int)value;
    return 0;
}

struct id_walk {
    unsigned int left;
    int64_t last; /* the highest id so far, -1 before the first */
    fr_idset_f each;
    void *arg;
};

static int walk_id_range(struct id_walk *walk, const char **p)
{
    unsigned int low, high;
    int r = take_id(p, &low);

    if (r < 0)
        return r;
    high = low;
    if (**p == '-') {
        ++*p;
        r = take_id(p, &high);
        if (r < 0)
            return r;
    }
    if (high < low || low <= walk->last || high - low >= walk->left)
        return -EINVAL;
    walk->left -= high - low + 1;
    walk->last = high;
    for (unsigned int id = low; id <= high; id++) {
        r = walk->each(id, walk->arg);
        if (r != 0)
            return r;
    }
    return 0;
}

int fr_idset_each(const char *text, unsigned int limit, fr_idset_f each, void *arg)
{
    struct id_walk walk = {.left = limit, .last = -1, .each = each, .arg = arg};
    const char *p = text;
    char end = '\0';

    if (*p == '[') {
        end = ']';
        p++;
    }
    while (*p != end) {
        int r = walk_id_range(&walk, &p);
        if (r != 0)
            return r;
        if (*p == ',' && p[1] != end)
            p++;
        else if (*p != end)
            return -EINVAL;
    }
    return end && p[1] != '\0' ? -EINVAL : 0;
}

struct host_walk {
    char name[HOST_MAX];
    unsigned int left;
    int depth;
    fr_hostlist_f each;
    void *arg;
};

static int walk_rest(struct host_walk *walk, size_t len, const char *rest, size_t restlen);

static int append(struct host_walk *walk, size_t *len, const char *text, size_t n)
{
    if (n >= sizeof(walk->name) - *len)
        return -EINVAL;
    memcpy(walk->name + *len, text, n);
    *len += n;
    walk->name[*len] = '\0';
    return 0;
}

/* A number within brackets: its value and how many digits it is padded to. */
static int take_number(const char **p, uint64_t *ret, int *ret_width)
{
    const char *start = *p;
    uint64_t value = 0;

    while (isdigit((unsigned char)**p)) {
        value = value * 10 + (uint64_t)(**p - '0');
        ++*p;
        if (*p - start > PADDING_MAX)
            return -EINVAL;
    }
    if (*p == start)
        return -EINVAL;
    *ret = value;
    *ret_width = (int)(*p - start);
    return 0;
}

static int walk_number_range(struct host_walk *walk, size_t len, const char **p,
                             const char *rest, size_t restlen)
{
    uint64_t low, high;
    int width, unused;
    int r = take_number(p, &low, &width);

    high = low;
    if (r == 0 && **p == '-') {
        ++*p;
        r = take_number(p, &high, &unused);
    }
    if (r < 0 || high < low || high - low >= walk->left)
        return -EINVAL;
    for (uint64_t n = low; n <= high; n++) {
        char digits[24];
        size_t at = len;
        int size = snprintf(digits, sizeof(digits), "%0*llu", width, (unsigned long long)n);

        r = append(walk, &at, digits, (size_t)size);
        if (r == 0)
            r = walk_rest(walk, at, rest, restlen);
        if (r != 0)
            return r;
    }
    return 0;
}

/* The name up to len is fixed; rest (restlen bytes) may hold more groups in brackets. */
static int walk_rest(struct host_walk *walk, size_t len, const char *rest, size_t restlen)
{
    const char *open = memchr(rest, '[', restlen);
    const char *close = memchr(rest, ']', restlen);
    size_t fixed = open ? (size_t)(open - rest) : restlen;
    const char *p;
    int r;

    if (!open != !close || (open && close < open) || walk->depth >= BRACKETS_MAX)
        return -EINVAL;
    r = append(walk, &len, rest, fixed);
    if (r < 0)
        return r;
    if (!open) {
        if (len == 0 || walk->left == 0)
            return -EINVAL;
        walk->left--;
        return walk->each(walk->name, walk->arg);
    }
    walk->depth++;
    for (p = open + 1;; p++) {
        r = walk_number_range(walk, len, &p, close + 1, restlen - (size_t)(close + 1 - rest));
        if (r != 0)
            return r;
        if (p == close)
            break;
        if (*p != ',')
            return -EINVAL;
    }
    walk->depth--;
    return 0;
}

/* Where the element that starts at text ends: at a comma outside of brackets, or the end. */
static const char *element_end(const char *text)
{
    int inside = 0;

    for (; *text; text++) {
        if (*text == '[')
            inside = 1;
        else if (*text == ']')
            inside = 0;
        else if (*text == ',' && !inside)
            break;
    }
    return text;
}

int fr_hostlist_each(const char *text, unsigned int limit, fr_hostlist_f each, void *arg)
{
    struct host_walk walk = {.left = limit, .each = each, .arg = arg};

    if (*text == '\0')
        return 0;
    for (;;) {
        const char *end = element_end(text);
        int r;

        walk.name[0] = '\0';
        r = walk_rest(&walk, 0, text, (size_t)(end - text));
        if (r != 0)
            return r;
        if (*end == '\0')
            return 0;
        text = end + 1;
    }
}
