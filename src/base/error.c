// SPDX-License-Identifier: LGPL-3.0-only
#include "base/error.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"

static const struct {
    const char *word;
    const char *title;
} codes[] = {
#define FR_CODE_ROW(sym, word, title) [sym] = {word, title},
    FR_CODES(FR_CODE_ROW)
#undef FR_CODE_ROW
};

int fr_error_set(struct fr_error *err, int errnum, enum fr_code code, const char *fmt, ...)
{
    assert(errnum > 0);
    if (!err)
        return -errnum;
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    if (n < 0)
        err->text[0] = '\0';
    else if ((size_t)n >= sizeof err->text)
        fr_text_trim(err->text);
    err->code = code;
    return -errnum;
}

const char *fr_code_word(enum fr_code code)
{
    assert(code < FR_CODE_COUNT);
    return codes[code].word;
}

const char *fr_code_title(enum fr_code code)
{
    assert(code < FR_CODE_COUNT);
    return codes[code].title;
}
