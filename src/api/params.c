// SPDX-License-Identifier: LGPL-3.0-only
#include "api/params.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/wait.h"

#define COUNT_MAX 1000000000L

int fr_param_read_bool(const char *value)
{
    static const char *const yes[] = {"", "true", "1", "yes", "on"};
    static const char *const no[] = {"false", "0", "no", "off", "none"};

    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        if (strcasecmp(value, yes[i]) == 0)
            return 1;
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        if (strcasecmp(value, no[i]) == 0)
            return 0;
    return -1;
}

static long read_count(const char *value)
{
    char *end;

    if (value[0] < '0' || value[0] > '9')
        return -1;
    errno = 0;
    long count = strtol(value, &end, 10);
    return errno == 0 && *end == '\0' && count <= COUNT_MAX ? count : -1;
}

void fr_param_check(enum fr_param_type type, const char *name, const char *value,
                    struct fr_problems *problems)
{
    char pointer[80];

    snprintf(pointer, sizeof pointer, "?%.64s", name);
    if (type == FR_PARAM_BOOL && fr_param_read_bool(value) < 0)
        fr_problems_add(problems, FR_CODE_INVALID, pointer,
                        "%s must be true or false, not \"%.64s\"", name, value);
    if (type == FR_PARAM_COUNT_OR_ALL && strcmp(value, "-1") == 0)
        return;
    if (type == FR_PARAM_WAIT)
        fr_wait_check(name, value, problems);
    if (type == FR_PARAM_TIMEOUT)
        fr_wait_check_timeout(name, value, problems);
    if ((type == FR_PARAM_COUNT || type == FR_PARAM_COUNT_OR_ALL) && read_count(value) < 0)
        fr_problems_add(problems, FR_CODE_INVALID, pointer,
                        "%s must be a whole number from 0 to %ld%s, not \"%.64s\"", name,
                        COUNT_MAX, type == FR_PARAM_COUNT_OR_ALL ? ", or -1 for all" : "",
                        value);
}

bool fr_param_bool(const struct fr_req *req, const char *name, bool fallback)
{
    const char *value = fr_req_query(req, name);
    int read = value ? fr_param_read_bool(value) : -1;

    return read < 0 ? fallback : read;
}

long fr_param_count(const struct fr_req *req, const char *name, long fallback)
{
    const char *value = fr_req_query(req, name);
    long read = value ? read_count(value) : -1;

    return read < 0 ? fallback : read;
}
