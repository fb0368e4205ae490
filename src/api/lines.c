// SPDX-License-Identifier: LGPL-3.0-only
#include "api/lines.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 64

struct fr_lines_stream {
    char *rank; /* owned */
    bool is_stderr;
    struct fr_buf partial;
};

void fr_lines_init(struct fr_lines *lines, fr_lines_f cb, void *arg)
{
    *lines = (struct fr_lines){.cb = cb, .arg = arg};
}

void fr_lines_done(struct fr_lines *lines)
{
    for (size_t i = 0; i < lines->count; i++) {
        fr_buf_done(&lines->streams[i].partial);
        free(lines->streams[i].rank);
    }
    free(lines->streams);
    free(lines->index);
    fr_lines_init(lines, lines->cb, lines->arg);
}

static size_t hash_of(const char *rank, bool is_stderr)
{
    uint64_t hash = is_stderr ? 0x84222325cbf29ce4u : 0xcbf29ce484222325u; /* FNV-1a */

    for (; *rank; rank++)
        hash = (hash ^ (unsigned char)*rank) * 0x100000001b3u;
    return (size_t)(hash ^ hash >> 32);
}

/* The place in the index where the stream is, or would be. */
static unsigned int *look_up(const struct fr_lines *lines, const char *rank, bool is_stderr)
{
    for (size_t i = hash_of(rank, is_stderr) & lines->mask;; i = (i + 1) & lines->mask) {
        unsigned int *place = &lines->index[i];
        if (*place == 0)
            return place;
        const struct fr_lines_stream *stream = &lines->streams[*place - 1];
        if (stream->is_stderr == is_stderr && strcmp(stream->rank, rank) == 0)
            return place;
    }
}

/* Makes room for one more stream: the index is at most half full. */
static int grow(struct fr_lines *lines)
{
    if (lines->count < lines->cap)
        return 0;
    size_t cap = lines->cap ? lines->cap * 2 : FIRST_SIZE;
    unsigned int *index = calloc(cap * 2, sizeof *index);
    struct fr_lines_stream *streams = realloc(lines->streams, cap * sizeof *streams);
    if (streams)
        lines->streams = streams;
    if (!index || !streams) {
        free(index);
        return -ENOMEM;
    }
    free(lines->index);
    lines->index = index;
    lines->mask = cap * 2 - 1;
    lines->cap = cap;
    for (size_t i = 0; i < lines->count; i++)
        *look_up(lines, streams[i].rank, streams[i].is_stderr) = (unsigned int)i + 1;
    return 0;
}

/* 0 with the stream, NULL if there are too many; -ENOMEM. */
static int find(struct fr_lines *lines, const struct fr_output *piece,
                struct fr_lines_stream **ret)
{
    const char *rank = piece->rank ? piece->rank : "";
    int rc = grow(lines);

    if (rc < 0)
        return rc;
    unsigned int *place = look_up(lines, rank, piece->is_stderr);
    *ret = NULL;
    if (*place == 0) {
        if (lines->count == FR_LINES_STREAMS)
            return 0;
        char *copy = strdup(rank);
        if (!copy)
            return -ENOMEM;
        struct fr_lines_stream *stream = &lines->streams[lines->count++];
        *stream = (struct fr_lines_stream){.rank = copy, .is_stderr = piece->is_stderr};
        fr_buf_init(&stream->partial, FR_LINE_MAX);
        *place = (unsigned int)lines->count;
    }
    *ret = &lines->streams[*place - 1];
    return 0;
}

static void tell(struct fr_lines *lines, const struct fr_lines_stream *stream, const char *text,
                 size_t len)
{
    size_t place = stream ? (size_t)(stream - lines->streams) + 1 : 0;
    bool continues = place > 0 && lines->open == place;

    lines->open = text[len - 1] == '\n' ? 0 : place;
    lines->cb(lines->arg, continues, text, len);
}

static void hand_on(struct fr_lines *lines, struct fr_lines_stream *stream)
{
    if (stream->partial.len == 0)
        return;
    lines->bytes -= stream->partial.len;
    tell(lines, stream, stream->partial.data, stream->partial.len);
    fr_buf_done(&stream->partial);
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
        lines->bytes += n;
        text += n;
        len -= n;
        if (stream->partial.len == FR_LINE_MAX || lines->bytes > FR_LINES_BYTES_MAX)
            hand_on(lines, stream);
    }
    return 0;
}

int fr_lines_feed(struct fr_lines *lines, const struct fr_output *piece)
{
    struct fr_lines_stream *stream;
    const char *text = piece->data, *end = text + piece->len, *newline;
    int rc = find(lines, piece, &stream);

    while (rc == 0 && text < end && (newline = memchr(text, '\n', (size_t)(end - text)))) {
        size_t len = (size_t)(newline - text) + 1;
        if (stream && stream->partial.len > 0) {
            rc = keep(lines, stream, text, len);
            hand_on(lines, stream);
        } else {
            tell(lines, stream, text, len);
        }
        text += len;
    }
    if (rc < 0 || text == end)
        return rc;
    if (stream)
        return keep(lines, stream, text, (size_t)(end - text));
    tell(lines, NULL, text, (size_t)(end - text));
    return 0;
}

void fr_lines_flush(struct fr_lines *lines)
{
    for (size_t i = 0; i < lines->count; i++)
        hand_on(lines, &lines->streams[i]);
}
