// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The loop's side of the Flux engine: what it has lent to the Flux thread, whom it owes an
 * answer, and until when.
 *
 * Nothing here waits for the Flux thread. All of it belongs to the loop's thread.
 */
#ifndef FR_ENGINE_FLUX_FRONT_H
#define FR_ENGINE_FLUX_FRONT_H

#include <pthread.h>

#include "base/loop.h"
#include "engine/flux/exchange.h"
#include "engine/flux/feeds.h"

/* Feeds at a time; a power of two, since a tag is a count and a slot. */
#define FR_FLUX_FEEDS_MAX 1024

TAILQ_HEAD(fr_flux_watches, fr_output_watch);
LIST_HEAD(fr_flux_feeds, fr_flux_feed);

struct fr_flux {
    struct fr_engine base; /* first: the engine that the rest of the program sees */
    const struct fr_engine_sink *sink;
    char *uri; /* or NULL */
    struct fr_flux_link *link;
    pthread_t thread;
    bool has_thread;
    struct fr_poll *news;
    struct fr_timer *tick;
    struct fr_wake *wake;

    char instance[256];
    struct fr_flux_size size;
    bool sizing;    /* asked anew, since it was not known when we connected */
    bool connected; /* has been, at least once */
    bool lost;
    bool silent;          /* lost, but the connection holds as far as we know */
    bool pinging;         /* a sign of life was asked for */
    unsigned int unheard; /* ticks of our timer since the last sign of life */
    unsigned int unheard_max;
    bool ended; /* told */
    char lost_text[256];

    /* Every request is in one of these. */
    struct fr_flux_requests waiting; /* lent, not answered; in the order of their deadlines */
    struct fr_flux_requests late;    /* lent, answered without Flux */
    struct fr_flux_requests decided; /* never lent; to be answered from the loop */
    size_t nrequests, bytes;
    size_t requests_max;  /* let out at a time */
    uint64_t patience_ms; /* until one that got no answer is answered without Flux */

    struct fr_flux_feed *slots[FR_FLUX_FEEDS_MAX]; /* by tag */
    struct fr_flux_feeds buckets[256];             /* by job */
    size_t nfeeds;
    struct fr_flux_readers watches; /* all of them */
    struct fr_flux_watches ready;   /* have something to tell, but not from inside a call */
    size_t kept;                    /* bytes held for paused watches */
    uint64_t last_tag;

    uint64_t close_due; /* uv_now() after which the thread is left behind; 0 is not closing */
    void (*closed)(void *arg);
    void *closed_arg;
    uv_loop_t *loop;
};

/* requests.c: the verbs of fr_engine_ops, and their answers. */

void fr_flux_submit(struct fr_engine *engine, struct fr_jobspec *spec, int urgency,
                    fr_submit_f cb, void *arg);
void fr_flux_cancel(struct fr_engine *engine, uint64_t id, const char *note, fr_done_f cb,
                    void *arg);
void fr_flux_kill(struct fr_engine *engine, uint64_t id, int signum, fr_done_f cb, void *arg);
void fr_flux_urgency(struct fr_engine *engine, uint64_t id, int urgency, fr_done_f cb,
                     void *arg);
void fr_flux_duration(struct fr_engine *engine, uint64_t id, double seconds, fr_done_f cb,
                      void *arg);
void fr_flux_lookup(struct fr_engine *engine, uint64_t id, enum fr_lookup what, fr_lookup_f cb,
                    void *arg);
void fr_flux_nodes(struct fr_engine *engine, fr_nodes_f cb, void *arg);
void fr_flux_drain(struct fr_engine *engine, const char *targets, const char *reason,
                   fr_done_f cb, void *arg);
void fr_flux_undrain(struct fr_engine *engine, const char *targets, fr_done_f cb, void *arg);
void fr_flux_queues(struct fr_engine *engine, fr_queues_f cb, void *arg);
void fr_flux_shutdown(struct fr_engine *engine, fr_done_f cb, void *arg);

/* Asks for a sign of life. */
void fr_flux_ping(struct fr_flux *flux, fr_done_f cb, void *arg);

/* A request came back from the Flux thread. */
void fr_flux_requests_back(struct fr_flux *flux, struct fr_flux_request *request);
/* Answers what was decided without Flux. */
void fr_flux_requests_decide(struct fr_flux *flux);
/* Answers what is overdue; now is uv_now(). */
void fr_flux_requests_expire(struct fr_flux *flux, uint64_t now);
/* Answers all that is open, since the engine closes. */
void fr_flux_requests_stop(struct fr_flux *flux);
/* Frees what is left, when no other thread can touch it any more. */
void fr_flux_requests_free(struct fr_flux *flux);

/* watches.c: output of jobs. */

struct fr_output_watch *fr_flux_output(struct fr_engine *engine, uint64_t id, uint64_t offset,
                                       fr_output_f cb, void *arg);
void fr_flux_output_pause(struct fr_output_watch *watch, bool paused);
void fr_flux_output_free(struct fr_output_watch *watch);

/* A piece came; taken over. */
void fr_flux_watches_piece(struct fr_flux *flux, struct fr_flux_piece *piece);
/* Tells what ready watches have; false if there is more for another turn. */
bool fr_flux_watches_ready(struct fr_flux *flux);
/* Makes all watches dead: they only wait to be freed. */
void fr_flux_watches_stop(struct fr_flux *flux);

#endif
