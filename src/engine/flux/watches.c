// SPDX-License-Identifier: LGPL-3.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "engine/flux/front.h"

/*
 * Bytes kept for a paused reader before it leaves its feed. Going on means to read the output
 * again from its start, so a good deal is kept as long as all readers together keep little.
 */
#define KEEP_ONE ((size_t)16 << 20)
#define KEEP_ONE_LEAST ((size_t)256 << 10)
#define KEEP_ALL ((size_t)64 << 20)
/* Pieces told in one turn of the loop. */
#define BATCH 256

/* A piece that a reader has still to be told; the piece itself may be kept for many. */
struct kept {
    TAILQ_ENTRY(kept) entry;
    struct fr_flux_piece *piece;
};

struct fr_output_watch {
    struct fr_flux *flux; /* NULL once the engine closes */
    LIST_ENTRY(fr_output_watch) all;
    struct fr_flux_feed *feed; /* or NULL */
    LIST_ENTRY(fr_output_watch) same_feed;
    uint64_t id;
    uint64_t offset; /* where to go on without a feed */
    fr_output_f cb;
    void *arg;
    bool paused;
    bool stopped;   /* has left its feed, and will need one again */
    bool caught_up; /* told */
    bool is_ready;  /* in the list of ready ones */
    bool ended;     /* the last call was made */
    bool *gone;     /* set while a callback runs: becomes true if it frees the watch */
    TAILQ_HEAD(, kept) pieces;
    TAILQ_ENTRY(fr_output_watch) ready;
    size_t bytes; /* of the pieces */
};

static void make_ready(struct fr_output_watch *watch)
{
    struct fr_flux *flux = watch->flux;

    if (!watch->is_ready) {
        watch->is_ready = true;
        TAILQ_INSERT_TAIL(&flux->ready, watch, ready);
    }
    fr_wake_send(flux->wake);
}

static void make_unready(struct fr_output_watch *watch)
{
    if (watch->is_ready) {
        watch->is_ready = false;
        TAILQ_REMOVE(&watch->flux->ready, watch, ready);
    }
}

static void let_go(struct fr_flux_piece *piece)
{
    if (--piece->holds == 0)
        free(piece);
}

static int keep(struct fr_output_watch *watch, struct fr_flux_piece *piece)
{
    struct kept *kept = calloc(1, sizeof *kept);

    if (!kept)
        return -ENOMEM;
    kept->piece = piece;
    piece->holds++;
    TAILQ_INSERT_TAIL(&watch->pieces, kept, entry);
    watch->bytes += piece->size;
    watch->flux->kept += piece->size;
    return 0;
}

/* The oldest kept piece, one hold of which goes over to the caller; NULL if there is none. */
static struct fr_flux_piece *take_kept(struct fr_output_watch *watch)
{
    struct kept *kept = TAILQ_FIRST(&watch->pieces);
    struct fr_flux_piece *piece;

    if (!kept)
        return NULL;
    piece = kept->piece;
    TAILQ_REMOVE(&watch->pieces, kept, entry);
    free(kept);
    watch->bytes -= piece->size;
    watch->flux->kept -= piece->size;
    return piece;
}

static void drop_kept(struct fr_output_watch *watch)
{
    struct fr_flux_piece *piece;

    while ((piece = take_kept(watch)))
        let_go(piece);
}

static void join(struct fr_output_watch *watch, struct fr_flux_feed *feed)
{
    watch->feed = feed;
    LIST_INSERT_HEAD(&feed->readers, watch, same_feed);
}

static void leave(struct fr_output_watch *watch)
{
    struct fr_flux_feed *feed = fr_take(watch->feed);

    if (!feed)
        return;
    LIST_REMOVE(watch, same_feed);
    watch->offset = feed->offset;
    if (LIST_EMPTY(&feed->readers) && !feed->busy)
        fr_flux_feed_end(feed);
}

/* Leaves an error as the watch's last piece. */
static int keep_error(struct fr_output_watch *watch, enum fr_code code, const char *why)
{
    struct fr_flux_piece *piece = calloc(1, sizeof *piece);

    if (!piece)
        return -ENOMEM;
    piece->size = sizeof *piece;
    piece->output.kind = FR_OUTPUT_ERROR;
    (void)fr_error_set(&piece->err, EAGAIN, code, "%s", why);
    if (keep(watch, piece) < 0) {
        free(piece);
        return -ENOMEM;
    }
    make_ready(watch);
    return 0;
}

