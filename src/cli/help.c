// SPDX-License-Identifier: LGPL-3.0-only
/* The texts of --help, out of the table. */
#include "cli/command.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"

#define WIDTH 79
#define INDENT 26 /* where the right column begins */

void fr_help_wrap(struct fr_buf *out, size_t indent, size_t column, size_t width,
                  const char *text)
{
    size_t start = column;

    while (*text) {
        if (*text == '\n') {
            fr_buf_printf(out, "\n%*s", (int)indent, "");
            column = start = indent;
            text++;
            continue;
        }
        size_t len = strcspn(text, " \n");
        if (column > start && column + 1 + len > width) {
            fr_buf_printf(out, "\n%*s", (int)indent, "");
            column = start = indent;
        } else if (column > start) {
            fr_buf_putc(out, ' ');
            column++;
        }
        fr_buf_put(out, text, len);
        column += len;
        text += len + strspn(text + len, " ");
    }
}

static void put_pair(struct fr_buf *out, const char *left, const char *right)
{
    if (strlen(left) + 2 > INDENT)
        fr_buf_printf(out, "%s\n%*s", left, INDENT, "");
    else
        fr_buf_printf(out, "%-*s", INDENT, left);
    fr_help_wrap(out, INDENT, INDENT, WIDTH, right);
    fr_buf_putc(out, '\n');
}

static void put_option(struct fr_buf *out, const struct fr_option *option)
{
    char left[80], letter[8] = "    ";

    if (option->letter)
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    snprintf(left, sizeof left, "  %s--%s%s%s", letter, option->name,
             option->metavar ? "=" : "", option->metavar ? option->metavar : "");
    put_pair(out, left, option->help);
}

static void put_options(struct fr_buf *out, const struct fr_option *options)
{
    for (; options && options->name; options++)
        put_option(out, options);
}

static void put_examples(struct fr_buf *out, const char *examples)
{
    while (*examples) {
        size_t len = strcspn(examples, "\n");
        fr_buf_printf(out, "  %.*s\n", (int)len, examples);
        examples += len + (examples[len] == '\n');
    }
}

static void put_meanings(struct fr_buf *out, const struct fr_meaning *meanings)
{
    for (; meanings->name; meanings++) {
        char left[80];
        snprintf(left, sizeof left, "  %s", meanings->name);
        put_pair(out, left, meanings->text);
    }
}

static void put_program(struct fr_buf *out)
{
    fr_buf_puts(out, "Usage: flux-rest COMMAND [OPTION]... [ARGUMENT]...\n"
                     "Submit and watch jobs of a Flux instance, or of one machine, through "
                     "flux-restd.\n\nCommands:\n");
    for (size_t i = 0; i < fr_commands_count; i++) {
        char left[40];
        snprintf(left, sizeof left, "  %s", fr_commands[i].name);
        put_pair(out, left, fr_commands[i].summary);
    }
    fr_buf_puts(out, "\nOptions of every command:\n");
    put_options(out, fr_common_options);
    fr_buf_puts(out, "\nVariables of the environment:\n");
    put_meanings(out, fr_variables);
    fr_buf_puts(out, "\nExit status:\n");
    put_meanings(out, fr_exit_meanings);
    fr_buf_puts(out, "\nExamples:\n"
                     "  flux-rest run -n2 hostname\n"
                     "  flux-rest jobs -a\n"
                     "  flux-rest submit --help\n");
}

void fr_help_put(struct fr_buf *out, const struct fr_command *command)
{
    if (!command) {
        put_program(out);
        return;
    }
    fr_buf_printf(out, "Usage: flux-rest %s [OPTION]...%s%s\n", command->name,
                  *command->usage ? " " : "", command->usage);
    fr_help_wrap(out, 0, 0, WIDTH, command->details);
    fr_buf_puts(out, "\n\nExamples:\n");
    put_examples(out, command->examples);
    if (command->groups[0])
        fr_buf_puts(out, "\nOptions:\n");
    for (size_t i = 0; i < FR_OPTION_GROUPS; i++)
        put_options(out, command->groups[i]);
    fr_buf_puts(out, "\nOptions of every command:\n");
    put_options(out, fr_common_options);
}
