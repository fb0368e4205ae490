// SPDX-License-Identifier: LGPL-3.0-only
#include "api/pack.h"

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

#include "api/accept.h"
#include "api/api.h"
#include "api/held.h"
#include "api/problem.h"
#include "base/loop.h"

/* Below this a reply fits a few packets as it is. */
#define PACK_MIN 16384
#define GZIP_WINDOW (15 + 16) /* zlib's way to ask for gzip's form */

struct packing {
    struct fr_held held;
    unsigned int status;
    char *data; /* owned */
    size_t len;
    struct fr_buf packed;
    bool dropped;
};

/* On a worker; touches nothing but the packing. */
static int pack(void *arg)
{
    struct packing *packing = arg;
    z_stream z = {.next_in = (Bytef *)packing->data, .avail_in = (uInt)packing->len};

    if (deflateInit2(&z, 1, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return -ENOMEM;
    size_t bound = deflateBound(&z, packing->len);
    char *to = fr_buf_reserve(&packing->packed, bound);
    z.next_out = (Bytef *)to;
    z.avail_out = (uInt)bound;
    int rc = to && deflate(&z, Z_FINISH) == Z_STREAM_END ? 0 : -ENOMEM;
    if (rc == 0)
        fr_buf_commit(&packing->packed, z.total_out);
    (void)deflateEnd(&z);
    return rc;
}

static void free_packing(struct packing *packing)
{
    free(packing->data);
    fr_buf_done(&packing->packed);
    free(packing);
}

static void on_packed(void *arg, int result)
{
    struct packing *packing = arg;
    struct fr_req *req = packing->dropped ? NULL : fr_held_take(&packing->held);

    if (req && result == 0) {
        fr_req_set_header(req, "Content-Encoding", "gzip");
        fr_reply_json(req, packing->status, &packing->packed);
    } else if (req) {
        fr_reply_no_memory(req);
    }
    free_packing(packing);
}

static void on_dropped(struct fr_held *held)
{
    ((struct packing *)held)->dropped = true; /* the worker still has it */
}

void fr_pack_reply_json(struct fr_req *req, unsigned int status, struct fr_buf *body)
{
    bool wanted = fr_buf_status(body) == 0 && body->len >= PACK_MIN &&
                  body->len < UINT32_MAX / 2 && fr_accepts_gzip(req);
    struct packing *packing = wanted ? calloc(1, sizeof *packing) : NULL;

    fr_req_set_header(req, "Vary", "Accept, Accept-Encoding");
    if (!packing || fr_buf_take(body, &packing->data, &packing->len) < 0) {
        free(packing);
        fr_reply_json(req, status, body);
        return;
    }
    packing->status = status;
    fr_buf_init(&packing->packed, FR_REPLY_MAX);
    if (fr_req_hold(req, 2 * packing->len) < 0) {
        fr_req_reply_busy(req);
        free_packing(packing);
        return;
    }
    fr_held_init(&packing->held, req, FR_CODE_UNAVAILABLE, on_dropped);
    if (fr_work_queue(fr_api_call(req)->api->loop, pack, on_packed, packing) < 0) {
        fr_reply_no_memory(fr_held_take(&packing->held));
        free_packing(packing);
    }
}