static int begin(struct fr_output_watch *watch)
{
    struct fr_flux *flux = watch->flux;
    struct fr_flux_feed *feed;
    int rc = 0;

    if (flux->lost)
        return keep_error(watch, FR_CODE_UNAVAILABLE, flux->lost_text);
    feed = fr_flux_feed_join(flux, watch->id, watch->offset, watch->caught_up);
    if (!feed)
        rc = fr_flux_feed_create(flux, watch->id, watch->offset, &feed);
    if (rc == -EAGAIN)
        return keep_error(watch, FR_CODE_TOO_MANY,
                          "The output of too many jobs is being read: end one of the streams, "
                          "or try again later.");
    if (rc == 0)
        join(watch, feed);
    return rc;
}

/* Tells one piece. False if the watch is gone or has ended. */
static bool tell(struct fr_output_watch *watch, const struct fr_flux_piece *piece)
{
    struct fr_output output = piece->output;
    bool gone = false;

    if (output.kind == FR_OUTPUT_CAUGHT_UP && watch->caught_up)
        return true; /* a feed begun anew says it again */
    watch->caught_up = watch->caught_up || output.kind == FR_OUTPUT_CAUGHT_UP;
    watch->ended = output.kind == FR_OUTPUT_END || output.kind == FR_OUTPUT_ERROR;
    output.err = output.kind == FR_OUTPUT_ERROR ? &piece->err : NULL;
    watch->gone = &gone;
    watch->cb(watch->arg, &output);
    if (gone)
        return false;
    watch->gone = NULL;
    return !watch->ended;
}

/* Tells up to *budget pieces, then finds a feed again if that is due. */
static void tell_kept(struct fr_output_watch *watch, int *budget)
{
    struct fr_flux_piece *piece;

    while (watch->flux && !watch->paused && *budget > 0 && (piece = take_kept(watch))) {
        --*budget;
        bool goes_on = tell(watch, piece);
        let_go(piece);
        if (!goes_on)
            return;
    }
    if (!watch->flux || watch->paused)
        return;
    if (!TAILQ_EMPTY(&watch->pieces)) {
        make_ready(watch);
    } else if (watch->stopped) {
        watch->stopped = false;
        if (begin(watch) < 0) { /* out of memory: try again in another turn */
            watch->stopped = true;
            make_ready(watch);
        }
    }
}

static bool keeps_too_much(const struct fr_output_watch *watch)
{
    return watch->bytes > KEEP_ONE ||
           (watch->bytes > KEEP_ONE_LEAST && watch->flux->kept > KEEP_ALL);
}

/* What a feed hands on, and where that begins and ends in the output. */
struct handed {
    struct fr_flux_piece *piece;
    uint64_t before, after;
    bool is_last;
};

/*
 * Hands a piece to one reader of a feed. It is told, or keeps it for later, or, if it can keep
 * no more, leaves to read on by itself.
 */
static void hand(struct fr_output_watch *watch, const struct handed *handed)
{
    if (!watch->paused && !watch->is_ready) { /* ready: what came before goes first */
        (void)tell(watch, handed->piece);
        return;
    }
    bool is_kept = keep(watch, handed->piece) == 0;
    if (is_kept && !keeps_too_much(watch))
        return;
    leave(watch);
    watch->offset = is_kept ? handed->after : handed->before;
    watch->stopped = !is_kept || !handed->is_last;
    if (!watch->paused)
        make_ready(watch);
}

/* Hands a piece to all readers. A callback may free any of them, or bring new ones. */
static void hand_to_all(struct fr_flux_feed *feed, const struct handed *handed)
{
    struct fr_flux_readers now = {.lh_first = LIST_FIRST(&feed->readers)};
    struct fr_output_watch *watch;

    if (now.lh_first)
        now.lh_first->same_feed.le_prev = &now.lh_first;
    LIST_INIT(&feed->readers);
    while ((watch = LIST_FIRST(&now))) {
        LIST_REMOVE(watch, same_feed);
        LIST_INSERT_HEAD(&feed->readers, watch, same_feed);
        hand(watch, handed);
    }
}

