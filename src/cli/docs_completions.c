// SPDX-License-Identifier: LGPL-3.0-only
/* Completions for bash and zsh. */
#include "cli/docs.h"

#include <stdbool.h>
#include <string.h>

#include "cli/command.h"

/* --- bash --- */

static void put_option_names(struct fr_buf *out, const struct fr_command *command)
{
    struct fr_option_walk walk = {.command = command};
    const struct fr_option *option;

    while ((option = fr_option_next(&walk)))
        fr_buf_printf(out, " --%s%s", option->name, option->metavar ? "=" : "");
}

/* "--name|-n" for each option that pick() takes, as the pattern of a case; how many. */
static size_t put_pattern(struct fr_buf *out, const struct fr_command *command,
                          bool (*pick)(const struct fr_option *option))
{
    struct fr_option_walk walk = {.command = command};
    const struct fr_option *option;
    size_t count = 0;

    while ((option = fr_option_next(&walk))) {
        if (!pick(option))
            continue;
        fr_buf_printf(out, "%s--%s", count++ ? "|" : "", option->name);
        if (option->letter)
            fr_buf_printf(out, "|-%c", option->letter);
    }
    return count;
}

static bool takes_value(const struct fr_option *option)
{
    return option->metavar != NULL;
}

static bool takes_file(const struct fr_option *option)
{
    return option->offer == FR_OFFER_FILES;
}

static bool takes_dir(const struct fr_option *option)
{
    return option->offer == FR_OFFER_DIRS;
}

static void put_case(struct fr_buf *out, const struct fr_command *command, const char *action,
                     bool (*pick)(const struct fr_option *option))
{
    size_t start = out->len;

    fr_buf_puts(out, "            ");
    if (put_pattern(out, command, pick) > 0)
        fr_buf_printf(out, ") %s ;;\n", action);
    else if (!out->failed)
        out->len = start;
}

/* What is offered for the value of each option of a command. */
static void put_bash_values(struct fr_buf *out, const struct fr_command *command)
{
    struct fr_option_walk walk = {.command = command};
    const struct fr_option *option;

    fr_buf_printf(out, "    %s)\n        case \"$option\" in\n", command->name);
    while ((option = fr_option_next(&walk))) {
        if (!option->words)
            continue;
        fr_buf_printf(out, "            --%s", option->name);
        if (option->letter)
            fr_buf_printf(out, "|-%c", option->letter);
        fr_buf_printf(out, ") offer=(-W \"%s\") ;;\n", option->words);
    }
    put_case(out, command, "offer=(-f)", takes_file);
    put_case(out, command, "offer=(-d)", takes_dir);
    put_case(out, command, "offer=(-W '')", takes_value);
    fr_buf_puts(out, "        esac\n        options=\"");
    put_option_names(out, command);
    fr_buf_printf(out, "\"\n        words=(%s)\n        ;;\n",
                  command->takes_command           ? "-c -f"
                  : strstr(command->usage, "FILE") ? "-f"
                                                   : "");
}

void fr_docs_put_bash(struct fr_buf *out)
{
    fr_buf_puts(out,
                "# bash completion for flux-rest\n"
                "_flux_rest() {\n"
                "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
                "    local command= option= options= i word\n"
                "    local -a offer=() words=()\n"
                "    COMPREPLY=()\n"
                "    # Where = breaks words it is one of its own.\n"
                "    if [[ $cur == = ]]; then\n"
                "        option=$prev cur=\n"
                "    elif [[ $prev == = ]]; then\n"
                "        option=${COMP_WORDS[COMP_CWORD-2]}\n"
                "    else\n"
                "        option=$prev\n"
                "    fi\n"
                "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                "        word=${COMP_WORDS[i]}\n"
                "        case \"$word\" in\n            ");
    (void)put_pattern(out, NULL, takes_value);
    fr_buf_puts(out, ")\n"
                     "                ((i++))\n"
                     "                [[ ${COMP_WORDS[i]} == = ]] && ((i++)) ;;\n"
                     "            -*) ;;\n"
                     "            *) command=$word; break ;;\n"
                     "        esac\n"
                     "    done\n"
                     "    case \"$command\" in\n");
    for (size_t i = 0; i < fr_commands_count; i++)
        put_bash_values(out, &fr_commands[i]);
    fr_buf_puts(out, "    *)\n        options=\"");
    put_option_names(out, NULL);
    fr_buf_puts(out, "\"\n        case \"$option\" in\n");
    put_case(out, NULL, "offer=(-f)", takes_file);
    put_case(out, NULL, "offer=(-W '')", takes_value);
    fr_buf_puts(out, "        esac\n        words=(-W \"");
    for (size_t i = 0; i < fr_commands_count; i++)
        fr_buf_printf(out, "%s%s", i ? " " : "", fr_commands[i].name);
    fr_buf_puts(out, "\")\n"
                     "        ;;\n"
                     "    esac\n"
                     "    if ((${#offer[@]} == 0)); then\n"
                     "        offer=(\"${words[@]}\")\n"
                     "        [[ $cur == -* ]] && offer=(-W \"$options\")\n"
                     "    fi\n"
                     "    ((${#offer[@]})) && mapfile -t COMPREPLY < "
                     "<(compgen \"${offer[@]}\" -- \"$cur\")\n"
                     "    [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace\n"
                     "    return 0\n"
                     "}\n"
                     "complete -o filenames -F _flux_rest flux-rest\n");
}

