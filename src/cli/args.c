// SPDX-License-Identifier: LGPL-3.0-only
/* Reading a command line by the table. */
#include "cli/command.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"
#include "cli/when.h"

#define COUNT_MAX 1000000000L
#define OPTIONS_MAX 96 /* no command has more */

struct reader {
    int argc;
    char *const *argv;
    int at; /* the next one to read */
    bool no_more_options;
    struct fr_args *args;
    struct fr_error *err;
};

const struct fr_command *fr_command_find(const char *name)
{
    for (size_t i = 0; i < fr_commands_count; i++) {
        if (strcmp(fr_commands[i].name, name) == 0)
            return &fr_commands[i];
    }
    return NULL;
}

const struct fr_option *fr_option_next(struct fr_option_walk *walk)
{
    size_t groups = walk->command ? FR_OPTION_GROUPS : 0;

    while (walk->group <= groups) {
        const struct fr_option *rows =
            walk->group < groups ? walk->command->groups[walk->group] : fr_common_options;
        walk->option = walk->option ? walk->option + 1 : rows;
        if (walk->option && walk->option->name)
            return walk->option;
        walk->option = NULL;
        walk->group++;
    }
    return NULL;
}

static const struct fr_option *find_long(const struct fr_command *command, const char *name,
                                         size_t len)
{
    struct fr_option_walk walk = {.command = command};
    const struct fr_option *option;

    while ((option = fr_option_next(&walk))) {
        if ((strlen(option->name) == len && memcmp(option->name, name, len) == 0) ||
            (option->alias && strlen(option->alias) == len &&
             memcmp(option->alias, name, len) == 0))
            return option;
    }
    return NULL;
}

static const struct fr_option *find_letter(const struct fr_command *command, char letter)
{
    struct fr_option_walk walk = {.command = command};
    const struct fr_option *option;

    while ((option = fr_option_next(&walk))) {
        if (option->letter == letter)
            return option;
    }
    return NULL;
}

/* Where --help tells more. */
static const char *command_name(const struct reader *reader)
{
    return reader->args->command ? reader->args->command->name : "";
}

static int refuse_unknown(struct reader *reader, const char *name, size_t len)
{
    const char *names[OPTIONS_MAX], *nearest = NULL;
    struct fr_option_walk walk = {.command = reader->args->command};
    const struct fr_option *option;
    size_t count = 0;
    char text[48];

    while ((option = fr_option_next(&walk)) && count < OPTIONS_MAX)
        names[count++] = option->name;
    if (len < sizeof text) {
        memcpy(text, name, len);
        text[len] = '\0';
        nearest = fr_text_nearest(text, names, count);
    }
    const char *of = command_name(reader);
    return fr_error_set(
        reader->err, EINVAL, FR_CODE_INVALID,
        "there is no option --%.*s%s%s%s%s%s; 'flux-rest %s%s--help' lists them",
        len > 60 ? 60 : (int)len, name, *of ? " of " : "", of,
        nearest ? "; did you mean --" : "", nearest ? nearest : "", nearest ? "?" : "", of,
        *of ? " " : "");
}

static int refuse_value(struct reader *reader, const struct fr_option *option, const char *text,
                        const char *wanted)
{
    return fr_error_set(reader->err, EINVAL, FR_CODE_INVALID,
                        "--%s: '%.80s' is not taken; give %s", option->name, text, wanted);
}

static bool parse_count(const char *text, long *ret)
{
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *ret = strtol(text, &end, 10);
    return errno == 0 && !*end && *ret >= 1 && *ret <= COUNT_MAX;
}

static int check_value(struct reader *reader, const struct fr_option *option, const char *text)
{
    double seconds;
    long count;

    switch (option->type) {
    case FR_OPTION_FLAG:
        return 0;
    case FR_OPTION_TEXT:
    case FR_OPTION_PAIRS:
        if (!*text || (option->type == FR_OPTION_PAIRS && *text == '='))
            return refuse_value(reader, option, text, option->metavar);
        return 0;
    case FR_OPTION_COUNT:
        if (!parse_count(text, &count))
            return refuse_value(reader, option, text, "a whole number from 1 on");
        return 0;
    case FR_OPTION_DURATION:
        if (fr_when_parse_seconds(text, &seconds) < 0)
            return refuse_value(reader, option, text,
                                "seconds, or a duration such as 90s, 15m, 1.5h or 2d");
        return 0;
    }
    return 0;
}

static int say(struct reader *reader, const struct fr_option *option, const char *text)
{
    struct fr_args *args = reader->args;
    int r = check_value(reader, option, text);

    if (r < 0)
        return r;
    struct fr_said_option *grown =
        reallocarray(args->said, args->nsaid + 1, sizeof *args->said);
    if (!grown)
        return -ENOMEM;
    args->said = grown;
    grown[args->nsaid++] = (struct fr_said_option){option, text};
    args->help |= strcmp(option->name, "help") == 0;
    args->version |= strcmp(option->name, "version") == 0;
    return 0;
}

/* The value of an option is the next word. */
static int say_next(struct reader *reader, const struct fr_option *option)
{
    if (reader->at >= reader->argc)
        return fr_error_set(reader->err, EINVAL, FR_CODE_INVALID, "--%s needs a value: %s",
                            option->name, option->metavar);
    return say(reader, option, reader->argv[reader->at++]);
}

