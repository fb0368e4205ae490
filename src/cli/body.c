// SPDX-License-Identifier: LGPL-3.0-only
#include "cli/body.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/settings.h"
#include "base/text.h"
#include "base/util.h"
#include "cli/ask.h"
#include "cli/signals.h"
#include "cli/when.h"

#define INPUT_MAX (1U << 20) /* what the server takes */

extern char **environ;

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

static int refuse_utf8(const char *what)
{
    fr_say("%s is not valid UTF-8, which JSON needs", what);
    return FR_EXIT_USAGE;
}

/* Sets a text that must be UTF-8. */
static int set_text(json_t *object, const char *key, const char *text, const char *what)
{
    json_t *value = json_string(text);

    if (!value)
        return refuse_utf8(what);
    return json_object_set_new(object, key, value) < 0 ? fr_ask_no_memory() : FR_EXIT_OK;
}

/* --- one option each --- */

int fr_body_parse_limit(const char *text, double *ret)
{
    double value;

    if (fr_when_parse_seconds(text, &value) < 0)
        return -EINVAL;
    *ret = text[strspn(text, "0123456789.")] ? value : value * 60;
    return 0;
}

static int take_limit(json_t *body, const char *text)
{
    double seconds;

    if (fr_body_parse_limit(text, &seconds) < 0) {
        fr_say("--time-limit: '%.60s' is not taken; give minutes, or a duration such as 90s, "
               "1.5h or 2d",
               text);
        return FR_EXIT_USAGE;
    }
    return json_object_set_new(body, "runtime", json_real(seconds)) < 0 ? fr_ask_no_memory()
                                                                        : FR_EXIT_OK;
}

/* The object or list under a key, made where it is not there. Borrowed; NULL: no memory. */
static json_t *part(json_t *body, const char *key, json_t *(*make)(void))
{
    json_t *value = json_object_get(body, key);

    if (!value && json_object_set_new(body, key, make()) == 0)
        value = json_object_get(body, key);
    return value;
}

/* What belongs to the daemon or to us, and to no job. */
static bool is_private(const char *name, size_t len)
{
    const char *const *names = fr_settings_private_env();

    for (; *names; names++) {
        if (strlen(*names) == len && memcmp(*names, name, len) == 0)
            return true;
    }
    return false;
}

/* Our own variables whose name matches the pattern. A name alone must be there. */
static int take_env_pattern(json_t *envars, const char *pattern)
{
    bool is_name = pattern[strcspn(pattern, "*?")] == '\0';
    bool any = false;

    for (char **entry = environ; *entry; entry++) {
        size_t len = strcspn(*entry, "=");
        _cleanup_(fr_cleanup_str) char *name = strndup(*entry, len);
        if (!name)
            return fr_ask_no_memory();
        if (!(*entry)[len] || !fr_text_glob(pattern, name) ||
            (!is_name && is_private(name, len)))
            continue;
        any = true;
        int code = set_text(envars, name, *entry + len + 1, "--env: the value of a variable");
        if (code != FR_EXIT_OK)
            return code;
    }
    if (!any && is_name) {
        fr_say("--env: there is no variable %.100s here; give %.100s=VALUE", pattern, pattern);
        return FR_EXIT_USAGE;
    }
    return FR_EXIT_OK;
}

static int take_env(json_t *body, const char *rule)
{
    json_t *envars = part(body, "envars", json_object);
    const char *equals = strchr(rule, '=');

    if (!envars)
        return fr_ask_no_memory();
    if (*rule == '-') {
        if (!rule[1] || rule[strcspn(rule, "*?=")]) {
            fr_say("--env: '%.100s' is not taken; -NAME takes one variable away", rule);
            return FR_EXIT_USAGE;
        }
        return json_object_set_new(envars, rule + 1, json_null()) < 0 ? fr_ask_no_memory()
                                                                      : FR_EXIT_OK;
    }
    if (!equals)
        return take_env_pattern(envars, rule);
    _cleanup_(fr_cleanup_str) char *name = strndup(rule, (size_t)(equals - rule));
    if (!name)
        return fr_ask_no_memory();
    return set_text(envars, name, equals + 1, "--env");
}

static int take_dependency(json_t *body, const char *text)
{
    json_t *list = part(body, "dependencies", json_array);
    json_t *value = json_string(text);

    if (!value)
        return refuse_utf8("--dependency");
    return json_array_append_new(list, value) < 0 ? fr_ask_no_memory() : FR_EXIT_OK;
}

/* KEY=VALUE into an object; VALUE may be JSON where that makes a difference. */
static int set_pair(json_t *object, const char *pair, bool may_be_json)
{
    size_t len = strcspn(pair, "=");
    const char *text = pair[len] ? pair + len + 1 : "1";
    json_t *value = may_be_json ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;

    if (!value)
        value = json_string(text);
    if (!value)
        return refuse_utf8(pair);
    return json_object_setn_new(object, pair, len, value) < 0 ? fr_ask_no_memory() : FR_EXIT_OK;
}

static int take_setopt(json_t *body, const char *pair)
{
    json_t *options = part(body, "option_flags", json_object);

    return options ? set_pair(options, pair, false) : fr_ask_no_memory();
}

static int take_rlimit(json_t *body, const char *pair)
{
    json_t *limits = part(body, "rlimits", json_object);

    return limits ? set_pair(limits, pair, false) : fr_ask_no_memory();
}

