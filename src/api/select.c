// SPDX-License-Identifier: LGPL-3.0-only
#include "api/select.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/filter.h"
#include "api/order.h"
#include "api/params.h"
#include "api/problem.h"
#include "base/text.h"
#include "base/util.h"
#include "model/job_json.h"

#define LIMIT_DEFAULT 1000
#define LIMIT_MAX 10000

/* What the query asks for. */
struct wanted {
    struct fr_filter filter;
    fr_order_f order; /* NULL: the table's own */
    bool backwards;
    size_t limit;
    bool has_start; /* pages by number: all that match are counted */
    size_t start;
    bool has_page;
    struct fr_page page;
};

/* Jobs that match. */
struct found {
    const struct fr_job **jobs;
    size_t count, cap;
};

static bool add(struct found *found, const struct fr_job *job)
{
    if (found->count == found->cap) {
        size_t cap = found->cap ? found->cap * 2 : 256;
        const struct fr_job **jobs = realloc(found->jobs, cap * sizeof *jobs);
        if (!jobs)
            return false;
        found->jobs = jobs;
        found->cap = cap;
    }
    found->jobs[found->count++] = job;
    return true;
}

/* --- reading --- */

static const char *get(void *arg, const char *name)
{
    return fr_req_query(arg, name);
}

