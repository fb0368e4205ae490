// SPDX-License-Identifier: LGPL-3.0-only
#include "api/web.h"

#include <errno.h>
#include <string.h>

#include "api/accept.h"
#include "api/handlers.h"
#include "api/problem.h"
#include "base/util.h"

/* No markup from anywhere becomes a script, and nothing is loaded from elsewhere. */
#define POLICY                                                                                 \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "                \
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "        \
    "require-trusted-types-for 'script'; trusted-types 'none'"

#define ASSETS "/assets/"

static bool has_tag(const struct fr_req *req, const char *etag)
{
    const char *known = fr_req_header(req, "If-None-Match");

    return known && (strstr(known, etag) || strcmp(known, "*") == 0);
}

static void reply_file(struct fr_req *req, const struct fr_web_file *file)
{
    fr_req_set_header(req, "ETag", file->etag);
    fr_req_set_header(req, "Cross-Origin-Resource-Policy", "same-origin");
    if (file->gzip)
        fr_req_set_header(req, "Content-Encoding", "gzip");
    if (has_tag(req, file->etag))
        fr_req_reply(req, 304, NULL, NULL);
    else
        fr_req_reply_static(req, 200, file->type, file->data, file->len);
}

static void reply_none(struct fr_req *req)
{
    struct fr_error err;

    fr_error_set(&err, ENOENT, FR_CODE_NOT_FOUND,
                 fr_web_count ? "the page has no file of this name: load the page anew"
                              : "this daemon was built without the page: build it where node "
                                "and npm are installed");
    fr_reply_problem(req, 0, &err);
}

static void handle_asset(struct fr_req *req)
{
    const char *name = fr_req_path(req) + sizeof ASSETS - 1;
    const struct fr_web_file *file = NULL;
    struct fr_error err;

    for (size_t i = 1; i < fr_web_count; i++)
        if (strcmp(fr_web_files[i].name, name) == 0)
            file = &fr_web_files[i];
    if (!file) {
        reply_none(req);
        return;
    }
    if (file->gzip && !fr_accepts_gzip(req)) {
        fr_error_set(&err, EINVAL, FR_CODE_INVALID,
                     "the page's files are kept packed: send Accept-Encoding: gzip");
        fr_reply_problem(req, 406, &err);
        return;
    }
    fr_req_set_header(req, "Cache-Control", "public, max-age=31536000, immutable");
    fr_req_set_header(req, "Vary", "Accept-Encoding");
    reply_file(req, file);
}

void fr_handle_web(struct fr_req *req)
{
    if (fr_web_count == 0) {
        reply_none(req);
        return;
    }
    fr_req_set_header(req, "Cache-Control", "no-cache");
    fr_req_set_header(req, "Vary", "Accept");
    fr_req_set_header(req, "Content-Security-Policy", POLICY);
    fr_req_set_header(req, "X-Frame-Options", "DENY");
    fr_req_set_header(req, "Referrer-Policy", "no-referrer");
    fr_req_set_header(req, "Cross-Origin-Opener-Policy", "same-origin");
    reply_file(req, &fr_web_files[0]);
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

static bool prefers_html(const struct fr_req *req)
{
    const char *accept = fr_req_header(req, "Accept");

    if (!accept)
        return false;
    int json = fr_accept_weight(accept, "application/json");
    if (json < 0)
        json =
            larger(fr_accept_weight(accept, "application/*"), fr_accept_weight(accept, "*/*"));
    return fr_accept_weight(accept, "text/html") > larger(json, 0);
}

/* "/jobs/{id}", but not "/jobs/search", which is a program's. */
static bool is_job(const char *path)
{
    static const char prefix[] = "/jobs/";
    const char *id = path + sizeof prefix - 1;

    return strncmp(path, prefix, sizeof prefix - 1) == 0 && *id && !strchr(id, '/') &&
           strcmp(id, "search") != 0;
}

static bool is_of_page(const char *path)
{
    static const char *const paths[] = {"/", "/jobs", "/nodes", "/docs"};

    for (size_t i = 0; i < FR_ARRAY_SIZE(paths); i++)
        if (strcmp(path, paths[i]) == 0)
            return true;
    return is_job(path);
}

const struct fr_route *fr_web_route(const struct fr_req *req)
{
    static const struct fr_route page = {
        .any_param = true, .role = FR_ROLE_PUBLIC, .handle = fr_handle_web};
    static const struct fr_route asset = {
        .any_param = true, .role = FR_ROLE_PUBLIC, .handle = handle_asset};
    const char *path = fr_req_path(req);

    if (!fr_web_count || !(fr_req_method(req) & (FR_GET | FR_HEAD)))
        return NULL;
    if (strncmp(path, ASSETS, sizeof ASSETS - 1) == 0)
        return &asset;
    return is_of_page(path) && prefers_html(req) ? &page : NULL;
}
