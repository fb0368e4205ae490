// SPDX-License-Identifier: LGPL-3.0-only
#include "engine/engine.h"

#include <errno.h>
#include <flux/core.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "engine/flux/front.h"
#include "engine/flux/present.h"
#include "engine/flux/thread.h"

/* What one turn of the loop works off, so that a long backlog stalls nobody. */
#define SLICE_ITEMS 256
#define SLICE_NS 2000000u
/* How often deadlines are looked at, and how long the thread may take to end. */
#define TICK_MS 500
#define CLOSE_MS 5000
/* Ticks without a sign of life that are always forgiven. */
#define UNHEARD_LEAST 4u
/* For who leaves it to us. */
#define REQUESTS_PRESET 4096u
#define SECONDS_PRESET 30u

static struct fr_flux *of(struct fr_engine *engine)
{
    return fr_container_of(engine, struct fr_flux, base);
}

/*
 * A broker can be stopped, or its machine frozen, without the connection breaking. So after a
 * while without any news a sign of life is asked for, and when none comes, Flux counts as lost
 * until it is heard again. The time is counted in turns of our own timer, for it may be we who
 * were stopped.
 */
static void on_pong(void *arg, const struct fr_error *err)
{
    ((struct fr_flux *)arg)->pinging = false;
}

static void listen_for_flux(struct fr_flux *flux)
{
    if (!flux->connected || (flux->lost && !flux->silent) || flux->close_due)
        return;
    flux->unheard++;
    if (!flux->pinging && flux->unheard >= flux->unheard_max / 4) {
        flux->pinging = true;
        fr_flux_ping(flux, on_pong, flux);
    }
    if (flux->unheard < flux->unheard_max || flux->silent)
        return;
    flux->silent = true;
    flux->lost = true;
    (void)snprintf(flux->lost_text, sizeof flux->lost_text,
                   "Flux has not answered for %u seconds.", flux->unheard_max * TICK_MS / 1000);
    flux->sink->lost(flux->sink->arg, flux->lost_text);
}

/* Whether the item can only be there because Flux said something. */
static bool is_sign_of_life(struct fr_flux_item *item)
{
    if (fr_flux_is_request(item))
        return atomic_load(&((struct fr_flux_request *)item)->fate) == FR_FLUX_TAKEN;
    return item->kind >= FR_FLUX_ENTRY && item->kind <= FR_FLUX_PIECE;
}

static void heard(struct fr_flux *flux)
{
    flux->unheard = 0;
    if (!flux->silent)
        return;
    flux->silent = false;
    flux->lost = false;
    flux->sink->resumed(flux->sink->arg);
}

static void on_connected(struct fr_flux *flux, const struct fr_flux_connected *news)
{
    bool again = flux->connected || flux->lost;

    memcpy(flux->instance, news->instance, sizeof flux->instance);
    flux->size = news->size;
    flux->connected = true;
    flux->lost = false;
    flux->silent = false;
    flux->unheard = 0;
    if (again)
        flux->sink->back(flux->sink->arg);
}

static void on_lost(struct fr_flux *flux, const struct fr_flux_reason *news)
{
    flux->lost = true;
    flux->silent = false;
    (void)snprintf(flux->lost_text, sizeof flux->lost_text, "%.*s",
                   (int)sizeof flux->lost_text - 1, news->err.text);
    flux->sink->lost(flux->sink->arg, flux->lost_text);
    if (flux->ended)
        return;
    flux->ended = news->item.kind == FR_FLUX_FAILED || news->orphaned;
    if (flux->ended)
        flux->sink->ended(flux->sink->arg, &news->err);
}

static void on_news(struct fr_flux *flux, struct fr_flux_item *item)
{
    const struct fr_engine_sink *sink = flux->sink;

    switch (item->kind) {
    case FR_FLUX_CONNECTED:
        on_connected(flux, (struct fr_flux_connected *)item);
        break;
    case FR_FLUX_LOST:
    case FR_FLUX_FAILED:
        on_lost(flux, (struct fr_flux_reason *)item);
        break;
    case FR_FLUX_ENTRY:
        for (const struct fr_flux_entry *e = (struct fr_flux_entry *)item; e; e = e->next)
            sink->journal(sink->arg, &e->entry);
        break;
    case FR_FLUX_CAUGHT_UP:
        sink->caught_up(sink->arg, 0);
        break;
    case FR_FLUX_PURGED:
        sink->purged(sink->arg, ((struct fr_flux_purged *)item)->ids,
                     ((struct fr_flux_purged *)item)->count);
        break;
    default:
        break;
    }
    fr_flux_item_free(item);
}

