// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The log: one line per message on standard error.
 *
 * Under systemd (JOURNAL_STREAM set) each line starts with the "<N>" level of sd-daemon(3);
 * else with a UTC time and the level's word. Control characters in the message are escaped, so
 * that no client can forge a line or drive a terminal. A full pipe or closed descriptor loses
 * lines, never blocks or ends the daemon. May be called on any thread.
 * Never put a credential into a message.
 */
#ifndef FR_BASE_LOG_H
#define FR_BASE_LOG_H

/* Levels of syslog(3). */
enum fr_log_level {
    FR_LOG_ERR = 3,
    FR_LOG_WARNING = 4,
    FR_LOG_NOTICE = 5,
    FR_LOG_INFO = 6,
    FR_LOG_DEBUG = 7
};

/* Messages above this level are dropped. Starts as FR_LOG_INFO. */
void fr_log_set_level(enum fr_log_level level);

void fr_log(enum fr_log_level level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), nonnull(2)));

#define fr_log_err(...) fr_log(FR_LOG_ERR, __VA_ARGS__)
#define fr_log_warning(...) fr_log(FR_LOG_WARNING, __VA_ARGS__)
#define fr_log_notice(...) fr_log(FR_LOG_NOTICE, __VA_ARGS__)
#define fr_log_info(...) fr_log(FR_LOG_INFO, __VA_ARGS__)
#define fr_log_debug(...) fr_log(FR_LOG_DEBUG, __VA_ARGS__)

#endif
