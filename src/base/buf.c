// SPDX-License-Identifier: LGPL-3.0-only
#include "base/buf.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define FIRST_CAP 1024

void fr_buf_init(struct fr_buf *buf, size_t max)
{
    *buf = (struct fr_buf){.max = max};
}

void fr_buf_done(struct fr_buf *buf)
{
    free(buf->data);
    *buf = (struct fr_buf){.max = buf->max};
}

void fr_buf_reset(struct fr_buf *buf)
{
    buf->len = 0;
    buf->failed = 0;
    if (buf->data)
        buf->data[0] = '\0';
}

int fr_buf_status(const struct fr_buf *buf)
{
    return buf->failed;
}

static char *fail(struct fr_buf *buf, int errnum)
{
    buf->failed = -errnum;
    return NULL;
}

char *fr_buf_reserve(struct fr_buf *buf, size_t n)
{
    if (buf->failed)
        return NULL;
    if (n > buf->max - buf->len)
        return fail(buf, EMSGSIZE);
    if (n < buf->cap - buf->len) /* one byte is kept for the NUL */
        return buf->data + buf->len;
    size_t need = buf->len + n + 1;
    size_t cap = buf->cap ? buf->cap : FIRST_CAP;
    while (cap < need) {
        if (cap > SIZE_MAX / 2)
            return fail(buf, ENOMEM);
        cap *= 2;
    }
    char *data = realloc(buf->data, cap);
    if (!data)
        return fail(buf, ENOMEM);
    buf->data = data;
    buf->cap = cap;
    return buf->data + buf->len;
}

void fr_buf_commit(struct fr_buf *buf, size_t n)
{
    assert(n < buf->cap - buf->len);
    buf->len += n;
    buf->data[buf->len] = '\0';
}

int fr_buf_take(struct fr_buf *buf, char **ret_data, size_t *ret_len)
{
    if (!buf->data)
        (void)fr_buf_reserve(buf, 0);
    int rc = buf->failed;
    if (rc < 0) {
        fr_buf_done(buf);
        return rc;
    }
    buf->data[buf->len] = '\0';
    *ret_data = buf->data;
    *ret_len = buf->len;
    *buf = (struct fr_buf){.max = buf->max};
    return 0;
}

void fr_buf_put(struct fr_buf *buf, const void *data, size_t len)
{
    char *at = fr_buf_reserve(buf, len);

    if (!at)
        return;
    if (len > 0)
        memcpy(at, data, len);
    fr_buf_commit(buf, len);
}

void fr_buf_puts(struct fr_buf *buf, const char *text)
{
    fr_buf_put(buf, text, strlen(text));
}

void fr_buf_putc(struct fr_buf *buf, char c)
{
    fr_buf_put_short(buf, &c, 1);
}

void fr_buf_vprintf(struct fr_buf *buf, const char *fmt, va_list ap)
{
    va_list again;
    char small[256];

    va_copy(again, ap);
    int n = vsnprintf(small, sizeof small, fmt, ap);
    if (n < 0) {
        fail(buf, EINVAL);
    } else if ((size_t)n < sizeof small) {
        fr_buf_put(buf, small, (size_t)n);
    } else {
        char *at = fr_buf_reserve(buf, (size_t)n);
        if (at) {
            (void)vsnprintf(at, (size_t)n + 1, fmt, again);
            fr_buf_commit(buf, (size_t)n);
        }
    }
    va_end(again);
}

void fr_buf_printf(struct fr_buf *buf, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    fr_buf_vprintf(buf, fmt, ap);
    va_end(ap);
}

void fr_buf_put_u64(struct fr_buf *buf, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    fr_buf_put_short(buf, digits + at, sizeof digits - at);
}

void fr_buf_put_i64(struct fr_buf *buf, int64_t value)
{
    if (value < 0) {
        fr_buf_putc(buf, '-');
        fr_buf_put_u64(buf, (uint64_t)0 - (uint64_t)value);
    } else {
        fr_buf_put_u64(buf, (uint64_t)value);
    }
}

/*
 * Times are most of the numbers in a job. Those with at most six decimals are written without
 * printf, which would take longer than the rest of the job together.
 */
static bool put_short_double(struct fr_buf *buf, double value)
{
    if (!(value >= 0 && value < 9e9) || signbit(value))
        return false;
    uint64_t micro = (uint64_t)llround(value * 1e6);
    uint64_t whole = micro / 1000000, part = micro % 1000000;

    if ((double)micro / 1e6 != value)
        return false;
    fr_buf_put_u64(buf, whole);
    if (part == 0) {
        fr_buf_put(buf, ".0", 2);
        return true;
    }
    char digits[7] = {'.'};
    int last = 6;
    for (int i = 6; i > 0; i--, part /= 10)
        digits[i] = (char)('0' + part % 10);
    while (digits[last] == '0')
        last--;
    fr_buf_put(buf, digits, (size_t)last + 1);
    return true;
}

void fr_buf_put_double(struct fr_buf *buf, double value)
{
    char text[32];

    if (!isfinite(value)) {
        fr_buf_put(buf, "null", 4);
        return;
    }
    if (put_short_double(buf, value))
        return;
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    fr_buf_puts(buf, text);
}

static void put_escape(struct fr_buf *buf, unsigned char c)
{
    static const char named[] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n',  ['\f'] = 'f',
        ['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\',
    };

    if (c < sizeof named && named[c]) {
        char pair[2] = {'\\', named[c]};
        fr_buf_put(buf, pair, 2);
    } else {
        fr_buf_printf(buf, "\\u%04x", c);
    }
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

void fr_buf_put_json_stringn(struct fr_buf *buf, const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t i = 0;

    fr_buf_putc(buf, '"');
    while (i < len && !buf->failed) {
        size_t run = i;
        while (run < len && is_plain(p[run]))
            run++;
        fr_buf_put_short(buf, p + i, run - i);
        i = run;
        if (i == len)
            break;
        if (p[i] < 0x80) {
            put_escape(buf, p[i++]);
            continue;
        }
        size_t n = fr_text_utf8(text + i, len - i);
        if (n == 3 && p[i] == 0xe2 && p[i + 1] == 0x80 && (p[i + 2] & 0xfe) == 0xa8)
            fr_buf_puts(buf, p[i + 2] == 0xa8 ? "\\u2028" : "\\u2029");
        else if (n > 0)
            fr_buf_put(buf, p + i, n);
        else
            fr_buf_put(buf, "\xef\xbf\xbd", 3);
        i += n > 0 ? n : 1;
    }
    fr_buf_putc(buf, '"');
}

void fr_buf_put_json_string(struct fr_buf *buf, const char *text)
{
    if (text)
        fr_buf_put_json_stringn(buf, text, strlen(text));
    else
        fr_buf_put(buf, "null", 4);
}
