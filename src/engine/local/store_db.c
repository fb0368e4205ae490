// SPDX-License-Identifier: LGPL-3.0-only
#include "engine/local/store_db.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "engine/local/store_inner.h"

#define BUSY_MS 10000

static int errno_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return ENOMEM;
    case SQLITE_FULL:
        return ENOSPC;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return EBUSY;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
        return EACCES;
    default:
        return EIO;
    }
}

int fr_db_failed(sqlite3 *handle, struct fr_error *err)
{
    int code = sqlite3_extended_errcode(handle);

    /* Only here may the disk hold what we are about to call refused. */
    if (code == SQLITE_IOERR_FSYNC)
        return fr_error_set(err, EIO, FR_CODE_OUTCOME_UNKNOWN,
                            "The disk did not confirm that this was stored: %s.",
                            sqlite3_errmsg(handle));
    return fr_error_set(err, errno_of(code), FR_CODE_STORAGE,
                        "The job store cannot be written: %s.", sqlite3_errmsg(handle));
}

int fr_db_run(sqlite3 *handle, const char *sql, struct fr_error *err)
{
    if (sqlite3_exec(handle, sql, NULL, NULL, NULL) != SQLITE_OK)
        return fr_db_failed(handle, err);
    return 0;
}

static int statements_prepare(struct fr_db *db, struct fr_error *err)
{
    const struct {
        sqlite3_stmt **stmt;
        const char *sql;
    } all[] = {
        {&db->begin, "BEGIN IMMEDIATE"},
        {&db->commit, "COMMIT"},
        {&db->job, "INSERT INTO jobs (id, urgency, jobspec, environment) VALUES (?,?,?,?)"},
        {&db->rset, "UPDATE jobs SET R = ? WHERE id = ?"},
        /* json_set leaves what it does not name as it is. */
        {&db->limit, "UPDATE jobs SET jobspec ="
                     " json_set(jobspec, '$.attributes.system.duration', ?) WHERE id = ?"},
        {&db->expiration, "UPDATE jobs SET R = json_set(R, '$.execution.expiration', ?)"
                          " WHERE id = ? AND R IS NOT NULL"},
        {&db->ended, "UPDATE jobs SET ended = ? WHERE id = ?"},
        {&db->event, "INSERT INTO events (seq, id, idx, timestamp, name, context)"
                     " VALUES (?,?,?,?,?,?)"},
        {&db->record, "INSERT OR REPLACE INTO records (id, seq, outcome, record)"
                      " VALUES (?,?,?,?)"},
        {&db->read_job, "SELECT jobspec, R FROM jobs WHERE id = ?"},
        {&db->read_log, "SELECT idx, timestamp, name, context FROM events WHERE id = ?"
                        " ORDER BY seq"},
    };

    for (size_t i = 0; i < FR_ARRAY_SIZE(all); i++) {
        if (sqlite3_prepare_v3(db->handle, all[i].sql, -1, SQLITE_PREPARE_PERSISTENT,
                               all[i].stmt, NULL) != SQLITE_OK)
            return fr_db_failed(db->handle, err);
    }
    return 0;
}

static int handle_open(const char *path, int flags, sqlite3 **ret, struct fr_error *err)
{
    int rc;

    /* Environments are in there: it is nobody else's to read, whatever our umask. */
    if (flags & SQLITE_OPEN_CREATE) {
        int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

        if (fd >= 0)
            (void)close(fd);
    }
    rc =
        sqlite3_open_v2(path, ret, flags | SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX, NULL);

    if (rc != SQLITE_OK)
        return fr_error_set(err, errno_of(rc), FR_CODE_STORAGE,
                            "The job store %s cannot be opened: %s.", path,
                            *ret ? sqlite3_errmsg(*ret) : "no memory");
    (void)sqlite3_busy_timeout(*ret, BUSY_MS);
    return 0;
}

int fr_db_open(const char *path, struct fr_db *db, struct fr_db_facts *ret,
               struct fr_error *err)
{
    int rc;

    *db = (struct fr_db){0};
    rc = handle_open(path, SQLITE_OPEN_CREATE, &db->handle, err);
    if (rc == 0)
        rc = fr_db_run(
            db->handle,
            "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;PRAGMA cache_size=-4000;", err);
    if (rc == 0)
        rc = fr_schema_check(db->handle, path, err);
    if (rc == 0)
        rc = fr_schema_facts(db->handle, ret, err);
    if (rc == 0)
        rc = statements_prepare(db, err);
    return rc;
}

void fr_db_close(struct fr_db *db)
{
    sqlite3_stmt *all[] = {db->begin,  db->commit,     db->job,     db->rset,
                           db->limit,  db->expiration, db->ended,   db->event,
                           db->record, db->read_job,   db->read_log};

    for (size_t i = 0; i < FR_ARRAY_SIZE(all); i++)
        (void)sqlite3_finalize(all[i]);
    (void)sqlite3_close(db->handle);
    *db = (struct fr_db){0};
}

int fr_db_open_reader(const char *path, sqlite3 **ret, struct fr_error *err)
{
    int rc = handle_open(path, 0, ret, err);

    if (rc == 0)
        rc = fr_db_run(*ret, "PRAGMA query_only=1;PRAGMA cache_size=-2000;", err);
    return rc;
}

