// SPDX-License-Identifier: LGPL-3.0-only
/*
 * One request's way through libmicrohttpd's callbacks: begin (request line), unescape, access
 * (once for the headers, once per piece of the body, then for the whole until a reply is
 * queued), completed.
 */
#include "http/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "base/util.h"

/* Bytes of a body beyond the limit that are read and thrown away before the client is cut. */
enum { OVERFLOW_MAX = 1 << 20 };

static const struct {
    const char *word;
    enum fr_method method;
} methods[] = {
    {"GET", FR_GET},     {"HEAD", FR_HEAD},     {"POST", FR_POST},       {"PUT", FR_PUT},
    {"PATCH", FR_PATCH}, {"DELETE", FR_DELETE}, {"OPTIONS", FR_OPTIONS},
};

/* The raw target: what decoding would hide is looked for here. */
static const char *raw_fault(const char *target)
{
    for (const unsigned char *at = (const unsigned char *)target; *at; at++)
        if (*at <= ' ' || *at == 0x7f)
            return "the target has a space or a control character";
    return NULL;
}

/* Length of "http://host" at the start of an absolute target. */
static size_t origin_length(const char *target)
{
    if (strncasecmp(target, "http://", 7) == 0)
        return 7 + strcspn(target + 7, "/?");
    if (strncasecmp(target, "https://", 8) == 0)
        return 8 + strcspn(target + 8, "/?");
    return 0;
}

/*
 * libmicrohttpd needs memory for each query parameter, and would run out of it before we are
 * asked. A query with too many is taken away from it (it has told us the target before it
 * reads it), so that the request can be refused in words.
 */
static bool cut_crowded_query(const char *target, unsigned int limit)
{
    char *query = strchr(target, '?');
    unsigned int count = 1;

    for (const char *at = query; at && *at; at++)
        count += *at == '&';
    if (!query || count <= limit)
        return false;
    query[1] = '\0';
    return true;
}

void *fr_request_begin(void *cls, const char *target, struct MHD_Connection *mhd)
{
    struct fr_server *server = cls;
    struct conn *conn = fr_conn_of(mhd);
    struct fr_req *req = malloc(sizeof *req); /* calloc() has no cache per thread in glibc */

    if (!req)
        return NULL; /* the access callback then gives up the connection */
    *req = (struct fr_req){.conn = conn, .started = uv_hrtime()};
    req->bad = raw_fault(target);
    req->origin = *target == '/' ? 0 : origin_length(target);
    if (!req->bad && memchr(target, '%', req->origin))
        req->bad = "the target's host is encoded";
    req->crowded = cut_crowded_query(target, server->limits.parameters);
    fr_buf_init(&req->body, server->limits.body);
    fr_buf_init(&req->headers, 16384);
    conn->req = req;
    /* The first request's time runs from accept, that of later ones from their first line. */
    if (!conn->fresh)
        fr_conn_enter(conn, CONN_RECEIVING);
    conn->fresh = false;
    return req;
}

size_t fr_request_unescape(void *cls, struct MHD_Connection *mhd, char *text)
{
    /*
     * When its memory ran out over the query, libmicrohttpd 0.9.75 has queued a reply, given
     * that memory away, still has the path decoded, which is not there any more, and then
     * neither sends the reply nor ends the connection.
     */
    if (MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_HTTP_STATUS)) {
        fr_conn_cut(fr_conn_of(mhd));
        return 0;
    }
    char *from = strchr(text, '%');
    if (!from)
        return strlen(text);
    struct fr_req *req = fr_conn_of(mhd)->req;
    char *to = from;
    while (*from) {
        if (*from != '%') {
            *to++ = *from++;
            continue;
        }
        const int high = fr_text_hex(from[1]);
        const int low = high < 0 ? -1 : fr_text_hex(from[2]);
        if (low < 0 || (high == 0 && low == 0)) {
            if (req)
                req->bad = low < 0 ? "a '%' in the target is not followed by two hex digits"
                                   : "the target has an encoded NUL";
            break;
        }
        *to++ = (char)(high << 4 | low);
        from += 3;
    }
    *to = '\0';
    return (size_t)(to - text);
}

static void take_method(struct fr_req *req, const char *word)
{
    for (size_t i = 0; i < FR_ARRAY_SIZE(methods); i++)
        if (strcmp(methods[i].word, word) == 0) {
            req->method = methods[i].method;
            req->method_word = methods[i].word;
            return;
        }
    req->method = FR_METHOD_OTHER;
    if (strlen(word) > FR_METHOD_MAX && !req->bad)
        req->bad = "the method is too long";
    (void)snprintf(req->method_text, sizeof req->method_text, "%s", word);
    req->method_word = req->method_text;
}

/* Hands the reply to libmicrohttpd if there is one. MHD_NO gives up the connection. */
static enum MHD_Result flush(struct fr_req *req)
{
    if (!req->response)
        return MHD_YES;
    fr_conn_enter(req->conn, CONN_SENDING);
    return MHD_queue_response(req->conn->mhd, req->status, req->response);
}