/* Its readers go over to another feed that says the same. */
static void merge(struct fr_flux_feed *feed, struct fr_flux_feed *other)
{
    struct fr_output_watch *watch;

    while ((watch = LIST_FIRST(&feed->readers))) {
        LIST_REMOVE(watch, same_feed);
        join(watch, other);
    }
    fr_flux_feed_end(feed);
}

/* The feed has told its last; its readers have had it, or keep it. */
static void end_readers(struct fr_flux_feed *feed)
{
    struct fr_output_watch *watch;

    while ((watch = LIST_FIRST(&feed->readers))) {
        LIST_REMOVE(watch, same_feed);
        watch->feed = NULL;
    }
}

static void go_on(struct fr_flux_feed *feed)
{
    struct fr_flux_feed *twin;

    if (LIST_EMPTY(&feed->readers))
        fr_flux_feed_end(feed);
    else if ((twin = fr_flux_feed_twin(feed)))
        merge(feed, twin);
}

void fr_flux_watches_piece(struct fr_flux *flux, struct fr_flux_piece *piece)
{
    struct fr_flux_feed *feed = fr_flux_feed_find(flux, piece->tag);
    enum fr_output_kind kind = piece->output.kind;
    struct handed handed = {.piece = piece};

    if (!feed) {
        free(piece);
        return;
    }
    handed.is_last = kind == FR_OUTPUT_END || kind == FR_OUTPUT_ERROR;
    handed.before = handed.after = feed->offset;
    if (!handed.is_last && kind != FR_OUTPUT_CAUGHT_UP)
        handed.after = piece->output.offset;
    /* Who joins from inside a callback comes after this piece. */
    feed->offset = handed.after;
    feed->caught_up = feed->caught_up || kind == FR_OUTPUT_CAUGHT_UP;
    fr_flux_feed_hold(feed);
    if (handed.is_last)
        fr_flux_feed_forget(feed);
    piece->holds = 1;
    hand_to_all(feed, &handed);
    let_go(piece);
    if (handed.is_last)
        end_readers(feed);
    if (fr_flux_feed_release(feed))
        go_on(feed);
}

bool fr_flux_watches_ready(struct fr_flux *flux)
{
    struct fr_output_watch *watch;
    int budget = BATCH;

    /* A callback may free any watch, so each is taken from the list anew. */
    while (budget > 0 && (watch = TAILQ_FIRST(&flux->ready))) {
        make_unready(watch);
        budget--;
        tell_kept(watch, &budget);
    }
    return TAILQ_EMPTY(&flux->ready);
}

/* The engine is done with it: it only waits to be freed. */
static void die(struct fr_output_watch *watch)
{
    make_unready(watch);
    drop_kept(watch);
    leave(watch);
    LIST_REMOVE(watch, all);
    watch->flux = NULL;
}

void fr_flux_watches_stop(struct fr_flux *flux)
{
    while (!LIST_EMPTY(&flux->watches))
        die(LIST_FIRST(&flux->watches));
}

struct fr_output_watch *fr_flux_output(struct fr_engine *engine, uint64_t id, uint64_t offset,
                                       fr_output_f cb, void *arg)
{
    struct fr_flux *flux = fr_container_of(engine, struct fr_flux, base);
    struct fr_output_watch *watch;

    if (!flux->has_thread || flux->close_due)
        return NULL;
    watch = calloc(1, sizeof *watch);
    if (!watch)
        return NULL;
    watch->flux = flux;
    LIST_INSERT_HEAD(&flux->watches, watch, all);
    TAILQ_INIT(&watch->pieces);
    watch->id = id;
    watch->offset = offset;
    watch->cb = cb;
    watch->arg = arg;
    if (begin(watch) < 0) {
        fr_flux_output_free(watch);
        return NULL;
    }
    return watch;
}

void fr_flux_output_pause(struct fr_output_watch *watch, bool paused)
{
    watch->paused = paused;
    if (watch->flux && !paused && (watch->stopped || !TAILQ_EMPTY(&watch->pieces)))
        make_ready(watch);
}

void fr_flux_output_free(struct fr_output_watch *watch)
{
    if (!watch)
        return;
    if (watch->gone)
        *watch->gone = true;
    if (watch->flux)
        die(watch);
    free(watch);
}