/* Frees the engine and says so. No thread of ours runs, or it was left behind. */
static void finish(struct fr_flux *flux, bool left_behind)
{
    void (*closed)(void *arg) = flux->closed;
    void *arg = flux->closed_arg;

    if (!left_behind)
        fr_flux_requests_stop(flux);
    fr_poll_free(flux->news);
    fr_timer_free(flux->tick);
    fr_wake_free(flux->wake);
    fr_flux_link_drop(flux->link); /* looks at requests that are still in its queues */
    if (!left_behind)
        fr_flux_requests_free(flux);
    free(flux->uri);
    free(flux);
    closed(arg);
}

/*
 * The thread hangs in libflux, as when the broker is stopped. It holds the link, and what was
 * lent to it becomes its own: nothing that it may still touch is freed here.
 */
static void finish_left_behind(struct fr_flux *flux)
{
    flux->sink->lost(flux->sink->arg,
                     "Flux does not answer: the thread that waits for it is left behind.");
    (void)pthread_detach(flux->thread);
    fr_flux_requests_stop(flux); /* the last time that requests are looked at here */
    atomic_store(&flux->link->abandoned, true);
    fr_queue_shut(flux->link->to_loop);
    finish(flux, true);
}

/* False if the engine is gone. */
static bool on_item(struct fr_flux *flux, struct fr_flux_item *item)
{
    if (item->kind == FR_FLUX_EXITED) {
        (void)pthread_join(flux->thread, NULL); /* does not wait: this was its last word */
        flux->has_thread = false;
        if (!flux->close_due) /* it could not start, and has said so */
            return true;
        finish(flux, false);
        return false;
    }
    if (is_sign_of_life(item) && !flux->close_due)
        heard(flux);
    if (fr_flux_is_request(item))
        fr_flux_requests_back(flux, (struct fr_flux_request *)item);
    else if (flux->close_due)
        fr_flux_item_free(item);
    else if (item->kind == FR_FLUX_PIECE)
        fr_flux_watches_piece(flux, (struct fr_flux_piece *)item);
    else
        on_news(flux, item);
    return true;
}

static void on_readable(void *arg, int status, int events)
{
    struct fr_flux *flux = arg;
    uint64_t until = uv_hrtime() + SLICE_NS;
    struct fr_flux_item *item;

    for (int i = 0; i < SLICE_ITEMS && uv_hrtime() < until; i++) {
        item = fr_queue_pop(flux->link->to_loop);
        if (!item || !on_item(flux, item))
            return;
    }
}

static void on_sized(void *arg, const struct fr_node *nodes, size_t count,
                     const struct fr_error *err)
{
    ((struct fr_flux *)arg)->sizing = false; /* the answer has been noted, or there is none */
}

/* An instance that is still starting cannot tell its resources at once. */
static void learn_size(struct fr_flux *flux)
{
    if (!flux->connected || flux->lost || flux->close_due || flux->size.nodes > 0 ||
        flux->sizing)
        return;
    flux->sizing = true;
    fr_flux_nodes(&flux->base, on_sized, flux);
}

static void on_tick(void *arg)
{
    struct fr_flux *flux = arg;
    uint64_t now = uv_now(flux->loop);

    fr_flux_requests_expire(flux, now);
    learn_size(flux);
    listen_for_flux(flux);
    if (flux->close_due && now >= flux->close_due)
        finish_left_behind(flux);
}

static void on_wake(void *arg)
{
    struct fr_flux *flux = arg;

    if (!flux->close_due) {
        fr_flux_requests_decide(flux);
        if (!fr_flux_watches_ready(flux))
            fr_wake_send(flux->wake);
        return;
    }
    fr_flux_requests_stop(flux);
    if (!flux->has_thread)
        finish(flux, false);
}

/* The thread gets no signals: they are the loop's. */
static int start_thread(struct fr_flux *flux)
{
    sigset_t all, before;

    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&flux->thread, NULL, fr_flux_thread_main, flux->link);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return -rc;
    flux->has_thread = true;
    return 0;
}

