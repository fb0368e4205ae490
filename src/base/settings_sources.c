// SPDX-License-Identifier: LGPL-3.0-only
#include "base/settings_sources.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/util.h"

#define CONFIG_MAX (256 * 1024)

static int say(struct fr_sources *sources, const struct fr_said *said, struct fr_error *err)
{
    struct fr_said *grown =
        reallocarray(sources->items, sources->count + 1, sizeof *sources->items);

    if (!grown)
        return fr_error_set(err, ENOMEM, FR_CODE_INTERNAL, "Out of memory.");
    sources->items = grown;
    grown[sources->count++] = *said;
    return 0;
}

static int refuse_unknown(const char *dashes, const char *name, size_t len, const char *where,
                          struct fr_error *err)
{
    const char *nearest = fr_settings_nearest(name, len);

    if (nearest)
        return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                            "%s%s%.*s is not a setting. Did you mean %s%s?", where, dashes,
                            len > 80 ? 80 : (int)len, name, dashes, nearest);
    return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                        "%s%s%.*s is not a setting; --help lists them all.", where, dashes,
                        len > 80 ? 80 : (int)len, name);
}

/* The setting that an option's name stands for; *ret_no if it is one of --no-NAME. */
static const struct fr_setting *find_option(const char *name, size_t len, bool *ret_no)
{
    const struct fr_setting *row = fr_settings_find(name, len);

    *ret_no = false;
    if (row || len <= 3 || strncmp(name, "no-", 3) != 0)
        return row;
    row = fr_settings_find(name + 3, len - 3);
    if (!row || row->type != FR_SETTING_BOOL)
        return NULL;
    *ret_no = true;
    return row;
}

/* One option out of argv[i], with its value in *text if it has one by "=". */
static int parse_option(const char *arg, struct fr_said *said, struct fr_error *err)
{
    const char *name = arg + 2;
    size_t len = strcspn(name, "=");
    const char *value = name[len] ? name + len + 1 : NULL;
    bool no;
    const struct fr_setting *row = find_option(name, len, &no);

    if (!row)
        return refuse_unknown("--", name, len, "", err);
    if (row->secret)
        return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                            "--%s may not be given on the command line, where every user of "
                            "this machine can see it: set the variable %s, or name a file "
                            "with --%s-file.",
                            row->name, row->env[0], row->name);
    if (no && value)
        return fr_error_set(err, EINVAL, FR_CODE_INVALID, "--no-%s takes no value.", row->name);
    *said = (struct fr_said){.row = row, .source = FR_SOURCE_ARGV, .text = value};
    if (row->type == FR_SETTING_BOOL && !value)
        said->text = no ? "false" : "true";
    return 0;
}

static int add_option(struct fr_sources *sources, int argc, char *const *argv, int *i,
                      struct fr_error *err)
{
    const char *arg = argv[*i];
    struct fr_said said = {0};

    if (strncmp(arg, "--", 2) != 0 || !arg[2])
        return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                            "'%.80s' is not an option; --help lists them all.", arg);
    int r = parse_option(arg, &said, err);
    if (r < 0)
        return r;
    if (!said.text) {
        /* A text that looks like an option is taken only as --NAME=--TEXT. */
        if (*i + 1 >= argc || strncmp(argv[*i + 1], "--", 2) == 0)
            return fr_error_set(err, EINVAL, FR_CODE_INVALID, "--%s needs a value: %s.",
                                said.row->name, said.row->metavar);
        said.text = argv[++*i];
    }
    return say(sources, &said, err);
}

int fr_sources_add_argv(struct fr_sources *sources, int argc, char *const *argv, bool *ret_help,
                        bool *ret_version, struct fr_error *err)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            *ret_help = true;
            return 0;
        }
        if (strcmp(argv[i], "--version") == 0 || strcmp(argv[i], "-V") == 0) {
            *ret_version = true;
            return 0;
        }
        int r = add_option(sources, argc, argv, &i, err);
        if (r < 0)
            return r;
    }
    return 0;
}

const char *fr_sources_getenv(char *const *env, const char *name)
{
    size_t len = strlen(name);

    for (; env && *env; env++) {
        if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
            return *env + len + 1;
    }
    return NULL;
}

