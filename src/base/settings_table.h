// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The table behind settings.h, for the settings_….c files and their test alone.
 */
#ifndef FR_BASE_SETTINGS_TABLE_H
#define FR_BASE_SETTINGS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct fr_settings;

/* The type decides what a text may be and what member of struct fr_settings it goes to. */
enum fr_setting_type {
    FR_SETTING_STRING, /* char *; not empty */
    FR_SETTING_LIST,   /* char **; one item each time it is given, by commas in a variable */
    FR_SETTING_BOOL,   /* bool */
    FR_SETTING_UINT,   /* unsigned int within min and max */
    FR_SETTING_SIZE,   /* uint64_t bytes within min and max; K, M and G are powers of 1024 */
    FR_SETTING_CHOICE, /* int: the value of one of the choices */
    FR_SETTING_FILE    /* no member: names a file that the reader opens itself */
};

struct fr_setting_choice {
    const char *word;
    int value;
};

#define FR_SETTING_ENV_MAX 4

struct fr_setting {
    const char *group;   /* heading in --help */
    const char *name;    /* as on the command line without --, and in the config file */
    const char *metavar; /* NULL for bool */
    const char *help;
    const char *env[FR_SETTING_ENV_MAX]; /* the first one set counts; FLUX_RESTD_… first */
    enum fr_setting_type type;
    size_t offset;          /* in struct fr_settings */
    const char *preset;     /* the default, as it would be given; NULL: none */
    const char *preset_doc; /* how --help tells a default that is not a fixed text */
    uint64_t min, max;
    const struct fr_setting_choice *choices; /* ends with a NULL word */
    bool secret;                             /* never on the command line nor in a text */
};

extern const struct fr_setting fr_settings_table[];
extern const size_t fr_settings_count;

/* The row of that name (len bytes), or NULL. */
const struct fr_setting *fr_settings_find(const char *name, size_t len);

/* The name in the table that is nearest to name (len bytes) and near enough, or NULL. */
const char *fr_settings_nearest(const char *name, size_t len);

/*
 * Reads one value into its member of settings: a text there before is freed, a list grows by
 * one. `where` is how a person finds the place ("--port", "line 3 of /etc/x"). The value of
 * a secret is not told in err. 0, -EINVAL or -ENOMEM.
 */
int fr_settings_assign(struct fr_settings *settings, const struct fr_setting *row,
                       const char *text, const char *where, struct fr_error *err);

#endif
