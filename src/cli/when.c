// SPDX-License-Identifier: LGPL-3.0-only
#include "cli/when.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/util.h"

#define EPOCH_MIN 1e8 /* a smaller number is no time that anybody means */
#define EPOCH_MAX 1e11

int fr_when_parse_seconds(const char *text, double *ret)
{
    static const struct {
        const char *suffix;
        double seconds;
    } units[] = {{"", 1}, {"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    char *end;

    /* strtod also reads signs, blanks, nan, inf and hex, which are no durations. */
    if (strspn(text, "0123456789.") == 0 || text[0] == '-' || text[1] == 'x' || text[1] == 'X')
        return -EINVAL;
    double value = strtod(text, &end);
    for (size_t i = 0; i < FR_ARRAY_SIZE(units); i++) {
        if (strcmp(end, units[i].suffix) != 0)
            continue;
        if (end == text || !isfinite(value * units[i].seconds))
            return -EINVAL;
        *ret = value * units[i].seconds;
        return 0;
    }
    return -EINVAL;
}

/* A date with or without a time of day, in local time. */
static int parse_date(const char *text, double *ret)
{
    static const char *const forms[] = {"%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S",
                                        "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"};

    for (size_t i = 0; i < FR_ARRAY_SIZE(forms); i++) {
        struct tm tm = {.tm_isdst = -1};
        const char *end = strptime(text, forms[i], &tm);
        if (!end || *end)
            continue;
        time_t seconds = mktime(&tm);
        if (seconds == (time_t)-1)
            return -EINVAL;
        *ret = (double)seconds;
        return 0;
    }
    return -EINVAL;
}

int fr_when_parse_time(const char *text, double now, double *ret)
{
    double seconds;
    char *end;

    if (text[0] == '-' && fr_when_parse_seconds(text + 1, &seconds) == 0) {
        *ret = now - seconds;
        return 0;
    }
    if (parse_date(text, ret) == 0)
        return 0;
    if (text[strspn(text, "0123456789.")])
        return -EINVAL;
    seconds = strtod(text, &end);
    if (end == text || *end || !(seconds >= EPOCH_MIN && seconds <= EPOCH_MAX))
        return -EINVAL;
    *ret = seconds;
    return 0;
}

void fr_when_put_seconds(double seconds, char text[FR_WHEN_TEXT])
{
    const char *unit = "s";

    if (seconds >= 86400) {
        seconds /= 86400;
        unit = "d";
    } else if (seconds >= 3600) {
        seconds /= 3600;
        unit = "h";
    } else if (seconds >= 60) {
        seconds /= 60;
        unit = "m";
    }
    if (seconds < 1)
        snprintf(text, FR_WHEN_TEXT, "%.3f%s", seconds, unit);
    else
        snprintf(text, FR_WHEN_TEXT, seconds < 99.5 ? "%.3g%s" : "%.0f%s", seconds, unit);
}

void fr_when_put_clock(double seconds, char text[FR_WHEN_TEXT])
{
    uint64_t whole = seconds > 0 && seconds < 1e15 ? (uint64_t)seconds : 0;
    uint64_t days = whole / 86400;
    size_t used = 0;

    if (days > 0)
        used = (size_t)snprintf(text, FR_WHEN_TEXT, "%" PRIu64 "d ", days);
    snprintf(text + used, FR_WHEN_TEXT - used, "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64,
             whole % 86400 / 3600, whole % 3600 / 60, whole % 60);
}

void fr_when_put_time(double time, char text[FR_WHEN_TEXT])
{
    time_t seconds = time > -EPOCH_MAX && time < EPOCH_MAX ? (time_t)time : 0;
    struct tm tm;

    if (!localtime_r(&seconds, &tm) ||
        strftime(text, FR_WHEN_TEXT, "%Y-%m-%d %H:%M:%S", &tm) == 0)
        snprintf(text, FR_WHEN_TEXT, "%s", "-");
}
