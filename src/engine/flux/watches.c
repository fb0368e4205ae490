// SPDX-License-Identifier: LGPL-3.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "engine/flux/front.h"

/*
 * Bytes kept for a paused reader before Flux is told to stop sending. Going on means to read
 * the output again from its start, so a good deal is kept as long as all readers together
 * keep little.
 */
#define KEEP_ONE ((size_t)16 << 20)
#define KEEP_ONE_LEAST ((size_t)256 << 10)
#define KEEP_ALL ((size_t)64 << 20)
/* Pieces told in one turn of the loop. */
#define BATCH 256

struct fr_output_watch {
    struct fr_flux *flux; /* NULL once the engine closes */
    uint64_t id;
    uint64_t offset; /* where to go on after a stop */
    uint64_t tag;    /* of the stream that runs for it; 0 is none */
    size_t slot;
    struct fr_flux_command *unwatch; /* kept ready: to end a stream must not fail */
    fr_output_f cb;
    void *arg;
    bool paused;
    bool stopped; /* the stream was ended because too much is kept */
    bool caught_up;
    bool is_ready; /* in the list of ready ones */
    bool ended;    /* the last call was made */
    bool *gone;    /* set while a callback runs: becomes true if it frees the watch */
    struct fr_flux_pieces pieces;
    TAILQ_ENTRY(fr_output_watch) ready;
    size_t kept;
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

static void keep(struct fr_output_watch *watch, struct fr_flux_piece *piece)
{
    TAILQ_INSERT_TAIL(&watch->pieces, piece, entry);
    watch->kept += piece->size;
    watch->flux->kept += piece->size;
}

static struct fr_flux_piece *take_kept(struct fr_output_watch *watch)
{
    struct fr_flux_piece *piece = TAILQ_FIRST(&watch->pieces);

