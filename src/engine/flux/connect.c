// SPDX-License-Identifier: LGPL-3.0-only
#include "engine/flux/thread.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"

/* Seconds between attempts to connect: first, and at most. */
#define PAUSE_FIRST 0.1
#define PAUSE_MOST 5.0
/* Items taken from the queue before Flux's own messages get a turn. */
#define BATCH 64

FR_DEFINE_CLEANUP(flux_future_t *, future, flux_future_destroy);

const char *fr_flux_why(flux_future_t *f, int errnum)
{
    const char *text = f ? flux_future_error_string(f) : NULL;

    return text && *text ? text : strerror(errnum);
}

void fr_flux_tell(struct fr_flux_thread *thread, struct fr_flux_item *item)
{
    if (fr_queue_push_wait(thread->link->to_loop, item) < 0)
        fr_flux_item_drop(thread->link, item);
}

void fr_flux_give_up(struct fr_flux_thread *thread, bool for_good, const char *why)
{
    if (!thread->failed) {
        thread->failed = true;
        thread->for_good = for_good;
        (void)fr_error_set(&thread->failure, EAGAIN,
                           for_good ? FR_CODE_FORBIDDEN : FR_CODE_UNAVAILABLE, "%s", why);
    }
    flux_reactor_stop(thread->reactor);
}

int fr_flux_await(struct fr_flux_thread *thread, flux_future_t *f)
{
    /* In short turns, since nothing but time wakes this wait when the broker is stopped. */
    while (f && !atomic_load(&thread->link->stopping)) {
        if (flux_future_wait_for(f, 0.5) == 0)
            return flux_future_get(f, NULL);
        if (errno != ETIMEDOUT)
            return -1;
    }
    if (f)
        errno = ECANCELED;
    return -1;
}

/* Copies an attribute of a broker; nodeid as for flux_rpc(). */
static int get_attr(struct fr_flux_thread *thread, uint32_t nodeid, const char *name, char *out,
                    size_t size)
{
    _cleanup_(fr_cleanup_future) flux_future_t *f =
        flux_rpc_pack(thread->h, "attr.get", nodeid, 0, "{s:s}", "name", name);
    const char *value;

    if (fr_flux_await(thread, f) < 0 || flux_rpc_get_unpack(f, "{s:s}", "value", &value) < 0)
        return -1;
    if (strlen(value) >= size) {
        errno = EOVERFLOW;
        return -1;
    }
    memcpy(out, value, strlen(value) + 1);
    return 0;
}

/*
 * The uuid of the broker of rank 0 stands for the instance, whichever broker we talk to. A
 * broker that has none is told by where it listens and since when.
 */
static int get_instance(struct fr_flux_thread *thread, char *out, size_t size)
{
    char uri[128], start[64];

    if (get_attr(thread, 0, "broker.uuid", out, size) == 0)
        return 0;
    if (errno == ECANCELED || get_attr(thread, 0, "local-uri", uri, sizeof uri) < 0 ||
        get_attr(thread, 0, "broker.starttime", start, sizeof start) < 0)
        return -1;
    (void)snprintf(out, size, "%s@%s", uri, start);
    return 0;
}

/* Not known is no reason to stay away: the scheduler may just not be there. */
static void get_size(struct fr_flux_thread *thread, struct fr_flux_size *size)
{
    _cleanup_(fr_cleanup_future) flux_future_t *f =
        flux_rpc(thread->h, "resource.sched-status", NULL, 0, 0);
    json_t *all;

    if (fr_flux_await(thread, f) == 0 && flux_rpc_get_unpack(f, "{s:o}", "all", &all) == 0)
        (void)fr_flux_nodes_size(all, size);
}

static void get_parent(struct fr_flux_thread *thread)
{
    char text[32];

    thread->parent = 0;
    if (get_attr(thread, FLUX_NODEID_ANY, "broker.pid", text, sizeof text) == 0 &&
        strtol(text, NULL, 10) == getppid())
        thread->parent = getppid();
}

/* Opens the handle. 0, or -1 with thread->failure. */
static int open_handle(struct fr_flux_thread *thread)
{
    char *instance = thread->connected->instance;
    flux_error_t error = {.text = ""};

    thread->h = flux_open_ex(thread->link->uri, 0, &error);
    if (thread->h && flux_set_reactor(thread->h, thread->reactor) == 0 &&
        get_instance(thread, instance, sizeof thread->connected->instance) == 0)
        return 0;
    char why[400];
    (void)snprintf(why, sizeof why, "Flux cannot be reached: %.200s.",
                   thread->h ? strerror(errno) : error.text);
    fr_flux_give_up(thread, false, why);
    return -1;
}

/*
 * Opens the handle and begins the journal. That we are connected is told with the journal's
 * first answer: an instance that is still starting can be talked to before it has one.
 */
static int connect_flux(struct fr_flux_thread *thread)
{
    thread->failed = false;
    thread->connected = calloc(1, sizeof *thread->connected);
    if (!thread->connected) {
        fr_flux_give_up(thread, false, "There is no memory to connect to Flux.");
        return -1;
    }
    thread->connected->item.kind = FR_FLUX_CONNECTED;
    if (open_handle(thread) < 0)
        return -1;
    get_size(thread, &thread->connected->size);
    get_parent(thread);
    return fr_flux_journal_begin(thread);
}

