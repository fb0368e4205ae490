// SPDX-License-Identifier: LGPL-3.0-only
/*
 * A stream of events that goes on, whatever breaks: a connection that is cut, or stands still,
 * or a daemon that is started again. It is asked for anew from the place where it broke off,
 * with pauses that grow, until nobody has answered for a minute.
 */
#ifndef FR_CLI_STREAM_H
#define FR_CLI_STREAM_H

#include "cli/run.h"
#include "cli/sse.h"

/* The place is not known there any more: list again. No exit code, and not told. */
#define FR_STREAM_GONE (-1)

struct fr_stream {
    struct fr_cli *cli;
    const char *path;         /* with its query */
    char place[FR_SSE_PLACE]; /* to begin after, or "" */
    /*
     * One event; its data is a JSON text that ends with NUL. Another value than 0 ends the
     * stream. Must not ask anything of the server.
     */
    int (*on_event)(void *arg, const char *kind, const char *data, size_t len);
    /*
     * After what has come, and when the seconds that it asked for are over: may ask. NULL: not
     * needed. Another value than 0 ends the stream.
     */
    int (*on_turn)(void *arg, double *ret_seconds);
    void (*on_interrupt)(void *arg); /* as in struct fr_request */
    void *arg;
};

/*
 * Follows the stream. FR_EXIT_OK when on_event or on_turn ended it; FR_STREAM_GONE; or an exit
 * code, told. Repeats are the caller's to drop (repeats.h): there are some after a restart of a
 * daemon beside Flux.
 */
int fr_stream_follow(struct fr_stream *stream);

#endif
