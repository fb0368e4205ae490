// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The store's own header: what its files share. For store*.c alone.
 *
 *   store.c         the queue of units and its batches
 *   store_unit.c    units
 *   store_read.c    what worker threads read
 *   store_check.c   the whole of it, looked at
 *   store_db.c      the SQL of a commit
 *   store_schema.c  the tables, and how older ones become them
 */
#ifndef FR_LOCAL_STORE_INNER_H
#define FR_LOCAL_STORE_INNER_H

#include "base/loop.h"
#include "engine/local/store.h"
#include "engine/local/store_db.h"

struct fr_store {
    uv_loop_t *loop;
    struct fr_db db; /* the worker's while busy */
    sqlite3 *reader;
    struct fr_db_facts facts;
    struct fr_unit *queue, **queue_end;
    struct fr_unit *batch; /* being committed */
    struct fr_timer *retry;
    struct fr_error error; /* of the batch */
    bool held;
    bool busy;      /* a batch is with the worker */
    bool finishing; /* the batch's units are being told */
    bool closing;
    void (*closed)(void *arg);
    void *closed_arg;
};

#endif