static int read_long(struct reader *reader, const char *arg)
{
    size_t len = strcspn(arg, "=");
    const struct fr_option *option = find_long(reader->args->command, arg, len);

    if (!option)
        return refuse_unknown(reader, arg, len);
    if (arg[len] && option->type == FR_OPTION_FLAG)
        return fr_error_set(reader->err, EINVAL, FR_CODE_INVALID, "--%s takes no value",
                            option->name);
    if (option->type == FR_OPTION_FLAG)
        return say(reader, option, "");
    return arg[len] ? say(reader, option, arg + len + 1) : say_next(reader, option);
}

/* "-xn4": letters, the last of which may have a value. */
static int read_letters(struct reader *reader, const char *letters)
{
    while (*letters) {
        const struct fr_option *option = find_letter(reader->args->command, *letters);
        if (!option)
            return fr_error_set(reader->err, EINVAL, FR_CODE_INVALID,
                                "there is no option -%c%s%s; 'flux-rest %s%s--help' lists them",
                                *letters, *command_name(reader) ? " of " : "",
                                command_name(reader), command_name(reader),
                                *command_name(reader) ? " " : "");
        letters++;
        if (option->type != FR_OPTION_FLAG) {
            letters += *letters == '=';
            return *letters ? say(reader, option, letters) : say_next(reader, option);
        }
        int r = say(reader, option, "");
        if (r < 0)
            return r;
    }
    return 0;
}

static int read_command(struct reader *reader, const char *name)
{
    const char *names[32], *nearest;

    reader->args->command = fr_command_find(name);
    if (reader->args->command)
        return 0;
    assert(fr_commands_count <= FR_ARRAY_SIZE(names));
    for (size_t i = 0; i < fr_commands_count; i++)
        names[i] = fr_commands[i].name;
    nearest = fr_text_nearest(name, names, fr_commands_count);
    return fr_error_set(reader->err, EINVAL, FR_CODE_INVALID,
                        "there is no command '%.60s'%s%s%s; 'flux-rest --help' lists them all",
                        name, nearest ? "; did you mean '" : "", nearest ? nearest : "",
                        nearest ? "'?" : "");
}

static int read_word(struct reader *reader, const char *word)
{
    struct fr_args *args = reader->args;

    if (!args->command)
        return read_command(reader, word);
    if (args->nwords >= args->command->max_words)
        return fr_error_set(reader->err, EINVAL, FR_CODE_INVALID,
                            "'%.60s' is one word too many: usage: flux-rest %s [OPTION]...%s%s",
                            word, args->command->name, *args->command->usage ? " " : "",
                            args->command->usage);
    args->words[args->nwords++] = word;
    if (args->command->takes_command)
        reader->no_more_options = true;
    return 0;
}

static int read_next(struct reader *reader)
{
    const char *arg = reader->argv[reader->at++];

    if (reader->no_more_options || arg[0] != '-' || !arg[1])
        return read_word(reader, arg);
    if (strcmp(arg, "--") == 0) {
        reader->no_more_options = true;
        return 0;
    }
    return arg[1] == '-' ? read_long(reader, arg + 2) : read_letters(reader, arg + 1);
}

int fr_args_parse(int argc, char *const *argv, struct fr_args *ret, struct fr_error *err)
{
    struct reader reader = {.argc = argc, .argv = argv, .at = 1, .args = ret, .err = err};
    int r = 0;

    *ret = (struct fr_args){.words = calloc((size_t)argc + 1, sizeof *ret->words)};
    if (!ret->words)
        return -ENOMEM;
    while (r == 0 && reader.at < argc && !ret->help && !ret->version)
        r = read_next(&reader);
    if (r < 0 || ret->help || ret->version)
        return r;
    if (!ret->command)
        return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                            "say what to do: 'flux-rest --help' lists the commands");
    if (ret->nwords < ret->command->min_words)
        return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                            "something is missing: usage: flux-rest %s [OPTION]... %s",
                            ret->command->name, ret->command->usage);
    return 0;
}

void fr_args_done(struct fr_args *args)
{
    free(args->said);
    free(args->words);
    *args = (struct fr_args){0};
}

const char *fr_args_text(const struct fr_args *args, const char *name)
{
    /* A name that the table does not have is a mistake of ours. */
    assert(find_long(args->command, name, strlen(name)));
    for (size_t i = args->nsaid; i > 0; i--) {
        if (strcmp(args->said[i - 1].option->name, name) == 0)
            return args->said[i - 1].text;
    }
    return NULL;
}

bool fr_args_flag(const struct fr_args *args, const char *name)
{
    return fr_args_text(args, name) != NULL;
}

long fr_args_count(const struct fr_args *args, const char *name, long preset)
{
    const char *text = fr_args_text(args, name);
    long count = preset;

    if (text)
        (void)parse_count(text, &count);
    return count;
}

double fr_args_seconds(const struct fr_args *args, const char *name, double preset)
{
    const char *text = fr_args_text(args, name);
    double seconds = preset;

    if (text)
        (void)fr_when_parse_seconds(text, &seconds);
    return seconds;
}
