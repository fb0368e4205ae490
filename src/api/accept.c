// SPDX-License-Identifier: LGPL-3.0-only
#include "api/accept.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What q=… among the parameters (up to the next comma) says; 1000 if it is not there. */
static int read_weight(const char *text)
{
    while (*text && *text != ',') {
        text += strspn(text, "; \t");
        if (strncasecmp(text, "q=", 2) == 0) {
            double q = strtod(text + 2, NULL);
            return q >= 0 && q <= 1 ? (int)(q * 1000 + 0.5) : 0;
        }
        text += strcspn(text, ";,");
    }
    return 1000;
}

int fr_accept_weight(const char *list, const char *name)
{
    size_t len = strlen(name);

    while (list && *list) {
        list += strspn(list, ", \t");
        size_t n = strcspn(list, ",; \t");
        if (n == len && strncasecmp(list, name, n) == 0)
            return read_weight(list + n);
        list += strcspn(list, ",");
    }
    return -1;
}

bool fr_accepts_lines(const struct fr_req *req)
{
    const char *accept = fr_req_header(req, "Accept");
    int lines = fr_accept_weight(accept, FR_TYPE_LINES);

    return lines > 0 && lines >= fr_accept_weight(accept, "application/json");
}

bool fr_accepts_events(const struct fr_req *req)
{
    return fr_accept_weight(fr_req_header(req, "Accept"), FR_TYPE_EVENTS) > 0;
}

bool fr_accepts_gzip(const struct fr_req *req)
{
    const char *accept = fr_req_header(req, "Accept-Encoding");
    int gzip = fr_accept_weight(accept, "gzip");

    return gzip > 0 || (gzip < 0 && fr_accept_weight(accept, "*") > 0);
}
