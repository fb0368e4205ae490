// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The names that this server goes by, against pages that reach it by a name of their own (DNS
 * rebinding).
 */
#ifndef FR_CORE_HOSTS_H
#define FR_CORE_HOSTS_H

#include "base/error.h"

#define FR_HOSTS_MAX 64

struct fr_hosts {
    char *names[FR_HOSTS_MAX + 1]; /* the last is NULL */
};

/*
 * Fills a zeroed list: localhost, this machine's name, with and without its domain, and those
 * that are allowed beside (NULL: none). 0, -ENOMEM or -E2BIG; the list is to be freed anyway.
 */
int fr_hosts_set(struct fr_hosts *hosts, char *const *allowed);
void fr_hosts_done(struct fr_hosts *hosts);

/* As fr_auth_check_host(). */
int fr_hosts_check(const struct fr_hosts *hosts, const char *host, struct fr_error *err);

#endif
