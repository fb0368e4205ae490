// SPDX-License-Identifier: LGPL-3.0-only
#include "http/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "http/internal.h"

/* A reply up to this size is sent however much others hold: connections are limited too. */
enum { SMALL_REPLY = 65536 };

enum fr_method fr_req_method(const struct fr_req *req)
{
    return req->method;
}

const char *fr_req_method_word(const struct fr_req *req)
{
    return req->method_word;
}

const char *fr_req_path(const struct fr_req *req)
{
    return req->path;
}

const char *fr_req_id(const struct fr_req *req)
{
    return req->id;
}

const struct fr_peer *fr_req_peer(const struct fr_req *req)
{
    return &req->conn->peer;
}

unsigned int fr_req_connections(const struct fr_req *req)
{
    return req->conn->server->n_conns;
}

const char *fr_req_header(const struct fr_req *req, const char *name)
{
    return MHD_lookup_connection_value(req->conn->mhd, MHD_HEADER_KIND, name);
}

struct query {
    const char *name; /* wanted */
    const char *value;
    void (*each)(void *arg, const char *name, const char *value);
    void *arg;
};

static enum MHD_Result find_parameter(void *cls, enum MHD_ValueKind kind, const char *name,
                                      const char *value)
{
    struct query *query = cls;

    (void)kind;
    if (strcmp(name, query->name) != 0)
        return MHD_YES;
    query->value = value ? value : "";
    return MHD_NO;
}

/* Not libmicrohttpd's own look-up, which does not tell upper from lower case. */
const char *fr_req_query(const struct fr_req *req, const char *name)
{
    struct query query = {.name = name};

    (void)MHD_get_connection_values(req->conn->mhd, MHD_GET_ARGUMENT_KIND, find_parameter,
                                    &query);
    return query.value;
}

static enum MHD_Result pass_parameter(void *cls, enum MHD_ValueKind kind, const char *name,
                                      const char *value)
{
    struct query *query = cls;

    (void)kind;
    query->each(query->arg, name, value ? value : "");
    return MHD_YES;
}

void fr_req_query_each(const struct fr_req *req,
                       void (*each)(void *arg, const char *name, const char *value), void *arg)
{
    struct query query = {.each = each, .arg = arg};

    (void)MHD_get_connection_values(req->conn->mhd, MHD_GET_ARGUMENT_KIND, pass_parameter,
                                    &query);
}

const char *fr_req_body(const struct fr_req *req, size_t *ret_len)
{
    *ret_len = req->body.len;
    return req->body.data ? req->body.data : "";
}

void fr_req_stream_body(struct fr_req *req,
                        void (*data)(void *arg, const char *data, size_t len), void *arg)
{
    req->on_data = data;
    req->data_arg = arg;
}

void fr_req_pause_body(struct fr_req *req, bool paused)
{
    const uint64_t now = uv_now(req->conn->server->loop);

    if (paused == req->paused)
        return;
    req->paused = paused;
    if (paused) { /* libmicrohttpd lets a connection be suspended in its callback only */
        req->paused_at = now;
        return;
    }
    req->conn->since += now - req->paused_at;
    fr_req_wake(req);
}

void fr_req_set_user(struct fr_req *req, const char *user)
{
    req->user = user;
}

const char *fr_req_user(const struct fr_req *req)
{
    return req->user ? req->user : "";
}

static void free_data(struct fr_req *req)
{
    if (req->free_data)
        req->free_data(req->data);
}

void fr_req_set_data(struct fr_req *req, void *data, void (*free_fn)(void *data))
{
    free_data(req);
    req->data = data;
    req->free_data = free_fn;
}

void *fr_req_data(const struct fr_req *req)
{
    return req->data;
}

void fr_req_on_gone(struct fr_req *req, void (*cb)(void *arg), void *arg)
{
    req->gone = cb;
    req->gone_arg = arg;
}

static bool is_printable(const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at; at++)
        if (*at < 0x20 || *at == 0x7f)
            return false;
    return true;
}

int fr_req_set_header(struct fr_req *req, const char *name, const char *value)
{
    if (!*name || !is_printable(name) || strpbrk(name, " :") || !is_printable(value))
        return -EINVAL;
    fr_buf_put(&req->headers, name, strlen(name) + 1);
    fr_buf_put(&req->headers, value, strlen(value) + 1);
    return fr_buf_status(&req->headers) < 0 ? -ENOMEM : 0;
}

