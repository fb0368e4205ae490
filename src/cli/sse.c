// SPDX-License-Identifier: LGPL-3.0-only
#include "cli/sse.h"

#include <string.h>

/* A piece of output is at most 3 MiB as the server sends it. */
#define LINE_MAX_BYTES (8U << 20)

void fr_sse_init(struct fr_sse *sse)
{
    *sse = (struct fr_sse){.kind = ""};
    fr_buf_init(&sse->line, LINE_MAX_BYTES);
    fr_buf_init(&sse->data, LINE_MAX_BYTES);
}

void fr_sse_done(struct fr_sse *sse)
{
    fr_buf_done(&sse->line);
    fr_buf_done(&sse->data);
}

void fr_sse_restart(struct fr_sse *sse)
{
    fr_buf_reset(&sse->line);
    fr_buf_reset(&sse->data);
    sse->kind[0] = '\0';
    memcpy(sse->next, sse->place, sizeof sse->next);
}

static void copy(char *to, size_t size, const char *value, size_t len)
{
    if (len >= size || memchr(value, '\0', len))
        return;
    memcpy(to, value, len);
    to[len] = '\0';
}

/* Whether the line is this field; then its value. */
static const char *value_of(const char *line, size_t len, const char *name, size_t *ret_len)
{
    size_t n = strlen(name);

    if (len < n + 1 || memcmp(line, name, n) != 0 || line[n] != ':')
        return NULL;
    n += len > n + 1 && line[n + 1] == ' ' ? 2 : 1;
    *ret_len = len - n;
    return line + n;
}

static void take_field(struct fr_sse *sse, const char *line, size_t len)
{
    const char *value;
    size_t n;

    if ((value = value_of(line, len, "event", &n))) {
        copy(sse->kind, sizeof sse->kind, value, n);
    } else if ((value = value_of(line, len, "id", &n))) {
        copy(sse->next, sizeof sse->next, value, n);
    } else if ((value = value_of(line, len, "data", &n))) {
        if (sse->data.len > 0)
            fr_buf_putc(&sse->data, '\n');
        fr_buf_put(&sse->data, value, n);
    }
}

int fr_sse_feed(struct fr_sse *sse, const char *bytes, size_t len,
                int (*on_event)(void *arg, const char *kind, const char *data, size_t len),
                void *arg)
{
    const char *end = bytes + len, *newline;
    int r = 0;

    while (r == 0 && bytes < end && (newline = memchr(bytes, '\n', (size_t)(end - bytes)))) {
        const char *line = bytes;
        size_t n = (size_t)(newline - bytes);
        if (sse->line.len > 0) {
            fr_buf_put(&sse->line, bytes, n);
            line = sse->line.data;
            n = sse->line.len;
        }
        bytes = newline + 1;
        if ((r = fr_buf_status(&sse->line)) < 0)
            return r;
        if (n > 0)
            take_field(sse, line, n);
        fr_buf_reset(&sse->line);
        if ((r = fr_buf_status(&sse->data)) < 0)
            return r;
        if (n > 0)
            continue;
        memcpy(sse->place, sse->next, sizeof sse->place);
        if (sse->data.len > 0)
            r = on_event(arg, sse->kind, sse->data.data, sse->data.len);
        fr_buf_reset(&sse->data);
        sse->kind[0] = '\0';
    }
    if (r == 0 && bytes < end)
        fr_buf_put(&sse->line, bytes, (size_t)(end - bytes));
    return r ? r : fr_buf_status(&sse->line);
}
