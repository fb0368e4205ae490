// SPDX-License-Identifier: LGPL-3.0-only
#include "engine/local/store_db.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/loop.h"
#include "base/util.h"

#define SCHEMA_VERSION 1
#define BUSY_MS 10000

static const char schema_sql[] =
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE jobs (id INTEGER PRIMARY KEY, urgency INTEGER NOT NULL,"
    " jobspec TEXT NOT NULL, environment TEXT, R TEXT);"
    "CREATE TABLE events (seq INTEGER PRIMARY KEY, id INTEGER NOT NULL, idx INTEGER NOT NULL,"
    " timestamp REAL NOT NULL, name TEXT NOT NULL, context TEXT);";

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

static int run(sqlite3 *handle, const char *sql, struct fr_error *err)
{
    if (sqlite3_exec(handle, sql, NULL, NULL, NULL) != SQLITE_OK)
        return fr_db_failed(handle, err);
    return 0;
}

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
    char sql[1024];
    int rc = uuid_make(uuid);

    if (rc < 0)
        return fr_error_set(err, -rc, FR_CODE_INTERNAL, "There are no random numbers.");
    (void)snprintf(sql, sizeof(sql),
                   "BEGIN IMMEDIATE;%s"
                   "INSERT INTO meta VALUES ('uuid', '%s'), ('epoch', '%llu');"
                   "PRAGMA user_version=%d;COMMIT",
                   schema_sql, uuid, (unsigned long long)(fr_time_now() * 1000),
                   SCHEMA_VERSION);
    return run(handle, sql, err);
}

static int schema_check(sqlite3 *handle, const char *path, struct fr_error *err)
{
    int64_t version = 0;
    int rc = ask(handle, "PRAGMA user_version", NULL, 0, &version, err);

    if (rc < 0)
        return rc;
    if (version == 0)
        return schema_make(handle, err);
    if (version != SCHEMA_VERSION)
        return fr_error_set(err, EPROTO, FR_CODE_INTERNAL,
                            "%s has the format %lld, this version of flux-restd reads %d: use "
                            "the newer flux-restd that wrote it, or another state directory.",
                            path, (long long)version, SCHEMA_VERSION);
    return 0;
}

static int facts_read(sqlite3 *handle, struct fr_db_facts *ret, struct fr_error *err)
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
        rc = ask(handle, "SELECT MAX(seq) FROM events", NULL, 0, &number, err);
    ret->last_seq = (uint64_t)number;
    if (rc == 0)
        rc = ask(handle, "SELECT MAX(id) FROM jobs", NULL, 0, &number, err);
    ret->last_id = (uint64_t)number;
    return rc;
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
        {&db->event, "INSERT INTO events (seq, id, idx, timestamp, name, context)"
                     " VALUES (?,?,?,?,?,?)"},
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
        rc = run(db->handle,
                 "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;PRAGMA cache_size=-4000;",
                 err);
    if (rc == 0)
        rc = schema_check(db->handle, path, err);
    if (rc == 0)
        rc = facts_read(db->handle, ret, err);
    if (rc == 0)
        rc = statements_prepare(db, err);
    return rc;
}

void fr_db_close(struct fr_db *db)
{
    sqlite3_stmt *all[] = {db->begin, db->commit, db->job, db->rset, db->event};

    for (size_t i = 0; i < FR_ARRAY_SIZE(all); i++)
        (void)sqlite3_finalize(all[i]);
    (void)sqlite3_close(db->handle);
    *db = (struct fr_db){0};
}

int fr_db_open_reader(const char *path, sqlite3 **ret, struct fr_error *err)
{
    int rc = handle_open(path, 0, ret, err);

    if (rc == 0)
        rc = run(*ret, "PRAGMA query_only=1;PRAGMA cache_size=-2000;", err);
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

static bool unit_write(struct fr_db *db, const struct fr_unit *unit)
{
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
    for (size_t i = 0; i < unit->nevents; i++) {
        const struct fr_event *event = &unit->events[i];

        (void)sqlite3_bind_int64(db->event, 1, (int64_t)event->seq);
        (void)sqlite3_bind_int64(db->event, 2, (int64_t)unit->id);
        (void)sqlite3_bind_int64(db->event, 3, event->index);
        (void)sqlite3_bind_double(db->event, 4, event->timestamp);
        bind_text(db->event, 5, event->name);
        bind_text(db->event, 6, event->context);
        if (!step(db->event))
            return false;
    }
    return true;
}

static void roll_back(struct fr_db *db)
{
    sqlite3_stmt *all[] = {db->begin, db->commit, db->job, db->rset, db->event};

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