/* --- zsh --- */

/* Text within '…' and, with `brackets`, within […]. */
static void put_quoted(struct fr_buf *out, const char *text, bool brackets)
{
    for (; *text; text++) {
        if (*text == '\'')
            fr_buf_puts(out, "'\\''");
        else if (strchr("[]:\\", *text) && (brackets || *text != ']'))
            fr_buf_printf(out, "\\%c", *text);
        else
            fr_buf_putc(out, *text);
    }
}

static void put_zsh_value(struct fr_buf *out, const struct fr_option *option)
{
    if (!option->metavar)
        return;
    fr_buf_putc(out, ':');
    put_quoted(out, option->metavar, true);
    fr_buf_putc(out, ':');
    if (option->words)
        fr_buf_printf(out, "(%s)", option->words);
    else if (option->offer == FR_OFFER_FILES)
        fr_buf_puts(out, "_files");
    else if (option->offer == FR_OFFER_DIRS)
        fr_buf_puts(out, "_files -/");
}

static void put_zsh_option(struct fr_buf *out, const struct fr_option *option)
{
    const char *equals = option->metavar ? "=" : "";

    fr_buf_puts(out, "            ");
    if (option->letter && option->many)
        fr_buf_printf(out, "'*'{-%c%s,--%s%s}", option->letter, option->metavar ? "+" : "",
                      option->name, equals);
    else if (option->letter)
        fr_buf_printf(out, "'(-%c --%s)'{-%c%s,--%s%s}", option->letter, option->name,
                      option->letter, option->metavar ? "+" : "", option->name, equals);
    else
        fr_buf_printf(out, "'%s--%s%s'", option->many ? "*" : "", option->name, equals);
    fr_buf_puts(out, "'[");
    put_quoted(out, option->help, true);
    fr_buf_putc(out, ']');
    put_zsh_value(out, option);
    fr_buf_puts(out, "' \\\n");
}

static void put_zsh_command(struct fr_buf *out, const struct fr_command *command)
{
    struct fr_option_walk walk = {.command = command};
    const struct fr_option *option;

    fr_buf_printf(out, "    %s)\n        _arguments -s -S \\\n", command->name);
    while ((option = fr_option_next(&walk)))
        put_zsh_option(out, option);
    fr_buf_printf(out, "            %s\n        ;;\n",
                  command->takes_command           ? "'*:::program:_normal'"
                  : strstr(command->usage, "FILE") ? "'*:file:_files'"
                  : strstr(command->usage, "ID")   ? "'*:job id:'"
                                                   : "");
}

void fr_docs_put_zsh(struct fr_buf *out)
{
    fr_buf_puts(out, "#compdef flux-rest\n"
                     "# zsh completion for flux-rest\n"
                     "local context state line curcontext=$curcontext\n"
                     "local -a commands=(\n");
    for (size_t i = 0; i < fr_commands_count; i++) {
        fr_buf_printf(out, "    '%s:", fr_commands[i].name);
        put_quoted(out, fr_commands[i].summary, false);
        fr_buf_puts(out, "'\n");
    }
    fr_buf_puts(out, ")\n_arguments -C -s \\\n");
    for (const struct fr_option *option = fr_common_options; option->name; option++)
        put_zsh_option(out, option);
    fr_buf_puts(out, "            '1: :->command' '*:: :->rest'\n"
                     "if [[ $state == command ]]; then\n"
                     "    _describe command commands\n"
                     "elif [[ $state == rest ]]; then\n"
                     "    case $words[1] in\n");
    for (size_t i = 0; i < fr_commands_count; i++)
        put_zsh_command(out, &fr_commands[i]);
    fr_buf_puts(out, "    esac\nfi\n");
}
