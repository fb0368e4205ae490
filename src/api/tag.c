// SPDX-License-Identifier: LGPL-3.0-only
#include "api/tag.h"

#include <string.h>

#include "api/api.h"

/* Hex without printf: this is on the way of every reply about a job. */
static char *put_hex(char *to, uint64_t value)
{
    const int digits = (64 - __builtin_clzll(value | 1) + 3) / 4;

    for (int i = digits; i-- > 0;)
        *to++ = "0123456789abcdef"[value >> 4 * i & 15];
    return to;
}

static const char *make(const struct fr_service *service, char kind, uint64_t seq, char *buf)
{
    char *to = buf;

    *to++ = 'W';
    *to++ = '/';
    *to++ = '"';
    *to++ = kind;
    to = put_hex(to, (uint64_t)(fr_service_started(service) * 1e6)); /* this run's */
    *to++ = '-';
    to = put_hex(to, fr_service_version(service));
    *to++ = '-';
    to = put_hex(to, seq);
    *to++ = '"';
    *to = '\0';
    return buf;
}

const char *fr_tag_of_all(const struct fr_req *req, char *buf)
{
    const struct fr_service *service = fr_api_call(req)->api->service;

    return make(service, 'a', fr_hub_seq(fr_service_hub(service)), buf);
}

/* Why a job waits depends on others, so that any event may change it. */
const char *fr_tag_of_job(const struct fr_req *req, const struct fr_job *job, char *buf)
{
    if (job->state & FR_STATES_PENDING)
        return fr_tag_of_all(req, buf);
    return make(fr_api_call(req)->api->service, 'j', job->changed_seq, buf);
}

bool fr_tag_is_known(const struct fr_req *req, const char *tag)
{
    const char *known = fr_req_header(req, "If-None-Match");

    /* The comparison is a weak one (RFC 9110, 13.1.2), and nothing in a tag can hold a quote.
     */
    return known && (strcmp(known, "*") == 0 || strstr(known, tag + strlen("W/")));
}

bool fr_tag_answers(struct fr_req *req, const char *tag)
{
    fr_req_set_etag(req, tag);
    if (!fr_tag_is_known(req, tag))
        return false;
    fr_req_reply_static(req, 304, NULL, "", 0);
    return true;
}
