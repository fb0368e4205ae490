// SPDX-License-Identifier: LGPL-3.0-only
#include "api/submission.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "base/text.h"
#include "base/util.h"

/*
 * How long an answer waits for its job to appear in the table, so that whoever reads the answer
 * and then asks for the job finds it. With Flux the answer to a submit can overtake the
 * journal by some milliseconds.
 */
#define APPEAR_MS 2000
/* A submit of an earlier daemon has come into Flux's journal by then. */
#define LATE_SECONDS 3.0

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

struct pending {
    struct fr_api *api;
    struct fr_actor actor;
    uint64_t id;
    bool has_key;
    struct fr_key key;
    struct fr_subscription *subscription;
    struct fr_timer *timer;
    fr_submission_f cb;
    void *arg;
};

static void finish(struct pending *pending, const struct fr_error *err)
{
    fr_submission_f cb = pending->cb;
    void *arg = pending->arg;
    uint64_t id = pending->id;

    fr_hub_unsubscribe(pending->subscription);
    fr_timer_free(pending->timer);
    free(pending);
    cb(arg, id, err);
}

/* While a lost engine's jobs are read again, news may run ahead of the table that is read. */
static void on_appeared(void *arg, const struct fr_news *news)
{
    struct pending *pending = arg;

    if (fr_table_find(fr_service_table(pending->api->service), pending->id))
        finish(pending, NULL);
}

static void on_not_appeared(void *arg)
{
    finish(arg, NULL);
}

static void wait_until_known(struct pending *pending)
{
    struct fr_api *api = pending->api;

    if (!fr_table_find(fr_service_table(api->service), pending->id))
        pending->subscription =
            fr_hub_subscribe(fr_service_hub(api->service), pending->id, on_appeared, pending);
    if (!pending->subscription ||
        fr_timer_create(api->loop, on_not_appeared, pending, &pending->timer) < 0)
        finish(pending, NULL);
    else
        fr_timer_start(pending->timer, APPEAR_MS, 0);
}

/* What may have been done is noted too. */
static void note_submitted(const struct pending *pending, const struct fr_error *err)
{
    const struct fr_act act = {.what = "submitJob",
                               .id = err ? NULL : &pending->id,
                               .code = err ? fr_code_word(err->code) : NULL};

    if (!err || err->code == FR_CODE_OUTCOME_UNKNOWN)
        fr_audit_put(pending->api->audit, &pending->actor, &act);
}

static void on_submitted(void *arg, uint64_t id, const struct fr_error *err)
{
    struct pending *pending = arg;
    struct fr_keys *keys = fr_service_keys(pending->api->service);
    double now = fr_time_now();

    pending->id = id;
    note_submitted(pending, err);
    if (pending->has_key && err)
        fr_keys_release(keys, &pending->key, err->code == FR_CODE_OUTCOME_UNKNOWN, now);
    else if (pending->has_key)
        fr_keys_settle(keys, &pending->key, id, now);
    if (err)
        finish(pending, err);
    else
        wait_until_known(pending);
}

/* Whether nothing can be submitted now; err says why. */
static bool is_refused_now(const struct fr_service *service, bool has_key, struct fr_error *err)
{
    const char *lost = fr_service_lost(service);
    bool late = fr_service_engine(service)->ops->submits_late &&
                fr_time_now() < fr_service_caught_up(service) + LATE_SECONDS;

    if (fr_service_is_stopping(service))
        fr_error_set(err, EAGAIN, FR_CODE_STOPPING,
                     "the service is stopping and takes no more jobs");
    else if (lost)
        fr_error_set(err, EAGAIN, FR_CODE_NOT_SENT, "nothing was submitted: %s", lost);
    else if (!fr_service_is_ready(service))
        fr_error_set(err, EAGAIN, FR_CODE_UNAVAILABLE,
                     "the engine's jobs are still being read; try again in a moment");
    else if (has_key && late)
        fr_error_set(err, EAGAIN, FR_CODE_NOT_SENT,
                     "nothing was submitted: a job with this key may still be on its way; try "
                     "again in some seconds");
    else
        return false;
    return true;
}

/* The key of the request, out of its fields or beside them. False with a problem. */
static bool take_key(const struct fr_submission_request *request, json_t **ret_owner,
                     const char **ret_key, struct fr_problems *problems)
{
    json_t *member = json_object_get(request->fields, "key");
    const char *key = request->key;

    *ret_owner = json_incref(member);
    if (member && !json_is_null(member)) {
        const char *text = json_string_value(member);
        if (!text || (key && strcmp(key, text) != 0)) {
            fr_problems_add(problems, FR_CODE_INVALID, "/key",
                            text ? "key is not what Idempotency-Key says"
                                 : "key must be a text");
            return false;
        }
        key = text;
    }
    (void)json_object_del(request->fields, "key");
    if (key && (!*key || strlen(key) > FR_KEYS_MAX || !fr_text_is_utf8(key))) {
        fr_problems_add(problems, FR_CODE_INVALID, "/key",
                        "a key is a UTF-8 text of 1 to %d bytes", FR_KEYS_MAX);
        return false;
    }
    *ret_key = key;
    return true;
}

