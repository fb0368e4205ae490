// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The cores of this machine and which are given to jobs.
 *
 * Cores are numbered 0… among those that hwloc finds and our own CPU affinity allows; jobs are
 * bound to the hardware threads behind theirs. Asked for more cores than there are, the count
 * is believed and nothing is bound. Belongs to the loop's thread.
 */
#ifndef FR_LOCAL_RESOURCES_H
#define FR_LOCAL_RESOURCES_H

#include <stdbool.h>

#include "base/error.h"

struct fr_resources;

/* cores 0: all there are. 0, -ENOMEM, or -EIO with err where the machine cannot be read. */
int fr_resources_create(int cores, struct fr_resources **ret, struct fr_error *err);
void fr_resources_free(struct fr_resources *res); /* NULL is allowed */

int fr_resources_total(const struct fr_resources *res);
int fr_resources_unused(const struct fr_resources *res);

/*
 * Takes the `count` lowest cores that are unused. *ret_idset (RFC 22, such as "0-3,6") is the
 * caller's to free. 0, -EBUSY (not so many are unused; nothing is taken), -ENOMEM.
 */
int fr_resources_take(struct fr_resources *res, int count, char **ret_idset);

/* Marks cores as used or unused; those that do not exist (any more) are passed over. */
void fr_resources_mark(struct fr_resources *res, const char *idset, bool used);

/*
 * The CPU numbers behind an idset of cores, with commas, for the caller to free; NULL if jobs
 * are not bound. 0 or -ENOMEM.
 */
int fr_resources_cpus(const struct fr_resources *res, const char *idset, char **ret);

#endif
