// SPDX-License-Identifier: LGPL-3.0-only
#include "core/hosts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/text.h"

static int add_host(struct fr_hosts *hosts, const char *host)
{
    size_t n = 0;

    while (hosts->names[n])
        n++;
    if (n == FR_HOSTS_MAX)
        return -E2BIG;
    hosts->names[n] = strdup(host);
    return hosts->names[n] ? 0 : -ENOMEM;
}

int fr_hosts_set(struct fr_hosts *hosts, char *const *allowed)
{
    char name[256] = "";
    int rc = add_host(hosts, "localhost");

    if (rc == 0 && gethostname(name, sizeof name - 1) == 0 && name[0])
        rc = add_host(hosts, name);
    char *dot = strchr(name, '.');
    if (rc == 0 && dot) {
        *dot = '\0';
        rc = add_host(hosts, name);
    }
    for (size_t i = 0; rc == 0 && allowed && allowed[i]; i++)
        rc = add_host(hosts, allowed[i]);
    return rc;
}

void fr_hosts_done(struct fr_hosts *hosts)
{
    for (size_t i = 0; hosts->names[i]; i++)
        free(hosts->names[i]);
}

/* The name out of a Host header, without the dot that ends an absolute one. */
static bool split_host(const char *host, char *name, size_t size)
{
    const char *port;

    if (!fr_text_split_host(host, name, size, &port) || (*port && !fr_text_is_port(port)))
        return false;
    size_t len = strlen(name);
    if (len > 1 && name[len - 1] == '.')
        name[len - 1] = '\0';
    return true;
}

int fr_hosts_check(const struct fr_hosts *hosts, const char *host, struct fr_error *err)
{
    char name[256];
    struct in6_addr addr;

    if (!host)
        return 0;
    if (split_host(host, name, sizeof name)) {
        /* An address cannot be rebound: whoever has it in the address bar is talking to us. */
        if (inet_pton(AF_INET, name, &addr) == 1 || inet_pton(AF_INET6, name, &addr) == 1)
            return 0;
        for (size_t i = 0; hosts->names[i]; i++)
            if (strcasecmp(name, hosts->names[i]) == 0)
                return 0;
    }
    return fr_error_set(
        err, EPERM, FR_CODE_HOST,
        "the request was sent to the name \"%.200s\", which this server does not "
        "serve; start it with --allow-host to serve that name too",
        host);
}
