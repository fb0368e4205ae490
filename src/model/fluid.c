// SPDX-License-Identifier: LGPL-3.0-only
#include "model/fluid.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define SEQ_BITS 10
#define STAMP_SHIFT 24 /* 14 bits of generator id and 10 of sequence */
#define SEQ_MASK ((UINT64_C(1) << SEQ_BITS) - 1)
#define STAMP_MAX ((UINT64_C(1) << 40) - 1)

/* Bitcoin's base 58, which RFC 19 names. */
static const char b58_digits[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
static const char f58_prefix[] = "\xc6\x92"; /* ƒ, U+0192 */

/* A digit's value in the base, or -1. */
static int digit_value(char c, unsigned int base)
{
    if (base == 58) {
        const char *found = c ? strchr(b58_digits, c) : NULL;
        return found ? (int)(found - b58_digits) : -1;
    }
    if (c >= '0' && c <= '9')
        return c - '0';
    if (base == 16 && isxdigit((unsigned char)c))
        return tolower((unsigned char)c) - 'a' + 10;
    return -1;
}

/* Reads exactly len digits, at least one. */
static int parse_digits(const char *text, size_t len, unsigned int base, uint64_t *ret)
{
    uint64_t value = 0;

    if (len == 0)
        return -EINVAL;
    for (size_t i = 0; i < len; i++) {
        int digit = digit_value(text[i], base);
        if (digit < 0 || __builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, (uint64_t)digit, &value))
            return -EINVAL;
    }
    *ret = value;
    return 0;
}

/* Four groups of one to four hex digits. */
static int parse_dothex(const char *text, size_t len, uint64_t *ret)
{
    const char *end = text + len;
    uint64_t value = 0;

    for (int i = 0; i < 4; i++) {
        const char *stop = i < 3 ? memchr(text, '.', (size_t)(end - text)) : end;
        uint64_t group;

        if (!stop || stop - text > 4 || parse_digits(text, (size_t)(stop - text), 16, &group))
            return -EINVAL;
        value = value << 16 | group;
        text = stop + 1;
    }
    *ret = value;
    return 0;
}

static bool eat_prefix(const char **text, size_t *len, const char *prefix)
{
    size_t n = strlen(prefix);

    if (*len < n || memcmp(*text, prefix, n) != 0)
        return false;
    *text += n;
    *len -= n;
    return true;
}

static int parse_any(const char *text, size_t len, uint64_t *ret)
{
    (void)eat_prefix(&text, &len, "job.");
    if (memchr(text, '.', len)) /* first, for a group may begin with f */
        return parse_dothex(text, len, ret);
    if (eat_prefix(&text, &len, f58_prefix) || eat_prefix(&text, &len, "f"))
        return parse_digits(text, len, 58, ret);
    if (eat_prefix(&text, &len, "0x"))
        return parse_digits(text, len, 16, ret);
    return parse_digits(text, len, 10, ret);
}

int fr_fluid_parse(const char *text, uint64_t *ret_id)
{
    uint64_t id;
    size_t len;

    if (!text)
        return -EINVAL;
    while (isspace((unsigned char)*text))
        text++;
    len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        len--;
    if (parse_any(text, len, &id) < 0 || id == FR_FLUID_ANY)
        return -EINVAL;
    *ret_id = id;
    return 0;
}

const char *fr_fluid_f58(uint64_t id, char *buf)
{
    char digits[12]; /* 58^11 > 2^64 */
    size_t n = 0;
    char *p = buf;

    do {
        digits[n++] = b58_digits[id % 58];
        id /= 58;
    } while (id > 0);
    memcpy(p, f58_prefix, sizeof(f58_prefix) - 1);
    p += sizeof(f58_prefix) - 1;
    while (n > 0)
        *p++ = digits[--n];
    *p = '\0';
    return buf;
}

uint64_t fr_fluid_next(struct fr_fluid_gen *gen, uint64_t now_ms)
{
    uint64_t stamp = now_ms > gen->epoch_ms ? now_ms - gen->epoch_ms : 0;
    uint64_t id;

    if (stamp > STAMP_MAX) /* 34 years on: go on from the last id */
        stamp = 0;
    id = stamp << STAMP_SHIFT;
    if (id <= gen->last) {
        id = gen->last + 1;
        if ((gen->last & SEQ_MASK) == SEQ_MASK)
            id = ((gen->last >> STAMP_SHIFT) + 1) << STAMP_SHIFT;
    }
    gen->last = id;
    return id;
}
