// SPDX-License-Identifier: LGPL-3.0-only
#include "http/reply.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "http/internal.h"

struct fr_reply {
    unsigned int refs;
    bool given; /* to a request that has not ended: libmicrohttpd may still read its headers */
    struct MHD_Response *response;
    const char *content_type;
    char *data;
    size_t len;
    char etag[FR_ETAG_MAX + 1];
    char id[FR_ID_MAX + 1]; /* of the request that it was given to last; "": none yet */
};

struct fr_reply *fr_reply_create(const char *content_type, const char *etag,
                                 struct fr_buf *body)
{
    struct fr_reply *reply = malloc(sizeof *reply);
    char *data = NULL;
    size_t len = 0;

    if (!reply || fr_buf_take(body, &data, &len) < 0) {
        free(reply);
        fr_buf_done(body);
        return NULL;
    }
    *reply =
        (struct fr_reply){.refs = 1, .content_type = content_type, .data = data, .len = len};
    reply->response = MHD_create_response_from_buffer(len, data, MHD_RESPMEM_PERSISTENT);
    if (!reply->response) {
        free(data);
        free(reply);
        return NULL;
    }
    memcpy(reply->etag, etag, strnlen(etag, FR_ETAG_MAX)); /* zeroed above */
    fr_message_add_fixed(reply->response, content_type, reply->etag);
    return reply;
}

void fr_reply_unref(struct fr_reply *reply)
{
    if (!reply || --reply->refs > 0)
        return;
    MHD_destroy_response(reply->response);
    free(reply->data); /* whoever was sent it has all of it, or is gone */
    free(reply);
}

const char *fr_reply_etag(const struct fr_reply *reply)
{
    return reply->etag;
}

/* Whether the response can be given as it is, but for the request's id. */
static bool fits(const struct fr_reply *reply, const struct fr_req *req)
{
    return !reply->given && req->headers.len == 0 && !req->conn->server->stopping;
}

void fr_reply_give(struct fr_reply *reply, struct fr_req *req)
{
    reply->refs++;
    req->reply = reply;
    req->bytes = req->method == FR_HEAD ? 0 : reply->len;
    if (!fits(reply, req)) {
        fr_req_set_etag(req, reply->etag);
        fr_req_answer(
            req, 200, reply->content_type,
            MHD_create_response_from_buffer(reply->len, reply->data, MHD_RESPMEM_PERSISTENT));
        return;
    }
    if (reply->id[0])
        (void)MHD_del_response_header(reply->response, FR_ID_HEADER, reply->id);
    memcpy(reply->id, req->id, sizeof reply->id);
    (void)MHD_add_response_header(reply->response, FR_ID_HEADER, reply->id);
    reply->given = true;
    fr_message_send(req, 200, reply->response);
}

void fr_reply_taken(struct fr_reply *reply, struct MHD_Response *response)
{
    if (response == reply->response)
        reply->given = false;
    else if (response)
        MHD_destroy_response(response);
    fr_reply_unref(reply);
}