/* A hook that should have answered and has not is our own fault: the client is told so. */
static enum MHD_Result flush_now(struct fr_req *req)
{
    if (!req->answered)
        fr_req_reply(req, 500, NULL, NULL);
    return flush(req);
}

static void refuse(struct fr_req *req, unsigned int status, const struct fr_error *err)
{
    const struct fr_server_hooks *hooks = &req->conn->server->hooks;

    hooks->refuse(hooks->arg, req, status, err);
}

static bool admit(struct fr_req *req)
{
    const struct fr_server_hooks *hooks = &req->conn->server->hooks;

    return !hooks->admit || hooks->admit(hooks->arg, req);
}

/*
 * The headers are in. A reply queued now ends the connection, for libmicrohttpd will not read
 * the body: right for a refused upload, and for a request whose end is in doubt.
 */
static enum MHD_Result on_headers(struct fr_req *req, const char *url, const char *method,
                                  const char *version)
{
    struct fr_error err;

    req->seen = true;
    req->path = url;
    take_method(req, method);
    unsigned int status = fr_check_request(req, version, &err);
    bool admitted = status == 0 && (!req->body_due || admit(req));
    if (admitted)
        status = fr_check_length(req, &err);
    if (status)
        refuse(req, status, &err);
    else if (admitted)
        return MHD_YES;
    req->conn->linger = true;
    return flush_now(req);
}

static enum MHD_Result on_body(struct fr_req *req, const char *data, size_t *size)
{
    const size_t n = *size;

    *size = 0;
    if (req->dead) /* it took too long */
        return MHD_NO;
    if (req->on_data) {
        req->on_data(req->data_arg, data, n);
        if (req->paused && !req->suspended) {
            req->suspended = true;
            MHD_suspend_connection(req->conn->mhd);
        }
        return MHD_YES;
    }
    if (req->overflow == 0) {
        fr_buf_put(&req->body, data, n);
        const int rc = fr_buf_status(&req->body);
        if (rc == 0)
            return MHD_YES;
        if (rc != -EMSGSIZE)
            return MHD_NO;
        fr_buf_done(&req->body);
    }
    req->overflow += n;
    return req->overflow > OVERFLOW_MAX ? MHD_NO : MHD_YES;
}

static void hand_over(struct fr_req *req)
{
    const struct fr_server_hooks *hooks = &req->conn->server->hooks;
    struct fr_error err;

    req->handed = true;
    fr_conn_enter(req->conn, CONN_HANDLING);
    if (req->overflow) {
        (void)fr_error_set(&err, EMSGSIZE, FR_CODE_TOO_LARGE,
                           "the body has too many bytes: at most %zu here",
                           req->conn->server->limits.body);
        refuse(req, 413, &err);
    } else if (req->body_due || admit(req)) {
        hooks->handle(hooks->arg, req);
    } else if (!req->answered) {
        fr_req_reply(req, 500, NULL, NULL);
    }
}

/*
 * The request is whole. Called again by libmicrohttpd until there is a reply. The connection is
 * suspended not in the first of these calls but in the second: only then does libmicrohttpd,
 * once it is resumed, send before it reads, and so does not take a client that has shut down
 * its sending side for one that has left.
 */
static enum MHD_Result on_whole(struct fr_req *req)
{
    if (req->dead)
        return MHD_NO;
    if (!req->handed) {
        hand_over(req);
    } else if (!req->response) {
        req->suspended = true;
        MHD_suspend_connection(req->conn->mhd);
        return MHD_YES;
    }
    return flush(req);
}

enum MHD_Result fr_request_access(void *cls, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **context)
{
    struct fr_req *req = *context;

    (void)cls;
    (void)mhd;
    if (!req)
        return MHD_NO;
    if (!req->seen)
        return on_headers(req, url, method, version);
    return data ? on_body(req, data, size) : on_whole(req);
}

/* libmicrohttpd answers some faults itself, such as a malformed chunk. */
static void take_library_status(struct fr_req *req)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(req->conn->mhd, MHD_CONNECTION_INFO_HTTP_STATUS);

    if (!req->response && !req->status)
        req->status = info ? info->http_status : 0;
}

void fr_request_end(struct fr_req *req)
{
    const struct fr_server_hooks *hooks = &req->conn->server->hooks;

    req->conn->req = NULL;
    if (req->stream)
        fr_stream_closed(req->stream);
    else if (!req->answered && !req->dead && req->gone)
        req->gone(req->gone_arg);
    take_library_status(req);
    if (req->seen && hooks->log)
        hooks->log(hooks->arg, req, req->status, req->bytes,
                   (double)(uv_hrtime() - req->started) / 1e9);
    fr_req_free(req);
}

void fr_request_completed(void *cls, struct MHD_Connection *mhd, void **context,
                          enum MHD_RequestTerminationCode code)
{
    struct fr_server *server = cls;
    struct fr_req *req = *context;

    *context = NULL;
    if (req)
        fr_request_end(req);
    if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK)
        fr_conn_enter(fr_conn_of(mhd), CONN_IDLE);
    else
        server->pending = true; /* a timed-out connection is freed by the next MHD_run() only */
}
