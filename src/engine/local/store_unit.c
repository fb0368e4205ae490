// SPDX-License-Identifier: LGPL-3.0-only
#include <assert.h>
#include <string.h>

#include "base/util.h"
#include "engine/local/store_inner.h"

struct fr_unit *fr_unit_create(uint64_t id, fr_unit_f done, void *arg)
{
    struct fr_unit *unit = calloc(1, sizeof(*unit));

    if (!unit)
        return NULL;
    unit->id = id;
    unit->done = done;
    unit->arg = arg;
    unit->duration = -1;
    unit->expiration = -1;
    unit->events = unit->first;
    unit->cap = FR_UNIT_EVENTS;
    return unit;
}

void fr_unit_free(struct fr_unit *unit)
{
    if (!unit)
        return;
    for (size_t i = 0; i < unit->nevents; i++)
        free((char *)(uintptr_t)unit->events[i].context);
    if (unit->events != unit->first)
        free(unit->events);
    free(unit->jobspec);
    free(unit->environment);
    free(unit->R);
    free(unit);
}

int fr_unit_reserve(struct fr_unit *unit, size_t count)
{
    struct fr_event *events;

    if (count <= unit->cap)
        return 0;
    events = calloc(count, sizeof(*events));
    if (!events)
        return -ENOMEM;
    memcpy(events, unit->events, unit->nevents * sizeof(*events));
    if (unit->events != unit->first)
        free(unit->events);
    unit->events = events;
    unit->cap = count;
    return 0;
}

void fr_unit_event(struct fr_unit *unit, const char *name, double timestamp, int64_t index,
                   char *context)
{
    size_t n = unit->nevents++;

    assert(n < unit->cap);
    unit->events[n] = (struct fr_event){
        .timestamp = timestamp, .name = name, .context = context, .index = index};
}
