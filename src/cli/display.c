// SPDX-License-Identifier: LGPL-3.0-only
#include "cli/display.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <wchar.h>

#include "base/text.h"
#include "base/util.h"

static bool unicode = true;

void fr_display_init(void)
{
    unicode = setlocale(LC_CTYPE, "") && strcasecmp(nl_langinfo(CODESET), "UTF-8") == 0;
    /* wcwidth(3) knows the widths of characters in a UTF-8 locale alone. */
    if (!unicode)
        (void)setlocale(LC_CTYPE, "C.UTF-8");
}

bool fr_display_is_unicode(void)
{
    return unicode;
}

void fr_display_set_unicode(bool value)
{
    unicode = value;
    (void)setlocale(LC_CTYPE, "C.UTF-8");
}

/* The character that `len` bytes of valid UTF-8 spell. */
static uint32_t value_of(const char *text, size_t len)
{
    uint32_t value = (unsigned char)text[0];

    if (len > 1)
        value &= 0x7fU >> len;
    for (size_t i = 1; i < len; i++)
        value = value << 6 | ((unsigned char)text[i] & 0x3f);
    return value;
}

/* Characters that are not seen, or that turn what stands beside them. */
static bool deceives(uint32_t c)
{
    static const uint32_t ranges[][2] = {
        {0x00ad, 0x00ad}, {0x061c, 0x061c}, {0x180e, 0x180e},
        {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f},
        {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe0fff}};

    for (size_t i = 0; i < FR_ARRAY_SIZE(ranges); i++) {
        if (c >= ranges[i][0] && c <= ranges[i][1])
            return true;
    }
    return false;
}

/* One character of a text as it is shown. */
struct piece {
    char text[12];
    size_t len;
    size_t width;
};

static void escape(struct piece *piece, const char *form, uint32_t value)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(piece->text, sizeof piece->text, form, value);
#pragma GCC diagnostic pop
    piece->len = piece->width = strlen(piece->text);
}

/* A character, or a byte that is none (len 0), that is not to be shown as it is. */
static bool escape_unseen(struct piece *piece, uint32_t c, size_t len, int width)
{
    if (len == 0)
        escape(piece, "\\x%02x", c);
    else if (c == '\n' || c == '\t' || c == '\r')
        escape(piece, c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\r", 0);
    else if (c < 0x20 || c == 0x7f)
        escape(piece, "\\x%02x", c);
    else if (width < 0 || deceives(c) || (!unicode && c >= 0x80))
        escape(piece, c > 0xffff ? "\\U%08x" : "\\u%04x", c);
    else
        return false;
    return true;
}

/* Takes the next character off a text; false at its end. */
static bool next_piece(const char **text, struct piece *piece)
{
    const char *at = *text;

    if (!*at)
        return false;
    size_t len = fr_text_utf8(at, strnlen(at, 4));
    uint32_t c = value_of(at, len);
    int width = len ? wcwidth((wchar_t)c) : -1;
    *text = at + (len ? len : 1);
    if (escape_unseen(piece, c, len, width))
        return true;
    memcpy(piece->text, at, len);
    piece->len = len;
    piece->width = (size_t)width;
    return true;
}

size_t fr_display_width(const char *text)
{
    struct piece piece;
    size_t width = 0;

    while (next_piece(&text, &piece))
        width += piece.width;
    return width;
}

size_t fr_display_put_cut(struct fr_buf *out, const char *text, size_t max)
{
    struct piece piece;
    size_t width = 0;
    bool cut = max != FR_DISPLAY_ALL && fr_display_width(text) > max;

    if (cut && max == 0)
        return 0;
    while (next_piece(&text, &piece)) {
        if (cut && width + piece.width > max - 1)
            break;
        fr_buf_put(out, piece.text, piece.len);
        width += piece.width;
    }
    if (cut) {
        fr_buf_puts(out, unicode ? "\xe2\x80\xa6" : "+");
        width++;
    }
    return width;
}

void fr_display_put(struct fr_buf *out, const char *text)
{
    (void)fr_display_put_cut(out, text, FR_DISPLAY_ALL);
}
