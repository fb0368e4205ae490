// SPDX-License-Identifier: LGPL-3.0-only
#include "daemon/warnings.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"

#define SHORTEST_GOOD 16

/* Out of the documentation of this and of the older server, and what people put in their place.
 */
static bool is_known_to_all(const char *secret)
{
    static const char *const known[] = {
        "...",      "…",       "12345",        "123456",           "1234567890",
        "changeme", "flux",    "fluxuser",     "fluxrocks",        "letmein",
        "me",       "mytoken", "notsecrethoo", "password",         "secret",
        "test",     "token",   "xxxxx",        "0123456789abcdef",
    };

    for (size_t i = 0; i < FR_ARRAY_SIZE(known); i++)
        if (strcasecmp(secret, known[i]) == 0)
            return true;
    return false;
}

static void judge_secret(const char *name, const char *secret)
{
    static const char remedy[] = "choose a random one, such as `openssl rand -hex 24` prints";

    if (!secret)
        return;
    if (is_known_to_all(secret))
        fr_log_warning("%s is one that stands in documentation or that everybody tries first, "
                       "so it keeps nobody out: %s",
                       name, remedy);
    else if (strlen(secret) < SHORTEST_GOOD)
        fr_log_warning("%s is short (under %d characters) and can be guessed: %s", name,
                       SHORTEST_GOOD, remedy);
}

void fr_warnings_log(const struct fr_settings *settings)
{
    judge_secret("FLUX_TOKEN", settings->token);
    judge_secret("FLUX_SECRET_KEY", settings->secret_key);
    if (!settings->token && (settings->user || settings->secret_key))
        fr_log_warning("%s is set and FLUX_TOKEN is not, so nobody can sign in by it: set "
                       "FLUX_TOKEN too",
                       settings->user ? "FLUX_USER" : "FLUX_SECRET_KEY");
    if (settings->auth == FR_AUTH_NONE && !settings->require_auth)
        fr_log_warning("--auth=none: whoever reaches this server runs commands as its user; "
                       "set FLUX_TOKEN and leave --auth out to ask for credentials");
    if (geteuid() != 0)
        return;
    fr_log_warning("runs as root, and so do its jobs: whoever may submit owns this machine. "
                   "Start it as the user that jobs should run as, for example by su(1) or "
                   "User= in its unit");
    if (!settings->require_auth)
        fr_log_warning(
            "as root's daemon it lets in whatever root runs on this machine, a proxy or "
            "a port forward and all who come through it too: set "
            "FLUX_REQUIRE_AUTH, if it must run as root");
}
