// SPDX-License-Identifier: LGPL-3.0-only
/*
 * A bounded queue of pointers between two threads, with a descriptor that polls readable while
 * it holds something.
 *
 * Either side may be a libuv loop (fr_poll) or a Flux reactor (an fd watcher). The queue does
 * not own what the pointers point to: whoever frees the queue empties it first.
 */
#ifndef FR_BASE_QUEUE_H
#define FR_BASE_QUEUE_H

#include <stddef.h>

struct fr_queue;

/* limit: most items held at once. 0, -ENOMEM, or the errno of eventfd(2). */
int fr_queue_create(size_t limit, struct fr_queue **ret);
void fr_queue_free(struct fr_queue *queue);

/* Readable while the queue may hold something; borrowed, never read it yourself. */
int fr_queue_fd(const struct fr_queue *queue);

/* Adds at the end. 0; -EAGAIN if full; -ESHUTDOWN once shut. Never blocks. */
int fr_queue_push(struct fr_queue *queue, void *item);

/* As fr_queue_push, but waits while full: for the Flux thread, never for the loop. */
int fr_queue_push_wait(struct fr_queue *queue, void *item);

/* Takes the oldest, or NULL if empty (which also clears the descriptor). Never blocks. */
void *fr_queue_pop(struct fr_queue *queue);

/* Wakes a waiting pusher; from now on pushing fails. What is in can still be popped. */
void fr_queue_shut(struct fr_queue *queue);

#endif
