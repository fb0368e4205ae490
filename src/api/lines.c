// SPDX-License-Identifier: LGPL-3.0-only
#include "api/lines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fr_lines_stream {
    char rank[24];
    bool is_stderr;
    struct fr_buf partial;
};

void fr_lines_init(struct fr_lines *lines, fr_lines_f cb, void *arg)
{
    *lines = (struct fr_lines){.cb = cb, .arg = arg};
}

void fr_lines_done(struct fr_lines *lines)
{
    for (size_t i = 0; i < lines->count; i++)
        fr_buf_done(&lines->streams[i].partial);
    free(lines->streams);
    *lines = (struct fr_lines){.cb = lines->cb, .arg = lines->arg};
}

static struct fr_lines_stream *find(struct fr_lines *lines, const struct fr_output *piece)
{
    const char *rank = piece->rank ? piece->rank : "";
    struct fr_lines_stream *stream;

    for (size_t i = 0; i < lines->count; i++) {
        stream = &lines->streams[i];
        if (stream->is_stderr == piece->is_stderr &&
            strncmp(stream->rank, rank, sizeof stream->rank - 1) == 0)
            return stream;
    }
    if (lines->count == FR_LINES_STREAMS)
        return &lines->streams[0];
    stream = realloc(lines->streams, (lines->count + 1) * sizeof *stream);
    if (!stream)
        return NULL;
    lines->streams = stream;
    stream += lines->count++;
    *stream = (struct fr_lines_stream){.is_stderr = piece->is_stderr};
    (void)snprintf(stream->rank, sizeof stream->rank, "%s", rank);
    fr_buf_init(&stream->partial, FR_LINE_MAX);
    return stream;
}

static void hand_on(struct fr_lines *lines, struct fr_lines_stream *stream)
{
    if (stream->partial.len > 0)
        lines->cb(lines->arg, stream->is_stderr, stream->partial.data, stream->partial.len);
    fr_buf_reset(&stream->partial);
}

static int keep(struct fr_lines *lines, struct fr_lines_stream *stream, const char *text,
                size_t len)
{
    while (len > 0) {
        size_t room = FR_LINE_MAX - stream->partial.len;
        size_t n = len < room ? len : room;
        fr_buf_put(&stream->partial, text, n);
        if (fr_buf_status(&stream->partial) < 0)
            return -ENOMEM;
        text += n;
        len -= n;
        if (stream->partial.len == FR_LINE_MAX)
            hand_on(lines, stream);
    }
    return 0;
}

int fr_lines_feed(struct fr_lines *lines, const struct fr_output *piece)
{
    struct fr_lines_stream *stream = find(lines, piece);
    const char *text = piece->data, *end = text + piece->len, *newline;

    if (!stream)
        return -ENOMEM;
    while (text < end && (newline = memchr(text, '\n', (size_t)(end - text)))) {
        size_t len = (size_t)(newline - text) + 1;
        if (stream->partial.len > 0) {
            if (keep(lines, stream, text, len) < 0)
                return -ENOMEM;
            hand_on(lines, stream);
        } else {
            lines->cb(lines->arg, stream->is_stderr, text, len);
        }
        text += len;
    }
    return keep(lines, stream, text, (size_t)(end - text));
}

void fr_lines_flush(struct fr_lines *lines)
{
    for (size_t i = 0; i < lines->count; i++)
        hand_on(lines, &lines->streams[i]);
}