/* Runs a statement that gives no rows, and lets go of what was bound. */
static bool step(sqlite3_stmt *stmt)
{
    int rc = sqlite3_step(stmt);

    if (rc != SQLITE_DONE)
        return false; /* not reset yet: that would hide the error */
    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
    return true;
}

static void bind_text(sqlite3_stmt *stmt, int column, const char *text)
{
    if (text)
        (void)sqlite3_bind_text64(stmt, column, text, strlen(text), SQLITE_STATIC, SQLITE_UTF8);
}

/* A number for a job's row, unless it is negative. */
static bool number_write(sqlite3_stmt *stmt, uint64_t id, double number)
{
    if (number < 0)
        return true;
    (void)sqlite3_bind_double(stmt, 1, number);
    (void)sqlite3_bind_int64(stmt, 2, (int64_t)id);
    return step(stmt);
}

static bool event_write(struct fr_db *db, uint64_t id, const struct fr_event *event)
{
    (void)sqlite3_bind_int64(db->event, 1, (int64_t)event->seq);
    (void)sqlite3_bind_int64(db->event, 2, (int64_t)id);
    (void)sqlite3_bind_int64(db->event, 3, event->index);
    (void)sqlite3_bind_double(db->event, 4, event->timestamp);
    bind_text(db->event, 5, event->name);
    bind_text(db->event, 6, event->context);
    if (!step(db->event))
        return false;
    return strcmp(event->name, "clean") != 0 ||
           (number_write(db->ended, id, event->timestamp) &&
            fr_record_write(db, id, event->seq));
}

/*
 * Numbers and ids go on rising from what was the highest, though it is taken out. The jobs of a
 * unit are few: their statements are not kept.
 */
static bool ids_write(struct fr_db *db, const struct fr_unit *unit)
{
    static const char keep_sql[] =
        "INSERT OR REPLACE INTO meta SELECT 'last_seq', MAX(MAX(seq),"
        " COALESCE((SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'last_seq'), 0))"
        " FROM events HAVING MAX(seq) IS NOT NULL;"
        "INSERT OR REPLACE INTO meta SELECT 'last_id', MAX(MAX(id),"
        " COALESCE((SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'last_id'), 0))"
        " FROM jobs HAVING MAX(id) IS NOT NULL;";
    char sql[256];
    bool doom = unit->kind == FR_UNIT_DOOM;
    bool good = !doom || sqlite3_exec(db->handle, keep_sql, NULL, NULL, NULL) == SQLITE_OK;

    for (size_t i = 0; good && i < unit->nids; i++) {
        long long id = (long long)unit->ids[i];

        (void)snprintf(sql, sizeof(sql),
                       doom ? "INSERT OR IGNORE INTO doomed VALUES (%lld);"
                              "DELETE FROM events WHERE id = %lld;"
                              "DELETE FROM records WHERE id = %lld;"
                              "DELETE FROM jobs WHERE id = %lld;"
                            : "DELETE FROM doomed WHERE id = %lld;",
                       id, id, id, id);
        good = sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK;
    }
    return good;
}

static bool unit_write(struct fr_db *db, const struct fr_unit *unit)
{
    if (unit->kind != FR_UNIT_JOB)
        return ids_write(db, unit);
    if (unit->jobspec) {
        (void)sqlite3_bind_int64(db->job, 1, (int64_t)unit->id);
        (void)sqlite3_bind_int(db->job, 2, unit->urgency);
        bind_text(db->job, 3, unit->jobspec);
        bind_text(db->job, 4, unit->environment);
        if (!step(db->job))
            return false;
    }
    if (unit->R) {
        bind_text(db->rset, 1, unit->R);
        (void)sqlite3_bind_int64(db->rset, 2, (int64_t)unit->id);
        if (!step(db->rset))
            return false;
    }
    if (!number_write(db->limit, unit->id, unit->duration) ||
        !number_write(db->expiration, unit->id, unit->expiration))
        return false;
    for (size_t i = 0; i < unit->nevents; i++) {
        if (!event_write(db, unit->id, &unit->events[i]))
            return false;
    }
    return true;
}

static void roll_back(struct fr_db *db)
{
    sqlite3_stmt *all[] = {db->begin,  db->commit,     db->job,     db->rset,
                           db->limit,  db->expiration, db->ended,   db->event,
                           db->record, db->read_job,   db->read_log};

    for (size_t i = 0; i < FR_ARRAY_SIZE(all); i++) {
        (void)sqlite3_reset(all[i]);
        (void)sqlite3_clear_bindings(all[i]);
    }
    if (!sqlite3_get_autocommit(db->handle))
        (void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

int fr_db_commit(struct fr_db *db, const struct fr_unit *list, struct fr_error *err)
{
    bool good = step(db->begin);
    int rc;

    for (const struct fr_unit *unit = list; good && unit; unit = unit->next)
        good = unit_write(db, unit);
    good = good && step(db->commit);
    if (good)
        return 0;
    rc = fr_db_failed(db->handle, err);
    roll_back(db);
    return rc;
}
