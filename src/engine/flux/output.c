// SPDX-License-Identifier: LGPL-3.0-only
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "engine/flux/thread.h"

/*
 * Never with FLUX_JOB_EVENT_WATCH_WAITCREATE: Flux tells the journal of a job's end a moment
 * before it stores it, and a watch begun in between would wait for ever.
 */
#if FLUX_CORE_VERSION_HEX >= 0x004d00 && !defined(FR_FLUX_NO_SENTINEL)
#define HAS_SENTINEL 1 /* since 0.77 Flux marks the end of what is there */
#define WATCH_FLAGS FLUX_JOB_EVENT_WATCH_INITIAL_SENTINEL
#else
#define HAS_SENTINEL 0
#define WATCH_FLAGS 0
#endif
/* Seconds between looks for output that is not there yet. */
#define RETRY 0.25

/* One watch of one job's output, while the loop wants it. */
struct fr_flux_stream {
    LIST_ENTRY(fr_flux_stream) entry;
    struct fr_flux_thread *thread;
    uint64_t tag;
    uint64_t id;
    struct fr_flux_place from;
    uint64_t count;   /* entries read */
    bool caught_up;   /* told */
    bool ended;       /* the loop wants no more; only the last response is waited for */
    uint64_t present; /* entries that were there at the start, once known; see ask_present() */
    flux_future_t *f;
    flux_future_t *lookup; /* a question beside the watch */
    bool is_over;          /* the watch has ended; lookup asks why */
    flux_watcher_t *again; /* timer until the watch is tried again */
};

static void stream_free(struct fr_flux_stream *stream)
{
    LIST_REMOVE(stream, entry);
    flux_future_destroy(stream->f);
    flux_future_destroy(stream->lookup);
    flux_watcher_destroy(stream->again);
    free(stream);
}

/* Tells a piece that carries no data. Without memory the reader is left without its end. */
static void tell_mark(struct fr_flux_thread *thread, uint64_t tag, enum fr_output_kind kind,
                      enum fr_code code, const char *why)
{
    struct fr_flux_piece *piece = calloc(1, sizeof *piece);

    if (!piece)
        return;
    piece->item.kind = FR_FLUX_PIECE;
    piece->tag = tag;
    piece->size = sizeof *piece;
    piece->output.kind = kind;
    if (kind == FR_OUTPUT_ERROR)
        (void)fr_error_set(&piece->err, EIO, code, "%s", why);
    fr_flux_tell(thread, &piece->item);
}

static void on_again(flux_reactor_t *reactor, flux_watcher_t *watcher, int revents, void *arg);

static void caught_up(struct fr_flux_stream *stream)
{
    if (stream->caught_up)
        return;
    stream->caught_up = true;
    tell_mark(stream->thread, stream->tag, FR_OUTPUT_CAUGHT_UP, 0, NULL);
}

static void end(struct fr_flux_stream *stream)
{
    caught_up(stream);
    tell_mark(stream->thread, stream->tag, FR_OUTPUT_END, 0, NULL);
    stream_free(stream);
}

static void fail(struct fr_flux_stream *stream, enum fr_code code, const char *why)
{
    tell_mark(stream->thread, stream->tag, FR_OUTPUT_ERROR, code, why);
    stream_free(stream);
}

/* There is no output: of a job that has none, or of no job? */
static void on_lookup(flux_future_t *f, void *arg)
{
    struct fr_flux_stream *stream = arg;

    if (stream->ended)
        stream_free(stream);
    else if (flux_rpc_get(f, NULL) == 0)
        end(stream);
    else if (errno == ENOENT)
        fail(stream, FR_CODE_JOB_NOT_FOUND, "unknown job id");
    else
        fail(stream, FR_CODE_REFUSED, fr_flux_why(f, errno));
}

static void look_up(struct fr_flux_stream *stream)
{
    stream->is_over = true;
    flux_future_destroy(stream->lookup);
    stream->lookup = flux_rpc_pack(stream->thread->h, "job-info.lookup", FLUX_NODEID_ANY, 0,
                                   "{s:I s:[s] s:i}", "id", (json_int_t)stream->id, "keys",
                                   "eventlog", "flags", 0);
    if (!stream->lookup || flux_future_then(stream->lookup, -1., on_lookup, stream) < 0)
        fail(stream, FR_CODE_UNAVAILABLE, strerror(errno));
}

/* Nothing is there yet: the job's shell has yet to begin its output. */
static void try_again(struct fr_flux_stream *stream)
{
    flux_reactor_t *reactor = stream->thread->reactor;

    if (!stream->again)
        stream->again = flux_timer_watcher_create(reactor, RETRY, 0., on_again, stream);
    if (!stream->again) {
        fail(stream, FR_CODE_INTERNAL, "There is no memory to read the output.");
        return;
    }
    flux_future_destroy(stream->f);
    stream->f = NULL;
    flux_reactor_now_update(reactor);
    flux_timer_watcher_reset(stream->again, RETRY, 0.);
    flux_watcher_start(stream->again);
}

static void on_missing(struct fr_flux_stream *stream)
{
    enum fr_flux_known known = fr_flux_numbers_knows(stream->thread, stream->id);

    if (known == FR_FLUX_OVER) {
        look_up(stream);
        return;
    }
    if (known == FR_FLUX_ACTIVE)
        caught_up(stream);
    try_again(stream);
}