    if (piece) {
        TAILQ_REMOVE(&watch->pieces, piece, entry);
        watch->kept -= piece->size;
        watch->flux->kept -= piece->size;
    }
    return piece;
}

static void drop_kept(struct fr_output_watch *watch)
{
    struct fr_flux_piece *piece;

    while ((piece = take_kept(watch)))
        free(piece);
}

/* The stream's tag goes out of use: what still comes by it is dropped. */
static void end_stream(struct fr_output_watch *watch)
{
    struct fr_flux *flux = watch->flux;

    if (!watch->tag)
        return;
    flux->nstreams--;
    watch->unwatch->tag = watch->tag;
    watch->tag = 0;
    atomic_fetch_add(&flux->link->ncommands, 1);
    (void)fr_queue_push(flux->link->to_flux, &watch->unwatch->item);
    watch->unwatch = NULL;
}

/* The stream ended by itself. */
static void forget_stream(struct fr_output_watch *watch)
{
    if (!watch->tag)
        return;
    watch->flux->nstreams--;
    watch->tag = 0;
    free(watch->unwatch);
    watch->unwatch = NULL;
}

static int start_stream(struct fr_output_watch *watch)
{
    struct fr_flux *flux = watch->flux;
    struct fr_flux_command *command;

    /* This one, and one to end each stream that runs, must find room in the queue. */
    if (atomic_load(&flux->link->ncommands) + flux->nstreams + 2 > FR_FLUX_COMMANDS_MAX)
        return -EAGAIN;
    command = calloc(1, sizeof *command);
    watch->unwatch = calloc(1, sizeof *watch->unwatch);
    if (!command || !watch->unwatch) {
        free(command);
        free(fr_take(watch->unwatch));
        return -ENOMEM;
    }
    flux->last_tag += FR_FLUX_WATCHES_MAX;
    watch->tag = flux->last_tag | watch->slot;
    watch->unwatch->item.kind = FR_FLUX_UNWATCH;
    command->item.kind = FR_FLUX_WATCH;
    command->tag = watch->tag;
    command->id = watch->id;
    command->offset = watch->offset;
    flux->nstreams++;
    atomic_fetch_add(&flux->link->ncommands, 1);
    (void)fr_queue_push(flux->link->to_flux, &command->item);
    return 0;
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
    keep(watch, piece);
    make_ready(watch);
    return 0;
}

static int begin(struct fr_output_watch *watch)
{
    struct fr_flux *flux = watch->flux;

    if (flux->lost)
        return keep_error(watch, FR_CODE_UNAVAILABLE, flux->lost_text);
    int rc = start_stream(watch);
    if (rc == -EAGAIN)
        rc = keep_error(watch, FR_CODE_UNAVAILABLE,
                        "Flux is behind with what it was asked before; try again later.");
    return rc;
}

/* Tells one piece and frees it. False if the watch is gone or has ended. */
static bool tell(struct fr_output_watch *watch, struct fr_flux_piece *piece)
{
    enum fr_output_kind kind = piece->output.kind;
    bool gone = false;

    if (kind == FR_OUTPUT_CAUGHT_UP &&
        watch->caught_up) { /* a stream begun anew says it again */
        free(piece);
        return true;
    }
    watch->caught_up = watch->caught_up || kind == FR_OUTPUT_CAUGHT_UP;
    watch->ended = kind == FR_OUTPUT_END || kind == FR_OUTPUT_ERROR;
    if (kind == FR_OUTPUT_ERROR)
        piece->output.err = &piece->err;
    watch->gone = &gone;
    watch->cb(watch->arg, &piece->output);
    free(piece);
    if (gone)
        return false;
    watch->gone = NULL;
    return !watch->ended;
}

/* Tells up to *budget pieces, then begins the stream again if that is due. */
static void tell_kept(struct fr_output_watch *watch, int *budget)
{
    struct fr_flux_piece *piece;

    while (watch->flux && !watch->paused && *budget > 0 && (piece = take_kept(watch))) {
        --*budget;
        if (!tell(watch, piece))
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
    return watch->kept > KEEP_ONE ||
           (watch->kept > KEEP_ONE_LEAST && watch->flux->kept > KEEP_ALL);
}

static struct fr_output_watch *find(struct fr_flux *flux, uint64_t tag)
{
    struct fr_output_watch *watch = flux->slots[tag % FR_FLUX_WATCHES_MAX];

    return watch && watch->tag == tag ? watch : NULL;
}

void fr_flux_watches_piece(struct fr_flux *flux, struct fr_flux_piece *piece)
{
    struct fr_output_watch *watch = find(flux, piece->tag);
    enum fr_output_kind kind = piece->output.kind;

    if (!watch) {
        free(piece);
        return;
    }
    if (kind == FR_OUTPUT_END || kind == FR_OUTPUT_ERROR)
        forget_stream(watch);
    else if (kind != FR_OUTPUT_CAUGHT_UP)
        watch->offset = piece->output.offset;
    if (watch->paused || watch->is_ready) { /* ready: what came before goes first */
        keep(watch, piece);
        if (keeps_too_much(watch) && watch->tag) {
            end_stream(watch);
            watch->stopped = true;
        }
        return;
    }
    (void)tell(watch, piece);
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

void fr_flux_watches_stop(struct fr_flux *flux)
{
    for (size_t i = 0; i < FR_FLUX_WATCHES_MAX; i++) {
        struct fr_output_watch *watch = flux->slots[i];
        if (!watch)
            continue;
        flux->slots[i] = NULL;
        make_unready(watch);
        drop_kept(watch);
        end_stream(watch);
        watch->flux = NULL;
    }
}

static struct fr_output_watch *watch_create(struct fr_flux *flux, size_t slot)
{
    struct fr_output_watch *watch = calloc(1, sizeof *watch);

    if (!watch)
        return NULL;
    watch->flux = flux;
    watch->slot = slot;
    TAILQ_INIT(&watch->pieces);
    flux->slots[slot] = watch;
    return watch;
}

struct fr_output_watch *fr_flux_output(struct fr_engine *engine, uint64_t id, uint64_t offset,
                                       fr_output_f cb, void *arg)
{
    struct fr_flux *flux = fr_container_of(engine, struct fr_flux, base);
    struct fr_output_watch *watch;
    size_t slot = 0;

    while (slot < FR_FLUX_WATCHES_MAX && flux->slots[slot])
        slot++;
    if (slot == FR_FLUX_WATCHES_MAX || !flux->has_thread || flux->close_due)
        return NULL;
    watch = watch_create(flux, slot);
    if (!watch)
        return NULL;
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
    if (watch->flux) {
        make_unready(watch);
        drop_kept(watch);
        end_stream(watch);
        watch->flux->slots[watch->slot] = NULL;
    }
    free(watch);
}
