// SPDX-License-Identifier: LGPL-3.0-only
#include "base/queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/*
 * A ring under one mutex. The descriptor is written when the ring stops being empty and read
 * when it becomes empty, both under the mutex, so the two never disagree.
 */
struct fr_queue {
    pthread_mutex_t lock;
    pthread_cond_t has_room;
    int fd;
    bool shut;
    size_t limit, count, head;
    void *items[];
};

int fr_queue_create(size_t limit, struct fr_queue **ret)
{
    struct fr_queue *queue = NULL;

    if (limit == 0 || limit > SIZE_MAX / sizeof queue->items[0] / 2)
        return -EINVAL;
    queue = calloc(1, sizeof *queue + limit * sizeof queue->items[0]);
    if (!queue)
        return -ENOMEM;
    queue->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (queue->fd < 0) {
        int rc = -errno;
        free(queue);
        return rc;
    }
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->has_room, NULL);
    queue->limit = limit;
    *ret = queue;
    return 0;
}

void fr_queue_free(struct fr_queue *queue)
{
    if (!queue)
        return;
    pthread_cond_destroy(&queue->has_room);
    pthread_mutex_destroy(&queue->lock);
    close(queue->fd);
    free(queue);
}

int fr_queue_fd(const struct fr_queue *queue)
{
    return queue->fd;
}

/* The mutex is held. */
static void add(struct fr_queue *queue, void *item)
{
    queue->items[(queue->head + queue->count) % queue->limit] = item;
    if (queue->count++ == 0) {
        uint64_t one = 1;
        ssize_t n = write(queue->fd, &one, sizeof one);
        (void)n; /* cannot fail: the counter is 0 or 1 */
    }
}

static int push(struct fr_queue *queue, void *item, bool wait)
{
    int rc = 0;

    pthread_mutex_lock(&queue->lock);
    while (wait && !queue->shut && queue->count == queue->limit)
        pthread_cond_wait(&queue->has_room, &queue->lock);
    if (queue->shut)
        rc = -ESHUTDOWN;
    else if (queue->count == queue->limit)
        rc = -EAGAIN;
    else
        add(queue, item);
    pthread_mutex_unlock(&queue->lock);
    return rc;
}

int fr_queue_push(struct fr_queue *queue, void *item)
{
    return push(queue, item, false);
}

int fr_queue_push_wait(struct fr_queue *queue, void *item)
{
    return push(queue, item, true);
}

void *fr_queue_pop(struct fr_queue *queue)
{
    void *item = NULL;

    pthread_mutex_lock(&queue->lock);
    if (queue->count > 0) {
        item = queue->items[queue->head];
        queue->head = (queue->head + 1) % queue->limit;
        if (--queue->count == 0) {
            uint64_t value;
            ssize_t n = read(queue->fd, &value, sizeof value);
            (void)n;
        }
        pthread_cond_signal(&queue->has_room);
    }
    pthread_mutex_unlock(&queue->lock);
    return item;
}

void fr_queue_shut(struct fr_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->shut = true;
    pthread_cond_broadcast(&queue->has_room);
    pthread_mutex_unlock(&queue->lock);
}
