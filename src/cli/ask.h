// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Asking as a command does: again where that is safe, and with what went wrong told.
 *
 * Safe to repeat is a GET, and whatever carries an Idempotency-Key. A server that was not there
 * at the first question is told at once; one that has answered before, or took a request, is
 * waited for, since a daemon that is being started again is back in seconds. What one try may
 * have done is not known until another is answered for it, whatever became of the others.
 */
#ifndef FR_CLI_ASK_H
#define FR_CLI_ASK_H

#include "cli/run.h"

#define FR_ASK_TRIES 6         /* of a request that is safe to repeat: some seconds */
#define FR_ASK_PATIENCE 60.0   /* seconds for a server that is away, a stream that stalls */
#define FR_ASK_PAUSE_FIRST 0.1 /* seconds before the second try; doubles from there */
#define FR_ASK_PAUSE_MAX 5.0   /* also of what the server asks for */

/*
 * Asks. FR_EXIT_OK: the status is one of 2xx; else what went wrong was told (but for
 * FR_EXIT_INTERRUPTED) and is the exit code. With --json the
 * server's own words about an error go to standard output. The caller frees reply.
 */
int fr_ask(struct fr_cli *cli, const struct fr_request *request, struct fr_reply *reply);

/* Tells what became of a request that did not do well, and returns its exit code. */
int fr_ask_tell(const struct fr_cli *cli, const struct fr_request *request,
                enum fr_outcome outcome, const struct fr_reply *reply,
                const struct fr_error *err);

/* Asks for a JSON document; *ret is new. */
int fr_ask_json(struct fr_cli *cli, const struct fr_request *request, json_t **ret);

/* Asks, and prints what comes as it comes, held nowhere: for --json. */
int fr_ask_through(struct fr_cli *cli, const struct fr_request *request);

/* Asks for something that has no result worth reading; with --json prints the reply. */
int fr_ask_done(struct fr_cli *cli, const struct fr_request *request);

/* Reads a reply's body as JSON; says so where it is none. FR_EXIT_OK or FR_EXIT_FAILED. */
int fr_ask_parse(const struct fr_reply *reply, json_t **ret);

/*
 * Whether the answer to a request with a key, or to one of its jobs, means that it is worth
 * trying again: the service or its engine is away for a moment, or the first try is still
 * being worked on.
 */
bool fr_ask_is_passing(long status, const char *code);

/* Whether that is the code of what may have been done or not. */
bool fr_ask_is_unknown(const char *code);

/* Seconds of a clock that is never set. */
double fr_ask_now(void);

/* Says that there is no memory left, and returns FR_EXIT_FAILED. */
int fr_ask_no_memory(void);

/* Sends a JSON body (taken over; NULL: no memory) to PATH/ID/VERB. As fr_ask_done. */
int fr_ask_verb(struct fr_cli *cli, const char *path, const char *id, const char *verb,
                json_t *body);

/* "PATH/ID" and what follows, or NULL (told). The caller frees it. */
char *fr_ask_path(const char *path, const char *id, const char *rest);

#define FR_ASK_JOBS "/v1/jobs"
#define FR_ASK_NODES "/v1/nodes"

#endif
