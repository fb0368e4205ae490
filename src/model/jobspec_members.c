// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Fields of a submit request that hold more than one value.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/util.h"
#include "model/fluid.h"
#include "model/submit.h"

#define COMMAND_MAX_BYTES (128U << 10)
#define ENV_MAX 4096               /* variables */
#define ENV_ENTRY_MAX (128U << 10) /* bytes of one, execve(2)'s own limit */
#define ENV_BYTES_MAX (1U << 20)   /* of all */
#define OPTIONS_MAX 256
#define OPTION_KEY_MAX 256
#define OPTION_TEXT_MAX 4096
#define DEPENDENCIES_MAX 1024
#define DEPENDENCY_MAX 1024
#define CONSTRAINT_MAX 4096
#define CONSTRAINT_DEPTH 16

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

#define add_fault(submit, field, ...)                                                          \
    fr_problems_add((submit)->problems, FR_CODE_INVALID, (field)->pointer, __VA_ARGS__)

static json_t *trimmed(const char *text, size_t len)
{
    while (len > 0 && isspace((unsigned char)*text)) {
        text++;
        len--;
    }
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        len--;
    return json_stringn(text, len);
}

/* Splits at commas; empty pieces are left out. */
static int split_list(const char *text, json_t **ret)
{
    _cleanup_(fr_cleanup_json) json_t *list = json_array();

    if (!list)
        return -ENOMEM;
    while (*text) {
        size_t len = strcspn(text, ",");
        json_t *piece = trimmed(text, len);

        if (!piece)
            return -ENOMEM;
        if (json_string_length(piece) == 0)
            json_decref(piece);
        else if (json_array_append_new(list, piece) < 0)
            return -ENOMEM;
        text += len + (text[len] == ',');
    }
    *ret = fr_take(list);
    return 0;
}

/* "k=v,k=v"; NULL in *ret if a piece has no key, or no value and bare is NULL. */
static int split_pairs(const char *text, const char *bare, json_t **ret)
{
    _cleanup_(fr_cleanup_json) json_t *pieces = NULL;
    _cleanup_(fr_cleanup_json) json_t *object = json_object();
    const json_t *piece;
    size_t i;
    int r = split_list(text, &pieces);

    if (r < 0 || !object)
        return -ENOMEM;
    json_array_foreach (pieces, i, piece) {
        const char *pair = json_string_value(piece);
        const char *equals = strchr(pair, '=');
        size_t len = equals ? (size_t)(equals - pair) : strlen(pair);
        const char *value = equals ? equals + 1 : bare;

        if (len == 0 || !value)
            return 0;
        if (json_object_setn_new(object, pair, len, json_string(value)) < 0)
            return -ENOMEM;
    }
    *ret = fr_take(object);
    return 0;
}

int fr_submit_object(struct fr_submit *submit, const struct fr_submit_field *field,
                     const char *bare, const char *text, json_t **ret)
{
    const char *value = json_string_value(field->value);
    _cleanup_(fr_cleanup_json) json_t *object = NULL;
    int r = 0;

    if (json_is_object(field->value)) {
        object = json_copy((json_t *)field->value);
        r = object ? 0 : -ENOMEM;
    } else if (value && value[strspn(value, " \t\r\n")] == '{') {
        object = json_loadb(value, json_string_length(field->value), JSON_ALLOW_NUL, NULL);
    } else if (value && strlen(value) == json_string_length(field->value)) {
        r = split_pairs(value, bare, &object);
    }
    if (r == 0 && !object)
        add_fault(submit, field, "%s", text);
    if (r == 0 && object) {
        json_decref(*ret);
        *ret = fr_take(object);
    }
    return r;
}

