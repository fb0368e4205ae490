// SPDX-License-Identifier: LGPL-3.0-only
#include "daemon/banner.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/version.h"

/* As wide whatever it hides: a length is a hint too. */
#define MASK "********"

void fr_banner_version(void)
{
    const char *flux = fr_flux_version();

    printf("flux-restd " FR_VERSION "\n");
    if (flux)
        printf("engines: local, flux (flux-core %s)\n", flux);
    else
        printf("engines: local (built without flux-core)\n");
}

static void print_address(const struct fr_server *server, size_t i)
{
    const char *address = fr_server_address(server, i);

    if (strncmp(address, "unix:", 5) == 0)
        fprintf(stderr, "  listening    %s\n", address);
    else
        fprintf(stderr, "  listening    %s://%s\n",
                fr_server_is_tls(server, i) ? "https" : "http", address);
}

static void print_credentials(const struct fr_settings *settings)
{
    const char *who = "not required of the user that runs this daemon, required of others";

    if (settings->require_auth)
        who = "required of everyone";
    else if (settings->auth == FR_AUTH_NONE)
        who = "NOT REQUIRED OF ANYONE (--auth=none): whoever reaches this address can run jobs";
    fprintf(stderr, "  credentials  %s\n", who);
    fprintf(stderr, "               FLUX_USER %s, FLUX_TOKEN %s, FLUX_SECRET_KEY %s\n",
            settings->user ? MASK : "not set", settings->token ? MASK : "not set",
            settings->secret_key ? MASK : "not set");
}

static void print_example(const struct fr_settings *settings, const struct fr_server *server)
{
    const char *address = fr_server_address(server, 0);
    const char *auth = settings->require_auth ? " --user \"$FLUX_USER:$FLUX_TOKEN\"" : "";
    const bool is_unix = strncmp(address, "unix:", 5) == 0;

    fprintf(stderr,
            "  try it       curl%s%s%s -d '{\"command\": \"echo hello\"}' "
            "http%s://%s/v1/jobs/submit\n",
            auth, is_unix ? " --unix-socket " : "", is_unix ? address + 5 : "",
            fr_server_is_tls(server, 0) ? "s" : "", is_unix ? "localhost" : address);
}

/* Who listens on the way reads the token and every job. */
static void warn_of_the_open(const struct fr_server *server)
{
    for (size_t i = 0; i < fr_server_listeners(server); i++)
        if (fr_server_is_remote(server, i) && !fr_server_is_tls(server, i)) {
            fprintf(
                stderr,
                "  warning      %s speaks plain HTTP, so that tokens and jobs can be read on "
                "the way;\n"
                "               give --tls-cert and --tls-key, or put a proxy with TLS "
                "before it\n",
                fr_server_address(server, i));
            return;
        }
}

void fr_banner_start(const struct fr_settings *settings, const struct fr_server *server,
                     const struct fr_engine *engine)
{
    fprintf(stderr, "flux-restd " FR_VERSION ", engine %s\n", engine->ops->name);
    for (size_t i = 0; i < fr_server_listeners(server); i++)
        print_address(server, i);
    print_credentials(settings);
    if (fr_server_listeners(server) > 0)
        print_example(settings, server);
    warn_of_the_open(server);
}
