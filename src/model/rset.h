// SPDX-License-Identifier: LGPL-3.0-only
/*
 * R, the resource set given to a job (RFC 20, version 1): what the rest of us need of it.
 */
#ifndef FR_MODEL_RSET_H
#define FR_MODEL_RSET_H

#include <jansson.h>

#include "base/error.h"

struct fr_rset {
    char *ranks;       /* RFC 22 idset of broker ranks, as Flux shows it: "0", "[0-3]" */
    char *nodelist;    /* RFC 29 hostlist, such as "node[0-3]"; owned */
    int nnodes;        /* ranks in all */
    int ncores;        /* cores in all */
    int ngpus;         /* GPUs in all */
    double starttime;  /* seconds since the epoch, 0 if not given */
    double expiration; /* seconds since the epoch, 0 if unlimited */
};

/*
 * Reads an R object (borrowed). 0; -EINVAL with err if it is no R of version 1; -ENOMEM.
 * The caller frees *ret with fr_rset_free().
 */
int fr_rset_parse(const json_t *R, struct fr_rset **ret, struct fr_error *err);

/* NULL is allowed. */
void fr_rset_free(struct fr_rset *rset);

/*
 * Reads an RFC 22 idset ("0-3,7", "[0-3]", "" is empty) and calls each for every id, rising.
 * 0, -EINVAL (syntax, order, or more than limit ids), or what each returned if not 0.
 */
typedef int (*fr_idset_f)(unsigned int id, void *arg);
int fr_idset_each(const char *text, unsigned int limit, fr_idset_f each, void *arg);

/*
 * Expands an RFC 29 hostlist ("a,node[0-3,07-09]") and calls each for every host in order.
 * 0, -EINVAL (syntax or more than limit hosts), -ENOMEM, or what each returned if not 0.
 */
typedef int (*fr_hostlist_f)(const char *host, void *arg);
int fr_hostlist_each(const char *text, unsigned int limit, fr_hostlist_f each, void *arg);

#endif