int fr_sources_add_env(struct fr_sources *sources, char *const *env, struct fr_error *err)
{
    for (size_t i = 0; i < fr_settings_count; i++) {
        const struct fr_setting *row = &fr_settings_table[i];
        bool is_bool = row->type == FR_SETTING_BOOL;

        for (size_t k = 0; k < FR_SETTING_ENV_MAX && row->env[k]; k++) {
            const char *text = fr_sources_getenv(env, row->env[k]);
            if (!text || (!*text && !is_bool))
                continue;
            struct fr_said said = {
                .row = row, .source = FR_SOURCE_ENV, .text = text, .place = row->env[k]};
            int r = say(sources, &said, err);
            if (r < 0)
                return r;
            if (!is_bool)
                break;
        }
    }
    return 0;
}

static char *trim(char *text)
{
    static const char blanks[] = " \t\r\n";

    text += strspn(text, blanks);
    size_t len = strlen(text);
    while (len > 0 && strchr(blanks, text[len - 1]))
        len--;
    text[len] = '\0';
    return text;
}

/* Whether this row may stand in the config file, here and now. */
static int check_row(const struct fr_sources *sources, const struct fr_setting *row,
                     bool is_private, const char *where, struct fr_error *err)
{
    if (row->type == FR_SETTING_FILE)
        return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                            "%s%s cannot be set in a config file.", where, row->name);
    if (row->secret && !is_private)
        return fr_error_set(err, EPERM, FR_CODE_INVALID,
                            "%s%s is a secret, and other users can read the file: 'chmod 600' "
                            "it, and choose a new %s.",
                            where, row->name, row->name);
    if (row->type == FR_SETTING_LIST)
        return 0;
    for (size_t i = 0; i < sources->count; i++) {
        const struct fr_said *said = &sources->items[i];
        if (said->row == row && said->source == FR_SOURCE_CONFIG)
            return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                                "%s%s was already set in line %u.", where, row->name,
                                said->line);
    }
    return 0;
}

static int add_line(struct fr_sources *sources, char *line, bool is_private,
                    struct fr_said *said, struct fr_error *err)
{
    char where[256];

    line = trim(line);
    if (!*line || *line == '#')
        return 0;
    snprintf(where, sizeof where, "Line %u of %s: ", said->line, said->place);
    char *equals = strchr(line, '=');
    if (!equals) /* the line is not told: it may hold a secret */
        return fr_error_set(err, EINVAL, FR_CODE_INVALID, "%sexpected 'name = value'.", where);
    *equals = '\0';
    const char *name = trim(line);
    said->row = fr_settings_find(name, strlen(name));
    said->text = trim(equals + 1);
    if (!said->row)
        return refuse_unknown("", name, strlen(name), where, err);
    int r = check_row(sources, said->row, is_private, where, err);
    return r < 0 ? r : say(sources, said, err);
}

int fr_sources_add_config(struct fr_sources *sources, const char *path, struct fr_error *err)
{
    struct fr_said said = {.source = FR_SOURCE_CONFIG, .place = path};
    bool is_private = false;
    int r = fr_file_slurp(path, CONFIG_MAX, &sources->config, &is_private, err);

    if (r < 0)
        return r;
    for (char *rest = sources->config, *line; (line = strsep(&rest, "\n"));) {
        said.line++;
        r = add_line(sources, line, is_private, &said, err);
        if (r < 0)
            return r;
    }
    return 0;
}

enum fr_source fr_sources_highest(const struct fr_sources *sources,
                                  const struct fr_setting *row)
{
    enum fr_source highest = FR_SOURCE_NONE;

    for (size_t i = 0; i < sources->count; i++) {
        const struct fr_said *said = &sources->items[i];
        if (said->row == row && said->source > highest)
            highest = said->source;
    }
    return highest;
}

void fr_sources_where(const struct fr_said *said, char *text, size_t size)
{
    switch (said->source) {
    case FR_SOURCE_ARGV:
        snprintf(text, size, "--%s", said->row->name);
        return;
    case FR_SOURCE_ENV:
        snprintf(text, size, "%s in the environment", said->place);
        return;
    case FR_SOURCE_CONFIG:
        snprintf(text, size, "%s in line %u of %s", said->row->name, said->line, said->place);
        return;
    case FR_SOURCE_NONE:
        break;
    }
    snprintf(text, size, "The default of %s", said->row->name);
}

void fr_sources_done(struct fr_sources *sources)
{
    if (sources->config)
        explicit_bzero(sources->config, CONFIG_MAX);
    free(sources->config);
    free(sources->items);
    *sources = (struct fr_sources){0};
}