void fr_req_set_etag(struct fr_req *req, const char *etag)
{
    const size_t len = strnlen(etag, FR_ETAG_MAX);

    memcpy(req->etag, etag, len);
    req->etag[len] = '\0';
}

static void add_headers(struct fr_req *req, struct MHD_Response *response)
{
    if (req->headers.len == 0 || fr_buf_status(&req->headers) < 0)
        return;
    const char *at = req->headers.data;
    const char *end = at + req->headers.len;
    while (at < end) {
        const char *value = at + strlen(at) + 1;
        (void)MHD_add_response_header(response, at, value);
        at = value + strlen(value) + 1;
    }
}

void fr_message_add_fixed(struct MHD_Response *response, const char *content_type,
                          const char *etag)
{
    if (content_type)
        (void)MHD_add_response_header(response, "Content-Type", content_type);
    (void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (etag[0])
        (void)MHD_add_response_header(response, "ETag", etag);
}

void fr_message_send(struct fr_req *req, unsigned int status, struct MHD_Response *response)
{
    req->response = response;
    req->status = status;
    req->answered = true;
    fr_req_wake(req);
}

void fr_req_answer(struct fr_req *req, unsigned int status, const char *content_type,
                   struct MHD_Response *response)
{
    if (!response) {
        /* Nothing is left to answer with: the connection is given up. */
        req->answered = true;
        req->dead = true;
        fr_req_wake(req);
        return;
    }
    fr_message_add_fixed(response, content_type,
                         status < 300 || status == 304 ? req->etag : "");
    (void)MHD_add_response_header(response, FR_ID_HEADER, req->id);
    add_headers(req, response);
    if (req->conn->server->stopping)
        (void)MHD_add_response_header(response, "Connection", "close");
    fr_message_send(req, status, response);
}

void fr_req_wake(struct fr_req *req)
{
    if (!req->suspended)
        return;
    req->suspended = false;
    MHD_resume_connection(req->conn->mhd);
    fr_server_kick(req->conn->server);
}

static struct MHD_Response *static_response(const void *data, size_t len)
{
    /* The library's interface predates const; it only reads. */
    return MHD_create_response_from_buffer(len, (void *)(uintptr_t)data,
                                           MHD_RESPMEM_PERSISTENT);
}

int fr_req_hold(struct fr_req *req, size_t bytes)
{
    struct fr_server *server = req->conn->server;
    const uint64_t others = server->reply_bytes - req->held;

    if (bytes > SMALL_REPLY && others + bytes > server->limits.replies)
        return -ENOBUFS;
    server->reply_bytes = others + bytes;
    req->held = bytes;
    return 0;
}

void fr_req_reply_busy(struct fr_req *req)
{
    const struct fr_server_hooks *hooks = &req->conn->server->hooks;
    struct fr_error err;

    (void)fr_error_set(
        &err, ENOBUFS, FR_CODE_TOO_MANY,
        "the replies being sent hold all the memory for them; try again later or "
        "ask for less");
    hooks->refuse(hooks->arg, req, 503, &err);
}

void fr_req_reply(struct fr_req *req, unsigned int status, const char *content_type,
                  struct fr_buf *body)
{
    char *data = NULL;
    size_t len = 0;

    if (!body || (body->len == 0 && fr_buf_status(body) == 0)) {
        if (body)
            fr_buf_done(body);
        fr_req_reply_static(req, status, content_type, "", 0);
        return;
    }
    if (fr_buf_take(body, &data, &len) < 0) {
        static const char text[] = "The reply could not be made.\n";
        fr_req_reply_static(req, 500, "text/plain", text, sizeof text - 1);
        return;
    }
    if (fr_req_hold(req, len) < 0) {
        free(data);
        fr_req_reply_busy(req);
        return;
    }
    req->bytes = req->method == FR_HEAD ? 0 : len;
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback(len, data, free);
    if (!response)
        free(data);
    fr_req_answer(req, status, content_type, response);
}

void fr_req_reply_static(struct fr_req *req, unsigned int status, const char *content_type,
                         const void *data, size_t len)
{
    req->bytes = req->method == FR_HEAD ? 0 : len;
    fr_req_answer(req, status, content_type, static_response(data, len));
}

void fr_req_free(struct fr_req *req)
{
    free_data(req);
    req->conn->server->reply_bytes -= req->held;
    if (req->reply)
        fr_reply_taken(req->reply, req->response);
    else if (req->response)
        MHD_destroy_response(req->response);
    fr_buf_done(&req->body);
    fr_buf_done(&req->headers);
    free(req);
}
