// SPDX-License-Identifier: LGPL-3.0-only
#include "api/page.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/api.h"

/* FNV-1a over what makes the list this one: pages may differ in length. */
static void add(void *arg, const char *name, const char *value)
{
    static const char *const others[] = {"page", "limit", "wait", "timeout", "all"};
    uint64_t *hash = arg;
    const char *const texts[] = {name, value};

    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(name, others[i]) == 0)
            return;
    for (size_t i = 0; i < 2; i++)
        for (const char *at = texts[i];; at++) {
            *hash = (*hash ^ (unsigned char)*at) * 0x100000001b3u;
            if (!*at)
                break;
        }
}

static uint64_t hash_of(const struct fr_req *req)
{
    uint64_t hash = 0xcbf29ce484222325u;

    fr_req_query_each(req, add, &hash);
    return hash;
}

const char *fr_page_format(const struct fr_req *req, const struct fr_page *page, char *buf)
{
    uint64_t key;

    memcpy(&key, &page->place.key, sizeof key);
    snprintf(buf, FR_PAGE_TEXT, "%d.%" PRIx64 ".%" PRIx64 ".%" PRIx64 ".%s", page->place.group,
             key, page->place.id, hash_of(req), page->cursor);
    return buf;
}

int fr_page_read(const struct fr_req *req, struct fr_page *ret, struct fr_error *err)
{
    const struct fr_hub *hub = fr_service_hub(fr_api_call(req)->api->service);
    const char *text = fr_req_query(req, "page");
    uint64_t key, hash, position;
    int end = 0;

    if (strlen(text) >= FR_PAGE_TEXT ||
        sscanf(text, "%1d.%16" SCNx64 ".%16" SCNx64 ".%16" SCNx64 ".%n", &ret->place.group,
               &key, &ret->place.id, &hash, &end) != 4 ||
        end == 0 || strlen(text + end) >= FR_CURSOR_TEXT)
        return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                            "page takes only what next of an earlier page said");
    if (hash != hash_of(req))
        return fr_error_set(
            err, EINVAL, FR_CODE_INVALID,
            "this page is of a list that was asked for in another way; ask with "
            "the same parameters");
    memcpy(&ret->place.key, &key, sizeof key);
    (void)snprintf(ret->cursor, sizeof ret->cursor, "%s", text + end);
    return fr_hub_find(hub, ret->cursor, &position, err);
}
