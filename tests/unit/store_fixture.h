// SPDX-License-Identifier: LGPL-3.0-only
/* A store of its own for each test, and what was told of it. */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "engine/local/store.h"

struct store_bench {
    uv_loop_t loop;
    struct fr_store *store;
    char dir[64];
    char path[96];
    bool closed;
};

/* What became of one unit. */
struct store_outcome {
    int calls;
    int result; /* of the last call */
    enum fr_code code;
    uint64_t seq;
    bool keep; /* what the callback says to a failure */
};

struct store_rows {
    char text[4096];
    size_t count;
    uint64_t last_id, last_seq;
};

void store_open(struct store_bench *bench);
void store_close(struct store_bench *bench);
int store_setup(void **state);
int store_teardown(void **state);
void store_put_job(struct store_bench *bench, uint64_t id, size_t size,
                   struct store_outcome *outcome);
void store_put_event(struct store_bench *bench, uint64_t id, const char *name, int64_t index,
                     struct store_outcome *outcome);
void store_wait_calls(struct store_bench *bench, const struct store_outcome *outcome,
                      int calls);
int store_on_row(void *arg, const struct fr_row *row);
struct store_rows store_read_all(struct store_bench *bench);
bool store_on_unit(void *arg, const struct fr_unit *unit, int result,
                   const struct fr_error *err);

#endif
