// SPDX-License-Identifier: LGPL-3.0-only
#include "core/sign_ins.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define SETS 256 /* a power of two */
#define WAYS 4
#define SUMS 4 /* wrong credentials that are remembered of a peer */
#define MINUTE 60.0

struct key {
    unsigned char address[16]; /* zero: of this machine */
    int64_t uid;               /* -1: nobody knows whose */
};

struct entry {
    struct key key;
    double failed; /* how many, less what time has forgiven; 0: free */
    double since;  /* when that was so */
    uint64_t sums[SUMS];
    unsigned int next_sum;
};

struct fr_sign_ins {
    double limit;
    double last; /* when one failed last */
    unsigned char hash_key[crypto_shorthash_KEYBYTES];
    struct entry entries[SETS][WAYS];
};

int fr_sign_ins_create(unsigned int limit, struct fr_sign_ins **ret)
{
    struct fr_sign_ins *sign_ins = calloc(1, sizeof *sign_ins);

    if (!sign_ins)
        return -ENOMEM;
    sign_ins->limit = limit;
    sign_ins->last = -INFINITY;
    randombytes_buf(sign_ins->hash_key, sizeof sign_ins->hash_key);
    *ret = sign_ins;
    return 0;
}

void fr_sign_ins_free(struct fr_sign_ins *sign_ins)
{
    free(sign_ins);
}

static struct key key_of(const struct fr_peer *peer)
{
    struct key key = {.uid = peer->uid};
    char host[sizeof peer->address];
    const char *port;

    if (peer->is_unix || peer->is_loopback ||
        !fr_text_split_host(peer->address, host, sizeof host, &port))
        return key;
    key.uid = -1;
    if (inet_pton(AF_INET, host, key.address) != 1 &&
        inet_pton(AF_INET6, host, key.address) == 1)
        memset(key.address + 8, 0, 8);
    return key;
}

static const struct entry *set_of(const struct fr_sign_ins *sign_ins, const struct key *key)
{
    uint64_t hash;

    (void)crypto_shorthash((unsigned char *)&hash, (const unsigned char *)key, sizeof *key,
                           sign_ins->hash_key);
    return sign_ins->entries[hash & (SETS - 1)];
}

static double failed_by(const struct fr_sign_ins *sign_ins, const struct entry *entry,
                        double now)
{
    return fmax(0, entry->failed - (now - entry->since) * sign_ins->limit / MINUTE);
}

bool fr_sign_ins_any(const struct fr_sign_ins *sign_ins)
{
    return sign_ins->last > -INFINITY;
}

unsigned int fr_sign_ins_wait(const struct fr_sign_ins *sign_ins, const struct fr_peer *peer,
                              double now)
{
    /* The usual case, in which credentials should cost nothing more. */
    if (now > sign_ins->last + MINUTE)
        return 0;
    const struct key key = key_of(peer);
    const struct entry *set = set_of(sign_ins, &key);
    for (size_t i = 0; i < WAYS; i++) {
        double failed = failed_by(sign_ins, &set[i], now);
        if (memcmp(&set[i].key, &key, sizeof key) == 0 && failed > sign_ins->limit - 1)
            return (unsigned int)ceil((failed - (sign_ins->limit - 1)) * MINUTE /
                                      sign_ins->limit);
    }
    return 0;
}

/* The peer's entry, or the one of those that can be given up that has failed least. */
static struct entry *place_of(struct fr_sign_ins *sign_ins, const struct key *key, double now)
{
    struct entry *set = (struct entry *)set_of(sign_ins, key), *least = set;

    for (size_t i = 0; i < WAYS; i++) {
        if (memcmp(&set[i].key, key, sizeof *key) == 0 && set[i].failed > 0)
            return &set[i];
        if (failed_by(sign_ins, &set[i], now) < failed_by(sign_ins, least, now))
            least = &set[i];
    }
    *least = (struct entry){.key = *key, .since = now};
    return least;
}

void fr_sign_ins_note(struct fr_sign_ins *sign_ins, const struct fr_peer *peer, uint64_t sum,
                      double now)
{
    const struct key key = key_of(peer);
    struct entry *entry = place_of(sign_ins, &key, now);

    for (size_t i = 0; i < SUMS && entry->failed > 0; i++)
        if (entry->sums[i] == sum)
            return;
    entry->sums[entry->next_sum++ % SUMS] = sum;
    entry->failed = failed_by(sign_ins, entry, now) + 1;
    entry->since = now;
    sign_ins->last = now;
}
