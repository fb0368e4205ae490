// SPDX-License-Identifier: LGPL-3.0-only
#include <limits.h>
#include <string.h>

#include "base/util.h"
#include "engine/local/store_inner.h"

static void cleanup_stmt(sqlite3_stmt **stmt)
{
    (void)sqlite3_finalize(*stmt);
}

static struct fr_row row_of(sqlite3_stmt *stmt)
{
    return (struct fr_row){
        .event = {.seq = (uint64_t)sqlite3_column_int64(stmt, 0),
                  .index = sqlite3_column_int64(stmt, 2),
                  .timestamp = sqlite3_column_double(stmt, 3),
                  .name = (const char *)sqlite3_column_text(stmt, 4),
                  .context = (const char *)sqlite3_column_text(stmt, 5)},
        .id = (uint64_t)sqlite3_column_int64(stmt, 1),
        .urgency = sqlite3_column_int(stmt, 6),
        .jobspec = (const char *)sqlite3_column_text(stmt, 7),
        .R = (const char *)sqlite3_column_text(stmt, 8),
    };
}

/* Tells at most limit rows of a statement that is bound: how many, or as each. */
static int rows_tell(struct fr_store *store, sqlite3_stmt *stmt, int limit, fr_row_f each,
                     void *arg, struct fr_error *err)
{
    int step = SQLITE_ROW;
    int count = 0;

    while (count < limit && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct fr_row row = row_of(stmt);
        int rc;

        if (!row.event.name)
            return fr_error_set(err, ENOMEM, FR_CODE_INTERNAL, "No memory for an event.");
        rc = each(arg, &row);
        if (rc < 0)
            return rc;
        count++;
    }
    return step == SQLITE_DONE || step == SQLITE_ROW ? count : fr_db_failed(store->reader, err);
}

int fr_store_read_records(struct fr_store *store, uint64_t after, uint64_t cut, int limit,
                          fr_record_f each, void *arg, struct fr_error *err)
{
    static const char sql[] = "SELECT id, seq, outcome, record FROM records"
                              " WHERE id > ? AND seq <= ? AND record IS NOT NULL"
                              " ORDER BY id LIMIT ?";
    _cleanup_(cleanup_stmt) sqlite3_stmt *stmt = NULL;
    int step;

    if (sqlite3_prepare_v2(store->reader, sql, -1, &stmt, NULL) != SQLITE_OK)
        return fr_db_failed(store->reader, err);
    (void)sqlite3_bind_int64(stmt, 1, (int64_t)after);
    (void)sqlite3_bind_int64(stmt, 2, (int64_t)cut);
    (void)sqlite3_bind_int(stmt, 3, limit);
    while ((step = sqlite3_step(stmt)) == SQLITE_ROW) {
        const struct fr_ended ended = {
            .id = (uint64_t)sqlite3_column_int64(stmt, 0),
            .seq = (uint64_t)sqlite3_column_int64(stmt, 1),
            .outcome = (unsigned int)sqlite3_column_int(stmt, 2),
            .record = (const char *)sqlite3_column_text(stmt, 3),
        };
        int rc;

        if (!ended.record)
            return fr_error_set(err, ENOMEM, FR_CODE_INTERNAL, "No memory for a job.");
        rc = each(arg, &ended);
        if (rc < 0)
            return rc;
    }
    return step == SQLITE_DONE ? 0 : fr_db_failed(store->reader, err);
}

