// SPDX-License-Identifier: LGPL-3.0-only
#include "cli/detail.h"

#include <stdarg.h>
#include <string.h>

#include "cli/display.h"
#include "cli/format.h"
#include "cli/out.h"

#define NAME_WIDTH 12
#define VALUE_MAX (1U << 20)

/* Wraps at blanks; a word that is longer than a line stays whole, for whoever copies it. */
static void put_wrapped(const struct fr_detail *detail, char *text)
{
    size_t column = NAME_WIDTH, blanks = 0;

    while (*text) {
        size_t len = strcspn(text, " ");
        char end = text[len];
        text[len] = '\0';
        size_t width = fr_display_width(text);
        if (detail->columns && column > NAME_WIDTH &&
            column + blanks + width > detail->columns) {
            fr_buf_printf(detail->out, "\n%*s", NAME_WIDTH, "");
            column = NAME_WIDTH;
            blanks = 0;
        }
        fr_buf_printf(detail->out, "%*s", (int)blanks, "");
        fr_display_put(detail->out, text);
        column += blanks + width;
        text[len] = end;
        blanks = strspn(text + len, " ");
        text += len + blanks;
    }
}

void fr_detail_put(const struct fr_detail *detail, const char *name, const char *fmt, ...)
{
    struct fr_buf value = FR_BUF_INIT(VALUE_MAX);
    va_list ap;

    va_start(ap, fmt);
    fr_buf_vprintf(&value, fmt, ap);
    va_end(ap);
    if (value.len > 0 && fr_buf_status(&value) == 0) {
        fr_buf_printf(detail->out, "%s%-*s%s", detail->color ? FR_COLOR_BOLD : "", NAME_WIDTH,
                      name, detail->color ? FR_COLOR_END : "");
        put_wrapped(detail, value.data);
        fr_buf_putc(detail->out, '\n');
    }
    fr_buf_done(&value);
}

void fr_detail_put_member(const struct fr_detail *detail, const char *name, const json_t *row,
                          const char *path)
{
    struct fr_buf value = FR_BUF_INIT(VALUE_MAX);

    fr_format_put_value(fr_format_member(row, path), &value);
    if (value.len > 0 && fr_buf_status(&value) == 0)
        fr_detail_put(detail, name, "%s", value.data);
    fr_buf_done(&value);
}
