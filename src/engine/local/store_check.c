// SPDX-License-Identifier: LGPL-3.0-only
/* Reads a whole store and says what is wrong with it. */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "engine/engine.h"
#include "engine/local/folder.h"
#include "engine/local/local.h"
#include "engine/local/store_inner.h"
#include "model/fluid.h"
#include "model/job_record.h"
#include "shell/folder.h"

FR_DEFINE_CLEANUP(struct fr_jobspec *, jobspec, fr_jobspec_free);
FR_DEFINE_CLEANUP(struct fr_rset *, rset, fr_rset_free);

struct check {
    const char *state_dir;
    struct fr_store store; /* its reader alone */
    fr_check_f say;
    void *arg;
    int faults;
    struct fr_job *job; /* whose events are being read */
    unsigned int outcome;
    double last;
    bool ended;   /* as the job's row says */
    json_t *user; /* attributes.user of its jobspec */
    int before;   /* faults found before it */
};

static void fault(struct check *check, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void fault(struct check *check, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    check->faults++;
    check->say(check->arg, text);
}

static void job_fault(struct check *check, const char *what)
{
    char jobid[FR_FLUID_TEXT];

    fault(check, "job %s: %s", fr_fluid_f58(check->job->id, jobid), what);
}

static void cleanup_stmt(sqlite3_stmt **stmt)
{
    (void)sqlite3_finalize(*stmt);
}

/* Calls on_row for each row of a query. 0, or a negative errno with err. */
static int query(struct check *check, const char *sql,
                 int (*on_row)(struct check *check, sqlite3_stmt *stmt), struct fr_error *err)
{
    sqlite3 *handle = check->store.reader;
    _cleanup_(cleanup_stmt) sqlite3_stmt *stmt = NULL;
    int step;

    if (sqlite3_prepare_v2(handle, sql, -1, &stmt, NULL) != SQLITE_OK)
        return fr_db_failed(handle, err);
    while ((step = sqlite3_step(stmt)) == SQLITE_ROW) {
        int rc = on_row(check, stmt);

        if (rc < 0)
            return rc;
    }
    return step == SQLITE_DONE ? 0 : fr_db_failed(handle, err);
}

static int on_integrity(struct check *check, sqlite3_stmt *stmt)
{
    const char *text = (const char *)sqlite3_column_text(stmt, 0);

    if (!text || strcmp(text, "ok") != 0)
        fault(check, "the database is damaged: %.900s", text ? text : "no memory");
    return 0;
}

/* --- the log of each job --- */

static bool file_exists(const char *folder, const char *name)
{
    char path[PATH_MAX];

    return (size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) < sizeof(path) &&
           access(path, F_OK) == 0;
}

static void folder_check(struct check *check)
{
    struct fr_report report;
    char path[PATH_MAX];

    fr_folder_path(check->state_dir, check->job->id, path, sizeof(path));
    if (!(check->outcome & FR_OUTCOME_ALLOC))
        return; /* it was never to have one */
    if (check->ended && !file_exists(path, FR_FOLDER_CLAIM))
        job_fault(check, "its folder is not there, or has no claim: its output is lost");
    else if (check->ended && (check->outcome & FR_OUTCOME_START) &&
             !file_exists(path, FR_FOLDER_OUTPUT))
        job_fault(check, "its output is lost");
    else if (fr_folder_examine(path, &report) < 0)
        job_fault(check, "its folder cannot be read");
    else if (report.pidfd >= 0)
        (void)close(report.pidfd);
}

/* All events of the job have been read. */
static void job_end(struct check *check)
{
    if (!check->job)
        return;
    if (check->ended != (check->job->state == FR_STATE_INACTIVE))
        job_fault(check, check->ended ? "it is marked as ended, and its events say otherwise"
                                      : "it has ended, and is not marked so");
    folder_check(check);
    fr_job_free(fr_take(check->job));
    json_decref(fr_take(check->user));
}

static int job_begin(struct check *check, uint64_t id)
{
    job_end(check);
    check->job = fr_job_create(id);
    check->outcome = 0;
    check->last = 0;
    check->before = check->faults;
    return check->job ? 0 : -ENOMEM;
}

static void jobspec_read(struct check *check, const char *text, struct fr_jobspec **ret)
{
    json_t *json = text ? json_loads(text, 0, NULL) : NULL;

    if (!json || fr_jobspec_create(json, ret, NULL) < 0)
        job_fault(check, text ? "its jobspec cannot be read" : "it has events and no jobspec");
    if (*ret)
        check->user =
            json_incref(json_object_get(json_object_get((*ret)->json, "attributes"), "user"));
}

static void R_read(struct check *check, const char *text, struct fr_rset **ret)
{
    json_t *json = text ? json_loads(text, 0, NULL) : NULL;

    if (!json || fr_rset_parse(json, ret, NULL) < 0)
        job_fault(check, "it was given resources, and its R cannot be read");
    json_decref(json);
}

static void event_check(struct check *check, const struct fr_event *event, const char *jobspec,
                        const char *R)
{
    _cleanup_(fr_cleanup_jobspec) struct fr_jobspec *spec = NULL;
    _cleanup_(fr_cleanup_rset) struct fr_rset *rset = NULL;
    char text[256];

    if (event->index != check->job->nevents) {
        (void)snprintf(text, sizeof(text), "its event %lld stands where %d was to be",
                       (long long)event->index, (int)check->job->nevents);
        job_fault(check, text);
    }
    if ((event->index == 0) != (strcmp(event->name, "submit") == 0))
        job_fault(check, "its log does not begin with submit, or has it twice");
    if (event->timestamp < check->last)
        job_fault(check, "the times of its events fall");
    check->last = event->timestamp;
    if (strcmp(event->name, "submit") == 0)
        jobspec_read(check, jobspec, &spec);
    if (strcmp(event->name, "alloc") == 0)
        R_read(check, R, &rset);
    if (fr_job_apply(check->job, event, spec, rset, NULL) < 0) {
        (void)snprintf(text, sizeof(text), "its event %.100s cannot be taken up", event->name);
        job_fault(check, text);
    }
    check->outcome |= fr_run_outcome(event);
}

/* The record of a job that has ended, which a start takes for its events. */
static void record_check(struct check *check, const char *record)
{
    _cleanup_(fr_cleanup_str) char *right = NULL;

    if (!record || check->faults > check->before)
        return;
    right = fr_job_record_format(check->job, check->user);
    if (right && strcmp(right, record) != 0)
        job_fault(check, "its record says otherwise than its events");
}

static int on_event(struct check *check, sqlite3_stmt *stmt)
{
    const struct fr_event event = {.index = sqlite3_column_int64(stmt, 2),
                                   .timestamp = sqlite3_column_double(stmt, 3),
                                   .name = (const char *)sqlite3_column_text(stmt, 4),
                                   .context = (const char *)sqlite3_column_text(stmt, 5)};
    uint64_t id = (uint64_t)sqlite3_column_int64(stmt, 1);
    int rc = 0;

    if (!check->job || check->job->id != id)
        rc = job_begin(check, id);
    if (rc < 0 || !event.name)
        return -ENOMEM;
    check->ended = sqlite3_column_type(stmt, 8) != SQLITE_NULL;
    event_check(check, &event, (const char *)sqlite3_column_text(stmt, 6),
                (const char *)sqlite3_column_text(stmt, 7));
    record_check(check, (const char *)sqlite3_column_text(stmt, 9));
    return 0;
}

static int on_mute(struct check *check, sqlite3_stmt *stmt)
{
    char jobid[FR_FLUID_TEXT];

    fault(check, "job %s: it has no events",
          fr_fluid_f58((uint64_t)sqlite3_column_int64(stmt, 0), jobid));
    return 0;
}

/* --- folders --- */

/* Whether the store knows the job, or knows that its folder is to go. */
static bool is_known(struct check *check, const char *name)
{
    static const char sql[] = "SELECT 1 FROM jobs WHERE id = ?1 UNION ALL "
                              "SELECT 1 FROM doomed WHERE id = ?1";
    _cleanup_(cleanup_stmt) sqlite3_stmt *stmt = NULL;
    char *end;
    unsigned long long id = strtoull(name, &end, 10);

    if (end == name || *end)
        return false;
    if (sqlite3_prepare_v2(check->store.reader, sql, -1, &stmt, NULL) != SQLITE_OK)
        return true; /* what is wrong has been said */
    (void)sqlite3_bind_int64(stmt, 1, (int64_t)id);
    return sqlite3_step(stmt) != SQLITE_DONE;
}

static void folders_walk(struct check *check, const char *path, int depth)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        char child[PATH_MAX];

        if (entry->d_name[0] == '.' || (size_t)snprintf(child, sizeof(child), "%s/%s", path,
                                                        entry->d_name) >= sizeof(child))
            continue;
        if (depth == 0)
            folders_walk(check, child, 1);
        else if (!is_known(check, entry->d_name))
            fault(check, "the folder %.900s is of no job", child);
    }
    if (dir)
        (void)closedir(dir);
}

