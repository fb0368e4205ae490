// SPDX-License-Identifier: LGPL-3.0-only
/*
 * GET /v1/jobs/search: the server side of a DataTables table, and the older client's search.
 *
 * DataTables sends many parameters of its own; those that mean nothing here are ignored.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/filter.h"
#include "api/handlers.h"
#include "api/jobs.h"
#include "api/order.h"
#include "api/params.h"
#include "api/problem.h"
#include "base/loop.h"

#define LENGTH_MAX 10000

struct matches {
    const struct fr_job **jobs;
    size_t count, cap;
};

static const char *search_text(const struct fr_req *req)
{
    static const char *const names[] = {"search[value]", "search", "query"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *text = fr_req_query(req, names[i]);
        if (text && text[0])
            return text;
    }
    return NULL;
}

static bool add_match(struct matches *matches, const struct fr_job *job)
{
    if (matches->count == matches->cap) {
        size_t cap = matches->cap ? matches->cap * 2 : 256;
        const struct fr_job **jobs = realloc(matches->jobs, cap * sizeof *jobs);
        if (!jobs)
            return false;
        matches->jobs = jobs;
        matches->cap = cap;
    }
    matches->jobs[matches->count++] = job;
    return true;
}

/* The column that the first order[…] names, by its data source; NULL: the table's own order. */
static fr_order_f wanted_order(const struct fr_req *req)
{
    char parameter[64];
    long column = fr_param_count(req, "order[0][column]", -1);

    if (column < 0)
        return NULL;
    snprintf(parameter, sizeof parameter, "columns[%ld][data]", column);
    const char *data = fr_req_query(req, parameter);
    return data ? fr_order_find(data) : NULL;
}

static void put_rows(struct fr_api *api, const struct matches *matches, size_t start,
                     size_t rows, bool backwards, struct fr_buf *body)
{
    double now = fr_time_now();

    for (size_t i = 0; i < rows; i++) {
        size_t at = start + i;
        if (i)
            fr_buf_puts(body, ",\n");
        fr_jobs_put(api, matches->jobs[backwards ? matches->count - 1 - at : at], now, body);
    }
}

static void reply_rows(struct fr_req *req, struct matches *matches, size_t total)
{
    struct fr_buf body = FR_BUF_INIT(FR_REPLY_MAX);
    bool has_draw = fr_req_query(req, "draw");
    size_t start = (size_t)fr_param_count(req, "start", 0);
    size_t length = (size_t)fr_param_count(req, "length", LENGTH_MAX);
    const char *dir = fr_req_query(req, "order[0][dir]");
    fr_order_f compare = wanted_order(req);
    size_t rest = start < matches->count ? matches->count - start : 0;
    size_t rows = rest < length ? rest : length;

    if (rows > LENGTH_MAX)
        rows = LENGTH_MAX;
    if (compare && matches->count)
        qsort(matches->jobs, matches->count, sizeof *matches->jobs, compare);
    fr_buf_puts(&body, "{\"data\":[");
    put_rows(fr_api_call(req)->api, matches, start, rows,
             compare && dir && strcmp(dir, "desc") == 0, &body);
    fr_buf_printf(&body, "],\"draw\":%ld,\"recordsTotal\":%zu,\"recordsFiltered\":%zu}\n",
                  fr_param_count(req, "draw", 1), total, has_draw ? matches->count : rows);
    fr_reply_json(req, 200, &body);
}

void fr_handle_search(struct fr_req *req)
{
    const struct fr_table *table = fr_service_table(fr_api_call(req)->api->service);
    const char *what = search_text(req);
    struct matches matches = {0};
    const struct fr_job *job;

    if (!fr_jobs_readable(req))
        return;
    struct fr_table_walk walk = fr_table_walk(table, FR_STATES_ALL);
    while ((job = fr_table_next(&walk))) {
        if (fr_filter_contains(job, what) && !add_match(&matches, job)) {
            free(matches.jobs);
            fr_reply_no_memory(req);
            return;
        }
    }
    reply_rows(req, &matches, fr_table_count(table));
    free(matches.jobs);
}
