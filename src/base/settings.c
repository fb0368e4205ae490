// SPDX-License-Identifier: LGPL-3.0-only
#include "base/settings.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/settings_sources.h"
#include "base/settings_table.h"
#include "base/util.h"

#define SECRET_FILE_MAX 4096

static const struct fr_setting *row_of(const char *name)
{
    return fr_settings_find(name, strlen(name));
}

static enum fr_source source_of(const struct fr_sources *sources, const char *name)
{
    return fr_sources_highest(sources, row_of(name));
}

static void free_list(char **list)
{
    for (size_t i = 0; list && list[i]; i++)
        free(list[i]);
    free(list);
}

static int assign_presets(struct fr_settings *settings, struct fr_error *err)
{
    for (size_t i = 0; i < fr_settings_count; i++) {
        const struct fr_setting *row = &fr_settings_table[i];
        int r =
            row->preset ? fr_settings_assign(settings, row, row->preset, row->name, err) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

/* A list in a variable: items between commas. */
static int assign_list(struct fr_settings *settings, const struct fr_said *said,
                       const char *where, struct fr_error *err)
{
    _cleanup_(fr_cleanup_str) char *copy = strdup(said->text);

    if (!copy)
        return fr_error_set(err, ENOMEM, FR_CODE_INTERNAL, "Out of memory.");
    for (char *rest = copy, *item; (item = strsep(&rest, ", "));) {
        int r = *item ? fr_settings_assign(settings, said->row, item, where, err) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

static int assign_said(struct fr_settings *settings, const struct fr_said *said,
                       struct fr_error *err)
{
    const struct fr_setting *row = said->row;
    char where[256];

    fr_sources_where(said, where, sizeof where);
    if (row->type == FR_SETTING_LIST && said->source == FR_SOURCE_ENV)
        return assign_list(settings, said, where, err);
    if (row->type == FR_SETTING_BOOL && said->source == FR_SOURCE_ENV) {
        /* One meaning under several names: true under one of them is true. */
        bool *member = (bool *)((char *)settings + row->offset);
        bool before = *member;
        int r = fr_settings_assign(settings, row, said->text, where, err);
        *member |= before;
        return r;
    }
    return fr_settings_assign(settings, row, said->text, where, err);
}

/* Reads what the highest source says of each setting. */
static int assign_all(struct fr_settings *settings, const struct fr_sources *sources,
                      struct fr_error *err)
{
    for (size_t i = 0; i < fr_settings_count; i++) {
        const struct fr_setting *row = &fr_settings_table[i];
        enum fr_source highest = fr_sources_highest(sources, row);

        if (highest == FR_SOURCE_ENV && row->type == FR_SETTING_BOOL)
            *(bool *)((char *)settings + row->offset) = false; /* not the default's word */
        for (size_t k = 0; k < sources->count; k++) {
            const struct fr_said *said = &sources->items[k];
            int r = said->row == row && said->source == highest
                        ? assign_said(settings, said, err)
                        : 0;
            if (r < 0)
                return r;
        }
    }
    return 0;
}

/* Cuts the line's end off; -EINVAL unless one line with something in it is left. */
static int check_secret(const struct fr_setting *row, char *text, const char *path,
                        struct fr_error *err)
{
    size_t len = strlen(text);

    while (len > 0 && strchr("\r\n", text[len - 1]))
        text[--len] = '\0';
    if (len > 0 && !strpbrk(text, "\r\n"))
        return 0;
    return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                        "%s must hold the %s and nothing else, in one line.", path, row->name);
}

static int read_secret_file(struct fr_settings *settings, const struct fr_setting *row,
                            const char *path, struct fr_error *err)
{
    char *text;
    bool is_private = false;
    int r = fr_file_slurp(path, SECRET_FILE_MAX, &text, &is_private, err);

    if (r < 0)
        return r;
    r = check_secret(row, text, path, err);
    if (r == 0 && !is_private)
        r = fr_error_set(err, EPERM, FR_CODE_INVALID,
                         "Other users can read the %s in %s: 'chmod 600' it, and choose a "
                         "new one.",
                         row->name, path);
    if (r == 0)
        r = fr_settings_assign(settings, row, text, path, err);
    explicit_bzero(text, strlen(text));
    free(text);
    return r;
}

/* A secret and the file with it: the one said in the higher source counts. */
static int settle_secret(struct fr_settings *settings, const struct fr_sources *sources,
                         const char *name, const char *file_name, char **file,
                         struct fr_error *err)
{
    enum fr_source by_text = source_of(sources, name);
    enum fr_source by_file = source_of(sources, file_name);

    if (by_file == FR_SOURCE_NONE)
        return 0;
    if (by_file == by_text)
        return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                            "Both a %s and a %s are given: give one of them.", name, file_name);
    if (by_file > by_text)
        return read_secret_file(settings, row_of(name), *file, err);
    free(fr_take(*file));
    return 0;
}

/* Without --listen, or with a host or port said in a higher source, these two tell where. */
static int settle_listen(struct fr_settings *settings, const struct fr_sources *sources,
                         struct fr_error *err)
{
    enum fr_source listen = source_of(sources, "listen");
    enum fr_source host = source_of(sources, "host"), port = source_of(sources, "port");
    enum fr_source other = host > port ? host : port;
    _cleanup_(fr_cleanup_str) char *address = NULL;

    /* HOST and PORT may be there for others' sake: in the environment that is no conflict. */
    if (listen != FR_SOURCE_NONE && listen == other && listen != FR_SOURCE_ENV)
        return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                            "Both listen and host or port are given: put all addresses into "
                            "listen, as ADDR:PORT.");
    if (settings->listen && listen >= other)
        return 0;
    free_list(fr_take(settings->listen));
    bool v6 = strchr(settings->host, ':') && settings->host[0] != '[';
    if (asprintf(&address, v6 ? "[%s]:%u" : "%s:%u", settings->host, settings->port) < 0) {
        address = NULL;
        return fr_error_set(err, ENOMEM, FR_CODE_INTERNAL, "Out of memory.");
    }
    return fr_settings_assign(settings, row_of("listen"), address, "host and port", err);
}

/* Where this user's programs keep what must outlive them. */
static int settle_state_dir(struct fr_settings *settings, char *const *env,
                            struct fr_error *err)
{
    const char *base = fr_sources_getenv(env, "XDG_STATE_HOME");
    const char *below = "";

    if (settings->state_dir)
        return 0;
    if (!base || base[0] != '/') { /* a relative one is to be ignored, says its specification */
        base = fr_sources_getenv(env, "HOME");
        below = "/.local/state";
    }
    if (!base || base[0] != '/') {
        const struct passwd *pw = getpwuid(geteuid());
        base = pw ? pw->pw_dir : NULL;
    }
    if (!base || base[0] != '/')
        return 0;
    if (asprintf(&settings->state_dir, "%s%s/flux-restd", base, below) < 0) {
        settings->state_dir = NULL;
        return fr_error_set(err, ENOMEM, FR_CODE_INTERNAL, "Out of memory.");
    }
    return 0;
}

static int settle_audit_log(struct fr_settings *settings, struct fr_error *err)
{
    if (settings->audit_log || !settings->state_dir)
        return 0;
    if (asprintf(&settings->audit_log, "%s/audit.log", settings->state_dir) < 0) {
        settings->audit_log = NULL;
        return fr_error_set(err, ENOMEM, FR_CODE_INTERNAL, "Out of memory.");
    }
    return 0;
}

static int check_tls(const struct fr_settings *settings, struct fr_error *err)
{
    if (!settings->tls_cert == !settings->tls_key)
        return 0;
    return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                        "TLS takes a certificate and its key: give --tls-cert and --tls-key.");
}