static void read_sort(const char *text, struct wanted *wanted, struct fr_problems *problems)
{
    wanted->backwards = text[0] == '-';
    text += wanted->backwards;
    wanted->order = fr_order_find(text);
    if (wanted->order)
        return;
    const char *nearest = fr_text_nearest(text, fr_order_names, fr_order_count);
    fr_problems_add(
        problems, FR_CODE_INVALID, "?sort", "nothing can be sorted by \"%.64s\"%s%s%s", text,
        nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
}

static int read_fields(const char *text, struct fr_selection *ret, struct fr_problems *problems)
{
    char *save = NULL;

    ret->field_text = strdup(text);
    if (!ret->field_text)
        return -ENOMEM;
    for (char *name = strtok_r(ret->field_text, ",", &save); name;
         name = strtok_r(NULL, ",", &save)) {
        if (ret->nfields == FR_SELECT_FIELDS_MAX) {
            fr_problems_add(problems, FR_CODE_INVALID, "?fields", "at most %d fields",
                            FR_SELECT_FIELDS_MAX);
            return 0;
        }
        size_t i = 0;
        while (i < fr_job_json_nfields && strcmp(fr_job_json_fields[i], name) != 0)
            i++;
        if (i < fr_job_json_nfields) {
            ret->fields[ret->nfields++] = fr_job_json_fields[i];
            continue;
        }
        const char *nearest = fr_text_nearest(name, fr_job_json_fields, fr_job_json_nfields);
        fr_problems_add(problems, FR_CODE_UNKNOWN_FIELD, "?fields",
                        "a job has no field \"%.64s\"%s%s%s", name,
                        nearest ? "; did you mean \"" : "", nearest ? nearest : "",
                        nearest ? "\"?" : "");
    }
    return 0;
}

static int read_wanted(struct fr_req *req, bool whole, struct wanted *wanted,
                       struct fr_selection *ret, struct fr_problems *problems)
{
    const char *sort = fr_req_query(req, "sort"), *fields = fr_req_query(req, "fields");
    long limit = fr_param_count(req, "limit", whole ? -1 : LIMIT_DEFAULT);
    struct fr_error err;

    *wanted = (struct wanted){.limit = limit < 0 ? SIZE_MAX : (size_t)limit};
    int rc = fr_filter_read(get, req, &wanted->filter, problems);
    if (sort)
        read_sort(sort, wanted, problems);
    if (limit > LIMIT_MAX && !whole)
        fr_problems_add(problems, FR_CODE_INVALID, "?limit",
                        "limit must be at most %d, not %ld", LIMIT_MAX, limit);
    if (rc == 0 && fields)
        rc = read_fields(fields, ret, problems);
    wanted->has_start = fr_req_query(req, "start");
    wanted->start = (size_t)fr_param_count(req, "start", 0);
    wanted->has_page = fr_req_query(req, "page");
    if (wanted->has_start && wanted->has_page)
        fr_problems_add(problems, FR_CODE_INVALID, "?start",
                        "start and page are two ways to page: leave one out");
    if (wanted->has_page && fr_page_read(req, &wanted->page, &err) < 0)
        fr_problems_add(problems, err.code, "?page", "%s", err.text);
    return rc;
}

/* --- choosing --- */

/* In the table's own order: no further than the page reaches. */
static bool find_in_order(const struct fr_table *table, const struct wanted *wanted,
                          struct found *found)
{
    struct fr_table_walk walk = fr_table_walk(table, wanted->filter.states);
    const struct fr_job *job;

    if (wanted->has_page)
        fr_table_walk_after(&walk, &wanted->page.place);
    while (found->count <= wanted->limit && (job = fr_table_next(&walk)))
        if (fr_filter_passes(&wanted->filter, job) && !add(found, job))
            return false;
    return true;
}

static bool find_by_ids(const struct fr_table *table, const struct fr_filter *filter,
                        struct found *found)
{
    for (size_t i = filter->nids; i-- > 0;) {
        const struct fr_job *job = fr_table_find(table, filter->ids[i]);
        if (job && job->state & filter->states && fr_filter_passes(filter, job) &&
            !add(found, job))
            return false;
    }
    return true;
}

static bool find_all(const struct fr_table *table, const struct fr_filter *filter,
                     struct found *found)
{
    struct fr_table_walk walk = fr_table_walk(table, filter->states);
    const struct fr_job *job;

    while ((job = fr_table_next(&walk)))
        if (fr_filter_passes(filter, job) && !add(found, job))
            return false;
    return true;
}

static void reverse(struct found *found)
{
    for (size_t i = 0; i < found->count / 2; i++) {
        const struct fr_job *job = found->jobs[i];
        found->jobs[i] = found->jobs[found->count - 1 - i];
        found->jobs[found->count - 1 - i] = job;
    }
}

/* Sorts, and drops what earlier pages had: up to the job that the last one ended with. */
static bool sort(struct found *found, const struct wanted *wanted)
{
    if (wanted->order && found->count)
        qsort(found->jobs, found->count, sizeof *found->jobs, wanted->order);
    if (wanted->backwards)
        reverse(found);
    if (!wanted->has_page)
        return true;
    size_t at = 0;
    while (at < found->count && found->jobs[at]->id != wanted->page.place.id)
        at++;
    if (at == found->count)
        return false;
    found->count -= at + 1;
    memmove(found->jobs, found->jobs + at + 1, found->count * sizeof *found->jobs);
    return true;
}

/* 0, -ENOMEM, or -ESTALE: the job that the last page ended with is not among them any more. */
static int find(const struct fr_table *table, const struct wanted *wanted, struct found *found)
{
    const struct fr_filter *filter = &wanted->filter;

    if (!filter->ids && !wanted->order && !wanted->has_start)
        return find_in_order(table, wanted, found) ? 0 : -ENOMEM;
    bool ok = filter->ids ? find_by_ids(table, filter, found) : find_all(table, filter, found);
    if (!ok)
        return -ENOMEM;
    return sort(found, wanted) ? 0 : -ESTALE;
}

/* Drops the jobs before start. */
static void pass_over(struct found *found, size_t start)
{
    size_t left = start < found->count ? found->count - start : 0;

    if (left)
        memmove(found->jobs, found->jobs + start, left * sizeof *found->jobs);
    found->count = left;
}

/* Keeps the ids, and what the next page begins after. 0 or -ENOMEM. */
static int keep(struct fr_req *req, const struct wanted *wanted, const struct found *found,
                struct fr_selection *ret)
{
    const struct fr_service *service = fr_api_call(req)->api->service;
    const struct fr_hub *hub = fr_service_hub(service);
    struct fr_page page;

    ret->count = found->count < wanted->limit ? found->count : wanted->limit;
    ret->ids = malloc((ret->count + 1) * sizeof *ret->ids);
    if (!ret->ids)
        return -ENOMEM;
    for (size_t i = 0; i < ret->count; i++)
        ret->ids[i] = found->jobs[i]->id;
    if (wanted->has_page)
        memcpy(ret->cursor, wanted->page.cursor, sizeof ret->cursor);
    else
        (void)fr_hub_cursor(hub, fr_hub_seq(hub), ret->cursor);
    if (ret->count == 0 || found->count == ret->count || wanted->has_start)
        return 0;
    memcpy(page.cursor, ret->cursor, sizeof page.cursor);
    page.place = fr_table_place(found->jobs[ret->count - 1]);
    (void)fr_page_format(req, &page, ret->next);
    return 0;
}

static void reply_gone(struct fr_req *req)
{
    struct fr_error err;

    fr_error_set(&err, ESTALE, FR_CODE_GONE,
                 "the job that the last page ended with is not in this list any more; list "
                 "again");
    fr_reply_problem(req, 0, &err);
}

bool fr_select_jobs(struct fr_req *req, bool whole, struct fr_selection *ret)
{
    const struct fr_table *table = fr_service_table(fr_api_call(req)->api->service);
    struct fr_problems problems;
    struct found found = {0};
    struct wanted wanted;

    *ret = (struct fr_selection){0};
    fr_problems_init(&problems);
    int rc = read_wanted(req, whole, &wanted, ret, &problems);
    bool valid = problems.count == 0 && problems.left_out == 0;
    if (rc == 0 && valid)
        rc = find(table, &wanted, &found);
    ret->counted = wanted.has_start;
    ret->total = found.count;
    if (wanted.has_start)
        pass_over(&found, wanted.start);
    if (rc == 0 && valid)
        rc = keep(req, &wanted, &found, ret);
    if (!valid)
        fr_reply_problems(req, 0, NULL, &problems);
    else if (rc == -ESTALE)
        reply_gone(req);
    else if (rc < 0)
        fr_reply_no_memory(req);
    fr_filter_done(&wanted.filter);
    fr_problems_done(&problems);
    free(found.jobs);
    return valid && rc == 0;
}

void fr_selection_done(struct fr_selection *selection)
{
    free(selection->ids);
    free(selection->field_text);
}

bool fr_select_ids(struct fr_req *req, uint64_t **ret_ids, size_t *ret_count)
{
    struct fr_problems problems;
    struct fr_filter filter;

    fr_problems_init(&problems);
    int rc = fr_filter_read(get, req, &filter, &problems);
    if (rc == 0 && filter.nids == 0 && problems.count == 0)
        fr_problems_add(&problems, FR_CODE_INVALID, "?ids",
                        "wait goes with ids: name the jobs to wait for");
    bool ok = rc == 0 && problems.count == 0 && problems.left_out == 0;
    if (ok) {
        *ret_ids = fr_take(filter.ids);
        *ret_count = filter.nids;
    } else if (rc < 0) {
        fr_reply_no_memory(req);
    } else {
        fr_reply_problems(req, 0, NULL, &problems);
    }
    fr_filter_done(&filter);
    fr_problems_done(&problems);
    return ok;
}
