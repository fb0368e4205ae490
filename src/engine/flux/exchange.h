// SPDX-License-Identifier: LGPL-3.0-only
/*
 * What crosses between the loop and the Flux thread, and nothing else does.
 *
 * Two bounded queues of items. Towards Flux: requests (a verb that gets one answer) and
 * commands (begin or end a stream of output, stop). Towards the loop: news. An item belongs to
 * whoever holds it; a request belongs to the loop for good, is lent to the Flux thread and
 * comes back exactly once.
 */
#ifndef FR_ENGINE_FLUX_EXCHANGE_H
#define FR_ENGINE_FLUX_EXCHANGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#include "base/error.h"
#include "base/queue.h"
#include "engine/engine.h"

/* Requests that can be let out at a time, whatever the settings say; bytes of their texts. */
#define FR_FLUX_REQUESTS_MAX 16384
#define FR_FLUX_BYTES_MAX ((size_t)64 << 20)
/* Commands in the queue plus streams that will need one more to end. */
#define FR_FLUX_COMMANDS_MAX 4096
/* News in the queue; the Flux thread waits when it is full. */
#define FR_FLUX_NEWS_MAX 512

enum fr_flux_kind {
    /* requests */
    FR_FLUX_SUBMIT,
    FR_FLUX_CANCEL,
    FR_FLUX_KILL,
    FR_FLUX_URGENCY,
    FR_FLUX_DURATION,
    FR_FLUX_DRAIN,
    FR_FLUX_UNDRAIN,
    FR_FLUX_SHUTDOWN,
    /* requests that only ask */
    FR_FLUX_LOOKUP,
    FR_FLUX_NODES,
    FR_FLUX_QUEUES,
    FR_FLUX_PING, /* is there anybody? */
    /* commands */
    FR_FLUX_WATCH,
    FR_FLUX_UNWATCH,
    FR_FLUX_STOP,
    /* news */
    FR_FLUX_CONNECTED,
    FR_FLUX_LOST,
    FR_FLUX_FAILED, /* for good */
    FR_FLUX_ENTRY,
    FR_FLUX_CAUGHT_UP,
    FR_FLUX_PURGED,
    FR_FLUX_PIECE,
    FR_FLUX_EXITED /* the thread's last word */
};

/* The first member of everything in a queue. */
struct fr_flux_item {
    enum fr_flux_kind kind;
};

/*
 * Whether a request has gone out. The one word that both sides write while the other may look:
 * from WAITING, either the Flux thread takes it or the loop withdraws it. So the loop can say
 * "not sent" and be right, even while the Flux thread is blocked.
 */
enum fr_flux_fate { FR_FLUX_WAITING, FR_FLUX_TAKEN, FR_FLUX_WITHDRAWN };

struct fr_flux_size {
    int nodes, cores, gpus;
};

/* The answer to FR_FLUX_NODES: one allocation each for the array and its texts. */
struct fr_flux_nodes {
    struct fr_node *nodes; /* texts point into `texts` */
    size_t count;
    char *texts;
    struct fr_flux_size size; /* what jobs can use: without excluded nodes */
};

/* The answer to FR_FLUX_QUEUES: one allocation each for the array and its texts. */
struct fr_flux_queues {
    struct fr_queue *queues;
    size_t count;
    char *texts;
};

struct fr_flux_thread;

struct fr_flux_request {
    struct fr_flux_item item;
    /* set before it is lent */
    uint64_t id;
    int number;     /* urgency, signal or enum fr_lookup */
    double seconds; /* duration */
    char *text;     /* jobspec, note or targets, or NULL */
    char *reason;   /* of a drain, or NULL */
    size_t bytes;
    atomic_int fate;
    /* set by the Flux thread before it gives it back */
    bool failed;
    struct fr_error err;
    uint64_t ret_id;
    struct fr_flux_nodes *nodes;
    struct fr_flux_queues *queues;
    char *found; /* by a lookup */
    /* the Flux thread's own while lent */
    struct fr_flux_thread *thread;
    void *futures[3];
    TAILQ_ENTRY(fr_flux_request) flight;
    /* the loop's own at all times */
    union {
        fr_submit_f submit;
        fr_done_f done;
        fr_nodes_f nodes;
        fr_queues_f queues;
        fr_lookup_f lookup;
    } cb;
    void *arg;
    uint64_t due;  /* uv_now() after which it is answered without Flux */
    bool answered; /* the caller has its answer */
    TAILQ_ENTRY(fr_flux_request) entry;
};

