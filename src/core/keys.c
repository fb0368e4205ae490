// SPDX-License-Identifier: LGPL-3.0-only
#include "core/keys.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "model/fluid.h"

#define FIRST_SIZE 64
/* A job that was just submitted may come into the journal a little later than its answer. */
#define FRESH_SECONDS 60.0
/* What became of a lost submit shows in the journal within this time, or it was never made. */
#define UNKNOWN_SECONDS 30.0

struct entry {
    struct fr_key key;
    uint64_t id;  /* FR_FLUID_ANY: in flight */
    double until; /* before this the entry counts even if the job is not known */
    bool used;
};

struct fr_keys {
    struct entry *entries; /* open addressing; never more than half full */
    size_t mask, count;
    bool (*is_known)(void *arg, uint64_t id);
    void *arg;
};

int fr_keys_create(bool (*is_known)(void *arg, uint64_t id), void *arg, struct fr_keys **ret)
{
    struct fr_keys *keys = calloc(1, sizeof *keys);

    if (!keys)
        return -ENOMEM;
    *keys = (struct fr_keys){.entries = calloc(FIRST_SIZE, sizeof(struct entry)),
                             .mask = FIRST_SIZE - 1,
                             .is_known = is_known,
                             .arg = arg};
    if (!keys->entries) {
        free(keys);
        return -ENOMEM;
    }
    *ret = keys;
    return 0;
}

void fr_keys_free(struct fr_keys *keys)
{
    if (!keys)
        return;
    free(keys->entries);
    free(keys);
}

static void hash(unsigned char out[16], const char *first, const char *second)
{
    crypto_generichash_state state;

    (void)crypto_generichash_init(&state, NULL, 0, 16);
    (void)crypto_generichash_update(&state, (const unsigned char *)first, strlen(first) + 1);
    (void)crypto_generichash_update(&state, (const unsigned char *)second, strlen(second));
    (void)crypto_generichash_final(&state, out, 16);
}

int fr_key_make(const char *user, const char *key, const json_t *fields, struct fr_key *ret,
                json_t **ret_attribute)
{
    _cleanup_(fr_cleanup_str) char *text = json_dumps(fields, JSON_COMPACT | JSON_SORT_KEYS);
    char hex[2 * sizeof ret->request + 1];

    if (!text)
        return -ENOMEM;
    hash(ret->name, user, key);
    hash(ret->request, "", text);
    (void)sodium_bin2hex(hex, sizeof hex, ret->request, sizeof ret->request);
    json_t *attribute = json_pack("{s:s, s:s, s:s}", "key", key, "user", user, "request", hex);
    if (!attribute)
        return -ENOMEM;
    *ret_attribute = attribute;
    return 0;
}

static struct entry *lookup(const struct fr_keys *keys, const struct fr_key *key)
{
    size_t home;

    memcpy(&home, key->name, sizeof home); /* a hash already */
    for (size_t i = home & keys->mask;; i = (i + 1) & keys->mask) {
        struct entry *entry = &keys->entries[i];
        if (!entry->used || memcmp(entry->key.name, key->name, sizeof key->name) == 0)
            return entry;
    }
}

static bool counts(const struct fr_keys *keys, const struct entry *entry, double now)
{
    return now < entry->until ||
           (entry->id != FR_FLUID_ANY && keys->is_known(keys->arg, entry->id));
}

/* Room for one more: keys of jobs that are gone make place first. */
static int make_room(struct fr_keys *keys, double now)
{
    struct entry *old = keys->entries;
    const size_t old_size = keys->mask + 1;
    size_t living = 0;

    if (2 * (keys->count + 1) <= old_size)
        return 0;
    for (size_t i = 0; i < old_size; i++)
        living += old[i].used && counts(keys, &old[i], now);
    size_t size = old_size;
    while (3 * (living + 1) > size)
        size *= 2;
    struct entry *entries = calloc(size, sizeof *entries);
    if (!entries)
        return -ENOMEM;
    keys->entries = entries;
    keys->mask = size - 1;
    keys->count = 0;
    for (size_t i = 0; i < old_size; i++) {
        if (!old[i].used || !counts(keys, &old[i], now))
            continue;
        *lookup(keys, &old[i].key) = old[i];
        keys->count++;
    }
    free(old);
    return 0;
}

/* Puts the entry in, in place of what was known of this key. 0 or -ENOMEM. */
static int put(struct fr_keys *keys, const struct fr_key *key, uint64_t id, double until,
               double now)
{
    if (make_room(keys, now) < 0)
        return -ENOMEM;
    struct entry *entry = lookup(keys, key);
    keys->count += !entry->used;
    *entry = (struct entry){.key = *key, .id = id, .until = until, .used = true};
    return 0;
}

enum fr_keys_claim fr_keys_claim(struct fr_keys *keys, const struct fr_key *key, double now,
                                 uint64_t *ret_id)
{
    const struct entry *entry = lookup(keys, key);

    if (entry->used && counts(keys, entry, now)) {
        if (memcmp(entry->key.request, key->request, sizeof key->request) != 0)
            return FR_KEYS_OTHER;
        if (entry->id == FR_FLUID_ANY)
            return FR_KEYS_IN_FLIGHT;
        *ret_id = entry->id;
        return FR_KEYS_KNOWN;
    }
    return put(keys, key, FR_FLUID_ANY, 1e300, now) < 0 ? FR_KEYS_NO_MEMORY : FR_KEYS_NEW;
}

void fr_keys_settle(struct fr_keys *keys, const struct fr_key *key, uint64_t id, double now)
{
    struct entry *entry = lookup(keys, key);

    if (!entry->used)
        return;
    entry->id = id;
    entry->until = now + FRESH_SECONDS;
}

void fr_keys_release(struct fr_keys *keys, const struct fr_key *key, bool unknown, double now)
{
    struct entry *entry = lookup(keys, key);

    /* If the journal was quicker, the job is there whatever the answer says. */
    if (entry->used && entry->id == FR_FLUID_ANY)
        entry->until = unknown ? now + UNKNOWN_SECONDS : 0;
}

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

void fr_keys_note(struct fr_keys *keys, const json_t *user, uint64_t id)
{
    const json_t *attribute = json_object_get(user, FR_KEYS_ATTRIBUTE);
    const char *key = text_of(attribute, "key"), *who = text_of(attribute, "user");
    const char *request = text_of(attribute, "request");
    struct fr_key made;
    size_t len = 0;

    if (!key || !who || !request)
        return;
    hash(made.name, who, key);
    if (sodium_hex2bin(made.request, sizeof made.request, request, strlen(request), NULL, &len,
                       NULL) != 0 ||
        len != sizeof made.request)
        return;
    (void)put(keys, &made, id, 0, 0);
}
