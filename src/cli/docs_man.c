// SPDX-License-Identifier: LGPL-3.0-only
/* The two man pages, in man(7)'s macros. */
#include "cli/docs.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/settings.h"
#include "base/settings_table.h"
#include "base/version.h"
#include "cli/command.h"
#include "cli/format.h"

/* Text as it stands: what means something to roff is escaped. */
static void put(struct fr_buf *out, const char *text)
{
    bool line_begins = out->len == 0 || out->data[out->len - 1] == '\n';

    for (; *text; text++) {
        if (line_begins && (*text == '.' || *text == '\''))
            fr_buf_puts(out, "\\&");
        if (*text == '\\')
            fr_buf_puts(out, "\\e");
        else if (*text == '-')
            fr_buf_puts(out, "\\-");
        else if (*text == '\'')
            fr_buf_puts(out, "\\(aq");
        else if (*text == '~' || *text == '^' || *text == '`')
            fr_buf_printf(out, "\\(%s", *text == '~' ? "ti" : *text == '^' ? "ha" : "ga");
        else
            fr_buf_putc(out, *text);
        line_begins = *text == '\n';
    }
}

static void put_title(struct fr_buf *out, const char *name, const char *section,
                      const char *what)
{
    fr_buf_printf(out, ".TH %s %s \"\" \"flux-restd %s\"\n.SH NAME\n", name, section,
                  FR_VERSION);
    put(out, name);
    fr_buf_puts(out, " \\- ");
    put(out, what);
    fr_buf_putc(out, '\n');
}

static void put_section(struct fr_buf *out, const char *title)
{
    fr_buf_printf(out, ".SH \"%s\"\n", title);
}

/* A paragraph for each line. */
static void put_paragraphs(struct fr_buf *out, const char *text)
{
    for (; *text; text++) {
        size_t len = strcspn(text, "\n");
        char line[2048];
        snprintf(line, sizeof line, "%.*s", (int)len, text);
        put(out, line);
        fr_buf_putc(out, '\n');
        text += len;
        if (!*text)
            return;
        fr_buf_puts(out, ".PP\n");
    }
}

static void put_item(struct fr_buf *out, const char *left, const char *text)
{
    fr_buf_puts(out, ".TP\n.B ");
    put(out, left);
    fr_buf_putc(out, '\n');
    put(out, text);
    fr_buf_putc(out, '\n');
}

static void put_examples(struct fr_buf *out, const char *examples)
{
    fr_buf_puts(out, ".PP\n.EX\n");
    while (*examples) {
        size_t len = strcspn(examples, "\n");
        char line[512];
        snprintf(line, sizeof line, "    %.*s\n", (int)len, examples);
        put(out, line);
        examples += len + (examples[len] == '\n');
    }
    fr_buf_puts(out, ".EE\n");
}

/* --- flux-rest --- */

static void put_option(struct fr_buf *out, const struct fr_option *option)
{
    fr_buf_puts(out, ".TP\n");
    if (option->letter)
        fr_buf_printf(out, "\\fB\\-%c\\fR, ", option->letter);
    fr_buf_puts(out, "\\fB\\-\\-");
    put(out, option->name);
    fr_buf_puts(out, "\\fR");
    if (option->metavar) {
        fr_buf_puts(out, "=\\fI");
        put(out, option->metavar);
        fr_buf_puts(out, "\\fR");
    }
    fr_buf_putc(out, '\n');
    put(out, option->help);
    fr_buf_putc(out, '\n');
}

/* The command that was shown with this group before, or NULL. */
static const struct fr_command *shown_with(const struct fr_command *command,
                                           const struct fr_option *group)
{
    for (const struct fr_command *c = fr_commands; c < command; c++) {
        for (size_t i = 0; i < FR_OPTION_GROUPS; i++) {
            if (c->groups[i] == group)
                return c;
        }
    }
    return NULL;
}

static void put_group(struct fr_buf *out, const struct fr_command *command,
                      const struct fr_option *group)
{
    const struct fr_command *before = shown_with(command, group);
    const struct fr_option *last = group;

    if (!before) {
        for (; group->name; group++)
            put_option(out, group);
        return;
    }
    while (last[1].name)
        last++;
    fr_buf_puts(out, ".PP\nAlso takes the options of \\fB");
    put(out, before->name);
    fr_buf_puts(out, "\\fR from \\fB\\-\\-");
    put(out, group->name);
    fr_buf_puts(out, "\\fR to \\fB\\-\\-");
    put(out, last->name);
    fr_buf_puts(out, "\\fR.\n");
}

static void put_command(struct fr_buf *out, const struct fr_command *command)
{
    fr_buf_puts(out, ".SS \"flux\\-rest ");
    put(out, command->name);
    fr_buf_puts(out, *command->usage ? " [OPTION]... " : " [OPTION]...");
    put(out, command->usage);
    fr_buf_puts(out, "\"\n");
    put_paragraphs(out, command->details);
    put_examples(out, command->examples);
    for (size_t i = 0; i < FR_OPTION_GROUPS; i++) {
        if (command->groups[i])
            put_group(out, command, command->groups[i]);
    }
}

static void put_meanings(struct fr_buf *out, const char *title,
                         const struct fr_meaning *meanings)
{
    put_section(out, title);
    for (; meanings->name; meanings++)
        put_item(out, meanings->name, meanings->text);
}