static int take_setattr(json_t *body, const char *pair)
{
    json_t *attributes;

    if (strncmp(pair, "user.", 5) != 0 || pair[5] == '=' || !pair[5]) {
        fr_say("--setattr: '%.100s' is not taken: this server takes user attributes alone, "
               "user.KEY=VALUE",
               pair);
        return FR_EXIT_USAGE;
    }
    attributes = part(body, "attributes", json_object);
    return attributes ? set_pair(attributes, pair + 5, true) : fr_ask_no_memory();
}

/* Up to INPUT_MAX bytes of a file; told where that fails. */
static int read_input(int fd, const char *path, char *text, size_t *ret_len)
{
    ssize_t n = 0;

    *ret_len = 0;
    while (*ret_len <= INPUT_MAX &&
           (n = fr_signals_read(fd, text + *ret_len, INPUT_MAX + 1 - *ret_len)) > 0)
        *ret_len += (size_t)n;
    if (n < 0) {
        if (errno == EINTR)
            return FR_EXIT_INTERRUPTED;
        fr_say("--input: %s cannot be read: %s", path, strerror(errno));
    } else if (*ret_len > INPUT_MAX) {
        fr_say("--input: %s has more than 1 MiB; let the job read the file itself", path);
    } else if (memchr(text, '\0', *ret_len)) {
        fr_say("--input: %s holds a NUL byte, and only text is taken; let the job read the "
               "file itself",
               path);
    } else {
        return FR_EXIT_OK;
    }
    return FR_EXIT_USAGE;
}

static int take_input(json_t *body, const char *path)
{
    bool is_ours = strcmp(path, "-") == 0;
    _cleanup_(fr_cleanup_fd) int fd =
        is_ours ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    _cleanup_(fr_cleanup_str) char *text = malloc(INPUT_MAX + 2);
    size_t len;

    if (fd < 0) {
        fr_say("--input: %s cannot be opened: %s", path, strerror(errno));
        return FR_EXIT_USAGE;
    }
    if (!text)
        return fr_ask_no_memory();
    int code = read_input(fd, path, text, &len);
    if (code != FR_EXIT_OK)
        return code;
    text[len] = '\0';
    return set_text(body, "stdin", text, "--input: the file");
}

/* --- all of them --- */

/* Options that fill no field as they stand. */
static const struct {
    const char *name;
    int (*take)(json_t *body, const char *text);
} takers[] = {
    {"time-limit", take_limit}, {"env", take_env},         {"dependency", take_dependency},
    {"setopt", take_setopt},    {"setattr", take_setattr}, {"rlimit", take_rlimit},
    {"input", take_input},
};

static int take_field(json_t *body, const struct fr_said_option *said)
{
    const struct fr_option *option = said->option;
    char what[64];
    json_t *value;

    if (option->type == FR_OPTION_FLAG)
        value = json_true();
    else if (option->type == FR_OPTION_COUNT)
        value = json_integer(strtol(said->text, NULL, 10));
    else {
        snprintf(what, sizeof what, "--%s", option->name);
        return set_text(body, option->field, said->text, what);
    }
    return json_object_set_new(body, option->field, value) < 0 ? fr_ask_no_memory()
                                                               : FR_EXIT_OK;
}

static int take_said(json_t *body, const struct fr_said_option *said)
{
    if (said->option->field)
        return take_field(body, said);
    for (size_t i = 0; i < FR_ARRAY_SIZE(takers); i++) {
        if (strcmp(takers[i].name, said->option->name) == 0)
            return takers[i].take(body, said->text);
    }
    return FR_EXIT_OK; /* it says nothing of the job */
}

/* The directory that we are in, where the server can be in it too. */
static int set_cwd(const struct fr_cli *cli, json_t *body)
{
    char cwd[PATH_MAX];

    if (json_object_get(body, "workdir") || !fr_client_is_local(cli->client) ||
        !getcwd(cwd, sizeof cwd))
        return FR_EXIT_OK;
    return set_text(body, "workdir", cwd, "the present directory's name");
}

int fr_body_read(const struct fr_cli *cli, json_t **ret)
{
    _cleanup_(fr_cleanup_json) json_t *body = json_object();
    int code = body ? FR_EXIT_OK : fr_ask_no_memory();

    for (size_t i = 0; code == FR_EXIT_OK && i < cli->args->nsaid; i++)
        code = take_said(body, &cli->args->said[i]);
    if (code == FR_EXIT_OK)
        code = set_cwd(cli, body);
    if (code == FR_EXIT_OK)
        *ret = fr_take(body);
    return code;
}

json_t *fr_body_command(const struct fr_args *args)
{
    _cleanup_(fr_cleanup_json) json_t *list = json_array();

    for (size_t i = 0; list && i < args->nwords; i++) {
        json_t *word = json_string(args->words[i]);
        if (!word || json_array_append_new(list, word) < 0) {
            (void)refuse_utf8("a word of the command");
            return NULL;
        }
    }
    return fr_take(list);
}

int fr_body_make_key(char key[FR_BODY_KEY])
{
    unsigned char bytes[16];

    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return -EIO;
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(key + 2 * i, FR_BODY_KEY - 2 * i, "%02x", bytes[i]);
    return 0;
}
