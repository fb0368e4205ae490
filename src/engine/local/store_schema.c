// SPDX-License-Identifier: LGPL-3.0-only
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/loop.h"
#include "base/util.h"
#include "engine/local/store_db.h"

/*
 * How a database comes to be: step i makes version i + 1 out of version i. What was released is
 * never changed; a new version is a new step.
 */
static const char *const steps[] = {
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE jobs (id INTEGER PRIMARY KEY, urgency INTEGER NOT NULL,"
    " jobspec TEXT NOT NULL, environment TEXT, R TEXT);"
    "CREATE TABLE events (seq INTEGER PRIMARY KEY, id INTEGER NOT NULL, idx INTEGER NOT NULL,"
    " timestamp REAL NOT NULL, name TEXT NOT NULL, context TEXT);",

    /* When a job ended; what is to be found by job; and jobs whose folder is yet to go. */
    "ALTER TABLE jobs ADD COLUMN ended REAL;"
    "CREATE INDEX events_of_job ON events (id);"
    "UPDATE jobs SET ended ="
    " (SELECT timestamp FROM events WHERE events.id = jobs.id AND name = 'clean');"
    "CREATE INDEX jobs_ended ON jobs (ended) WHERE ended IS NOT NULL;"
    "CREATE TABLE doomed (id INTEGER PRIMARY KEY);",

    /* What a start reads instead of the events of a job that has ended; NULL: read those. */
    "CREATE TABLE records (id INTEGER PRIMARY KEY, seq INTEGER NOT NULL,"
    " outcome INTEGER NOT NULL, record TEXT);"
    "INSERT INTO records SELECT id, 0, 0, NULL FROM jobs WHERE ended IS NOT NULL;"
    "CREATE INDEX jobs_active ON jobs (id) WHERE ended IS NULL;",
};

static void cleanup_stmt(sqlite3_stmt **stmt)
{
    (void)sqlite3_finalize(*stmt);
}

/* The first column of the first row, as a text ("" for none) and as a number. */
static int ask(sqlite3 *handle, const char *sql, char *text, size_t size, int64_t *ret_number,
               struct fr_error *err)
{
    _cleanup_(cleanup_stmt) sqlite3_stmt *stmt = NULL;
    const unsigned char *value;
    int step;

    if (sqlite3_prepare_v2(handle, sql, -1, &stmt, NULL) != SQLITE_OK)
        return fr_db_failed(handle, err);
    step = sqlite3_step(stmt);
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        return fr_db_failed(handle, err);
    value = step == SQLITE_ROW ? sqlite3_column_text(stmt, 0) : NULL;
    if (text)
        (void)snprintf(text, size, "%s", value ? (const char *)value : "");
    if (ret_number)
        *ret_number = step == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
    return 0;
}

#define UUID_SIZE 37

static int uuid_make(char text[UUID_SIZE])
{
    unsigned char b[16];
    int used = 0;

    if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
        return -EIO;
    b[6] = (b[6] & 0x0f) | 0x40; /* RFC 9562, version 4 */
    b[8] = (b[8] & 0x3f) | 0x80;
    for (int i = 0; i < 16; i++) {
        const char *dash = i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "";

        used += snprintf(text + used, UUID_SIZE - (size_t)used, "%s%02x", dash, b[i]);
    }
    return 0;
}

static int schema_make(sqlite3 *handle, struct fr_error *err)
{
    char uuid[UUID_SIZE];
    char sql[256];
    int rc = uuid_make(uuid);

    if (rc < 0)
        return fr_error_set(err, -rc, FR_CODE_INTERNAL, "There are no random numbers.");
    rc = fr_db_run(handle, steps[0], err);
    if (rc < 0)
        return rc;
    (void)snprintf(sql, sizeof(sql),
                   "INSERT INTO meta VALUES ('uuid', '%s'), ('epoch', '%llu')", uuid,
                   (unsigned long long)(fr_time_now() * 1000));
    return fr_db_run(handle, sql, err);
}

/* All steps from `version` on, within a transaction. */
static int steps_do(sqlite3 *handle, int64_t version, struct fr_error *err)
{
    char sql[64];
    int rc = version == 0 ? schema_make(handle, err) : 0;

    for (size_t i = version == 0 ? 1 : (size_t)version; rc == 0 && i < FR_ARRAY_SIZE(steps);
         i++)
        rc = fr_db_run(handle, steps[i], err);
    if (rc < 0)
        return rc;
    (void)snprintf(sql, sizeof(sql), "PRAGMA user_version=%d", (int)FR_ARRAY_SIZE(steps));
    return fr_db_run(handle, sql, err);
}

int fr_schema_check(sqlite3 *handle, const char *path, struct fr_error *err)
{
    const int64_t newest = FR_ARRAY_SIZE(steps);
    int64_t version = 0;
    int rc = ask(handle, "PRAGMA user_version", NULL, 0, &version, err);

    if (rc < 0 || version == newest)
        return rc;
    if (version < 0 || version > newest)
        return fr_error_set(err, EPROTO, FR_CODE_INTERNAL,
                            "%s has the format %lld, this version of flux-restd reads up to "
                            "%lld: use the newer flux-restd that wrote it, or another state "
                            "directory.",
                            path, (long long)version, (long long)newest);
    rc = fr_db_run(handle, "BEGIN IMMEDIATE", err);
    if (rc == 0)
        rc = steps_do(handle, version, err);
    if (rc == 0)
        rc = fr_db_run(handle, "COMMIT", err);
    if (rc < 0 && !sqlite3_get_autocommit(handle))
        (void)sqlite3_exec(handle, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

int fr_schema_facts(sqlite3 *handle, struct fr_db_facts *ret, struct fr_error *err)
{
    char text[32];
    int64_t number = 0;
    int rc = ask(handle, "SELECT value FROM meta WHERE name = 'uuid'", ret->uuid,
                 sizeof(ret->uuid), NULL, err);

    if (rc == 0)
        rc = ask(handle, "SELECT value FROM meta WHERE name = 'epoch'", text, sizeof(text),
                 &number, err);
    ret->epoch = (uint64_t)number;
    if (rc == 0)
        rc = ask(handle,
                 "SELECT MAX(COALESCE((SELECT MAX(seq) FROM events), 0), COALESCE("
                 "(SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'last_seq'), 0))",
                 NULL, 0, &number, err);
    ret->last_seq = (uint64_t)number;
    if (rc == 0)
        rc = ask(handle,
                 "SELECT MAX(COALESCE((SELECT MAX(id) FROM jobs), 0), COALESCE("
                 "(SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'last_id'), 0))",
                 NULL, 0, &number, err);
    ret->last_id = (uint64_t)number;
    return rc;
}