/* Puts the key where the next daemon finds it. 0 or -ENOMEM. */
static int mark(struct fr_jobspec *spec, json_t *attribute)
{
    json_t *attributes = json_object_get(spec->json, "attributes");
    json_t *user = json_object_get(attributes, "user");

    if (!user) {
        user = json_object();
        if (json_object_set_new(attributes, "user", user) < 0)
            return -ENOMEM;
    }
    return json_object_set(user, FR_KEYS_ATTRIBUTE, attribute) < 0 ? -ENOMEM : 0;
}

static enum fr_submission no_memory(struct fr_error *err)
{
    fr_error_set(err, ENOMEM, FR_CODE_INTERNAL, "the daemon has no memory for this; try again");
    return FR_SUBMISSION_FAILED;
}

/* PENDING if the key is claimed. */
static enum fr_submission claim(struct fr_service *service, const struct fr_key *key,
                                uint64_t *ret_id, struct fr_error *err)
{
    switch (fr_keys_claim(fr_service_keys(service), key, fr_time_now(), ret_id)) {
    case FR_KEYS_NEW:
        return FR_SUBMISSION_PENDING;
    case FR_KEYS_KNOWN:
        return FR_SUBMISSION_KNOWN;
    case FR_KEYS_OTHER:
        fr_error_set(err, EEXIST, FR_CODE_KEY_REUSED,
                     "this key was used for another request; a new request needs a new key");
        return FR_SUBMISSION_FAILED;
    case FR_KEYS_IN_FLIGHT:
        fr_error_set(err, EBUSY, FR_CODE_KEY_IN_FLIGHT,
                     "a request with this key is being submitted; ask again in a moment");
        return FR_SUBMISSION_FAILED;
    case FR_KEYS_NO_MEMORY:
        break;
    }
    return no_memory(err);
}

static int build(const struct fr_submission_request *request, struct fr_jobspec_submit *ret,
                 struct fr_problems *problems)
{
    struct fr_engine *engine = fr_service_engine(request->api->service);
    struct fr_jobspec_place place = {.cwd = request->api->cwd,
                                     .environ = request->api->environ};

    engine->ops->size(engine, &place.nodes, &place.cores, &place.gpus);
    return fr_jobspec_build(request->fields, &place, ret, problems);
}

/* Hands a built job to the engine; pending says whom to tell. */
static enum fr_submission hand_over(struct pending *pending, struct fr_jobspec_submit *submit,
                                    json_t *attribute, uint64_t *ret_id, struct fr_error *err)
{
    struct fr_api *api = pending->api;
    struct fr_engine *engine = fr_service_engine(api->service);

    if (attribute && mark(submit->spec, attribute) < 0)
        return no_memory(err);
    if (pending->has_key) {
        enum fr_submission claimed = claim(api->service, &pending->key, ret_id, err);
        if (claimed != FR_SUBMISSION_PENDING)
            return claimed;
    }
    engine->ops->submit(engine, fr_take(submit->spec), submit->urgency, on_submitted, pending);
    return FR_SUBMISSION_PENDING;
}

enum fr_submission fr_submission_begin(const struct fr_submission_request *request,
                                       fr_submission_f cb, void *arg, uint64_t *ret_id,
                                       struct fr_problems *problems, struct fr_error *err)
{
    _cleanup_(fr_cleanup_json) json_t *owner = NULL, *attribute = NULL;
    struct fr_jobspec_submit submit = {0};
    const char *key = NULL;

    if (!take_key(request, &owner, &key, problems))
        return FR_SUBMISSION_INVALID;
    if (!request->dry_run && is_refused_now(request->api->service, key, err))
        return FR_SUBMISSION_FAILED;
    int rc = build(request, &submit, problems);
    if (rc < 0)
        return rc == -ENOMEM ? no_memory(err) : FR_SUBMISSION_INVALID;
    struct pending *pending = request->dry_run ? NULL : calloc(1, sizeof *pending);
    enum fr_submission result = request->dry_run ? FR_SUBMISSION_VALID : FR_SUBMISSION_FAILED;
    if (pending) {
        *pending = (struct pending){.api = request->api,
                                    .actor = *request->actor,
                                    .has_key = key,
                                    .cb = cb,
                                    .arg = arg};
        rc = key ? fr_key_make(request->actor->who.user, key, request->fields, &pending->key,
                               &attribute)
                 : 0;
    }
    if (!request->dry_run && (!pending || rc < 0))
        result = no_memory(err);
    else if (pending)
        result = hand_over(pending, &submit, attribute, ret_id, err);
    if (result != FR_SUBMISSION_PENDING) {
        fr_jobspec_free(submit.spec);
        free(pending);
    }
    return result;
}
