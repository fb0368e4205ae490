// SPDX-License-Identifier: LGPL-3.0-only
/*
 * A growing byte buffer with a mandatory maximum.
 *
 * Appending never fails on the spot: when memory or the maximum is exhausted the buffer turns
 * `failed`, ignores every later append, and the writer asks once, at the end, with
 * fr_buf_status(). Not a string type: the bytes may hold NUL, but data[len] is always NUL too
 * once anything was appended.
 */
#ifndef FR_BASE_BUF_H
#define FR_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct fr_buf {
    char *data; /* owned; NULL while empty */
    size_t len; /* bytes in use */
    size_t cap; /* bytes allocated */
    size_t max; /* len never exceeds this */
    int failed; /* 0, or the negative errno of the first append that failed */
};

/* An empty buffer of at most `maximum` bytes. */
#define FR_BUF_INIT(maximum)                                                                   \
    {                                                                                          \
        .max = (maximum)                                                                       \
    }

/* Makes an empty buffer of at most max bytes. Cannot fail: nothing is allocated. */
void fr_buf_init(struct fr_buf *buf, size_t max);

/* Frees the bytes and leaves the buffer empty and not failed, its maximum kept. */
void fr_buf_done(struct fr_buf *buf);

/* Forgets the content (and a failure), keeps the memory. */
void fr_buf_reset(struct fr_buf *buf);

/* 0, -ENOMEM, -EMSGSIZE (the maximum was reached), or -EINVAL (bad text in put_json). */
int fr_buf_status(const struct fr_buf *buf);

/*
 * Gives away the bytes: the caller frees *ret_data with free(3). The buffer is empty then.
 * Returns fr_buf_status(); on failure nothing is given and the buffer is emptied. An empty
 * buffer gives an allocated, empty, NUL-terminated text.
 */
int fr_buf_take(struct fr_buf *buf, char **ret_data, size_t *ret_len);

/*
 * Makes room for n more bytes and returns where they go, or NULL (buffer failed). The caller
 * writes there and then says with fr_buf_commit how many it wrote (at most n).
 */
char *fr_buf_reserve(struct fr_buf *buf, size_t n);
void fr_buf_commit(struct fr_buf *buf, size_t n);

void fr_buf_put(struct fr_buf *buf, const void *data, size_t len);
/* The same, for short pieces of a known length in replies with many of them. */
static inline void fr_buf_put_short(struct fr_buf *buf, const void *data, size_t len)
{
    if (buf->failed || len >= buf->cap - buf->len || len > buf->max - buf->len) {
        fr_buf_put(buf, data, len);
        return;
    }
    memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}
void fr_buf_puts(struct fr_buf *buf, const char *text);
void fr_buf_putc(struct fr_buf *buf, char c);
void fr_buf_printf(struct fr_buf *buf, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void fr_buf_vprintf(struct fr_buf *buf, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
void fr_buf_put_u64(struct fr_buf *buf, uint64_t value);
void fr_buf_put_i64(struct fr_buf *buf, int64_t value);

/*
 * A JSON number: the shortest text that reads back as the same double (at most 17 digits);
 * NaN and infinities, which JSON lacks, become null.
 */
void fr_buf_put_double(struct fr_buf *buf, double value);

/*
 * A JSON string, quotes included, out of UTF-8 text. Bytes that are not valid UTF-8 become
 * U+FFFD, so that the reply is valid whatever a job's name or output holds; U+2028, U+2029 and
 * control characters are escaped. fr_buf_put_json_string(b, NULL) writes null.
 */
void fr_buf_put_json_string(struct fr_buf *buf, const char *text);
void fr_buf_put_json_stringn(struct fr_buf *buf, const char *text, size_t len);

#endif
