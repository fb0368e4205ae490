// SPDX-License-Identifier: LGPL-3.0-only
#include "daemon/banner.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

static void print_address(const char *address)
{
    if (strncmp(address, "unix:", 5) == 0)
        fprintf(stderr, "  listening    %s\n", address);
    else
        fprintf(stderr, "  listening    http://%s\n", address);
}

static void print_credentials(const struct fr_settings *settings)
{
    const char *who = "not required of the user that runs this daemon, required of others";

    if (settings->require_auth)
        who = "required of everyone";
    else if (settings->auth == FR_AUTH_NONE)
        who = "NOT REQUIRED OF ANYONE (--auth=none): whoever reaches this address can run jobs";
    fprintf(stderr, "  credentials  %s\n", who);
    fprintf(stderr, "               FLUX_USER %s, FLUX_TOKEN %s\n",
            settings->user ? MASK : "not set", settings->token ? MASK : "not set");
}

static void print_example(const struct fr_settings *settings, const char *address)
{
    const char *auth = settings->require_auth ? " --user \"$FLUX_USER:$FLUX_TOKEN\"" : "";

    if (strncmp(address, "unix:", 5) == 0)
        fprintf(stderr,
                "  try it       curl%s --unix-socket %s -d '{\"command\": \"echo hello\"}' "
                "http://localhost/v1/jobs/submit\n",
                auth, address + 5);
    else
        fprintf(stderr,
                "  try it       curl%s -d '{\"command\": \"echo hello\"}' "
                "http://%s/v1/jobs/submit\n",
                auth, address);
}

void fr_banner_start(const struct fr_settings *settings, const struct fr_server *server,
                     const struct fr_engine *engine)
{
    fprintf(stderr, "flux-restd " FR_VERSION ", engine %s\n", engine->ops->name);
    for (size_t i = 0; i < fr_server_listeners(server); i++)
        print_address(fr_server_address(server, i));
    print_credentials(settings);
    if (fr_server_listeners(server) > 0)
        print_example(settings, fr_server_address(server, 0));
    if (strcmp(engine->ops->name, "local") == 0 && geteuid() == 0)
        fprintf(
            stderr,
            "  note         runs as root, and so do its jobs; on a machine with other users "
            "set FLUX_REQUIRE_AUTH,\n"
            "               for a proxy or port forward that root runs would let anyone in\n");
}