static int take_words(struct fr_submit *submit, const struct fr_submit_field *field)
{
    const json_t *word;
    size_t i, bytes = 0;

    json_array_foreach (field->value, i, word) {
        if (!fr_submit_is_text(submit, "A word of the command", field->pointer, word,
                               COMMAND_MAX_BYTES))
            return 0;
        bytes += json_string_length(word) + 1;
    }
    if (bytes > COMMAND_MAX_BYTES) {
        fr_problems_add(submit->problems, FR_CODE_TOO_LARGE, field->pointer,
                        "The command has %zu bytes, at most %u are taken: put what is long "
                        "into a file, or pass it as stdin.",
                        bytes, COMMAND_MAX_BYTES);
        return 0;
    }
    if (i > 0)
        submit->command = json_copy((json_t *)field->value);
    return i == 0 || submit->command ? 0 : -ENOMEM;
}

static int take_line(struct fr_submit *submit, const struct fr_submit_field *field)
{
    struct fr_error err;
    json_t *words = NULL;
    int r;

    if (!fr_submit_is_text(submit, "The command", field->pointer, field->value,
                           COMMAND_MAX_BYTES))
        return 0;
    r = fr_shell_split(json_string_value(field->value), &words, &err);
    if (r == -EINVAL) {
        add_fault(submit, field, "%s", err.text);
        return 0;
    }
    if (r == 0 && json_array_size(words) == 0)
        json_decref(words);
    else
        submit->command = words;
    return r;
}

int fr_submit_take_command(struct fr_submit *submit, const struct fr_submit_field *field)
{
    size_t faults = submit->problems->count + submit->problems->left_out;
    const char *program;
    char shown[FR_SUBMIT_SHOWN];
    int r = 0;

    if (json_is_array(field->value))
        r = take_words(submit, field);
    else if (json_is_string(field->value))
        r = take_line(submit, field);
    else
        add_fault(submit, field, "command must be a text or a list of texts, found %s.",
                  fr_submit_show(field->value, shown));
    program = json_string_value(json_array_get(submit->command, 0));
    if (program && !*program)
        add_fault(submit, field, "The first word of the command, the program, is empty.");
    submit->bad_command = submit->problems->count + submit->problems->left_out > faults;
    return r;
}

/* A variable's value as the text that a program gets; NULL if it is none, with the fault. */
static json_t *env_value(struct fr_submit *submit, const char *pointer, const char *name,
                         json_t *value)
{
    char text[32];

    if (json_is_null(value))
        return json_incref(value);
    if (json_is_boolean(value))
        return json_string(json_is_true(value) ? "true" : "false");
    if (json_is_integer(value)) {
        snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return json_string(text);
    }
    if (json_is_real(value)) {
        snprintf(text, sizeof(text), "%.15g", json_real_value(value));
        return json_string(text);
    }
    if (!fr_submit_is_text(submit, name, pointer, value, ENV_ENTRY_MAX))
        return NULL;
    return json_incref(value);
}

static int check_envar(struct fr_submit *submit, const struct fr_submit_field *field,
                       const char *name, json_t *value, size_t *bytes)
{
    char pointer[FR_SUBMIT_POINTER], label[128];
    json_t *text;

    fr_submit_pointer(field->pointer, name, pointer);
    if (!*name || strchr(name, '=') || strlen(name) > ENV_ENTRY_MAX) {
        fr_problems_add(submit->problems, FR_CODE_INVALID, pointer,
                        "'%.100s' is no name of an environment variable: it must not be empty "
                        "or hold '='.",
                        name);
        return 0;
    }
    snprintf(label, sizeof(label), "The environment variable %.80s", name);
    text = env_value(submit, pointer, label, value);
    if (!text)
        return 0;
    *bytes += strlen(name) + json_string_length(text) + 2;
    return json_object_set_new(submit->envars, name, text) < 0 ? -ENOMEM : 0;
}