/* The watch is over, for whatever reason. */
static void on_last(struct fr_flux_stream *stream, flux_future_t *f, int errnum)
{
    if (stream->ended)
        stream_free(stream);
    else if (errnum == ENODATA)
        end(stream);
    else if (errnum == ENOENT)
        on_missing(stream);
    else if (errnum == EPERM)
        fail(stream, FR_CODE_FORBIDDEN, fr_flux_why(f, errnum));
    else
        fail(stream, FR_CODE_UNAVAILABLE, fr_flux_why(f, errnum));
}

static int tell_event(struct fr_flux_stream *stream, const char *event)
{
    struct fr_flux_place place = {.entries = stream->count++};

    if (stream->ended || place.entries < stream->from.entries)
        return 0;
    if (place.entries == stream->from.entries)
        place.pieces = stream->from.pieces;
    return fr_flux_pieces_tell(stream->thread, stream->tag, place, event);
}

static void on_event(flux_future_t *f, void *arg)
{
    struct fr_flux_stream *stream = arg;
    const char *event;
    int rc = 0;

    if (flux_job_event_watch_get(f, &event) < 0) {
        on_last(stream, f, errno);
        return;
    }
    if (!event)
        caught_up(stream);
    else
        rc = tell_event(stream, event);
    if (stream->count == stream->present)
        caught_up(stream);
    flux_future_reset(f);
    if (rc == -ENOMEM) {
        /* Bytes must not go missing in silence. */
        tell_mark(stream->thread, stream->tag, FR_OUTPUT_ERROR, FR_CODE_INTERNAL,
                  "There is no memory to read the output.");
        fr_flux_stream_end(stream->thread, stream->tag);
    }
}

#if HAS_SENTINEL
static int ask_present(struct fr_flux_stream *stream)
{
    return 0;
}
#else
/* How many entries a running job's output had when it was asked for. */
static void on_present(flux_future_t *f, void *arg)
{
    struct fr_flux_stream *stream = arg;
    const char *text;

    if (flux_kvs_lookup_get(f, &text) == 0) {
        for (; text && (text = strchr(text, '\n')); text++)
            stream->present++;
        if (stream->count >= stream->present)
            caught_up(stream);
    } else if (errno == ENOENT) {
        caught_up(stream);
    } /* else the job is over: the end of its output says the same */
}

static int ask_present(struct fr_flux_stream *stream)
{
    char space[128];

    if (flux_job_kvs_namespace(space, sizeof space, stream->id) < 0)
        return -1;
    stream->lookup = flux_kvs_lookup(stream->thread->h, space, 0, "output");
    if (!stream->lookup)
        return -1;
    return flux_future_then(stream->lookup, -1., on_present, stream);
}
#endif

static int start_watch(struct fr_flux_stream *stream)
{
    stream->count = 0;
    stream->f =
        flux_job_event_watch(stream->thread->h, stream->id, "guest.output", WATCH_FLAGS);
    if (!stream->f)
        return -1;
    return flux_future_then(stream->f, -1., on_event, stream);
}

static void on_again(flux_reactor_t *reactor, flux_watcher_t *watcher, int revents, void *arg)
{
    struct fr_flux_stream *stream = arg;

    if (start_watch(stream) < 0)
        fail(stream, FR_CODE_UNAVAILABLE, strerror(errno));
}

void fr_flux_stream_begin(struct fr_flux_thread *thread, const struct fr_flux_command *command)
{
    struct fr_flux_stream *stream;

    if (!thread->h) {
        tell_mark(thread, command->tag, FR_OUTPUT_ERROR, FR_CODE_UNAVAILABLE,
                  thread->failure.text);
        return;
    }
    stream = calloc(1, sizeof *stream);
    if (!stream) {
        tell_mark(thread, command->tag, FR_OUTPUT_ERROR, FR_CODE_INTERNAL,
                  "There is no memory to read the output.");
        return;
    }
    stream->thread = thread;
    stream->tag = command->tag;
    stream->id = command->id;
    stream->from = fr_flux_place(command->offset);
    LIST_INSERT_HEAD(&thread->streams, stream, entry);
    if (start_watch(stream) < 0 || ask_present(stream) < 0) {
        fail(stream, FR_CODE_UNAVAILABLE, strerror(errno));
        return;
    }
    /* Flux gives its mark only once the job has begun; until then there is nothing. */
    if (fr_flux_numbers_knows(thread, command->id) == FR_FLUX_PENDING)
        caught_up(stream);
}

void fr_flux_stream_waits(struct fr_flux_thread *thread, uint64_t id)
{
    struct fr_flux_stream *stream;

    LIST_FOREACH(stream, &thread->streams, entry)
    if (stream->id == id && !stream->ended)
        caught_up(stream);
}

void fr_flux_stream_end(struct fr_flux_thread *thread, uint64_t tag)
{
    struct fr_flux_stream *stream;

    LIST_FOREACH(stream, &thread->streams, entry)
    if (stream->tag == tag && !stream->ended)
        break;
    if (!stream)
        return; /* it ended by itself meanwhile */
    stream->ended = true;
    /* Kept until Flux has confirmed, or its number for our request would be lost for good. */
    if (!stream->f || (!stream->is_over && flux_job_event_watch_cancel(stream->f) < 0))
        stream_free(stream);
}

void fr_flux_stream_end_all(struct fr_flux_thread *thread, const char *why)
{
    struct fr_flux_stream *stream;

    while ((stream = LIST_FIRST(&thread->streams))) {
        if (stream->ended)
            stream_free(stream);
        else
            fail(stream, FR_CODE_UNAVAILABLE, why);
    }
}
