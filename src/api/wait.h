// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Requests that wait until jobs have come to a state: ?wait=run, inactive or change, &timeout=.
 */
#ifndef FR_API_WAIT_H
#define FR_API_WAIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/held.h"

enum fr_wait_for {
    FR_WAIT_NONE,
    FR_WAIT_RUN,      /* runs, or has run */
    FR_WAIT_INACTIVE, /* has ended */
    FR_WAIT_CHANGE    /* anything new */
};

struct fr_wait_params {
    enum fr_wait_for what;
    bool all; /* all of the jobs, not just one */
    uint64_t timeout_ms;
};

/*
 * Reads wait, timeout and (where the route has it) all, of a request whose parameters were
 * checked by the route's table.
 */
void fr_wait_read(struct fr_req *req, struct fr_wait_params *ret);

/* Checks one value, for the route's table. */
void fr_wait_check(const char *name, const char *value, struct fr_problems *problems);
void fr_wait_check_timeout(const char *name, const char *value, struct fr_problems *problems);

/* Answers the request: reached, or the time is over. Must answer at once. */
typedef void (*fr_wait_f)(struct fr_req *req, void *arg, bool reached);

/*
 * Waits for the jobs, whose ids (rising) are taken, also on failure. answer is called once, in
 * a later turn of the loop or at once if there is nothing to wait for; free_arg is called in
 * every case, also if the client leaves. A job that is not known any more counts as reached.
 */
void fr_wait_begin(struct fr_req *req, const struct fr_wait_params *params, uint64_t *ids,
                   size_t count, fr_wait_f answer, void *arg, void (*free_arg)(void *arg));

#endif