/* Everything that hangs on the handle goes, and whoever waits for it is told. */
static void disconnect_flux(struct fr_flux_thread *thread)
{
    const char *why = thread->stop ? "The service is stopping." : thread->failure.text;

    fr_flux_return_all(thread, why);
    fr_flux_stream_end_all(thread, why);
    fr_flux_journal_end(thread);
    free(fr_take(thread->connected));
    if (thread->h)
        flux_close(thread->h);
    thread->h = NULL;
}

static void on_command(struct fr_flux_thread *thread, struct fr_flux_command *command)
{
    atomic_fetch_sub(&thread->link->ncommands, 1);
    if (command->item.kind == FR_FLUX_WATCH)
        fr_flux_stream_begin(thread, command);
    else
        fr_flux_stream_end(thread, command->tag);
    free(command);
}

static void on_queue(flux_reactor_t *reactor, flux_watcher_t *watcher, int revents, void *arg)
{
    struct fr_flux_thread *thread = arg;

    for (int i = 0; i < BATCH && !thread->stop; i++) {
        struct fr_flux_item *item = fr_queue_pop(thread->link->to_flux);
        if (!item)
            return;
        if (fr_flux_is_request(item)) {
            fr_flux_send(thread, (struct fr_flux_request *)item);
        } else if (item->kind == FR_FLUX_STOP) {
            thread->stop = true;
            flux_reactor_stop(reactor);
        } else {
            on_command(thread, (struct fr_flux_command *)item);
        }
    }
}

static void on_pause_over(flux_reactor_t *reactor, flux_watcher_t *watcher, int revents,
                          void *arg)
{
    flux_reactor_stop(reactor);
}

static void tell_reason(struct fr_flux_thread *thread)
{
    struct fr_flux_reason *news = calloc(1, sizeof *news);

    if (!news)
        return; /* whatever comes next says it too: the requests that fail */
    news->item.kind = thread->for_good ? FR_FLUX_FAILED : FR_FLUX_LOST;
    news->err = thread->failure;
    news->orphaned = thread->parent != 0 && thread->parent != getppid();
    fr_flux_tell(thread, &news->item);
}

/* Answers requests meanwhile: there is no Flux. */
static void wait_a_while(struct fr_flux_thread *thread, double seconds)
{
    flux_reactor_now_update(thread->reactor);
    flux_timer_watcher_reset(thread->pause, seconds, 0.);
    flux_watcher_start(thread->pause);
    (void)flux_reactor_run(thread->reactor, 0);
    flux_watcher_stop(thread->pause);
}

static void run(struct fr_flux_thread *thread)
{
    double pause = PAUSE_FIRST;

    while (!thread->stop && !thread->for_good) {
        bool up = connect_flux(thread) == 0;
        if (up) {
            /* Returns when the handle fails or when somebody stops it. */
            (void)flux_reactor_run(thread->reactor, 0);
            if (!thread->stop)
                fr_flux_give_up(thread, false, "The connection to Flux broke.");
            if (!thread->connected) /* it was of use */
                pause = PAUSE_FIRST;
        }
        if (!thread->stop)
            tell_reason(thread);
        disconnect_flux(thread);
        if (thread->stop)
            return;
        wait_a_while(thread, pause);
        pause = pause * 2 < PAUSE_MOST ? pause * 2 : PAUSE_MOST;
    }
    while (!thread->stop) /* failed for good: still answers until told to go */
        (void)flux_reactor_run(thread->reactor, 0);
}

static int prepare(struct fr_flux_thread *thread)
{
    thread->reactor = flux_reactor_create(0);
    if (!thread->reactor)
        return -1;
    thread->queue = flux_fd_watcher_create(thread->reactor, fr_queue_fd(thread->link->to_flux),
                                           FLUX_POLLIN, on_queue, thread);
    thread->pause =
        flux_timer_watcher_create(thread->reactor, PAUSE_FIRST, 0., on_pause_over, thread);
    if (!thread->queue || !thread->pause)
        return -1;
    flux_watcher_start(thread->queue);
    return 0;
}

void *fr_flux_thread_main(void *arg)
{
    struct fr_flux_thread thread = {.link = arg};

    TAILQ_INIT(&thread.flight);
    LIST_INIT(&thread.streams);
    if (prepare(&thread) == 0) {
        run(&thread);
    } else {
        thread.for_good = true;
        (void)fr_error_set(&thread.failure, errno, FR_CODE_INTERNAL,
                           "The Flux engine cannot start: %s.", strerror(errno));
        tell_reason(&thread);
    }
    flux_watcher_destroy(thread.queue);
    flux_watcher_destroy(thread.pause);
    flux_reactor_destroy(thread.reactor);
    fr_flux_tell(&thread, &thread.link->exited);
    fr_flux_link_drop(thread.link);
    return NULL;
}