static int scan_begin(struct fr_store *store, uint64_t cut, struct fr_error *err)
{
    static const char ids[] = "SELECT id FROM jobs WHERE ended IS NULL UNION"
                              " SELECT id FROM records WHERE seq > ? OR record IS NULL"
                              " ORDER BY 1";
    static const char log[] =
        "SELECT e.seq, e.id, e.idx, e.timestamp, e.name, e.context, j.urgency,"
        " CASE e.name WHEN 'submit' THEN j.jobspec END,"
        " CASE e.name WHEN 'alloc' THEN j.R END"
        " FROM events e LEFT JOIN jobs j ON j.id = e.id WHERE e.id = ? ORDER BY e.seq";

    if (sqlite3_prepare_v2(store->reader, ids, -1, &store->scan_ids, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(store->reader, log, -1, &store->scan_log, NULL) != SQLITE_OK)
        return fr_db_failed(store->reader, err);
    (void)sqlite3_bind_int64(store->scan_ids, 1, (int64_t)cut);
    return 0;
}

void fr_store_read_stop(struct fr_store *store)
{
    (void)sqlite3_finalize(fr_take(store->scan_ids));
    (void)sqlite3_finalize(fr_take(store->scan_log));
}

int fr_store_read_events(struct fr_store *store, uint64_t cut, int limit, fr_row_f each,
                         void *arg, struct fr_error *err)
{
    int count = 0;
    int rc = store->scan_log ? 0 : scan_begin(store, cut, err);

    while (rc == 0 && count < limit) {
        int step;

        /* The rest of the job that the last call stopped at; none before the first job. */
        rc = rows_tell(store, store->scan_log, limit - count, each, arg, err);
        if (rc < 0)
            break;
        count += rc;
        rc = 0;
        if (count == limit)
            break;
        step = sqlite3_step(store->scan_ids);
        if (step == SQLITE_DONE)
            break;
        if (step != SQLITE_ROW) {
            rc = fr_db_failed(store->reader, err);
            break;
        }
        (void)sqlite3_reset(store->scan_log);
        (void)sqlite3_bind_int64(store->scan_log, 1, sqlite3_column_int64(store->scan_ids, 0));
    }
    if (rc < 0 || count < limit)
        fr_store_read_stop(store);
    return rc;
}

int fr_store_read_log(struct fr_store *store, uint64_t id, fr_row_f each, void *arg,
                      struct fr_error *err)
{
    static const char sql[] = "SELECT seq, id, idx, timestamp, name, context, 0, NULL, NULL"
                              " FROM events WHERE id = ? ORDER BY seq";
    _cleanup_(cleanup_stmt) sqlite3_stmt *stmt = NULL;
    int rc;

    if (sqlite3_prepare_v2(store->reader, sql, -1, &stmt, NULL) != SQLITE_OK)
        return fr_db_failed(store->reader, err);
    (void)sqlite3_bind_int64(stmt, 1, (int64_t)id);
    rc = rows_tell(store, stmt, INT_MAX, each, arg, err);
    return rc == 0 ? -ENOENT : rc < 0 ? rc : 0;
}

static int column_copy(sqlite3_stmt *stmt, int column, char **ret)
{
    const unsigned char *text = sqlite3_column_text(stmt, column);

    if (!text && sqlite3_column_type(stmt, column) != SQLITE_NULL)
        return -ENOMEM;
    *ret = text ? strdup((const char *)text) : NULL;
    return !text || *ret ? 0 : -ENOMEM;
}

/* Two texts of a job's row; NULL where it has none. */
static int columns_read(struct fr_store *store, const char *sql, uint64_t id, char **ret_first,
                        char **ret_second)
{
    _cleanup_(cleanup_stmt) sqlite3_stmt *stmt = NULL;
    _cleanup_(fr_cleanup_str) char *first = NULL;
    _cleanup_(fr_cleanup_str) char *second = NULL;
    int step;

    if (sqlite3_prepare_v2(store->reader, sql, -1, &stmt, NULL) != SQLITE_OK)
        return -EIO;
    (void)sqlite3_bind_int64(stmt, 1, (int64_t)id);
    step = sqlite3_step(stmt);
    if (step == SQLITE_DONE)
        return -ENOENT;
    if (step != SQLITE_ROW)
        return -EIO;
    if (column_copy(stmt, 0, &first) < 0 || column_copy(stmt, 1, &second) < 0)
        return -ENOMEM;
    *ret_first = fr_take(first);
    *ret_second = fr_take(second);
    return 0;
}

int fr_store_read_spec(struct fr_store *store, uint64_t id, char **ret_jobspec,
                       char **ret_environment)
{
    return columns_read(store, "SELECT jobspec, environment FROM jobs WHERE id = ?", id,
                        ret_jobspec, ret_environment);
}

int fr_store_read_R(struct fr_store *store, uint64_t id, char **ret_R)
{
    char *none = NULL;

    return columns_read(store, "SELECT R, NULL FROM jobs WHERE id = ?", id, ret_R, &none);
}

int fr_store_read_ended(struct fr_store *store, size_t count, double cutoff, uint64_t *ids,
                        size_t max, size_t *ret_count)
{
    static const char sql[] =
        "SELECT id, ended FROM jobs WHERE ended IS NOT NULL ORDER BY ended LIMIT ?";
    _cleanup_(cleanup_stmt) sqlite3_stmt *stmt = NULL;
    size_t n = 0;
    int step;

    if (sqlite3_prepare_v2(store->reader, sql, -1, &stmt, NULL) != SQLITE_OK)
        return -EIO;
    (void)sqlite3_bind_int64(stmt, 1, (int64_t)max);
    while ((step = sqlite3_step(stmt)) == SQLITE_ROW &&
           (n < count || sqlite3_column_double(stmt, 1) < cutoff))
        ids[n++] = (uint64_t)sqlite3_column_int64(stmt, 0);
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        return -EIO;
    *ret_count = n;
    return 0;
}

int fr_store_read_doomed(struct fr_store *store, uint64_t *ids, size_t max, size_t *ret_count)
{
    _cleanup_(cleanup_stmt) sqlite3_stmt *stmt = NULL;
    size_t n = 0;
    int step;

    if (sqlite3_prepare_v2(store->reader, "SELECT id FROM doomed LIMIT ?", -1, &stmt, NULL) !=
        SQLITE_OK)
        return -EIO;
    (void)sqlite3_bind_int64(stmt, 1, (int64_t)max);
    while ((step = sqlite3_step(stmt)) == SQLITE_ROW)
        ids[n++] = (uint64_t)sqlite3_column_int64(stmt, 0);
    if (step != SQLITE_DONE)
        return -EIO;
    *ret_count = n;
    return 0;
}