static int settle(struct fr_settings *settings, const struct fr_sources *sources,
                  char *const *env, struct fr_error *err)
{
    int r = assign_presets(settings, err);

    if (r == 0)
        r = assign_all(settings, sources, err);
    if (r == 0)
        r = settle_secret(settings, sources, "token", "token-file", &settings->token_file, err);
    if (r == 0)
        r = settle_secret(settings, sources, "secret-key", "secret-key-file",
                          &settings->secret_key_file, err);
    if (r == 0)
        r = settle_listen(settings, sources, err);
    if (r == 0)
        r = settle_state_dir(settings, env, err);
    if (r == 0)
        r = settle_audit_log(settings, err);
    if (r == 0)
        r = check_tls(settings, err);
    if (r == 0 && !settings->allow_host) {
        settings->allow_host = calloc(1, sizeof *settings->allow_host);
        if (!settings->allow_host)
            r = fr_error_set(err, ENOMEM, FR_CODE_INTERNAL, "Out of memory.");
    }
    return r;
}

/* The config file that is said in the higher source, later before earlier. */
static const char *config_path(const struct fr_sources *sources)
{
    const struct fr_setting *row = row_of("config");
    enum fr_source highest = fr_sources_highest(sources, row);
    const char *path = NULL;

    for (size_t i = 0; i < sources->count; i++) {
        if (sources->items[i].row == row && sources->items[i].source == highest)
            path = sources->items[i].text;
    }
    return path;
}

int fr_settings_read(int argc, char *const *argv, char *const *env, struct fr_settings *ret,
                     enum fr_settings_todo *ret_todo, struct fr_error *err)
{
    _cleanup_(fr_sources_done) struct fr_sources sources = {0};
    struct fr_settings settings = {0};
    bool help = false, version = false;
    int r = fr_sources_add_argv(&sources, argc, argv, &help, &version, err);

    if (r == 0 && (help || version)) {
        *ret_todo = help ? FR_SETTINGS_HELP : FR_SETTINGS_VERSION;
        return 0;
    }
    if (r == 0)
        r = fr_sources_add_env(&sources, env, err);
    const char *path = config_path(&sources);
    if (r == 0 && path)
        r = fr_sources_add_config(&sources, path, err);
    if (r == 0)
        r = settle(&settings, &sources, env, err);
    if (r < 0) {
        fr_settings_done(&settings);
        return r;
    }
    *ret = settings;
    *ret_todo = FR_SETTINGS_RUN;
    return 0;
}

void fr_settings_wipe_env(char *const *env)
{
    for (size_t i = 0; i < fr_settings_count; i++) {
        const struct fr_setting *row = &fr_settings_table[i];
        for (size_t k = 0; row->secret && k < FR_SETTING_ENV_MAX && row->env[k]; k++) {
            /* The strings are the process's own, for anyone to change. */
            char *text = (char *)(uintptr_t)fr_sources_getenv(env, row->env[k]);
            if (text)
                explicit_bzero(text, strlen(text));
        }
    }
}

void fr_settings_done(struct fr_settings *settings)
{
    for (size_t i = 0; i < fr_settings_count; i++) {
        const struct fr_setting *row = &fr_settings_table[i];
        void *member = (char *)settings + row->offset;

        if (row->type == FR_SETTING_LIST)
            free_list(*(char ***)member);
        if (row->type != FR_SETTING_STRING)
            continue;
        char *text = *(char **)member;
        if (text && row->secret)
            explicit_bzero(text, strlen(text));
        free(text);
    }
    *settings = (struct fr_settings){0};
}
