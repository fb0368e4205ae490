// SPDX-License-Identifier: LGPL-3.0-only
/*
 * POST /v1/token: the handshake of the client's release 0.2.
 */
#include "api/api.h"
#include "api/handlers.h"
#include "api/problem.h"

void fr_handle_sign_in(struct fr_req *req)
{
    struct fr_buf token = FR_BUF_INIT(FR_REPLY_MAX), body = FR_BUF_INIT(FR_REPLY_MAX);
    struct fr_error err;

    int rc = fr_auth_exchange(fr_api_call(req)->api->auth, fr_req_header(req, "Authorization"),
                              &token, &err);
    if (rc == 0) {
        fr_buf_puts(&body, "{\"access_token\":");
        fr_buf_put_json_string(&body, token.data);
        fr_buf_puts(&body, ",\"token_type\":\"Bearer\"}\n");
        fr_req_set_header(req, "Cache-Control", "no-store");
        fr_reply_json(req, 200, &body);
    } else {
        /* Not 401, at which that client would come back here, for ever. */
        fr_reply_problem(req, err.code == FR_CODE_UNAUTHORIZED ? 400 : 0, &err);
    }
    fr_buf_done(&token);
}
