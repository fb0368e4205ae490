// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Puts lines together out of the pieces that a job's tasks write: the pieces of two tasks, or
 * of stdout and stderr, may cut each other's lines, so each stream of each task has its own.
 *
 * Memory is bounded, and a line may have to be handed on before its end. The text that comes
 * next then says whether it goes on that line, so that no line ever holds texts of two streams.
 */
#ifndef FR_API_LINES_H
#define FR_API_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "engine/engine.h"

/* A line of this length is handed on without its end. */
#define FR_LINE_MAX (1024 * 1024)
/* Bytes of unfinished lines kept in all; those beyond are handed on as they come. */
#define FR_LINES_BYTES_MAX (4 * 1024 * 1024)
/* Streams whose lines are put together; those beyond are handed on as they come. */
#define FR_LINES_STREAMS 16384

/*
 * One line with its newline if it has one. continues: it goes on where the text handed on last
 * stopped, else it begins a line. text is borrowed and not NUL-terminated.
 */
typedef void (*fr_lines_f)(void *arg, bool continues, const char *text, size_t len);

struct fr_lines {
    struct fr_lines_stream *streams;
    size_t count, cap;
    unsigned int *index; /* open addressing over (rank, stream): place in streams plus 1 */
    size_t mask;
    size_t bytes; /* of unfinished lines */
    size_t open;  /* place plus 1 of the stream whose text was last and unfinished */
    fr_lines_f cb;
    void *arg;
};

void fr_lines_init(struct fr_lines *lines, fr_lines_f cb, void *arg);
void fr_lines_done(struct fr_lines *lines);

/* Takes one piece (FR_OUTPUT_DATA). 0 or -ENOMEM. */
int fr_lines_feed(struct fr_lines *lines, const struct fr_output *piece);

/* Hands on what stands without a newline. */
void fr_lines_flush(struct fr_lines *lines);

#endif
