// SPDX-License-Identifier: LGPL-3.0-only
/*
 * What libmicrohttpd lets through and a server of RFC 9112 may not, and our own limits.
 *
 * Not seen here, because libmicrohttpd has already normalised it: a bare LF as the end of a
 * line, and header lines folded onto the next line; RFC 9112 allows a server to do so. Nor a
 * header line without a name (": x"): libmicrohttpd 0.9.75 takes it for the end of the headers,
 * and what follows for the next request. A proxy in front must not forward such a line.
 */
#include "http/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

/*
 * libmicrohttpd's memory pool of a connection holds the request line and headers, a record for
 * each header and parameter, what has been read of the body, and the reply's headers. It is
 * cleared after every request, at a cost that shows: so it is small, and a request that would
 * leave too little of it for the reply is refused.
 */
enum { POOL_EXTRA = 4096, POOL_REPLY = 3072, POOL_RECORD = 64 };

size_t fr_check_pool_size(const struct fr_server_limits *limits)
{
    return limits->header_block + POOL_EXTRA;
}

struct check {
    struct fr_req *req;
    unsigned int headers, parameters;
    unsigned int lengths, hosts, encodings;
    const char *length, *host, *encoding;
    const char *bad; /* the first fault found */
};

static bool is_token(const char *text, size_t len)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";

    for (size_t i = 0; i < len; i++) {
        const char c = text[i];
        const bool plain =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && (c == '\0' || !strchr(marks, c)))
            return false;
    }
    return len > 0;
}

static bool has_control(const char *text, size_t len, bool tab_too)
{
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (c == 0x7f || (c < 0x20 && (c != '\t' || tab_too)))
            return true;
    }
    return false;
}

/* An id that can go into a log line, a header and a file name as it is. */
static bool is_tame(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] == '\0' || !strchr("._:-", text[i])) {
            const char c = text[i] | 0x20;
            if (!(c >= 'a' && c <= 'z') && !(text[i] >= '0' && text[i] <= '9'))
                return false;
        }
    return len > 0 && len <= FR_ID_MAX;
}

static void take_header(struct check *check, const char *name, size_t len, const char *value,
                        size_t value_len)
{
    switch (len) {
    case 4:
        if (strcasecmp(name, "Host") == 0 && check->hosts++ == 0)
            check->host = value;
        break;
    case 12:
        if (strcasecmp(name, FR_ID_HEADER) == 0 && is_tame(value, value_len))
            memcpy(check->req->id, value, value_len + 1);
        break;
    case 14:
        if (strcasecmp(name, "Content-Length") == 0 && check->lengths++ == 0)
            check->length = value;
        break;
    case 17:
        if (strcasecmp(name, "Transfer-Encoding") == 0 && check->encodings++ == 0)
            check->encoding = value;
        break;
    default:
        break;
    }
}

static enum MHD_Result look(void *cls, enum MHD_ValueKind kind, const char *name, size_t len,
                            const char *value, size_t value_len)
{
    struct check *check = cls;

    if (kind == MHD_GET_ARGUMENT_KIND) {
        check->parameters++;
        if (!check->bad && (!fr_text_is_utf8(name) || (value && !fr_text_is_utf8(value))))
            check->bad = "the query is not UTF-8";
        return MHD_YES;
    }
    check->headers++;
    if (!value)
        value = "";
    if (!check->bad && !is_token(name, len))
        check->bad = "a header's name has a character that names may not have";
    if (!check->bad && has_control(value, value_len, false))
        check->bad = "a header's value has a control character";
    take_header(check, name, len, value, value_len);
    return MHD_YES;
}

/* What makes a message end where another reader would not see its end. */
static const char *framing_fault(const struct check *check)
{
    if (check->lengths > 1)
        return "there is more than one Content-Length";
    if (check->lengths && check->encodings)
        return "there is a Content-Length and a Transfer-Encoding";
    if (check->encodings > 1 ||
        (check->encodings == 1 && strcasecmp(check->encoding, "chunked") != 0))
        return "the only Transfer-Encoding taken here is 'chunked'";
    return NULL;
}

