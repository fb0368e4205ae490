// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Puts lines together out of the pieces that a job's tasks write: the pieces of two tasks, or
 * of stdout and stderr, may cut each other's lines, so each stream of each task has its own.
 */
#ifndef FR_API_LINES_H
#define FR_API_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "engine/engine.h"

/* A line of this length is handed on without its end: memory stays bounded. */
#define FR_LINE_MAX (1024 * 1024)
/* Streams kept apart; those beyond share one. */
#define FR_LINES_STREAMS 256

/* One line with its newline if it has one. text is borrowed and not NUL-terminated. */
typedef void (*fr_lines_f)(void *arg, bool is_stderr, const char *text, size_t len);

struct fr_lines {
    struct fr_lines_stream *streams;
    size_t count;
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
