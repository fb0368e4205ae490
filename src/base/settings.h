// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Settings: one table drives the command line, the environment, the config file, --help and
 * the manual page.
 *
 * What is said on the command line counts before the environment, that before the config file
 * (--config, lines `name = value`, # comments), that before the default. A source replaces
 * what a lower one said, lists included. A value that counts and cannot be read is an error
 * that names where it stood, never a default in silence.
 *
 * To add a setting: a member here, a row in settings_table.c, nothing else.
 */
#ifndef FR_BASE_SETTINGS_H
#define FR_BASE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum fr_engine_choice { FR_ENGINE_AUTO, FR_ENGINE_LOCAL, FR_ENGINE_FLUX };

/* Who gets in from beyond this machine without credentials: nobody, or anyone. */
enum fr_auth_choice { FR_AUTH_CREDENTIALS, FR_AUTH_NONE };

/* All values, as read. Texts are owned here. */
struct fr_settings {
    char **listen;     /* --listen, repeatable; if none was given, one made of host and port.
                          NULL-terminated, never empty once read */
    char *host;        /* HOST */
    unsigned int port; /* PORT; 0: any free one */
    int engine;        /* enum fr_engine_choice */
    char *flux_uri;    /* NULL: as Flux finds it */
    unsigned int flux_requests, flux_seconds;
    char *state_dir;     /* local engine; NULL only where no home directory is known */
    char *shell;         /* the job shell's program; NULL: beside the daemon or in libexec */
    uint64_t output_max; /* bytes of output kept per job */
    unsigned int cores;  /* 0: all */
    unsigned int gpus;   /* 0: all */
    bool check_store;    /* check it and end */
    unsigned int keep_jobs, keep_days; /* what is kept of ended jobs; 0: all */
    char *user;                        /* FLUX_USER; NULL if not given */
    char *token;      /* FLUX_TOKEN or the content of token_file; secret; NULL or not empty */
    char *token_file; /* where the token was read from, NULL if not from a file */
    char *secret_key, *secret_key_file; /* likewise: FLUX_SECRET_KEY */
    unsigned int access_minutes;        /* FLUX_ACCESS_TOKEN_EXPIRES_MINUTES */
    bool require_auth;                  /* FLUX_REQUIRE_AUTH, FLUX_USER_AUTH */
    int auth;                           /* enum fr_auth_choice */
    char *tls_cert, *tls_key;           /* files; both or neither */
    char **allow_host;   /* more names that Host may have; NULL-terminated, never NULL */
    uint64_t events_max; /* bytes of event texts kept */
    uint64_t header_max, body_max, replies_max;
    unsigned int connections, connections_per_address;
    unsigned int request_seconds, handshake_seconds, idle_seconds, reply_seconds, grace_seconds;
    unsigned int parameters, json_depth, bulk_jobs;
    unsigned int streams, streams_per_client;
    unsigned int sign_ins; /* most that may fail in a minute, of one peer */
    int log_level;         /* enum fr_log_level */
    bool access_log;
    char *audit_log;    /* "none", "-" (standard error) or a file; NULL: no place is known */
    uint64_t audit_max; /* bytes of it before it is begun anew */
    bool confine;
};

/* What the caller should do after reading the command line. */
enum fr_settings_todo { FR_SETTINGS_RUN, FR_SETTINGS_HELP, FR_SETTINGS_VERSION };

/*
 * Reads all sources. argv[0] is skipped; env, the process's environment, is only read. Blocks
 * for as long as the config and token files take to read. On success *ret is to be freed with
 * fr_settings_done(), except when *ret_todo is HELP or VERSION: then nothing else was looked
 * at and *ret is untouched. -EINVAL with err naming option, value, remedy and source;
 * -ENOMEM; the errno of opening or reading a file, -EPERM for one that others may read.
 */
int fr_settings_read(int argc, char *const *argv, char *const *env, struct fr_settings *ret,
                     enum fr_settings_todo *ret_todo, struct fr_error *err);

/*
 * Overwrites the values of secret settings in an environment, once they were read: what is not
 * there is found neither in /proc nor in a core.
 */
void fr_settings_wipe_env(char *const *env);

/* Frees all texts (secrets are wiped) and leaves the struct zeroed. */
void fr_settings_done(struct fr_settings *settings);

/* The text of --help: grouped, wrapped at 80 columns, with environment names and defaults. */
struct fr_buf;
void fr_settings_help(struct fr_buf *out);

/*
 * Names of environment variables that belong to the daemon (all of the table's, and
 * NOTIFY_SOCKET and its kin): a job's environment is the daemon's without these.
 * NULL-terminated, static. The first call must not race with another.
 */
const char *const *fr_settings_private_env(void);

#endif
