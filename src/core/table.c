// SPDX-License-Identifier: LGPL-3.0-only
#include "core/table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

enum group { GROUP_WAITING, GROUP_RUNNING, GROUP_FINISHED, GROUPS };

/*
 * A job in its group's array. An array rises by (key, id), so that the commonest insertion is
 * an append; what waits leaves at the front, what is new is shown from the end.
 */
struct slot {
    double key;
    uint64_t id;
    struct fr_job *job;
};

struct array {
    struct slot *slots;
    size_t first, count, cap; /* slots[first] … slots[first + count - 1] are in use */
};

/* Where a job stands, as it is now. */
struct stand {
    double key;
    enum group group;
    int bit; /* of its state */
};

struct fr_table {
    struct fr_job **entries; /* open addressing, linear probing; NULL is empty */
    size_t mask;             /* size - 1; size is a power of two */
    size_t count;
    size_t states[FR_STATE_BITS];
    struct array groups[GROUPS];
    bool settled; /* jobs stand in their groups; before that only in the hash */
};

#define FIRST_SIZE 64

/* --- the hash --- */

static size_t home_of(const struct fr_table *table, uint64_t id)
{
    id *= 0x9e3779b97f4a7c15u; /* Fibonacci hashing: FLUIDs differ mostly in their high bits */
    return (size_t)(id >> 32) & table->mask;
}

/* The place of the job with this id, or the empty one where it would go. */
static struct fr_job **lookup(const struct fr_table *table, uint64_t id)
{
    for (size_t i = home_of(table, id);; i = (i + 1) & table->mask) {
        struct fr_job **entry = &table->entries[i];
        if (!*entry || (*entry)->id == id)
            return entry;
    }
}

static int grow_hash(struct fr_table *table)
{
    struct fr_job **old = table->entries;
    size_t old_size = table->mask + 1;

    if ((table->count + 1) * 4 <= old_size * 3)
        return 0;
    struct fr_job **entries = calloc(old_size * 2, sizeof(struct fr_job *));
    if (!entries)
        return -ENOMEM;
    table->entries = entries;
    table->mask = old_size * 2 - 1;
    for (size_t i = 0; i < old_size; i++)
        if (old[i])
            *lookup(table, old[i]->id) = old[i];
    free(old);
    return 0;
}

/* Empties an entry and moves up those that probed past it. */
static void erase(struct fr_table *table, struct fr_job **entry)
{
    size_t hole = (size_t)(entry - table->entries);

    table->entries[hole] = NULL;
    for (size_t i = (hole + 1) & table->mask; table->entries[i]; i = (i + 1) & table->mask) {
        size_t home = home_of(table, table->entries[i]->id);
        if (((i - home) & table->mask) >= ((i - hole) & table->mask)) {
            table->entries[hole] = table->entries[i];
            table->entries[i] = NULL;
            hole = i;
        }
    }
}

/* --- the ordered arrays --- */

static int compare(const struct slot *slot, double key, uint64_t id)
{
    if (slot->key != key)
        return slot->key < key ? -1 : 1;
    return slot->id < id ? -1 : slot->id > id;
}

static int compare_slots(const void *a, const void *b)
{
    const struct slot *right = b;

    return compare(a, right->key, right->id);
}