TAILQ_HEAD(fr_flux_requests, fr_flux_request);

/* FR_FLUX_WATCH, FR_FLUX_UNWATCH. tag names the stream; it is never used twice. */
struct fr_flux_command {
    struct fr_flux_item item;
    uint64_t tag;
    uint64_t id;
    uint64_t offset;
};

/* FR_FLUX_CONNECTED. */
struct fr_flux_connected {
    struct fr_flux_item item;
    char instance[256];
    struct fr_flux_size size; /* zeroes if it could not be learned */
};

/* FR_FLUX_LOST, FR_FLUX_FAILED. */
struct fr_flux_reason {
    struct fr_flux_item item;
    struct fr_error err;
    bool orphaned; /* our parent was the broker, and is gone */
};

/* FR_FLUX_ENTRY: owns all that entry points to, and those that come after it. */
struct fr_flux_entry {
    struct fr_flux_item item;
    struct fr_flux_entry *next; /* of a backlog; or NULL */
    struct fr_journal_entry entry;
    struct fr_event *events;
    char *texts;
    struct fr_jobspec *jobspec;
    struct fr_rset *R;
    TAILQ_ENTRY(fr_flux_entry) held; /* the Flux thread's own */
};

TAILQ_HEAD(fr_flux_entries, fr_flux_entry);

/* FR_FLUX_PURGED. */
struct fr_flux_purged {
    struct fr_flux_item item;
    size_t count;
    uint64_t ids[];
};

/* FR_FLUX_PIECE: one piece of one stream; its texts and data are in bytes. */
struct fr_flux_piece {
    struct fr_flux_item item;
    uint64_t tag;
    struct fr_output output; /* all but err, see below */
    struct fr_error err;
    size_t holds; /* the loop's own: whoever keeps it counts once */
    size_t size;  /* of the whole allocation */
    char bytes[];
};

/* Both queues and what else is shared. Freed by whichever side lets go of it last. */
struct fr_flux_link {
    atomic_int holders;
    atomic_bool abandoned; /* the loop has left: what was lent is the Flux thread's to free */
    atomic_bool stopping;  /* said beside FR_FLUX_STOP, for when Flux does not read its queue */
    atomic_size_t ncommands; /* commands in to_flux */
    struct fr_queue *to_flux;
    struct fr_queue *to_loop;
    char *uri;                /* or NULL */
    struct fr_flux_item stop; /* needs no memory when it is needed */
    struct fr_flux_item exited;
};

/* Held twice. 0, or -ENOMEM or an errno of eventfd(2). */
int fr_flux_link_create(const char *uri, struct fr_flux_link **ret);
void fr_flux_link_drop(struct fr_flux_link *link);

/* Frees an item taken from a queue, whatever it is, but not a request or a stop. */
void fr_flux_item_free(struct fr_flux_item *item);

/* Frees an item that the loop will not take any more: a request only if it was abandoned. */
void fr_flux_item_drop(struct fr_flux_link *link, struct fr_flux_item *item);

/* Frees a request; NULL is allowed. */
void fr_flux_request_free(struct fr_flux_request *request);
void fr_flux_nodes_free(struct fr_flux_nodes *nodes);
void fr_flux_queues_free(struct fr_flux_queues *queues);

/*
 * Fills request's failure for when Flux gave no answer: what it means depends on whether the
 * request had gone out. why is a sentence.
 */
void fr_flux_request_unanswered(struct fr_flux_request *request, bool sent, const char *why);

static inline bool fr_flux_is_request(const struct fr_flux_item *item)
{
    return item->kind <= FR_FLUX_PING;
}

/* Whether it changes nothing, so that nobody needs to know whether it went out. */
static inline bool fr_flux_only_asks(const struct fr_flux_item *item)
{
    return fr_flux_is_request(item) && item->kind >= FR_FLUX_LOOKUP;
}

#endif
