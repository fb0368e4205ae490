// SPDX-License-Identifier: LGPL-3.0-only
/*
 * What the daemon says of itself: at its start, and for --version.
 */
#ifndef FR_DAEMON_BANNER_H
#define FR_DAEMON_BANNER_H

#include "base/settings.h"
#include "engine/engine.h"
#include "http/server.h"

/* Prints version and the engines built in to standard output. */
void fr_banner_version(void);

/*
 * Prints to standard error where the daemon listens, which engine runs, who needs credentials
 * and which are set (never what they are), and one line to submit a job with.
 */
void fr_banner_start(const struct fr_settings *settings, const struct fr_server *server,
                     const struct fr_engine *engine);

#endif
