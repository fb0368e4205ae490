// SPDX-License-Identifier: LGPL-3.0-only
#include "base/loop.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

/* uv_close() is asynchronous: each wrapper is freed by its close callback. */

struct fr_timer {
    uv_timer_t handle; /* first: the close callback frees by its address */
    fr_timer_f cb;
    void *arg;
};

struct fr_poll {
    uv_poll_t handle;
    fr_poll_f cb;
    void *arg;
};

struct fr_wake {
    uv_async_t handle;
    fr_wake_f cb;
    void *arg;
};

struct work {
    uv_work_t req;
    fr_work_f work;
    fr_work_done_f done;
    void *arg;
    int result;
};

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void on_timer(uv_timer_t *handle)
{
    struct fr_timer *timer = (struct fr_timer *)handle;

    timer->cb(timer->arg);
}

int fr_timer_create(uv_loop_t *loop, fr_timer_f cb, void *arg, struct fr_timer **ret)
{
    struct fr_timer *timer = calloc(1, sizeof *timer);

    if (!timer)
        return -ENOMEM;
    int rc = uv_timer_init(loop, &timer->handle);
    if (rc < 0) {
        free(timer);
        return rc;
    }
    timer->cb = cb;
    timer->arg = arg;
    *ret = timer;
    return 0;
}

void fr_timer_start(struct fr_timer *timer, uint64_t after_ms, uint64_t repeat_ms)
{
    /* Fails only for a handle that is being closed, which no caller can hold. */
    (void)uv_timer_start(&timer->handle, on_timer, after_ms, repeat_ms);
}

void fr_timer_stop(struct fr_timer *timer)
{
    (void)uv_timer_stop(&timer->handle);
}

void fr_timer_free(struct fr_timer *timer)
{
    if (timer)
        uv_close((uv_handle_t *)&timer->handle, free_handle);
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct fr_poll *poll = (struct fr_poll *)handle;

    poll->cb(poll->arg, status, events);
}

int fr_poll_create(uv_loop_t *loop, int fd, fr_poll_f cb, void *arg, struct fr_poll **ret)
{
    struct fr_poll *poll = calloc(1, sizeof *poll);

    if (!poll)
        return -ENOMEM;
    int rc = uv_poll_init(loop, &poll->handle, fd);
    if (rc < 0) {
        free(poll);
        return rc;
    }
    poll->cb = cb;
    poll->arg = arg;
    *ret = poll;
    return 0;
}

int fr_poll_set(struct fr_poll *poll, int events)
{
    return events ? uv_poll_start(&poll->handle, events, on_poll) : uv_poll_stop(&poll->handle);
}

void fr_poll_free(struct fr_poll *poll)
{
    if (poll)
        uv_close((uv_handle_t *)&poll->handle, free_handle);
}

static void on_wake(uv_async_t *handle)
{
    struct fr_wake *wake = (struct fr_wake *)handle;

    wake->cb(wake->arg);
}

int fr_wake_create(uv_loop_t *loop, fr_wake_f cb, void *arg, struct fr_wake **ret)
{
    struct fr_wake *wake = calloc(1, sizeof *wake);

    if (!wake)
        return -ENOMEM;
    int rc = uv_async_init(loop, &wake->handle, on_wake);
    if (rc < 0) {
        free(wake);
        return rc;
    }
    wake->cb = cb;
    wake->arg = arg;
    *ret = wake;
    return 0;
}

void fr_wake_send(struct fr_wake *wake)
{
    (void)uv_async_send(&wake->handle);
}

void fr_wake_free(struct fr_wake *wake)
{
    if (wake)
        uv_close((uv_handle_t *)&wake->handle, free_handle);
}

static void run_work(uv_work_t *req)
{
    struct work *work = (struct work *)req;

    work->result = work->work(work->arg);
}

static void after_work(uv_work_t *req, int status)
{
    struct work *work = (struct work *)req;
    fr_work_done_f done = work->done;
    void *arg = work->arg;
    int result = status < 0 ? status : work->result;

    free(work);
    done(arg, result);
}

int fr_work_queue(uv_loop_t *loop, fr_work_f fn, fr_work_done_f done, void *arg)
{
    struct work *work = calloc(1, sizeof *work);

    if (!work)
        return -ENOMEM;
    work->work = fn;
    work->done = done;
    work->arg = arg;
    int rc = uv_queue_work(loop, &work->req, run_work, after_work);
    if (rc < 0)
        free(work);
    return rc;
}

double fr_time_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}
