// SPDX-License-Identifier: LGPL-3.0-only
/*
 * GET /openapi.json: the paths come from the route table, so that the document cannot differ
 * from what is served; the schemas stand in openapi_schemas.h.
 */
#include <string.h>

#include "api/handlers.h"
#include "api/openapi_schemas.h"
#include "api/problem.h"
#include "api/routes.h"
#include "base/util.h"
#include "base/version.h"

static const char *method_key(enum fr_method method)
{
    switch (method) {
    case FR_GET:
        return "get";
    case FR_POST:
        return "post";
    case FR_PUT:
        return "put";
    case FR_PATCH:
        return "patch";
    default:
        return "delete";
    }
}

static void put_path_param(const char *path, bool *any, struct fr_buf *out)
{
    const char *open = strchr(path, '{');

    if (!open)
        return;
    const char *what = "A job's id in any form that Flux reads.", *example = "ƒ2oLkTLb";
    if (strncmp(open, "{name}", 6) == 0) {
        what = "A host list (RFC 29), or a set of ranks (RFC 22).";
        example = "node[0-3]";
    } else if (strncmp(open, "{token}", 7) == 0) {
        what = "A token's name.";
        example = "dashboard";
    }
    fr_buf_printf(out,
                  "{\"name\":\"%.*s\",\"in\":\"path\",\"required\":true,\"description\":\"%s\","
                  "\"schema\":{\"type\":\"string\"},\"example\":\"%s\"}",
                  (int)(strchr(open, '}') - open - 1), open + 1, what, example);
    *any = true;
}

static void put_query_params(const struct fr_route *route, bool *any, struct fr_buf *out)
{
    static const char *const types[] = {
        [FR_PARAM_TEXT] = "{\"type\":\"string\"}",
        [FR_PARAM_BOOL] = "{\"type\":\"boolean\"}",
        [FR_PARAM_COUNT] = "{\"type\":\"integer\",\"minimum\":0}",
        [FR_PARAM_COUNT_OR_ALL] = "{\"type\":\"integer\",\"minimum\":-1}",
        [FR_PARAM_WAIT] = "{\"enum\":[\"run\",\"inactive\",\"change\"]}",
        [FR_PARAM_TIMEOUT] = "{\"type\":\"string\"}",
    };

    for (size_t i = 0; i < route->nparams; i++) {
        const struct fr_param *param = &route->params[i];
        fr_buf_printf(out,
                      "%s{\"name\":\"%s\",\"in\":\"query\",\"description\":", *any ? "," : "",
                      param->name);
        fr_buf_put_json_string(out, param->summary);
        fr_buf_printf(out, ",\"schema\":%s}", types[param->type]);
        *any = true;
    }
}

static void put_body(const struct fr_route *route, struct fr_buf *out)
{
    if (route->body)
        fr_buf_printf(
            out,
            ",\"requestBody\":{\"content\":{"
            "\"application/json\":{\"schema\":{\"$ref\":\"#/components/schemas/%s\"}},"
            "\"application/x-www-form-urlencoded\":{\"schema\":"
            "{\"$ref\":\"#/components/schemas/%s\"}}}}",
            route->body, route->body);
}

static void put_reply(const struct fr_route *route, unsigned int status, struct fr_buf *out)
{
    fr_buf_printf(out, "\"%u\":{\"description\":\"Done.\",\"content\":", status);
    if (route->event)
        fr_buf_printf(out,
                      "{\"%s\":{\"schema\":{\"$ref\":\"#/components/schemas/%s\"}},"
                      "\"text/event-stream\":{\"schema\":"
                      "{\"$ref\":\"#/components/schemas/%s\"}}}},",
                      route->reply, route->event, route->event);
    else if (strchr(route->reply, '/'))
        fr_buf_printf(out, "{\"%s\":{}}},", route->reply);
    else
        fr_buf_printf(out,
                      "{\"application/json\":{\"schema\":"
                      "{\"$ref\":\"#/components/schemas/%s\"}}}},",
                      route->reply);
}

static void put_replies(const struct fr_route *route, struct fr_buf *out)
{
    fr_buf_puts(out, ",\"responses\":{");
    put_reply(route, route->status ? route->status : 200, out);
    for (size_t i = 0; i < FR_ARRAY_SIZE(route->others); i++)
        if (route->others[i])
            put_reply(route, route->others[i], out);
    fr_buf_puts(out, "\"default\":{\"$ref\":\"#/components/responses/Problem\"}}");
}

static void put_operation(const struct fr_route *route, const char *path, bool bare,
                          struct fr_buf *out)
{
    bool any = false;

    fr_buf_printf(out,
                  "\"%s\":{\"operationId\":\"%s%s\",\"summary\":", method_key(route->method),
                  route->id, bare ? "Unprefixed" : "");
    fr_buf_put_json_string(out, route->summary);
    fr_buf_puts(out, ",\"parameters\":[");
    put_path_param(path, &any, out);
    put_query_params(route, &any, out);
    fr_buf_putc(out, ']');
    put_body(route, out);
    put_replies(route, out);
    if (route->role == FR_ROLE_PUBLIC)
        fr_buf_puts(out, ",\"security\":[]");
    fr_buf_printf(out, ",\"x-role\":\"%s\"", fr_role_word(route->role));
    fr_buf_putc(out, '}');
}

/* All operations of one path; a path that an earlier route had is left out. */
static void put_path(const struct fr_route *routes, size_t count, size_t at, bool bare,
                     bool *any, struct fr_buf *out)
{
    const char *path = routes[at].path;

    for (size_t i = 0; i < at; i++)
        if (strcmp(routes[i].path, path) == 0)
            return;
    fr_buf_printf(out, "%s\n\"%s\":{", *any ? "," : "", path + (bare ? strlen("/v1") : 0));
    for (size_t i = at; i < count; i++) {
        if (strcmp(routes[i].path, path) != 0)
            continue;
        if (i > at)
            fr_buf_putc(out, ',');
        put_operation(&routes[i], path, bare, out);
    }
    fr_buf_putc(out, '}');
    *any = true;
}

void fr_handle_openapi(struct fr_req *req)
{
    struct fr_buf body = FR_BUF_INIT(FR_REPLY_MAX);
    size_t count;
    const struct fr_route *routes = fr_routes(&count);
    bool any = false;

    fr_buf_puts(&body, "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"flux-restd\","
                       "\"version\":\"" FR_VERSION "\",\"license\":{\"name\":\"LGPL-3.0-only\","
                       "\"identifier\":\"LGPL-3.0-only\"},\"summary\":\"HTTP interface of one "
                       "Flux instance, or of the machine it stands on.\"},\"paths\":{");
    for (size_t i = 0; i < count; i++) {
        put_path(routes, count, i, false, &any, &body);
        if (routes[i].bare)
            put_path(routes, count, i, true, &any, &body);
    }
    fr_buf_puts(&body, "},\n\"security\":[{\"basic\":[]},{\"bearer\":[]},{}],\"components\":");
    fr_buf_puts(&body, fr_openapi_components);
    fr_buf_puts(&body, "}\n");
    fr_reply_json(req, 200, &body);
}
