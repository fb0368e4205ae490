// SPDX-License-Identifier: LGPL-3.0-only
/* Whether a browser was brought here by the page of another site. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "core/auth.h"

int fr_auth_check_origin(const char *host, const char *origin, const char *fetch_site,
                         struct fr_error *err)
{
    if (origin) {
        const char *scheme_end = strstr(origin, "://");
        if (host && scheme_end && strcasecmp(scheme_end + 3, host) == 0)
            return 0;
        return fr_error_set(err, EPERM, FR_CODE_ORIGIN,
                            "a page of %.200s may not change anything here", origin);
    }
    if (fetch_site && strcmp(fetch_site, "same-origin") != 0 && strcmp(fetch_site, "none") != 0)
        return fr_error_set(err, EPERM, FR_CODE_ORIGIN,
                            "a page of another site may not change anything here");
    return 0;
}

int fr_auth_check_embedding(const char *fetch_site, const char *fetch_mode,
                            struct fr_error *err)
{
    bool ours = !fetch_site || strcmp(fetch_site, "same-origin") == 0 ||
                strcmp(fetch_site, "none") == 0;

    if (ours || (fetch_mode && strcmp(fetch_mode, "navigate") == 0))
        return 0;
    return fr_error_set(err, EPERM, FR_CODE_ORIGIN,
                        "a page of another site may not load anything from here");
}
