// SPDX-License-Identifier: LGPL-3.0-only
/*
 * GET /v1/jobs/search: the server side of a DataTables table, and the older client's search.
 *
 * DataTables sends many parameters of its own; those that mean nothing here are ignored.
 */
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "api/filter.h"
#include "api/found.h"
#include "api/handlers.h"
#include "api/jobs.h"
#include "api/order.h"
#include "api/params.h"
#include "api/problem.h"
#include "base/loop.h"

#define LENGTH_MAX 10000

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

static void reply_rows(struct fr_req *req, const struct fr_found *found, size_t start,
                       size_t total)
{
    struct fr_buf body = FR_BUF_INIT(FR_REPLY_MAX);
    bool has_draw = fr_req_query(req, "draw");
    size_t rows = start < found->count ? found->count - start : 0;
    double now = fr_time_now();

    fr_buf_puts(&body, "{\"data\":[");
    for (size_t i = 0; i < rows; i++) {
        if (i)
            fr_buf_puts(&body, ",\n");
        fr_jobs_put(fr_api_call(req)->api, found->jobs[start + i], now, &body);
    }
    fr_buf_printf(&body, "],\"draw\":%ld,\"recordsTotal\":%zu,\"recordsFiltered\":%zu}\n",
                  fr_param_count(req, "draw", 1), total, has_draw ? found->total : rows);
    fr_reply_json(req, 200, &body);
}

void fr_handle_search(struct fr_req *req)
{
    const struct fr_table *table = fr_service_table(fr_api_call(req)->api->service);
    const char *what = search_text(req), *dir = fr_req_query(req, "order[0][dir]");
    size_t start = (size_t)fr_param_count(req, "start", 0);
    size_t length = (size_t)fr_param_count(req, "length", LENGTH_MAX); /* -1: all */
    struct fr_found found = {.order = wanted_order(req),
                             .backwards = dir && strcmp(dir, "desc") == 0};
    const struct fr_job *job;
    bool ok = true;

    if (!fr_jobs_readable(req))
        return;
    if (start > fr_table_count(table))
        start = fr_table_count(table);
    found.most = start + (length < LENGTH_MAX ? length : LENGTH_MAX);
    struct fr_table_walk walk = fr_table_walk(table, FR_STATES_ALL);
    walk.with_texts = what;
    while (ok && (job = fr_table_next(&walk)))
        if (fr_filter_contains(job, what))
            ok = fr_found_add(&found, job);
    fr_found_sort(&found);
    if (ok)
        reply_rows(req, &found, start, fr_table_count(table));
    else
        fr_reply_no_memory(req);
    fr_found_done(&found);
}
