// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The service: one engine, the table and the hub that its journal fills, and the state that
 * they are in together. Belongs to the loop.
 */
#ifndef FR_CORE_SERVICE_H
#define FR_CORE_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "core/hub.h"
#include "core/keys.h"
#include "core/table.h"
#include "engine/engine.h"

struct fr_service;

/* What is told to whoever made the service. */
struct fr_service_hooks {
    /* The first backlog is in: the service is ready. Once. */
    void (*ready)(void *arg);
    /* The engine was lost (reason), or is back (NULL). */
    void (*engine_state)(void *arg, const char *lost_reason);
    /*
     * The service should stop: somebody asked for it, with the instance or without, or the
     * engine ended (err may say why). Once.
     */
    void (*stop)(void *arg, bool with_instance, const struct fr_error *err);
    void *arg;
};

/* events_max: bytes of event texts kept. hooks are copied. 0 or -ENOMEM. */
int fr_service_create(size_t events_max, const struct fr_service_hooks *hooks,
                      struct fr_service **ret);
/* After the engine has closed, or if it never opened. NULL is allowed. */
void fr_service_free(struct fr_service *service);

/* Where the engine's news go; borrowed, for the engine's create function. */
const struct fr_engine_sink *fr_service_sink(struct fr_service *service);

/* The engine from now on; freed by its own close. NULL once it has closed. */
void fr_service_set_engine(struct fr_service *service, struct fr_engine *engine);
struct fr_engine *fr_service_engine(const struct fr_service *service);

/* The jobs. Before the service is ready it holds none. Borrowed; changes when a lost engine is
 * back, so ask again after any return to the loop. */
const struct fr_table *fr_service_table(const struct fr_service *service);
struct fr_hub *fr_service_hub(const struct fr_service *service);
struct fr_keys *fr_service_keys(const struct fr_service *service);
/* When the engine's backlog was in last, seconds since the epoch; 0: not yet. */
double fr_service_caught_up(const struct fr_service *service);

/* Rises when jobs changed without an event: the table was replaced, or some were purged. */
uint64_t fr_service_version(const struct fr_service *service);

/* The first backlog of this instance is in. */
bool fr_service_is_ready(const struct fr_service *service);
/* A backlog is being read: news may run ahead of the table. */
bool fr_service_is_loading(const struct fr_service *service);
/* Why the engine cannot be reached, or NULL if it can. Borrowed. */
const char *fr_service_lost(const struct fr_service *service);
/* No more submissions are taken. */
bool fr_service_is_stopping(const struct fr_service *service);
/* When the service began, seconds since the epoch. */
double fr_service_started(const struct fr_service *service);

/* fr_service_stop() has been called. */
bool fr_service_is_ending(const struct fr_service *service);

/* No more submissions from now on: it is going to stop. */
void fr_service_refuse_submits(struct fr_service *service);

/*
 * Asks to stop: no more submissions from now on; the stop hook is told once, from
 * inside this call. with_instance: end the engine's instance too.
 */
void fr_service_stop(struct fr_service *service, bool with_instance,
                     const struct fr_error *err);

#endif
