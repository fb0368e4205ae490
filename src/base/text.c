// SPDX-License-Identifier: LGPL-3.0-only
#include "base/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_COMPARED 40

void fr_text_trim(char *text)
{
    size_t len = strlen(text);
    size_t start = len;

    while (start > 0 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
        start--;
    if (start == 0)
        return;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t want = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (len - (start - 1) < want)
        text[start - 1] = '\0';
}

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Levenshtein's distance, case ignored; both at most NAME_MAX_COMPARED bytes. */
static size_t distance(const char *a, size_t alen, const char *b, size_t blen)
{
    size_t row[NAME_MAX_COMPARED + 1];

    for (size_t j = 0; j <= blen; j++)
        row[j] = j;
    for (size_t i = 1; i <= alen; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= blen; j++) {
            size_t same =
                tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]) ? 0 : 1;
            size_t above = row[j];
            row[j] = min3(above + 1, row[j - 1] + 1, diagonal + same);
            diagonal = above;
        }
    }
    return row[blen];
}

const char *fr_text_nearest(const char *name, const char *const *known, size_t count)
{
    size_t len = strlen(name);
    size_t best = len / 3 + 1; /* more typing errors than that make another word */
    const char *found = NULL;

    if (len == 0 || len > NAME_MAX_COMPARED)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        size_t klen = strlen(known[i]);
        size_t d;

        if (klen > NAME_MAX_COMPARED)
            continue;
        d = distance(name, len, known[i], klen);
        if (d < klen && (d < best || (d == best && !found))) {
            best = d;
            found = known[i];
        }
    }
    return found;
}

/* The first place in text from which on pattern, which begins with no *, could match. */
static const char *skip(const char *text, const char *pattern)
{
    return *pattern == '?' || *pattern == '\0' ? text : strchrnul(text, *pattern);
}

bool fr_text_glob(const char *pattern, const char *text)
{
    const char *star = NULL, *resume = NULL;

    while (*text) {
        if (*pattern == '*') {
            while (*pattern == '*') /* only the last * is ever tried again */
                star = pattern++;
            text = resume = skip(text, pattern);
        } else if (*pattern == '?' || *pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = resume = skip(resume + 1, pattern);
        } else {
            return false;
        }
    }
    return pattern[strspn(pattern, "*")] == '\0';
}

size_t fr_text_utf8(const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;
    unsigned char low = 0x80, high = 0xbf;
    size_t want = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;

    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4 || len < want)
        return 0;
    if (p[0] == 0xe0)
        low = 0xa0;
    else if (p[0] == 0xed)
        high = 0x9f;
    else if (p[0] == 0xf0)
        low = 0x90;
    else if (p[0] == 0xf4)
        high = 0x8f;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < want; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return want;
}

bool fr_text_is_utf8(const char *text)
{
    size_t len = strlen(text);

    while (len > 0) {
        size_t n = fr_text_utf8(text, len);
        if (n == 0)
            return false;
        text += n;
        len -= n;
    }
    return true;
}

int fr_text_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool fr_text_split_host(const char *text, char *host, size_t size, const char **ret_port)
{
    const char *end, *rest;

    if (text[0] == '[') {
        end = strchr(++text, ']');
        rest = end ? end + 1 : "";
    } else {
        rest = end = text + strcspn(text, ":");
        if (rest[0] == ':' && strchr(rest + 1, ':'))
            return false; /* IPv6 without brackets */
    }
    if (!end || (rest[0] != '\0' && rest[0] != ':'))
        return false;
    size_t len = (size_t)(end - text);
    if (len == 0 || len >= size)
        return false;
    memcpy(host, text, len);
    host[len] = '\0';
    *ret_port = rest[0] ? rest + 1 : rest;
    return true;
}

bool fr_text_is_port(const char *text)
{
    char *end;

    return *text >= '0' && *text <= '9' && strtoul(text, &end, 10) <= 65535 && !*end;
}
