// SPDX-License-Identifier: LGPL-3.0-only
#include "base/text.h"

#include <ctype.h>
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

bool fr_text_glob(const char *pattern, const char *text)
{
    const char *star = NULL, *resume = NULL;

    while (*text) {
        if (*pattern == '*') {
            star = pattern++; /* only the last * is ever tried again */
            resume = text;
        } else if (*pattern == '?' || *pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = ++resume;
        } else {
            return false;
        }
    }
    return pattern[strspn(pattern, "*")] == '\0';
}