int fr_submit_take_envars(struct fr_submit *submit, const struct fr_submit_field *field)
{
    _cleanup_(fr_cleanup_json) json_t *given = NULL;
    const char *name;
    json_t *value;
    size_t bytes = 0;
    int r = fr_submit_object(submit, field, NULL,
                             "Environment variables must be key/value pairs (dict)", &given);

    if (r < 0 || !given)
        return r;
    if (json_object_size(given) > ENV_MAX) {
        fr_problems_add(submit->problems, FR_CODE_TOO_LARGE, field->pointer,
                        "envars has %zu variables, at most %d are taken.",
                        json_object_size(given), ENV_MAX);
        return 0;
    }
    submit->envars = json_object();
    if (!submit->envars)
        return -ENOMEM;
    json_object_foreach (given, name, value) {
        r = check_envar(submit, field, name, value, &bytes);
        if (r < 0)
            return r;
    }
    if (bytes > ENV_BYTES_MAX)
        fr_problems_add(submit->problems, FR_CODE_TOO_LARGE, field->pointer,
                        "envars has %zu bytes, at most %u are taken: put what is long into a "
                        "file.",
                        bytes, ENV_BYTES_MAX);
    return 0;
}

/* What a shell option's value means: texts of numbers and booleans are those. */
static json_t *option_value(json_t *value)
{
    const char *text = json_string_value(value);
    json_t *parsed = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;

    if (json_is_number(parsed) || json_is_boolean(parsed))
        return parsed;
    json_decref(parsed);
    return json_incref(value);
}

static int check_option(struct fr_submit *submit, const struct fr_submit_field *field,
                        const char *key, json_t *value)
{
    char pointer[FR_SUBMIT_POINTER];

    fr_submit_pointer(field->pointer, key, pointer);
    if (strncmp(key, "-o", 2) == 0)
        fr_problems_add(submit->problems, FR_CODE_INVALID, pointer,
                        "Please provide keys without -o, %.100s is invalid.", key);
    else if (!*key || *key == '.' || strstr(key, "..") || key[strlen(key) - 1] == '.' ||
             strlen(key) > OPTION_KEY_MAX)
        fr_problems_add(submit->problems, FR_CODE_INVALID, pointer,
                        "'%.100s' is no name of a shell option.", key);
    else if (!json_is_string(value) ||
             fr_submit_is_text(submit, key, pointer, value, OPTION_TEXT_MAX))
        return json_object_set_new(submit->options, key, option_value(value)) < 0 ? -ENOMEM : 0;
    return 0;
}

int fr_submit_take_options(struct fr_submit *submit, const struct fr_submit_field *field)
{
    _cleanup_(fr_cleanup_json) json_t *given = NULL;
    const char *key;
    json_t *value;
    int r = fr_submit_object(submit, field, "1",
                             "Option flags must be key/value pairs (dict, or k=v,k=v)", &given);

    if (r < 0 || !given)
        return r;
    if (json_object_size(given) > OPTIONS_MAX) {
        add_fault(submit, field, "option_flags has %zu options, at most %d are taken.",
                  json_object_size(given), OPTIONS_MAX);
        return 0;
    }
    submit->options = json_object();
    if (!submit->options)
        return -ENOMEM;
    json_object_foreach (given, key, value) {
        r = check_option(submit, field, key, value);
        if (r < 0)
            return r;
    }
    return 0;
}

/* "RLIMIT_NOFILE", "nofile" → "nofile"; NULL if there is no such limit. */
static const char *rlimit_name(const char *key)
{
    static const char *const names[] = {
        "cpu",     "fsize",  "data",  "stack",    "core", "as",     "rss",    "nproc",
        "memlock", "nofile", "ofile", "msgqueue", "nice", "rtprio", "rttime", "sigpending"};

    if (strncasecmp(key, "RLIMIT_", 7) == 0)
        key += 7;
    for (size_t i = 0; i < FR_ARRAY_SIZE(names); i++) {
        if (strcasecmp(names[i], key) == 0)
            return names[i];
    }
    return NULL;
}

/* A limit's number; -1 is none. */
static bool rlimit_value(const json_t *value, json_int_t *ret)
{
    const char *text = json_string_value(value);
    char *end;

    if (json_is_integer(value)) {
        *ret = json_integer_value(value);
        return *ret >= -1;
    }
    if (text && (strcasecmp(text, "unlimited") == 0 || strcasecmp(text, "infinity") == 0)) {
        *ret = -1;
        return true;
    }
    if (!text || (!isdigit((unsigned char)*text) && strcmp(text, "-1") != 0))
        return false;
    errno = 0;
    *ret = strtoll(text, &end, 10);
    return errno == 0 && (size_t)(end - text) == json_string_length(value);
}

