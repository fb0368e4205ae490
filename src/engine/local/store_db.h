// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The SQL of the store: blocking calls on one connection. For store*.c alone.
 */
#ifndef FR_LOCAL_STORE_DB_H
#define FR_LOCAL_STORE_DB_H

#include <sqlite3.h>
#include <stdint.h>

#include "base/error.h"
#include "engine/local/store.h"

/* A connection that writes, with its prepared statements. */
struct fr_db {
    sqlite3 *handle;
    sqlite3_stmt *begin, *commit, *job, *rset, *limit, *expiration, *ended, *event, *record,
        *read_job, *read_log;
};

/* What a database says of itself. */
struct fr_db_facts {
    char uuid[37];
    uint64_t epoch;
    uint64_t last_seq;
    uint64_t last_id;
};

/* Opens, makes the tables if there are none, and reads the facts. fr_db_close() in any case. */
int fr_db_open(const char *path, struct fr_db *db, struct fr_db_facts *ret,
               struct fr_error *err);
void fr_db_close(struct fr_db *db);

/* Makes the tables, or makes those of an older version into today's. 0, -EPROTO with err. */
int fr_schema_check(sqlite3 *handle, const char *path, struct fr_error *err);
int fr_schema_facts(sqlite3 *handle, struct fr_db_facts *ret, struct fr_error *err);

/* Runs statements that give nothing back. */
int fr_db_run(sqlite3 *handle, const char *sql, struct fr_error *err);

/* A second connection to the same file, for reading on any thread. */
int fr_db_open_reader(const char *path, sqlite3 **ret, struct fr_error *err);

/* Commits all of list, or nothing. 0, or a negative errno with err. */
int fr_db_commit(struct fr_db *db, const struct fr_unit *list, struct fr_error *err);

/* Fills err from what the connection says of its last call; returns a negative errno. */
int fr_db_failed(sqlite3 *handle, struct fr_error *err);

#endif