static void put_formats(struct fr_buf *out)
{
    put_section(out, "FORMATS");
    put_paragraphs(
        out,
        "A format is text with fields in braces, {NAME!CONVERSION:SPEC}, as flux-jobs(1) takes "
        "them. The conversion makes a text of a number: !F a duration (1.5m), !H a clock "
        "(0:01:30), !d a local time. SPEC is [<>][WIDTH][.MAX][h]: to which side, the least "
        "width, the most columns, and a dash where there is nothing. Before a field ?: leaves "
        "the column out where no row has it, +: makes it as wide as its widest text, ?+: does "
        "both. {{ and }} are braces.\n"
        "Any member of the server's JSON can be named by its path, such as "
        "{annotations.sched.queue}. The fields of a job:");
    for (const struct fr_field *field = fr_job_fields; field->name; field++)
        put_item(out, field->name, field->help);
}

void fr_docs_put_man_client(struct fr_buf *out)
{
    put_title(out, "flux-rest", "1", "submit and watch jobs through flux-restd");
    put_section(out, "SYNOPSIS");
    fr_buf_puts(out, ".B flux\\-rest\n\\fICOMMAND\\fR [\\fIOPTION\\fR]... "
                     "[\\fIARGUMENT\\fR]...\n");
    put_section(out, "DESCRIPTION");
    put_paragraphs(
        out,
        "flux-rest submits jobs to a Flux instance, or to one machine, through the HTTP "
        "interface of flux-restd(8), and shows what becomes of them. Its options are named as "
        "those of Flux's own commands.\n"
        "A question is asked again, for some seconds, where that is safe: one that changes "
        "nothing, and a submit, which carries a key by which the server knows it again.\n"
        "Without --json, control characters in names and messages are shown as escapes. The "
        "output of a job is passed on as it was written.\n"
        "Over http:// the token goes across the network as it is: use it on one machine or "
        "through a tunnel, and https:// elsewhere.");
    put_section(out, "COMMON OPTIONS");
    for (const struct fr_option *option = fr_common_options; option->name; option++)
        put_option(out, option);
    put_section(out, "COMMANDS");
    for (size_t i = 0; i < fr_commands_count; i++)
        put_command(out, &fr_commands[i]);
    put_formats(out);
    put_meanings(out, "ENVIRONMENT", fr_variables);
    put_meanings(out, "EXIT STATUS", fr_exit_meanings);
    put_section(out, "SEE ALSO");
    fr_buf_puts(out, ".BR flux\\-restd (8),\n.BR flux\\-submit (1),\n.BR flux\\-jobs (1)\n");
}

/* --- flux-restd --- */

static void put_variables(struct fr_buf *out, const struct fr_setting *row)
{
    const char *preset = row->preset_doc ? row->preset_doc : row->preset;

    fr_buf_puts(out, ".br\nVariable: ");
    for (size_t i = 0; i < FR_SETTING_ENV_MAX && row->env[i]; i++) {
        fr_buf_puts(out, i ? " or " : "");
        put(out, row->env[i]);
    }
    fr_buf_puts(out, preset ? ". Default: " : ".");
    put(out, preset ? preset : "");
    fr_buf_puts(out, preset ? ".\n" : "\n");
}

static void put_setting(struct fr_buf *out, const struct fr_setting *row)
{
    fr_buf_puts(out, ".TP\n\\fB");
    /* A secret is no option. */
    put(out, row->secret ? "" : row->metavar ? "--" : "--[no-]");
    put(out, row->name);
    fr_buf_puts(out, "\\fR");
    if (row->metavar) {
        fr_buf_puts(out, " \\fI");
        put(out, row->metavar);
        fr_buf_puts(out, "\\fR");
    }
    fr_buf_putc(out, '\n');
    put(out, row->help);
    fr_buf_putc(out, '\n');
    put_variables(out, row);
}

void fr_docs_put_man_daemon(struct fr_buf *out)
{
    const char *group = "";

    put_title(out, "flux-restd", "8", "serve a Flux instance, or this machine, by HTTP");
    put_section(out, "SYNOPSIS");
    fr_buf_puts(out, ".B flux\\-restd\n[\\fIOPTION\\fR]...\n.br\n.B flux start flux\\-restd\n"
                     "[\\fIOPTION\\fR]...\n");
    put_section(out, "DESCRIPTION");
    put_paragraphs(
        out,
        "flux-restd gives a Flux instance an HTTP interface; where there is no Flux it runs "
        "the jobs itself on the machine that it stands on. flux-rest(1) is its client.\n"
        "A setting may stand on the command line, in a variable of the environment or in a "
        "config file; the first of these that has it counts.");
    put_section(out, "OPTIONS");
    for (size_t i = 0; i < fr_settings_count; i++) {
        const struct fr_setting *row = &fr_settings_table[i];
        if (strcmp(group, row->group) != 0)
            fr_buf_printf(out, ".SS \"%s\"\n", row->group);
        group = row->group;
        put_setting(out, row);
    }
    put_item(out, "-h, --help", "Print the options and end.");
    put_item(out, "-V, --version", "Print the version and the engines built in, and end.");
    put_section(out, "SIGNALS");
    put_item(out, "SIGTERM, SIGINT, SIGHUP",
             "End in order: replies are finished for some seconds, nothing new is taken, and "
             "jobs go on. A second SIGTERM or SIGINT ends at once.");
    put_section(out, "EXIT STATUS");
    put_item(out, "0", "It was asked to end, and did so in order.");
    put_item(out, "1", "It could not start or go on; standard error says why.");
    put_item(out, "2", "A setting is wrong.");
    put_section(out, "SEE ALSO");
    fr_buf_puts(out, ".BR flux\\-rest (1),\n.BR flux\\-start (1)\n");
}