int fr_submit_take_rlimits(struct fr_submit *submit, const struct fr_submit_field *field)
{
    _cleanup_(fr_cleanup_json) json_t *given = NULL;
    char pointer[FR_SUBMIT_POINTER], shown[FR_SUBMIT_SHOWN];
    const char *key;
    json_t *value;
    json_int_t limit;
    int r =
        fr_submit_object(submit, field, NULL,
                         "rlimits must be key/value pairs (dict), such as nofile=1024", &given);

    if (r < 0 || !given)
        return r;
    submit->rlimits = json_object();
    if (!submit->rlimits)
        return -ENOMEM;
    json_object_foreach (given, key, value) {
        const char *name = rlimit_name(key);

        fr_submit_pointer(field->pointer, key, pointer);
        if (!name)
            fr_problems_add(submit->problems, FR_CODE_INVALID, pointer,
                            "There is no limit '%.100s': see getrlimit(2), without RLIMIT_.",
                            key);
        else if (!rlimit_value(value, &limit))
            fr_problems_add(submit->problems, FR_CODE_INVALID, pointer,
                            "The limit %s must be an integer, -1 or unlimited, found %s.", name,
                            fr_submit_show(value, shown));
        else if (json_object_set_new(submit->rlimits, name, json_integer(limit)) < 0)
            return -ENOMEM;
    }
    return 0;
}

static bool is_scheme(const char *text, size_t len)
{
    if (len == 0 || !isalpha((unsigned char)text[0]))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)text[i]) && !strchr("+.-", text[i]))
            return false;
    }
    return true;
}

/* Those that wait for a job, whose id can be checked here. */
static bool names_job(const char *scheme, size_t len)
{
    static const char *const known[] = {"after",   "afterstart",  "afterany",
                                        "afterok", "afterexcept", "afternotok"};

    for (size_t i = 0; i < FR_ARRAY_SIZE(known); i++) {
        if (strlen(known[i]) == len && strncmp(known[i], scheme, len) == 0)
            return true;
    }
    return false;
}

static bool is_dependency(const char *scheme, size_t len, const char *value)
{
    uint64_t id;

    return is_scheme(scheme, len) &&
           (!names_job(scheme, len) || fr_fluid_parse(value, &id) == 0);
}

/* "scheme:value" as an RFC 26 object; NULL in *ret if it is none. */
static int parse_dependency(const char *text, json_t **ret)
{
    size_t len = strcspn(text, ":");
    const char *value = text[len] ? text + len + 1 : "";

    if (strchr(text, '?') || !is_dependency(text, len, value))
        return 0;
    *ret = json_pack("{s:s%, s:s}", "scheme", text, len, "value", value);
    return *ret ? 0 : -ENOMEM;
}

/* One dependency: a text, or an object as RFC 26 has it. */
static int take_dependency(struct fr_submit *submit, const struct fr_submit_field *field,
                           json_t *entry)
{
    const char *scheme = json_string_value(json_object_get(entry, "scheme"));
    const char *value = json_string_value(json_object_get(entry, "value"));
    char shown[FR_SUBMIT_SHOWN];
    json_t *dependency = NULL;
    int r = 0;

    if (json_is_string(entry)) {
        if (!fr_submit_is_text(submit, "A dependency", field->pointer, entry, DEPENDENCY_MAX))
            return 0;
        r = parse_dependency(json_string_value(entry), &dependency);
    } else if (scheme && value && is_dependency(scheme, strlen(scheme), value)) {
        dependency = json_incref(entry);
    }
    if (r < 0)
        return r;
    if (!dependency) {
        add_fault(submit, field,
                  "%s is no dependency: give it as scheme:value, such as afterok:ƒ2oU, or as "
                  "an object with scheme and value.",
                  fr_submit_show(entry, shown));
        return 0;
    }
    return json_array_append_new(submit->dependencies, dependency) < 0 ? -ENOMEM : 0;
}

