// SPDX-License-Identifier: LGPL-3.0-only
#include "api/select.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/filter.h"
#include "api/found.h"
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
                          struct fr_found *found)
{
    struct fr_table_walk walk = fr_table_walk(table, wanted->filter.states);
    const struct fr_job *job;

    if (wanted->has_page)
        fr_table_walk_after(&walk, &wanted->page.place);
    walk.with_texts = wanted->filter.name || wanted->filter.q;
    while (found->count < found->most && (job = fr_table_next(&walk)))
        if (fr_filter_passes(&wanted->filter, job) && !fr_found_add(found, job))
            return false;
    return true;
}

static bool find_by_ids(const struct fr_table *table, const struct fr_filter *filter,
                        struct fr_found *found)
{
    for (size_t i = 0; i < filter->nids; i++) {
        const struct fr_job *job = fr_table_find(table, filter->ids[i]);
        if (job && job->state & filter->states && fr_filter_passes(filter, job) &&
            !fr_found_add(found, job))
            return false;
    }
    return true;
}

static bool find_all(const struct fr_table *table, const struct fr_filter *filter,
                     struct fr_found *found)
{
    struct fr_table_walk walk = fr_table_walk(table, filter->states);
    const struct fr_job *job;

    walk.with_texts = filter->name || filter->q;
    while ((job = fr_table_next(&walk)))
        if (fr_filter_passes(filter, job) && !fr_found_add(found, job))
            return false;
    return true;
}

/* Those that are shown or passed over, and one that tells that there are more. */
static size_t most_wanted(const struct fr_table *table, const struct wanted *wanted)
{
    size_t all = fr_table_count(table) + 1;
    size_t start = wanted->start < all ? wanted->start : all;

    return start + (wanted->limit < all ? wanted->limit : all) + 1;
}

/* 0, -ENOMEM, or -ESTALE: the job that the last page ended with is not among them any more. */
static int find(const struct fr_table *table, const struct wanted *wanted,
                struct fr_found *found)
{
    const struct fr_filter *filter = &wanted->filter;

    found->most = most_wanted(table, wanted);
    if (!filter->ids && !wanted->order && !wanted->has_start)
        return find_in_order(table, wanted, found) ? 0 : -ENOMEM;
    /* Ids without an order: the newest first. */
    found->order = filter->ids && !wanted->order ? fr_order_find("id") : wanted->order;
    found->backwards = wanted->order ? wanted->backwards : true;
    found->last = wanted->has_page ? fr_table_find(table, wanted->page.place.id) : NULL;
    if (wanted->has_page && (!found->last || !(found->last->state & filter->states) ||
                             !fr_filter_passes(filter, found->last)))
        return -ESTALE;
    bool ok = filter->ids ? find_by_ids(table, filter, found) : find_all(table, filter, found);
    if (!ok)
        return -ENOMEM;
    fr_found_sort(found);
    return 0;
}

/* Drops the jobs before start. */
static void pass_over(struct fr_found *found, size_t start)
{
    size_t left = start < found->count ? found->count - start : 0;

    if (left)
        memmove(found->jobs, found->jobs + start, left * sizeof *found->jobs);
    found->count = left;
}

/* Keeps the ids, and what the next page begins after. 0 or -ENOMEM. */
static int keep(struct fr_req *req, const struct wanted *wanted, const struct fr_found *found,
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
    struct fr_found found = {0};
    struct wanted wanted;

    *ret = (struct fr_selection){0};
    fr_problems_init(&problems);
    int rc = read_wanted(req, whole, &wanted, ret, &problems);
    bool valid = problems.count == 0 && problems.left_out == 0;
    if (rc == 0 && valid)
        rc = find(table, &wanted, &found);
    ret->counted = wanted.has_start;
    ret->total = found.total;
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
    fr_found_done(&found);
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
