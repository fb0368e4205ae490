// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The event loop: libuv, with handles that can be freed at once.
 *
 * A libuv handle must outlive its asynchronous close; these wrappers keep that to themselves.
 * After fr_…_free() returns, the callback is never called again. All of this belongs to the
 * loop's own thread, except fr_wake_send().
 */
#ifndef FR_BASE_LOOP_H
#define FR_BASE_LOOP_H

#include <stdint.h>
#include <uv.h>

/*
 * Timers. The callback may free its own timer. Starting a running timer moves it.
 * repeat_ms 0 is once.
 */
struct fr_timer;
typedef void (*fr_timer_f)(void *arg);
int fr_timer_create(uv_loop_t *loop, fr_timer_f cb, void *arg, struct fr_timer **ret);
void fr_timer_start(struct fr_timer *timer, uint64_t after_ms, uint64_t repeat_ms);
void fr_timer_stop(struct fr_timer *timer);
void fr_timer_free(struct fr_timer *timer);

/*
 * Readiness of a descriptor, which the caller keeps and closes after fr_poll_free().
 * events is a mask of UV_READABLE, UV_WRITABLE, UV_DISCONNECT; 0 pauses. The callback gets
 * what happened, or a negative errno in status.
 */
struct fr_poll;
typedef void (*fr_poll_f)(void *arg, int status, int events);
int fr_poll_create(uv_loop_t *loop, int fd, fr_poll_f cb, void *arg, struct fr_poll **ret);
int fr_poll_set(struct fr_poll *poll, int events);
void fr_poll_free(struct fr_poll *poll);

/*
 * A wake-up from another thread (or this one): the callback runs on the loop, once for any
 * number of sends since it last ran.
 */
struct fr_wake;
typedef void (*fr_wake_f)(void *arg);
int fr_wake_create(uv_loop_t *loop, fr_wake_f cb, void *arg, struct fr_wake **ret);
void fr_wake_send(struct fr_wake *wake);
void fr_wake_free(struct fr_wake *wake);

/*
 * Work off the loop: work() runs on libuv's pool and must touch nothing that the loop touches;
 * done() then runs on the loop with work's result (or -ECANCELED). Cannot be taken back once
 * queued; the owner of arg outlives it.
 */
typedef int (*fr_work_f)(void *arg);
typedef void (*fr_work_done_f)(void *arg, int result);
int fr_work_queue(uv_loop_t *loop, fr_work_f work, fr_work_done_f done, void *arg);

/* Seconds since the epoch, to the microsecond or better (RFC 18's timestamp). */
double fr_time_now(void);

#endif
