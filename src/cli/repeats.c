// SPDX-License-Identifier: LGPL-3.0-only
#include "cli/repeats.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS (4 * FR_REPEATS_JOBS) /* a power of two */

struct slot {
    uint64_t id;
    int64_t next; /* the index after the last that came; 0: an empty slot */
};

/* When one set is full the other is forgotten: what is in neither was not heard of for long. */
struct fr_repeats {
    struct slot sets[2][SLOTS];
    unsigned int young; /* which of them */
    size_t count;       /* of jobs in it */
};

struct fr_repeats *fr_repeats_create(void)
{
    return calloc(1, sizeof(struct fr_repeats));
}

void fr_repeats_free(struct fr_repeats *repeats)
{
    free(repeats);
}

/* The job's slot, or the empty one where it would be. */
static struct slot *find(struct slot *set, uint64_t id)
{
    size_t at = (size_t)((id * 0x9e3779b97f4a7c15U) >> 40) % SLOTS;

    while (set[at].next > 0 && set[at].id != id)
        at = (at + 1) % SLOTS;
    return &set[at];
}

bool fr_repeats_note(struct fr_repeats *repeats, uint64_t id, int64_t index)
{
    struct slot *slot = find(repeats->sets[repeats->young], id);
    int64_t next = slot->next > 0 ? slot->next : find(repeats->sets[!repeats->young], id)->next;

    if (slot->next == 0) {
        if (repeats->count == FR_REPEATS_JOBS) {
            repeats->young = !repeats->young;
            repeats->count = 0;
            memset(repeats->sets[repeats->young], 0, sizeof repeats->sets[0]);
            slot = find(repeats->sets[repeats->young], id);
        }
        repeats->count++;
    }
    *slot = (struct slot){id, index >= next ? index + 1 : next};
    return index < next;
}
