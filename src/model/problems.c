// SPDX-License-Identifier: LGPL-3.0-only
#include "model/problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"

#define DETAIL_MAX 512

void fr_problems_init(struct fr_problems *problems)
{
    problems->count = 0; /* the items are filled as they are counted */
    problems->left_out = 0;
}

void fr_problems_done(struct fr_problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        free(problems->items[i].pointer);
        free(problems->items[i].detail);
    }
    fr_problems_init(problems);
}

void fr_problems_add(struct fr_problems *problems, enum fr_code code, const char *pointer,
                     const char *fmt, ...)
{
    char detail[DETAIL_MAX];
    struct fr_problem item = {.code = code};
    va_list ap;
    int n;

    if (problems->count >= FR_PROBLEMS_MAX) {
        problems->left_out++;
        return;
    }
    va_start(ap, fmt);
    n = vsnprintf(detail, sizeof(detail), fmt, ap);
    va_end(ap);
    if (n < 0)
        detail[0] = '\0';
    else if ((size_t)n >= sizeof(detail))
        fr_text_trim(detail);
    item.pointer = strdup(pointer);
    item.detail = strdup(detail);
    if (!item.pointer || !item.detail) {
        free(item.pointer);
        free(item.detail);
        problems->left_out++;
        return;
    }
    problems->items[problems->count++] = item;
}
