// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Times and durations as people write and read them.
 */
#ifndef FR_CLI_WHEN_H
#define FR_CLI_WHEN_H

#include <stddef.h>

/* Enough for every text made here. */
#define FR_WHEN_TEXT 40

/*
 * Reads a duration as RFC 23 has it: a number that is not negative, with ms, s, m, h or d, or
 * none, which is seconds. 0 or -EINVAL.
 */
int fr_when_parse_seconds(const char *text, double *ret);

/*
 * Reads a time as seconds since the epoch: such a number (from 1e8 on), "YYYY-MM-DD" with or
 * without " HH:MM[:SS]" (or T for the blank) in local time, or "-90m", that long before now.
 * 0 or -EINVAL.
 */
int fr_when_parse_time(const char *text, double now, double *ret);

/* "0.047s", "12.5s", "1.5m", "2.25h", "3.1d". */
void fr_when_put_seconds(double seconds, char text[FR_WHEN_TEXT]);

/* "1:02:03" or "2d 1:02:03". */
void fr_when_put_clock(double seconds, char text[FR_WHEN_TEXT]);

/* "2026-11-24 18:18:30" in local time. */
void fr_when_put_time(double time, char text[FR_WHEN_TEXT]);

#endif