static int flux_open_engine(struct fr_engine *engine, struct fr_error *err)
{
    struct fr_flux *flux = of(engine);
    int rc = fr_flux_link_create(flux->uri, &flux->link);

    if (rc == 0)
        rc = fr_poll_create(flux->loop, fr_queue_fd(flux->link->to_loop), on_readable, flux,
                            &flux->news);
    if (rc == 0)
        rc = fr_poll_set(flux->news, UV_READABLE);
    if (rc == 0)
        rc = start_thread(flux);
    if (rc < 0) {
        if (flux->link)
            fr_flux_link_drop(flux->link); /* the thread's hold */
        return fr_error_set(err, -rc, FR_CODE_INTERNAL, "The Flux engine cannot start: %s.",
                            strerror(-rc));
    }
    fr_timer_start(flux->tick, TICK_MS, TICK_MS);
    return 0;
}

static void flux_close_engine(struct fr_engine *engine, void (*closed)(void *arg), void *arg)
{
    struct fr_flux *flux = of(engine);

    flux->closed = closed;
    flux->closed_arg = arg;
    fr_flux_watches_stop(flux);
    uv_update_time(flux->loop);
    flux->close_due = uv_now(flux->loop) + CLOSE_MS;
    if (flux->has_thread) {
        atomic_store(&flux->link->stopping, true);
        (void)fr_queue_push(flux->link->to_flux, &flux->link->stop);
    }
    fr_wake_send(flux->wake);
}

static const char *flux_instance(struct fr_engine *engine)
{
    return of(engine)->instance;
}

static void flux_size(struct fr_engine *engine, int *ret_nodes, int *ret_cores, int *ret_gpus)
{
    const struct fr_flux_size *size = &of(engine)->size;

    *ret_nodes = size->nodes;
    *ret_cores = size->cores;
    *ret_gpus = size->gpus;
}

static const struct fr_engine_ops flux_ops = {
    .name = "flux",
    .open = flux_open_engine,
    .close = flux_close_engine,
    .instance = flux_instance,
    .size = flux_size,
    .submit = fr_flux_submit,
    .cancel = fr_flux_cancel,
    .submits_late = true,
    .kill = fr_flux_kill,
    .urgency = fr_flux_urgency,
    .duration = fr_flux_duration,
    .lookup = fr_flux_lookup,
    .output = fr_flux_output,
    .output_pause = fr_flux_output_pause,
    .output_free = fr_flux_output_free,
    .nodes = fr_flux_nodes,
    .drain = fr_flux_drain,
    .undrain = fr_flux_undrain,
    .queues = fr_flux_queues,
    .shutdown = fr_flux_shutdown,
};

int fr_flux_create(uv_loop_t *loop, const struct fr_flux_options *options,
                   const struct fr_engine_sink *sink, struct fr_engine **ret,
                   struct fr_error *err)
{
    struct fr_flux *flux = calloc(1, sizeof *flux);
    int rc = flux ? 0 : -ENOMEM;

    if (rc == 0 && options->uri && !(flux->uri = strdup(options->uri)))
        rc = -ENOMEM;
    if (rc == 0)
        rc = fr_timer_create(loop, on_tick, flux, &flux->tick);
    if (rc == 0)
        rc = fr_wake_create(loop, on_wake, flux, &flux->wake);
    if (rc < 0) {
        if (flux) {
            fr_timer_free(flux->tick);
            free(flux->uri);
        }
        free(flux);
        return fr_error_set(err, -rc, FR_CODE_INTERNAL, "The Flux engine cannot be made: %s.",
                            strerror(-rc));
    }
    flux->base.ops = &flux_ops;
    flux->loop = loop;
    flux->sink = sink;
    flux->requests_max = options->requests ? options->requests : REQUESTS_PRESET;
    flux->patience_ms = (options->seconds ? options->seconds : SECONDS_PRESET) * 1000u;
    flux->unheard_max = (unsigned int)(flux->patience_ms / 3 / TICK_MS);
    if (flux->unheard_max < UNHEARD_LEAST)
        flux->unheard_max = UNHEARD_LEAST;
    TAILQ_INIT(&flux->waiting);
    TAILQ_INIT(&flux->late);
    TAILQ_INIT(&flux->decided);
    TAILQ_INIT(&flux->ready);
    *ret = &flux->base;
    return 0;
}

const char *fr_flux_version(void)
{
    return FLUX_CORE_VERSION_STRING;
}

const char *fr_flux_rundir(void)
{
    return flux_conf_builtin_get("rundir", FLUX_CONF_INSTALLED);
}
