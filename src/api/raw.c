// SPDX-License-Identifier: LGPL-3.0-only
/*
 * GET /v1/jobs/{id}/output/stdout and /stderr: the bytes that a job has written so far, as they
 * are, for a download; with Range.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/handlers.h"
#include "api/held.h"
#include "api/jobs.h"
#include "api/problem.h"
#include "api/range.h"
#include "model/fluid.h"

#define TYPE "application/octet-stream"

struct raw {
    struct fr_held held;
    const struct fr_engine_ops *ops;
    struct fr_output_watch *watch;
    uint64_t id;
    bool is_stderr;
    struct fr_buf bytes;
};

static void free_raw(struct raw *raw)
{
    if (raw->watch)
        raw->ops->output_free(raw->watch);
    fr_buf_done(&raw->bytes);
    free(raw);
}

static void name_download(struct fr_req *req, const struct raw *raw)
{
    char text[80];

    /* In decimal, for a header is ASCII. */
    snprintf(text, sizeof text, "attachment; filename=\"%llu.%s\"", (unsigned long long)raw->id,
             raw->is_stderr ? "stderr" : "stdout");
    fr_req_set_header(req, "Content-Disposition", text);
    fr_req_set_header(req, "Accept-Ranges", "bytes");
}

static void reply_unsatisfiable(struct fr_req *req, size_t len)
{
    struct fr_error err;
    char text[48];

    snprintf(text, sizeof text, "bytes */%zu", len);
    fr_req_set_header(req, "Content-Range", text);
    fr_error_set(&err, ERANGE, FR_CODE_INVALID, "there are %zu bytes, and none in that range",
                 len);
    fr_reply_problem(req, 416, &err);
}

/* All that is there has been read: the part that was asked for is answered. */
static void reply(struct raw *raw)
{
    struct fr_req *req = fr_held_take(&raw->held);
    const char *header = fr_req_header(req, "If-Range") ? NULL : fr_req_header(req, "Range");
    size_t len = raw->bytes.len, from = 0, to = len;
    int rc = fr_range_read(header, len, &from, &to);
    char text[80];

    if (rc == -ERANGE) {
        reply_unsatisfiable(req, len);
    } else if (fr_buf_status(&raw->bytes) == 0 && rc == 1) {
        snprintf(text, sizeof text, "bytes %zu-%zu/%zu", from, to - 1, len);
        name_download(req, raw);
        fr_req_set_header(req, "Content-Range", text);
        memmove(raw->bytes.data, raw->bytes.data + from, to - from);
        raw->bytes.len = to - from;
        fr_req_reply(req, 206, TYPE, &raw->bytes);
    } else {
        name_download(req, raw);
        fr_req_reply(req, 200, TYPE, &raw->bytes);
    }
    free_raw(raw);
}

static void on_data(struct raw *raw, const struct fr_output *piece)
{
    if (piece->is_stderr == raw->is_stderr)
        fr_buf_put(&raw->bytes, piece->data, piece->len);
    if (fr_buf_status(&raw->bytes) == 0 && fr_req_hold(raw->held.req, raw->bytes.cap) == 0)
        return;
    fr_req_reply_busy(fr_held_take(&raw->held));
    free_raw(raw);
}

static void on_piece(void *arg, const struct fr_output *piece)
{
    struct raw *raw = arg;

    switch (piece->kind) {
    case FR_OUTPUT_DATA:
        on_data(raw, piece);
        break;
    case FR_OUTPUT_REDIRECT:
        break;
    case FR_OUTPUT_ERROR:
        fr_reply_problem(fr_held_take(&raw->held), 0, piece->err);
        free_raw(raw);
        break;
    case FR_OUTPUT_CAUGHT_UP:
    case FR_OUTPUT_END:
        reply(raw);
        break;
    }
}

static void on_dropped(struct fr_held *held)
{
    free_raw((struct raw *)held);
}

static void begin(struct fr_req *req, bool is_stderr)
{
    struct fr_api *api = fr_api_call(req)->api;
    struct fr_engine *engine = fr_service_engine(api->service);
    uint64_t id;

    if (!fr_jobs_readable(req) || !fr_jobs_read_id(req, &id))
        return;
    if (!fr_table_find(fr_service_table(api->service), id)) {
        fr_jobs_reply_unknown(req);
        return;
    }
    struct raw *raw = calloc(1, sizeof *raw);
    if (raw) {
        raw->ops = engine->ops;
        raw->id = id;
        raw->is_stderr = is_stderr;
        fr_buf_init(&raw->bytes, FR_REPLY_MAX);
        raw->watch = engine->ops->output(engine, id, 0, on_piece, raw);
    }
    if (!raw || !raw->watch) {
        free(raw);
        fr_reply_no_memory(req);
        return;
    }
    fr_held_init(&raw->held, req, FR_CODE_UNAVAILABLE, on_dropped);
}

void fr_handle_stdout(struct fr_req *req)
{
    begin(req, false);
}

void fr_handle_stderr(struct fr_req *req)
{
    begin(req, true);
}