static const char *host_fault(const struct check *check, const char *version)
{
    if (check->hosts > 1)
        return "there is more than one Host";
    if (check->hosts == 0 && strcmp(version, "HTTP/1.0") != 0)
        return "there is no Host";
    return NULL;
}

/* A target such as http://host/path counts as /path, if it names the host that Host names. */
static const char *target_fault(const struct check *check)
{
    struct fr_req *req = check->req;

    if (req->origin) {
        const char *authority = strstr(req->path, "://") + 3;
        const size_t len = (size_t)(req->path + req->origin - authority);
        if (!check->host || strlen(check->host) != len ||
            strncasecmp(check->host, authority, len) != 0)
            return "the target names another host than Host does";
        const char *rest = req->path + req->origin;
        req->path = *rest ? rest : "/";
    }
    if (req->path[0] != '/')
        return "the target does not begin with '/'";
    if (has_control(req->path, strlen(req->path), true))
        return "the path has a control character";
    if (!fr_text_is_utf8(req->path))
        return "the path is not UTF-8";
    return NULL;
}

static unsigned int too_large(struct fr_error *err, unsigned int status, const char *what,
                              size_t limit)
{
    (void)fr_error_set(err, EMSGSIZE, FR_CODE_TOO_LARGE, "%s: at most %zu here", what, limit);
    return status;
}

static unsigned int over_limit(const struct check *check, struct fr_error *err)
{
    const struct fr_server_limits *limits = &check->req->conn->server->limits;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(check->req->conn->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

    if (check->headers > limits->parameters)
        return too_large(err, 431, "too many headers", limits->parameters);
    const size_t records = (size_t)POOL_RECORD * (check->headers + check->parameters);
    if (info && (info->header_size > limits->header_block ||
                 info->header_size + records > fr_check_pool_size(limits) - POOL_REPLY))
        return too_large(err, 431, "the headers have too many bytes", limits->header_block);
    if (check->req->crowded || check->parameters > limits->parameters)
        return too_large(err, 400, "too many query parameters", limits->parameters);
    return 0;
}

unsigned int fr_check_length(const struct fr_req *req, struct fr_error *err)
{
    const size_t limit = req->conn->server->limits.body;

    if (req->on_data || req->body_length <= limit)
        return 0;
    return too_large(err, 413, "the body has too many bytes", limit);
}

/* A name for a request that brought none: 64 bits of a splitmix64 sequence with a random start.
 */
static void make_id(struct fr_req *req)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t z = req->conn->server->id_state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    for (int i = 0; i < 16; i++, z >>= 4)
        req->id[i] = digits[z & 15];
}

unsigned int fr_check_request(struct fr_req *req, const char *version, struct fr_error *err)
{
    struct check check = {.req = req, .bad = req->bad};

    (void)MHD_get_connection_values_n(req->conn->mhd, MHD_HEADER_KIND | MHD_GET_ARGUMENT_KIND,
                                      look, &check);
    if (!req->id[0])
        make_id(req);
    /* libmicrohttpd has made sure that it is a number. */
    req->body_length = check.length ? strtoull(check.length, NULL, 10) : 0;
    req->body_due = check.encodings || req->body_length > 0;
    const char *fault = framing_fault(&check);
    if (!fault)
        fault = host_fault(&check, version);
    if (!fault)
        fault = check.bad;
    if (!fault)
        fault = target_fault(&check);
    if (!fault && !is_token(req->method_word, strlen(req->method_word)))
        fault = "the method is not a word";
    if (!fault)
        return over_limit(&check, err);
    (void)fr_error_set(err, EBADMSG, FR_CODE_MALFORMED, "the request cannot be read: %s",
                       fault);
    return 400;
}
