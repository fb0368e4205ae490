// SPDX-License-Identifier: LGPL-3.0-only
/*
 * POST /v1/token: the handshake of the client's release 0.2.
 */
#include <errno.h>

#include "api/api.h"
#include "api/handlers.h"
#include "api/problem.h"

void fr_handle_sign_in(struct fr_req *req)
{
    struct fr_buf token = FR_BUF_INIT(FR_REPLY_MAX), body = FR_BUF_INIT(FR_REPLY_MAX);
    struct fr_error err;
    struct fr_auth *auth = fr_api_call(req)->api->auth;

    int rc = fr_auth_exchange(auth, fr_req_peer(req), fr_req_header(req, "Authorization"),
                              &token, &err);
    if (rc == 0) {
        fr_buf_puts(&body, "{\"access_token\":");
        fr_buf_put_json_string(&body, token.data);
        fr_buf_puts(&body, ",\"token_type\":\"Bearer\"}\n");
        fr_req_set_header(req, "Cache-Control", "no-store");
        fr_reply_json(req, 200, &body);
    } else if (rc == -EBUSY) {
        fr_reply_problem_later(req, fr_auth_wait(auth, fr_req_peer(req)), &err);
    } else {
        /* Not 401, at which that client would come back here, for ever. */
        fr_reply_problem(req, err.code == FR_CODE_UNAUTHORIZED ? 400 : 0, &err);
    }
    fr_buf_done(&token);
}
