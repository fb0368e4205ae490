// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The store's own header: what its files share. For store*.c alone.
 *
 *   store.c         the queue of units and its batches
 *   store_unit.c    units
 *   store_read.c    what worker threads read
 *   store_check.c   the whole of it, looked at
 *   store_db.c      the SQL of a commit
 *   store_record.c  the record of a job that has ended
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
    sqlite3_stmt *scan_ids, *scan_log; /* of fr_store_read_events() between two calls */
    struct fr_db_facts facts;
    struct fr_unit *queue, **queue_end;
    struct fr_unit *batch; /* being committed */
    struct fr_timer *retry;
    struct fr_error error; /* of the batch */
    unsigned int failures; /* commits in a row that failed */
    bool held;
    bool busy;      /* a batch is with the worker */
    bool finishing; /* the batch's units are being told */
    bool closing;
    void (*closed)(void *arg);
    void *closed_arg;
};

/*
 * store_record.c: keeps the record of a job whose last event, `clean` with this number, was
 * just written. Where none can be made a start reads the job's events. False: as
 * sqlite3_errcode().
 */
bool fr_record_write(struct fr_db *db, uint64_t id, uint64_t seq);

#endif
