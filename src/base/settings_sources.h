// SPDX-License-Identifier: LGPL-3.0-only
/*
 * What was said where: the texts that the command line, the environment and the config file
 * give for each setting, before any is read as a value. For settings.c alone.
 */
#ifndef FR_BASE_SETTINGS_SOURCES_H
#define FR_BASE_SETTINGS_SOURCES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/settings_table.h"

/* In rising order of precedence. */
enum fr_source { FR_SOURCE_NONE, FR_SOURCE_CONFIG, FR_SOURCE_ENV, FR_SOURCE_ARGV };

/* One text for one setting. All but the struct itself is borrowed. */
struct fr_said {
    const struct fr_setting *row;
    enum fr_source source;
    const char *text;
    const char *place; /* variable's name or config file's path */
    unsigned int line; /* in the config file */
};

/* All that was said, each source in its own order. Starts zeroed. */
struct fr_sources {
    struct fr_said *items;
    size_t count;
    char *config; /* the config file's text, cut into lines; items point into it */
};

/* Adds the options. *ret_help or *ret_version is set as soon as that is met; the rest is left.
 */
int fr_sources_add_argv(struct fr_sources *sources, int argc, char *const *argv, bool *ret_help,
                        bool *ret_version, struct fr_error *err);

/* Adds the variables. One that is empty counts as not set, except for a bool. */
int fr_sources_add_env(struct fr_sources *sources, char *const *env, struct fr_error *err);

/* Adds the lines of the config file at path. */
int fr_sources_add_config(struct fr_sources *sources, const char *path, struct fr_error *err);

/* The value of a variable, or NULL. Borrowed from env. */
const char *fr_sources_getenv(char *const *env, const char *name);

/* The highest source that says something for the row. */
enum fr_source fr_sources_highest(const struct fr_sources *sources,
                                  const struct fr_setting *row);

/* Writes how a person finds the place: "--port", "PORT in the environment", … */
void fr_sources_where(const struct fr_said *said, char *text, size_t size);

/* Wipes the config file's text and frees all. */
void fr_sources_done(struct fr_sources *sources);

#endif