/* The value as a list: itself, or a text's pieces between commas; NULL with the fault. */
static int take_list(struct fr_submit *submit, const struct fr_submit_field *field, size_t max,
                     json_t **ret)
{
    if (json_is_array(field->value)) {
        *ret = json_incref((json_t *)field->value);
        return 0;
    }
    if (!fr_submit_is_text(submit, field->name, field->pointer, field->value, max))
        return 0;
    return split_list(json_string_value(field->value), ret);
}

int fr_submit_take_dependencies(struct fr_submit *submit, const struct fr_submit_field *field)
{
    _cleanup_(fr_cleanup_json) json_t *list = NULL;
    json_t *entry;
    size_t i;
    int r = take_list(submit, field, DEPENDENCY_MAX * DEPENDENCIES_MAX, &list);

    if (r < 0 || !list)
        return r;
    if (json_array_size(list) > DEPENDENCIES_MAX) {
        add_fault(submit, field, "dependencies has %zu entries, at most %d are taken.",
                  json_array_size(list), DEPENDENCIES_MAX);
        return 0;
    }
    submit->dependencies = json_array();
    if (!submit->dependencies)
        return -ENOMEM;
    json_array_foreach (list, i, entry) {
        r = take_dependency(submit, field, entry);
        if (r < 0)
            return r;
    }
    return 0;
}

/* An RFC 31 constraint: an object of operators with lists, of which three nest. */
static bool is_constraint(const json_t *constraint, int depth)
{
    const char *operator;
    json_t *arguments, *argument;
    size_t i;

    if (!json_is_object(constraint) || depth > CONSTRAINT_DEPTH)
        return false;
    json_object_foreach ((json_t *)constraint, operator, arguments) {
        bool nests = strcmp(operator, "and") == 0 || strcmp(operator, "or") == 0 ||
                     strcmp(operator, "not") == 0;
        if (!json_is_array(arguments) ||
            (!nests && strcmp(operator, "properties") != 0 &&
             strcmp(operator, "hostlist") != 0 && strcmp(operator, "ranks") != 0))
            return false;
        json_array_foreach (arguments, i, argument) {
            if (nests ? !is_constraint(argument, depth + 1) : !json_is_string(argument))
                return false;
        }
    }
    return true;
}

static bool are_properties(const json_t *list)
{
    const json_t *name;
    size_t i;

    json_array_foreach (list, i, name) {
        const char *text = json_string_value(name);
        if (!text || !*text || text[strcspn(text, "&'\"`|():, ")])
            return false;
    }
    return i > 0;
}

/* The constraint that the field means; NULL in *ret if it means none. */
static int read_constraints(struct fr_submit *submit, const struct fr_submit_field *field,
                            json_t **ret)
{
    const char *text = json_string_value(field->value);
    _cleanup_(fr_cleanup_json) json_t *list = NULL;
    int r;

    if (json_is_object(field->value)) {
        *ret = json_incref((json_t *)field->value);
        return 0;
    }
    if (text && text[0] == '{') {
        *ret = json_loads(text, 0, NULL);
        return 0;
    }
    if (!text && !json_is_array(field->value))
        return 0;
    r = take_list(submit, field, CONSTRAINT_MAX, &list);
    if (r < 0 || !list || !are_properties(list))
        return r;
    *ret = json_pack("{s:O}", "properties", list);
    return *ret ? 0 : -ENOMEM;
}

int fr_submit_take_constraints(struct fr_submit *submit, const struct fr_submit_field *field)
{
    int r = read_constraints(submit, field, &submit->constraints);

    if (r == 0 && (!submit->constraints || !is_constraint(submit->constraints, 0)))
        add_fault(
            submit, field,
            "constraints must be an RFC 31 object, such as {\"properties\": [\"gpu\"]}, or "
            "names of properties between commas.");
    return r;
}
