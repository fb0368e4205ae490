// SPDX-License-Identifier: LGPL-3.0-only
/*
 * One job on its way to the engine: from the fields of a request to its id, in one place for
 * all calls that submit.
 */
#ifndef FR_API_SUBMISSION_H
#define FR_API_SUBMISSION_H

#include <jansson.h>

#include "api/api.h"
#include "model/jobspec.h"
#include "model/problems.h"

/* What a submission became. */
enum fr_submission {
    FR_SUBMISSION_PENDING, /* the engine has it: the callback tells */
    FR_SUBMISSION_KNOWN,   /* its key was used before: *ret_id is the first job */
    FR_SUBMISSION_VALID,   /* it was only tried, and could run */
    FR_SUBMISSION_INVALID, /* problems say why */
    FR_SUBMISSION_FAILED   /* err says why */
};

/*
 * The engine has answered, and the job can be read (or did not show up in time, which happens
 * beside a slow Flux). err is NULL on success.
 */
typedef void (*fr_submission_f)(void *arg, uint64_t id, const struct fr_error *err);

struct fr_submission_request {
    struct fr_api *api;
    const struct fr_actor *actor; /* who asks; the key is that user's */
    json_t *fields;               /* an object; its member `key` is taken out */
    const char *key;              /* an idempotency key beside that of the fields, or NULL */
    bool dry_run;                 /* nothing is submitted */
};

/*
 * Submits. cb is called once, later, if the answer is PENDING, and never else. What was handed
 * to the engine cannot be taken back.
 */
enum fr_submission fr_submission_begin(const struct fr_submission_request *request,
                                       fr_submission_f cb, void *arg, uint64_t *ret_id,
                                       struct fr_problems *problems, struct fr_error *err);

#endif
