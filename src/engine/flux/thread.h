// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The Flux thread: the only one that touches libflux.
 *
 * It may block at any call, so nobody waits for it. Everything declared here belongs to that
 * thread, except fr_flux_thread_main() itself, which is its start.
 */
#ifndef FR_ENGINE_FLUX_THREAD_H
#define FR_ENGINE_FLUX_THREAD_H

#include <flux/core.h>
#include <sys/types.h>

#include "engine/flux/exchange.h"

struct fr_flux_stream;
LIST_HEAD(fr_flux_streams, fr_flux_stream);

struct fr_flux_thread {
    struct fr_flux_link *link;
    flux_reactor_t *reactor;
    flux_watcher_t *queue;               /* readable to_flux */
    flux_watcher_t *pause;               /* timer between attempts to connect */
    flux_t *h;                           /* NULL while not connected */
    struct fr_flux_connected *connected; /* news held until the journal answers, or NULL */
    flux_future_t *journal;
    flux_msg_handler_t *purges;
    flux_future_t *annotations;                   /* asked for at the end of the backlog */
    bool live;                                    /* the journal's backlog is over */
    struct fr_flux_entry *backlog, **backlog_end; /* entries to be told together */
    unsigned int nbacklog;
    void *numbers; /* tsearch(3) tree of jobs that have not ended, see numbers.c */
    struct fr_flux_requests flight; /* sent, not answered */
    struct fr_flux_streams streams;
    pid_t parent; /* the broker, if it started us; else 0 */
    bool stop;
    struct fr_error failure; /* why the connection is to be given up */
    bool failed;             /* failure is set */
    bool for_good;           /* and trying again is pointless */
};

/* connect.c */

/* pthread_create(3)'s start; arg is a link, one hold of which goes over to the thread. */
void *fr_flux_thread_main(void *arg);

/* Hands news over, waiting for room. Frees them if the loop has left. */
void fr_flux_tell(struct fr_flux_thread *thread, struct fr_flux_item *item);

/* Ends the reactor's run: the connection is torn down, and unless for_good tried again. */
void fr_flux_give_up(struct fr_flux_thread *thread, bool for_good, const char *why);

/* Waits for a future as long as nobody wants us to stop. 0, or -1 with errno. */
int fr_flux_await(struct fr_flux_thread *thread, flux_future_t *f);

/* What libflux has to say about a failure. */
const char *fr_flux_why(flux_future_t *f, int errnum);

/* submit.c */

/* Takes a request and sends it; it comes back by fr_flux_tell() in any case. */
void fr_flux_send(struct fr_flux_thread *thread, struct fr_flux_request *request);
/*
 * Lets on_answer be called with the request when f, which may be NULL, is ready. f is
 * request->futures[i] from then on. 0, or -1 with errno.
 */
int fr_flux_then(struct fr_flux_request *request, size_t i, flux_future_t *f,
                 flux_continuation_f on_answer);
/* Gives a request back that is in flight and has its answer. */
void fr_flux_answered(struct fr_flux_request *request);
/* Fills in that Flux said no, for the reason of f; errnum is what was in errno. */
void fr_flux_refused(struct fr_flux_request *request, flux_future_t *f, int errnum);
/* Gives a request back. */
void fr_flux_return(struct fr_flux_thread *thread, struct fr_flux_request *request);
/* Gives all that have no answer back, as not answered. */
void fr_flux_return_all(struct fr_flux_thread *thread, const char *why);

/* journal.c */

/* Begins the journal and the news of purged jobs. 0, or -1 with thread->failure. */
int fr_flux_journal_begin(struct fr_flux_thread *thread);
/* Tells an entry; one of the backlog with its neighbours, so that the loop wakes less often. */
void fr_flux_journal_tell(struct fr_flux_thread *thread, struct fr_flux_entry *news);
void fr_flux_journal_end(struct fr_flux_thread *thread);

/* numbers.c */

/*
 * Numbers the events of an entry and tells it, in the order of the job's log: at once, or when
 * it is known which of them are stored. The entry is taken over. 0 or -ENOMEM.
 */
int fr_flux_numbers_tell(struct fr_flux_thread *thread, struct fr_flux_entry *news);
/* Whether the job's annotations have changed since the backlog, or it has ended. */
bool fr_flux_numbers_annotated(struct fr_flux_thread *thread, uint64_t id);
void fr_flux_numbers_end(struct fr_flux_thread *thread);

/* What the journal has told of a job. */
enum fr_flux_known {
    FR_FLUX_UNKNOWN, /* the backlog is not complete: it may be anything */
    FR_FLUX_PENDING, /* nothing of it has run */
    FR_FLUX_ACTIVE,
    FR_FLUX_OVER /* or there is no such job */
};
enum fr_flux_known fr_flux_numbers_knows(struct fr_flux_thread *thread, uint64_t id);

/* output.c */

void fr_flux_stream_begin(struct fr_flux_thread *thread, const struct fr_flux_command *command);
void fr_flux_stream_end(struct fr_flux_thread *thread, uint64_t tag);
/* The journal has told that nothing of the job has run yet. */
void fr_flux_stream_waits(struct fr_flux_thread *thread, uint64_t id);
/* Ends all, telling each reader why. */
void fr_flux_stream_end_all(struct fr_flux_thread *thread, const char *why);

/* pieces.c */

/*
 * A place in a job's output: so many entries wholly told, and so many pieces of the next. As
 * an offset it is one number, below 2^53 for as long as anyone will write output.
 */
struct fr_flux_place {
    uint64_t entries, pieces;
};

#define FR_FLUX_PIECE_BITS 20

static inline uint64_t fr_flux_offset(uint64_t entries, uint64_t pieces)
{
    return entries << FR_FLUX_PIECE_BITS | pieces;
}

static inline struct fr_flux_place fr_flux_place(uint64_t offset)
{
    return (struct fr_flux_place){offset >> FR_FLUX_PIECE_BITS,
                                  offset & ((UINT64_C(1) << FR_FLUX_PIECE_BITS) - 1)};
}

/*
 * Makes pieces out of one entry of a job's output (RFC 24) and tells them. place is where the
 * entry begins, and how much of it the reader has had. 0; -EPROTO if it cannot be read;
 * -ENOMEM.
 */
int fr_flux_pieces_tell(struct fr_flux_thread *thread, uint64_t tag, struct fr_flux_place place,
                        const char *event);

/* nodes.c */

/* Sends the two questions. 0, or -1 with errno. */
int fr_flux_nodes_send(struct fr_flux_request *request);
/* Counts what an R object (RFC 20) holds; 0 or -EINVAL. */
int fr_flux_nodes_size(const json_t *R, struct fr_flux_size *ret);

/* queues.c, lookup.c: send the first question. 0, or -1 with errno. */

int fr_flux_queues_send(struct fr_flux_request *request);
int fr_flux_lookup_send(struct fr_flux_request *request);

#endif
