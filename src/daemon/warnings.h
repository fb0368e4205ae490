// SPDX-License-Identifier: LGPL-3.0-only
/*
 * What may be served as it was asked for, but should not be without a word.
 */
#ifndef FR_DAEMON_WARNINGS_H
#define FR_DAEMON_WARNINGS_H

#include "base/settings.h"

/* Logs a warning for each thing that makes the start a doubtful one. Tells no secret. */
void fr_warnings_log(const struct fr_settings *settings);

#endif
