// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The record that is kept of a job that has ended, so that a start need not read its events.
 * Made out of what is stored, in the transaction that ends the job.
 */
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "engine/local/local.h"
#include "engine/local/store_inner.h"
#include "model/job_record.h"

FR_DEFINE_CLEANUP(struct fr_job *, job, fr_job_free);
FR_DEFINE_CLEANUP(struct fr_jobspec *, jobspec, fr_jobspec_free);
FR_DEFINE_CLEANUP(struct fr_rset *, rset, fr_rset_free);

/* What the record is made of. */
struct source {
    struct fr_job *job;
    struct fr_jobspec *jobspec;
    struct fr_rset *rset;
    unsigned int outcome;
    int rc; /* of the first event that could not be applied */
};

static json_t *column_json(sqlite3_stmt *stmt, int column)
{
    const char *text = (const char *)sqlite3_column_text(stmt, column);

    return text ? json_loads(text, 0, NULL) : NULL;
}

/* Of a job that cannot be read, be it for want of memory, there is no record: its events count.
 */
static bool job_read(struct fr_db *db, uint64_t id, struct source *source)
{
    bool good;

    (void)sqlite3_bind_int64(db->read_job, 1, (int64_t)id);
    good = sqlite3_step(db->read_job) == SQLITE_ROW;
    if (good) {
        const bool has_R = sqlite3_column_type(db->read_job, 1) != SQLITE_NULL;
        json_t *json = column_json(db->read_job, 0);
        json_t *R = column_json(db->read_job, 1);

        source->rc = json ? fr_jobspec_create(json, &source->jobspec, NULL) : -EINVAL;
        if (has_R && source->rc == 0)
            source->rc = R ? fr_rset_parse(R, &source->rset, NULL) : -EINVAL;
        json_decref(R);
        (void)sqlite3_reset(db->read_job);
    }
    return good;
}

static bool events_read(struct fr_db *db, uint64_t id, struct source *source)
{
    int step;

    (void)sqlite3_bind_int64(db->read_log, 1, (int64_t)id);
    while ((step = sqlite3_step(db->read_log)) == SQLITE_ROW) {
        const struct fr_event event = {
            .index = sqlite3_column_int64(db->read_log, 0),
            .timestamp = sqlite3_column_double(db->read_log, 1),
            .name = (const char *)sqlite3_column_text(db->read_log, 2),
            .context = (const char *)sqlite3_column_text(db->read_log, 3),
        };

        if (!event.name)
            return false;
        source->outcome |= fr_run_outcome(&event);
        if (source->rc == 0)
            source->rc = fr_job_apply(
                source->job, &event, strcmp(event.name, "submit") == 0 ? source->jobspec : NULL,
                strcmp(event.name, "alloc") == 0 ? source->rset : NULL, NULL);
    }
    if (step == SQLITE_DONE)
        (void)sqlite3_reset(db->read_log);
    return step == SQLITE_DONE;
}

static char *record_make(const struct source *source)
{
    const json_t *attributes =
        source->jobspec ? json_object_get(source->jobspec->json, "attributes") : NULL;

    if (source->rc < 0 || source->job->state != FR_STATE_INACTIVE)
        return NULL;
    return fr_job_record_format(source->job, json_object_get(attributes, "user"));
}

bool fr_record_write(struct fr_db *db, uint64_t id, uint64_t seq)
{
    _cleanup_(fr_cleanup_job) struct fr_job *job = fr_job_create(id);
    _cleanup_(fr_cleanup_jobspec) struct fr_jobspec *jobspec = NULL;
    _cleanup_(fr_cleanup_rset) struct fr_rset *rset = NULL;
    _cleanup_(fr_cleanup_str) char *record = NULL;
    struct source source = {.job = job};
    bool good = true;
    int step;

    if (job)
        good = job_read(db, id, &source) && events_read(db, id, &source);
    jobspec = source.jobspec;
    rset = source.rset;
    if (!good)
        return false;
    if (job)
        record = record_make(&source);
    (void)sqlite3_bind_int64(db->record, 1, (int64_t)id);
    (void)sqlite3_bind_int64(db->record, 2, (int64_t)seq);
    (void)sqlite3_bind_int(db->record, 3, (int)source.outcome);
    if (record)
        (void)sqlite3_bind_text(db->record, 4, record, -1, SQLITE_STATIC);
    step = sqlite3_step(db->record);
    if (step != SQLITE_DONE)
        return false; /* not reset yet: that would hide the error */
    (void)sqlite3_reset(db->record);
    (void)sqlite3_clear_bindings(db->record);
    return true;
}
