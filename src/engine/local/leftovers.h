// SPDX-License-Identifier: LGPL-3.0-only
/*
 * What a job leaves behind whose shell was killed.
 *
 * A shell ends all that its job started, whatever that has become. Without it, its tasks end by
 * themselves (PR_SET_PDEATHSIG), and the rest is found here: processes of the shell's session,
 * those whose environment has the job's FLUX_JOB_TMPDIR, and all descendants of these. A
 * process that left the session and dropped the variable and whose parent has ended is not
 * found.
 */
#ifndef FR_LOCAL_LEFTOVERS_H
#define FR_LOCAL_LEFTOVERS_H

#include <sys/types.h>

/*
 * Kills them and waits for a moment. tmpdir is the job's; session 0: not known. Returns how
 * many were still there at the last look, 0 when all is over, then with tmpdir removed; or a
 * negative errno. Blocks for up to a fifth of a second: for a worker thread.
 */
int fr_leftovers_end(pid_t session, const char *tmpdir);

#endif
