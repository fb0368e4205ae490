// SPDX-License-Identifier: LGPL-3.0-only
/*
 * What flux-rest can be asked: one table of commands and their options.
 *
 * The table drives the parsing of the command line, --help, the man page and the completions
 * of bash and zsh; for a submit it also says which field of the request an option fills. To add
 * an option: a row in commands.c, and its use in the command's own file.
 */
#ifndef FR_CLI_COMMAND_H
#define FR_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct fr_cli;

/* What a process ends with. `run` ends with the job's own code, or FR_EXIT_RUN. */
enum fr_exit {
    FR_EXIT_OK = 0,
    FR_EXIT_FAILED = 1,       /* refused by the server, or a job did not end well */
    FR_EXIT_USAGE = 2,        /* the command line is wrong; nothing was asked */
    FR_EXIT_UNREACHABLE = 3,  /* no server, or it broke off an answer */
    FR_EXIT_CREDENTIALS = 4,  /* the server does not let us in, or not so far */
    FR_EXIT_UNKNOWN = 5,      /* sent, but no answer came: it may have been done */
    FR_EXIT_RUN = 125,        /* `run` itself failed, or could not follow its job */
    FR_EXIT_INTERRUPTED = 130 /* SIGINT; as a signal where the shell can see it */
};

enum fr_option_type {
    FR_OPTION_FLAG,     /* takes no value */
    FR_OPTION_TEXT,     /* not empty */
    FR_OPTION_COUNT,    /* a whole number from 1 on */
    FR_OPTION_DURATION, /* seconds, or a number with ms, s, m, h or d */
    FR_OPTION_PAIRS     /* KEY=VALUE, or KEY alone, which counts as KEY=1; many */
};

/* What a shell offers for an option's value. */
enum fr_option_offer { FR_OFFER_NOTHING, FR_OFFER_FILES, FR_OFFER_DIRS };

struct fr_option {
    char letter;         /* 0: none */
    const char *name;    /* without its dashes; NULL ends a list */
    const char *metavar; /* NULL for a flag */
    const char *help;
    enum fr_option_type type;
    bool many;         /* each use counts, not the last one alone */
    const char *alias; /* another name by which it is taken, or NULL */
    const char *field; /* the field of a submit that it fills as it stands, or NULL */
    const char *words; /* what may be offered for its value, separated by blanks, or NULL */
    enum fr_option_offer offer;
};

#define FR_OPTION_GROUPS 3

struct fr_command {
    const char *name;
    const char *usage;                                /* what follows the options, or "" */
    const char *summary;                              /* one line, for lists */
    const char *details;                              /* one paragraph or two */
    const char *examples;                             /* a line each */
    const struct fr_option *groups[FR_OPTION_GROUPS]; /* beside fr_common_options */
    size_t min_words, max_words;
    bool takes_command; /* the first word and all after it are a program and its arguments */
    int (*run)(struct fr_cli *cli);
};

extern const struct fr_command fr_commands[];
extern const size_t fr_commands_count;
extern const struct fr_option fr_common_options[];

/* A word or number with what it means; NULL ends a list. */
struct fr_meaning {
    const char *name, *text;
};
extern const struct fr_meaning fr_exit_meanings[];
extern const struct fr_meaning fr_variables[];

/* The command of that name, or NULL. */
const struct fr_command *fr_command_find(const char *name);

/*
 * The next of a command's options after *at, common ones last; NULL at the end. Starts with
 * group 0 and option NULL. command may be NULL: the common ones alone.
 */
struct fr_option_walk {
    const struct fr_command *command;
    size_t group;
    const struct fr_option *option;
};
const struct fr_option *fr_option_next(struct fr_option_walk *walk);

/* A command line that was read. Texts are borrowed from argv. */
struct fr_said_option {
    const struct fr_option *option;
    const char *text; /* "" for a flag */
};
struct fr_args {
    const struct fr_command *command; /* NULL: none was named */
    bool help, version;
    struct fr_said_option *said;
    size_t nsaid;
    const char **words;
    size_t nwords;
};

/*
 * Reads a command line; argv[0] is skipped. After --help or --version the rest is not looked
 * at. -EINVAL with err saying what is wrong and what to do; -ENOMEM. ret is to be freed with
 * fr_args_done in any case; ret->command is set as far as it was read.
 */
int fr_args_parse(int argc, char *const *argv, struct fr_args *ret, struct fr_error *err);
void fr_args_done(struct fr_args *args);

/* The last value said for an option of that name, or NULL; "" for a flag. */
const char *fr_args_text(const struct fr_args *args, const char *name);
bool fr_args_flag(const struct fr_args *args, const char *name);
/* The number said for a COUNT option, else preset. */
long fr_args_count(const struct fr_args *args, const char *name, long preset);
/* The seconds said for a DURATION option, else preset. */
double fr_args_seconds(const struct fr_args *args, const char *name, double preset);

/* Writes the text of --help: of one command, or of the program where command is NULL. */
struct fr_buf;
void fr_help_put(struct fr_buf *out, const struct fr_command *command);

/*
 * Words of text broken before `width` columns; each line but the first begins with `indent`
 * blanks; column is where the first one begins. A newline in text begins a new line.
 */
void fr_help_wrap(struct fr_buf *out, size_t indent, size_t column, size_t width,
                  const char *text);

#endif
