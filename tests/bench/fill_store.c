// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Fills a store of the local engine with jobs that have ended, by the store's own functions:
 *
 *   fill_store STATE_DIR COUNT
 *
 * The directory must exist and no daemon may use it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "engine/local/store.h"
#include "model/fluid.h"

#define BATCH 1000

#define JOBSPEC                                                                                \
    "{\"resources\":[{\"type\":\"slot\",\"count\":1,\"label\":\"task\",\"with\":[{\"type\":"   \
    "\"core\",\"count\":1}]}],\"tasks\":[{\"command\":[\"python3\",\"simulate.py\",\"--"       \
    "seed\","                                                                                  \
    "\"%u\"],\"slot\":\"task\",\"count\":{\"per_slot\":1}}],\"attributes\":{\"system\":{"      \
    "\"duration\":3600.0,\"cwd\":\"/home/user/project\",\"shell\":{\"options\":{}}}},"         \
    "\"version\":1}"

static unsigned int pending;

static bool on_stored(void *arg, const struct fr_unit *unit, int result,
                      const struct fr_error *err)
{
    if (result < 0) {
        (void)fprintf(stderr, "fill_store: %s\n", err->text);
        exit(EXIT_FAILURE);
    }
    pending--;
    return false;
}

static void on_closed(void *arg)
{
}

static void put(struct fr_store *store, uint64_t id, unsigned int number, double now)
{
    struct fr_unit *unit = fr_unit_create(id, on_stored, NULL);

    if (!unit || asprintf(&unit->jobspec, JOBSPEC, number) < 0)
        exit(EXIT_FAILURE);
    unit->environment = strdup("{\"PATH\":\"/usr/bin:/bin\",\"HOME\":\"/home/user\"}");
    unit->urgency = 16;
    if (asprintf(&unit->R,
                 "{\"version\":1,\"execution\":{\"R_lite\":[{\"rank\":\"0\",\"children\":{"
                 "\"core\":\"0\"}}],\"nodelist\":[\"laptop\"],\"starttime\":%.6f,"
                 "\"expiration\":0}}",
                 now) < 0)
        exit(EXIT_FAILURE);
    fr_unit_event(unit, "submit", now, 0,
                  strdup("{\"userid\":1000,\"urgency\":16,\"flags\":0,\"version\":1}"));
    fr_unit_event(unit, "validate", now, 1, NULL);
    fr_unit_event(unit, "depend", now, 2, NULL);
    fr_unit_event(unit, "priority", now, 3, strdup("{\"priority\":16}"));
    fr_unit_event(unit, "alloc", now + 0.1, 4, NULL);
    fr_unit_event(unit, "start", now + 0.2, 5, NULL);
    fr_unit_event(unit, "finish", now + 1, 6, strdup("{\"status\":0}"));
    fr_unit_event(unit, "release", now + 1, 7, strdup("{\"ranks\":\"all\",\"final\":true}"));
    fr_unit_event(unit, "free", now + 1, 8, NULL);
    fr_unit_event(unit, "clean", now + 1, 9, NULL);
    pending++;
    fr_store_put(store, unit);
}

int main(int argc, char **argv)
{
    struct fr_error err = {.text = ""};
    struct fr_store *store;
    struct fr_fluid_gen ids;
    char path[4096];
    unsigned int count;
    uv_loop_t loop;

    if (argc != 3)
        return EXIT_FAILURE;
    count = (unsigned int)strtoul(argv[2], NULL, 10);
    (void)snprintf(path, sizeof(path), "%s/store.db", argv[1]);
    if (uv_loop_init(&loop) < 0 || fr_store_open(&loop, path, &store, &err) < 0) {
        (void)fprintf(stderr, "fill_store: %s\n", err.text);
        return EXIT_FAILURE;
    }
    ids = (struct fr_fluid_gen){fr_store_epoch(store), fr_store_last_id(store)};
    fr_store_release(store);
    for (unsigned int i = 0; i < count; i++) {
        double now = fr_time_now();

        put(store, fr_fluid_next(&ids, (uint64_t)(now * 1000)), i, now);
        while (pending >= BATCH)
            (void)uv_run(&loop, UV_RUN_ONCE);
    }
    fr_store_close(store, on_closed, NULL);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    return EXIT_SUCCESS;
}
