// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The audit log: who did what to which job from where. One line of JSON for each act, written
 * at once, never with a secret. Secrets have no way here: an entry has fixed fields, none of
 * which holds credentials, a request's body or its query.
 *
 * A job runs as the same user as the daemon and can change the file; a log that it cannot touch
 * is standard error, where a service manager takes it.
 */
#ifndef FR_CORE_AUDIT_H
#define FR_CORE_AUDIT_H

#include <stdint.h>

#include "base/error.h"
#include "core/auth.h"
#include "http/message.h"

struct fr_audit;

/* Who acts, as a copy: an act may outlive its request. */
struct fr_actor {
    struct fr_identity who;
    int64_t uid; /* of the peer; -1: unknown */
    char from[sizeof((struct fr_peer *)0)->address];
    char request[FR_REQ_ID_MAX + 1];
};

struct fr_act {
    const char *what;    /* an operationId of the interface, such as "cancelJob" */
    const uint64_t *id;  /* the job that it was done to, or NULL */
    const char *target;  /* what else, such as a node's or token's name; NULL or "": nothing */
    unsigned int status; /* that it was answered with; 0: nobody was there any more */
    const char *code;    /* the word of an error's code, or NULL */
};

/*
 * Opens the log: a file, made with mode 0600 and its directory too, or "-", standard error. A
 * file over max bytes is renamed to PATH.1, in place of the one before, and begun anew; so is
 * one that another daemon, or anybody, has put away. Links are not followed. 0; -EPERM for a
 * file that is not ours alone; another negative errno, with err.
 */
int fr_audit_open(const char *path, uint64_t max, struct fr_audit **ret, struct fr_error *err);
void fr_audit_close(struct fr_audit *audit); /* NULL is allowed */

/* Writes a line; audit may be NULL. That it could not be written is logged, once in a row. */
void fr_audit_put(struct fr_audit *audit, const struct fr_actor *actor,
                  const struct fr_act *act);

#endif