/* --- */

static int check_all(struct check *check, struct fr_error *err)
{
    char path[PATH_MAX];
    int rc = query(check, "PRAGMA integrity_check", on_integrity, err);

    if (rc == 0)
        rc = query(check,
                   "SELECT e.seq, e.id, e.idx, e.timestamp, e.name, e.context,"
                   " CASE e.name WHEN 'submit' THEN j.jobspec END,"
                   " CASE e.name WHEN 'alloc' THEN j.R END, j.ended,"
                   " CASE e.name WHEN 'clean' THEN r.record END"
                   " FROM events e LEFT JOIN jobs j ON j.id = e.id"
                   " LEFT JOIN records r ON r.id = e.id ORDER BY e.id, e.seq",
                   on_event, err);
    job_end(check);
    if (rc == 0)
        rc = query(check, "SELECT id FROM jobs WHERE id NOT IN (SELECT id FROM events)",
                   on_mute, err);
    (void)snprintf(path, sizeof(path), "%.4000s/jobs", check->state_dir);
    if (rc == 0)
        folders_walk(check, path, 0);
    return rc;
}

int fr_local_check(const char *state_dir, fr_check_f say, void *arg, struct fr_error *err)
{
    struct check check = {.state_dir = state_dir, .say = say, .arg = arg};
    _cleanup_(fr_cleanup_fd) int lock = -1;
    struct fr_db_facts facts;
    struct fr_db db = {0};
    char path[PATH_MAX];
    int rc;

    (void)snprintf(path, sizeof(path), "%.4000s/store.db", state_dir);
    if (access(path, F_OK) < 0)
        return fr_error_set(err, errno, FR_CODE_INVALID,
                            "there is no job store %.300s: name its directory with --state-dir",
                            path);
    rc = fr_lock_take(state_dir, &lock, err);
    if (rc < 0)
        return rc;
    rc = fr_db_open(path, &db, &facts, err);
    check.store.reader = db.handle;
    if (rc == 0)
        rc = check_all(&check, err);
    fr_db_close(&db);
    return rc < 0 ? rc : check.faults;
}
