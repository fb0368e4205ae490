// SPDX-License-Identifier: LGPL-3.0-only
/*
 * GET /v1/service, POST /v1/service/stop, the health checks, and the start page.
 */
#include <errno.h>

#include "api/api.h"
#include "api/handlers.h"
#include "api/problem.h"
#include "base/loop.h"
#include "base/util.h"
#include "base/version.h"

static void put_features(const struct fr_engine_ops *ops, struct fr_buf *body)
{
    const struct {
        const char *name;
        bool has;
    } features[] = {
        {"submit", ops->submit},     {"cancel", ops->cancel},     {"kill", ops->kill},
        {"urgency", ops->urgency},   {"duration", ops->duration}, {"lookup", ops->lookup},
        {"why", ops->why},           {"output", ops->output},     {"nodes", ops->nodes},
        {"drain", ops->drain},       {"undrain", ops->undrain},   {"queues", ops->queues},
        {"shutdown", ops->shutdown},
    };
    bool any = false;

    fr_buf_puts(body, ",\"features\":[");
    for (size_t i = 0; i < FR_ARRAY_SIZE(features); i++) {
        if (!features[i].has)
            continue;
        fr_buf_printf(body, "%s\"%s\"", any ? "," : "", features[i].name);
        any = true;
    }
    fr_buf_putc(body, ']');
}

static void put_jobs(const struct fr_table *table, struct fr_buf *body)
{
    size_t counts[FR_STATE_BITS];

    fr_table_count_states(table, counts);
    fr_buf_puts(body, ",\"jobs\":{");
    for (int i = 0; i < FR_STATE_BITS; i++)
        fr_buf_printf(body, "%s\"%s\":%zu", i ? "," : "", fr_state_word(1 << i), counts[i]);
    fr_buf_putc(body, '}');
}

static const char *status_word(const struct fr_service *service)
{
    if (fr_service_is_stopping(service))
        return "stopping";
    if (fr_service_lost(service))
        return "lost";
    return fr_service_is_ready(service) ? "ready" : "starting";
}

void fr_handle_service(struct fr_req *req)
{
    const struct fr_call *call = fr_api_call(req);
    const struct fr_service *service = call->api->service;
    struct fr_engine *engine = fr_service_engine(service);
    const char *instance = fr_service_is_ready(service) ? engine->ops->instance(engine) : NULL;
    struct fr_buf body = FR_BUF_INIT(FR_REPLY_MAX);
    int nodes, cores, gpus;

    engine->ops->size(engine, &nodes, &cores, &gpus);
    fr_buf_puts(&body, "{\"name\":\"flux-restd\",\"version\":\"" FR_VERSION "\",\"engine\":");
    fr_buf_put_json_string(&body, engine->ops->name);
    put_features(engine->ops, &body);
    fr_buf_printf(&body, ",\"status\":\"%s\",\"instance\":", status_word(service));
    fr_buf_put_json_string(&body, instance);
    fr_buf_puts(&body, ",\"lost\":");
    fr_buf_put_json_string(&body, fr_service_lost(service));
    fr_buf_printf(&body, ",\"nodes\":%d,\"cores\":%d,\"gpus\":%d,\"uptime\":", nodes, cores,
                  gpus);
    fr_buf_put_double(&body, fr_time_now() - fr_service_started(service));
    put_jobs(fr_service_table(service), &body);
    fr_buf_puts(&body, ",\"user\":");
    fr_buf_put_json_string(&body, call->who.user);
    fr_buf_printf(&body, ",\"identified_by\":\"%s\",\"roles\":[",
                  fr_identified_word(call->who.method));
    for (enum fr_role role = FR_ROLE_READ; role <= call->who.role; role++)
        fr_buf_printf(&body, "%s\"%s\"", role > FR_ROLE_READ ? "," : "", fr_role_word(role));
    fr_buf_puts(&body, "]}\n");
    fr_reply_json(req, 200, &body);
}

static void reply_health(struct fr_req *req, unsigned int status, const char *word)
{
    struct fr_buf body = FR_BUF_INIT(FR_REPLY_MAX);

    fr_buf_printf(&body, "{\"status\":\"%s\"}\n", word);
    fr_reply_json(req, status, &body);
}

void fr_handle_livez(struct fr_req *req)
{
    reply_health(req, 200, "alive");
}

void fr_handle_readyz(struct fr_req *req)
{
    const char *word = status_word(fr_api_call(req)->api->service);

    if (word[0] == 'r') {
        reply_health(req, 200, word);
    } else {
        fr_req_set_header(req, "Retry-After", "1");
        reply_health(req, 503, word);
    }
}

void fr_handle_root(struct fr_req *req)
{
    const struct fr_service *service = fr_api_call(req)->api->service;
    const struct fr_engine *engine = fr_service_engine(service);
    struct fr_buf body = FR_BUF_INIT(FR_REPLY_MAX);

    fr_req_set_header(req, "Content-Security-Policy",
                      "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
    fr_buf_printf(&body,
                  "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                  "<meta name=\"viewport\" content=\"width=device-width\">"
                  "<title>flux-restd</title><style>"
                  ":root{color-scheme:light dark}"
                  "body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;"
                  "padding:0 1rem}code{font-size:.9em}</style></head><body>"
                  "<h1>flux-restd %s</h1>"
                  "<p>This is the HTTP interface of a %s instance: it is %s and knows %zu jobs."
                  "</p><ul>"
                  "<li><a href=\"/v1/jobs\">/v1/jobs</a>: the jobs</li>"
                  "<li><a href=\"/v1/nodes\">/v1/nodes</a>: the nodes</li>"
                  "<li><a href=\"/v1/service\">/v1/service</a>: what runs here</li>"
                  "<li><a href=\"/openapi.json\">/openapi.json</a>: every call, as OpenAPI 3.1"
                  "</li></ul>"
                  "<p>This daemon was built without the page for people, which "
                  "needs node and npm.</p>"
                  "<p>Submit a job: <code>POST /v1/jobs/submit</code> with "
                  "<code>{\"command\": \"echo hello\"}</code>.</p></body></html>\n",
                  FR_VERSION, engine->ops->name[0] == 'f' ? "Flux" : "local",
                  status_word(service), fr_table_count(fr_service_table(service)));
    fr_req_reply(req, 200, "text/html; charset=utf-8", &body);
}