/* How many slots are below (key, id). */
static size_t place_of(const struct array *array, double key, uint64_t id)
{
    const struct slot *slots = array->slots + array->first;
    size_t low = 0, high = array->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (compare(&slots[mid], key, id) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Makes room for one more at the end. */
static int reserve(struct array *array)
{
    if (array->first + array->count < array->cap)
        return 0;
    if (array->first > array->count) {
        memmove(array->slots, array->slots + array->first, array->count * sizeof(struct slot));
        array->first = 0;
        return 0;
    }
    size_t cap = array->cap ? array->cap + array->cap / 2 : FIRST_SIZE;
    struct slot *slots = realloc(array->slots, cap * sizeof *slots);
    if (!slots)
        return -ENOMEM;
    array->slots = slots;
    array->cap = cap;
    return 0;
}

/* There is room (reserve()). The shorter side moves. */
static void insert(struct array *array, const struct slot *slot)
{
    size_t at = place_of(array, slot->key, slot->id);
    struct slot *slots = array->slots + array->first;

    if (at < array->count / 2 && array->first > 0) {
        memmove(slots - 1, slots, at * sizeof *slots);
        array->first--;
        slots--;
    } else {
        memmove(slots + at + 1, slots + at, (array->count - at) * sizeof *slots);
    }
    slots[at] = *slot;
    array->count++;
}

static void extract(struct array *array, double key, uint64_t id)
{
    size_t at = place_of(array, key, id);
    struct slot *slots = array->slots + array->first;

    assert(at < array->count && slots[at].id == id);
    array->count--;
    if (at < array->count / 2) {
        memmove(slots + 1, slots, at * sizeof *slots);
        array->first++;
    } else {
        memmove(slots + at, slots + at + 1, (array->count - at) * sizeof *slots);
    }
}

/* --- jobs --- */

static int state_bit(const struct fr_job *job)
{
    return __builtin_ctz(job->state);
}

static enum group group_of(const struct fr_job *job)
{
    if (job->state == FR_STATE_INACTIVE)
        return GROUP_FINISHED;
    return job->state & FR_STATES_RUNNING ? GROUP_RUNNING : GROUP_WAITING;
}

/* What a group is ordered by. Waiting jobs are shown from the front, others from the end. */
static double key_of(const struct fr_job *job, enum group group)
{
    if (group == GROUP_WAITING)
        return -(double)(job->priority >= 0 ? job->priority : job->urgency);
    return group == GROUP_RUNNING ? job->t_run : job->t_inactive;
}

static struct stand stand_of(const struct fr_job *job)
{
    enum group group = group_of(job);

    return (struct stand){key_of(job, group), group, state_bit(job)};
}

/* There is room in every group. */
static void place(struct fr_table *table, struct fr_job *job)
{
    struct stand stand = stand_of(job);

    if (table->settled)
        insert(&table->groups[stand.group], &(struct slot){stand.key, job->id, job});
    table->states[stand.bit]++;
}

/* Takes a job away from where it stood. */
static void displace(struct fr_table *table, const struct fr_job *job,
                     const struct stand *stand)
{
    if (table->settled)
        extract(&table->groups[stand->group], stand->key, job->id);
    table->states[stand->bit]--;
}

int fr_table_create(struct fr_table **ret)
{
    struct fr_table *table = calloc(1, sizeof *table);

    if (!table)
        return -ENOMEM;
    table->entries = calloc(FIRST_SIZE, sizeof(struct fr_job *));
    if (!table->entries) {
        free(table);
        return -ENOMEM;
    }
    table->mask = FIRST_SIZE - 1;
    *ret = table;
    return 0;
}

void fr_table_free(struct fr_table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i <= table->mask; i++)
        fr_job_free(table->entries[i]);
    for (int i = 0; i < GROUPS; i++)
        free(table->groups[i].slots);
    free(table->entries);
    free(table);
}

int fr_table_settle(struct fr_table *table)
{
    for (int i = 0; i < GROUPS; i++) {
        struct slot *slots = calloc(table->count + FIRST_SIZE, sizeof *slots);
        if (!slots)
            return -ENOMEM;
        free(table->groups[i].slots);
        table->groups[i] = (struct array){.slots = slots, .cap = table->count + FIRST_SIZE};
    }
    for (size_t i = 0; i <= table->mask; i++) {
        struct fr_job *job = table->entries[i];
        if (!job)
            continue;
        struct stand stand = stand_of(job);
        struct array *array = &table->groups[stand.group];
        array->slots[array->count++] = (struct slot){stand.key, job->id, job};
    }
    for (int i = 0; i < GROUPS; i++)
        qsort(table->groups[i].slots, table->groups[i].count, sizeof(struct slot),
              compare_slots);
    table->settled = true;
    return 0;
}

static int add(struct fr_table *table, uint64_t id, struct fr_job **ret)
{
    int rc = grow_hash(table);

    if (rc < 0)
        return rc;
    struct fr_job *job = fr_job_create(id);
    if (!job)
        return -ENOMEM;
    *lookup(table, id) = job;
    table->count++;
    place(table, job);
    *ret = job;
    return 0;
}

int fr_table_add(struct fr_table *table, struct fr_job **job, uint64_t seq)
{
    int rc = grow_hash(table);
    struct fr_job **entry;

    assert(!table->settled);
    if (rc < 0)
        return rc;
    entry = lookup(table, (*job)->id);
    if (*entry)
        return -EALREADY;
    *entry = *job;
    *job = NULL;
    (*entry)->changed_seq = seq;
    table->count++;
    table->states[state_bit(*entry)]++;
    return 0;
}

static void drop(struct fr_table *table, struct fr_job *job, const struct stand *stand)
{
    displace(table, job, stand);
    erase(table, lookup(table, job->id));
    table->count--;
    fr_job_free(job);
}

static int reserve_all(struct fr_table *table)
{
    for (int i = 0; i < GROUPS; i++)
        if (reserve(&table->groups[i]) < 0)
            return -ENOMEM;
    return 0;
}

int fr_table_apply(struct fr_table *table, uint64_t id, const struct fr_event *event,
                   const struct fr_jobspec *jobspec, const struct fr_rset *R, uint64_t seq,
                   const struct fr_job **ret_job, struct fr_error *err)
{
    struct fr_job *job = *lookup(table, id);
    int rc = reserve_all(table); /* so that no job can fall out of its group below */

    if (rc < 0)
        return rc;
    if (!job) {
        if (strcmp(event->name, "submit") != 0)
            return -ENOENT;
        rc = add(table, id, &job);
        if (rc < 0)
            return rc;
    }
    struct stand before = stand_of(job);
    rc = fr_job_apply(job, event, jobspec, R, err);
    if (rc == -EALREADY)
        return rc;
    job->changed_seq = seq;
    if (job->invalidated) {
        drop(table, job, &before);
        *ret_job = NULL;
        return rc;
    }
    struct stand after = stand_of(job);
    if (after.group != before.group || after.key != before.key || after.bit != before.bit) {
        displace(table, job, &before);
        place(table, job);
    }
    *ret_job = job;
    return rc;
}

void fr_table_remove(struct fr_table *table, uint64_t id)
{
    struct fr_job *job = *lookup(table, id);

    if (job) {
        struct stand stand = stand_of(job);
        drop(table, job, &stand);
    }
}

const struct fr_job *fr_table_find(const struct fr_table *table, uint64_t id)
{
    return *lookup(table, id);
}

size_t fr_table_count(const struct fr_table *table)
{
    return table->count;
}

void fr_table_count_states(const struct fr_table *table, size_t counts[FR_STATE_BITS])
{
    memcpy(counts, table->states, sizeof table->states);
}

static int states_of_group(int group)
{
    static const int states[] = {
        [GROUP_WAITING] = FR_STATE_NEW | FR_STATES_PENDING,
        [GROUP_RUNNING] = FR_STATES_RUNNING,
        [GROUP_FINISHED] = FR_STATE_INACTIVE,
    };

    return states[group];
}

struct fr_table_walk fr_table_walk(const struct fr_table *table, int states)
{
    return (struct fr_table_walk){.table = table, .states = states};
}

/*
 * Jobs lie all over the memory, and a walk would wait for each: it asks early for those that it
 * comes to, and somewhat later, when they have come, for their texts.
 */
#define AHEAD 12
#define TEXTS_AHEAD 6

static void fetch_ahead(const struct fr_table_walk *walk, const struct slot *slots, size_t left)
{
    const bool from_front = walk->group == GROUP_WAITING;
    const struct fr_job *job;

    if (left > AHEAD) {
        job = (from_front ? slots + AHEAD : slots - AHEAD)->job;
        __builtin_prefetch(job);
        __builtin_prefetch(&job->urgency);
    }
    if (walk->with_texts && left > TEXTS_AHEAD) {
        job = (from_front ? slots + TEXTS_AHEAD : slots - TEXTS_AHEAD)->job;
        __builtin_prefetch(job->name);
    }
}

const struct fr_job *fr_table_next(struct fr_table_walk *walk)
{
    for (; walk->group < GROUPS; walk->group++, walk->next = 0) {
        const struct array *array = &walk->table->groups[walk->group];
        const struct slot *slots = array->slots + array->first;
        if (!(states_of_group(walk->group) & walk->states))
            continue;
        while (walk->next < array->count) {
            size_t i = walk->next++;
            const struct slot *slot =
                &slots[walk->group == GROUP_WAITING ? i : array->count - 1 - i];
            const struct fr_job *job = slot->job;
            fetch_ahead(walk, slot, array->count - i);
            if (job->state & walk->states)
                return job;
        }
    }
    return NULL;
}

struct fr_table_place fr_table_place(const struct fr_job *job)
{
    const struct stand stand = stand_of(job);

    return (struct fr_table_place){.group = (int)stand.group, .key = stand.key, .id = job->id};
}

void fr_table_walk_after(struct fr_table_walk *walk, const struct fr_table_place *place)
{
    if (place->group < 0 || place->group >= GROUPS)
        return;
    const struct array *array = &walk->table->groups[place->group];
    size_t below = place_of(array, place->key, place->id);

    walk->group = place->group;
    if (place->group == GROUP_WAITING) {
        const struct slot *slot = array->slots + array->first + below;
        bool is_there =
            below < array->count && slot->id == place->id && slot->key == place->key;
        walk->next = below + is_there;
    } else {
        walk->next = array->count - below;
    }
}
