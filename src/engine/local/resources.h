// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The cores and GPUs of this machine and which are given to jobs.
 *
 * Cores are numbered 0… among those that hwloc finds and our own CPU affinity allows; jobs are
 * bound to the hardware threads behind theirs. Asked for more cores than there are, the count
 * is believed and nothing is bound. GPUs are numbered 0… in the order of their PCI addresses.
 * Belongs to the loop's thread.
 */
#ifndef FR_LOCAL_RESOURCES_H
#define FR_LOCAL_RESOURCES_H

#include <stdbool.h>

#include "base/error.h"
#include "engine/local/sched.h"

struct fr_resources;

/*
 * cores, gpus: 0 is all there are. 0, -ENOMEM, or -EIO with err where the machine cannot be
 * read.
 */
int fr_resources_create(int cores, int gpus, struct fr_resources **ret, struct fr_error *err);
void fr_resources_free(struct fr_resources *res); /* NULL is allowed */

struct fr_sched_share fr_resources_total(const struct fr_resources *res);
struct fr_sched_share fr_resources_unused(const struct fr_resources *res);

/*
 * Takes the lowest cores and GPUs that are unused. The idsets (RFC 22, such as "0-3,6") are
 * the caller's to free; *ret_gpus is NULL where none were asked for. 0, -EBUSY (not so many
 * are unused; nothing is taken), -ENOMEM.
 */
int fr_resources_take(struct fr_resources *res, struct fr_sched_share share, char **ret_cores,
                      char **ret_gpus);

/*
 * Marks cores and GPUs as used or unused; either may be NULL, and those that do not exist (any
 * more) are passed over.
 */
void fr_resources_mark(struct fr_resources *res, const char *cores, const char *gpus,
                       bool used);

/*
 * The CPU numbers behind an idset of cores, with commas, for the caller to free; NULL if jobs
 * are not bound. 0 or -ENOMEM.
 */
int fr_resources_cpus(const struct fr_resources *res, const char *idset, char **ret);

#endif
