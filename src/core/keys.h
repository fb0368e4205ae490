// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Idempotency keys: which job a keyed submit made, so that the same one again makes no second.
 *
 * The truth is in the jobs: key, caller and a hash of the request stand in the jobspec's
 * attributes.user, and come with the journal after a restart. This is the index over them, and
 * over what is in flight. Belongs to the loop.
 */
#ifndef FR_CORE_KEYS_H
#define FR_CORE_KEYS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a key stands in a jobspec: attributes.user.FR_KEYS_ATTRIBUTE. */
#define FR_KEYS_ATTRIBUTE "idempotency"
#define FR_KEYS_MAX 255 /* bytes of a key */

struct fr_keys;

/* One submit with a key. */
struct fr_key {
    unsigned char name[16];    /* hash of caller and key */
    unsigned char request[16]; /* hash of what was asked for */
};

/* is_known tells whether a job is (still) there: the key of one that is not is free again. */
int fr_keys_create(bool (*is_known)(void *arg, uint64_t id), void *arg, struct fr_keys **ret);
void fr_keys_free(struct fr_keys *keys); /* NULL is allowed */

/*
 * Makes the key of a request: fields is the whole request as an object. With *ret_attribute,
 * an object for the jobspec, which the caller owns. 0 or -ENOMEM.
 */
int fr_key_make(const char *user, const char *key, const json_t *fields, struct fr_key *ret,
                json_t **ret_attribute);

enum fr_keys_claim {
    FR_KEYS_NEW,       /* claimed: to be settled or released */
    FR_KEYS_KNOWN,     /* a job was made for this request: ret_id */
    FR_KEYS_OTHER,     /* the key was used for another request */
    FR_KEYS_IN_FLIGHT, /* this request is being submitted */
    FR_KEYS_NO_MEMORY
};

/* now: seconds since the epoch. */
enum fr_keys_claim fr_keys_claim(struct fr_keys *keys, const struct fr_key *key, double now,
                                 uint64_t *ret_id);

/* A claimed key's job was submitted. */
void fr_keys_settle(struct fr_keys *keys, const struct fr_key *key, uint64_t id, double now);

/*
 * A claimed key's job was not submitted, or (unknown) nobody knows: then it stays in flight for
 * a while, in which the job would show up in the journal.
 */
void fr_keys_release(struct fr_keys *keys, const struct fr_key *key, bool unknown, double now);

/*
 * Reads the key of a job out of attributes.user of its jobspec (may be NULL), if it has one.
 * Without memory it stays unknown.
 */
void fr_keys_note(struct fr_keys *keys, const json_t *user, uint64_t id);

#endif
