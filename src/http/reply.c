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
    *reply = (struct fr_reply){.refs = 1, .len = len};
    reply->response = MHD_create_response_from_buffer_with_free_callback(len, data, free);
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
    /* The body is freed with it, once libmicrohttpd has let go of it too. */
    MHD_destroy_response(reply->response);
    free(reply);
}

const char *fr_reply_etag(const struct fr_reply *reply)
{
    return reply->etag;
}

bool fr_reply_fits(const struct fr_reply *reply, const struct fr_req *req)
{
    return !reply->given && req->headers.len == 0 && !req->conn->server->stopping;
}

void fr_reply_give(struct fr_reply *reply, struct fr_req *req)
{
    if (reply->id[0])
        (void)MHD_del_response_header(reply->response, FR_ID_HEADER, reply->id);
    memcpy(reply->id, req->id, sizeof reply->id);
    (void)MHD_add_response_header(reply->response, FR_ID_HEADER, reply->id);
    reply->given = true;
    reply->refs++;
    req->reply = reply;
    req->bytes = req->method == FR_HEAD ? 0 : reply->len;
    fr_message_send(req, 200, reply->response);
}

void fr_reply_taken(struct fr_reply *reply)
{
    reply->given = false;
    fr_reply_unref(reply);
}
