// SPDX-License-Identifier: LGPL-3.0-only
/* The text of --help, out of the table. */
#include "base/settings.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/settings_table.h"

#define WIDTH 79
#define INDENT 28 /* where the right column begins */

/*
 * Words of text from column *column on, broken before WIDTH; further lines begin at indent.
 */
static void put_wrapped(struct fr_buf *out, size_t indent, size_t *column, const char *text)
{
    while (*text) {
        size_t len = strcspn(text, " ");
        if (*column + 1 + len > WIDTH) {
            fr_buf_printf(out, "\n%*s", (int)indent, "");
            *column = indent;
        } else if (*column > indent) {
            fr_buf_putc(out, ' ');
            ++*column;
        }
        fr_buf_put(out, text, len);
        *column += len;
        text += len + strspn(text + len, " ");
    }
}

/* The left column, and the step to the right one. */
static void put_option(struct fr_buf *out, const struct fr_setting *row)
{
    char left[80];
    const char *dashes = row->secret ? "" : "--"; /* a secret is no option */

    if (row->metavar)
        snprintf(left, sizeof left, "  %s%s %s", dashes, row->name, row->metavar);
    else
        snprintf(left, sizeof left, "  --[no-]%s", row->name);
    if (strlen(left) + 2 > INDENT)
        fr_buf_printf(out, "%s\n%*s", left, INDENT, "");
    else
        fr_buf_printf(out, "%-*s", INDENT, left);
}

static void put_setting(struct fr_buf *out, const struct fr_setting *row)
{
    const char *preset = row->preset_doc ? row->preset_doc : row->preset;
    size_t column = INDENT;

    put_option(out, row);
    put_wrapped(out, INDENT, &column, row->help);
    fr_buf_printf(out, "\n%*s", INDENT, "");
    column = INDENT;
    put_wrapped(out, INDENT, &column, "Variable:");
    for (size_t i = 0; i < FR_SETTING_ENV_MAX && row->env[i]; i++) {
        if (i > 0)
            put_wrapped(out, INDENT, &column, "or");
        put_wrapped(out, INDENT, &column, row->env[i]);
    }
    fr_buf_putc(out, '.');
    column++;
    if (preset) {
        put_wrapped(out, INDENT, &column, "Default:");
        put_wrapped(out, INDENT, &column, preset);
        fr_buf_putc(out, '.');
    }
    fr_buf_putc(out, '\n');
}

void fr_settings_help(struct fr_buf *out)
{
    const char *group = "";

    fr_buf_puts(out,
                "Usage: flux-restd [OPTION]...\n"
                "Serve a Flux instance, or this machine, by HTTP.\n\n"
                "A setting may stand on the command line, in a variable of the environment\n"
                "or in a config file; the first of these that has it counts.\n");
    for (size_t i = 0; i < fr_settings_count; i++) {
        const struct fr_setting *row = &fr_settings_table[i];
        if (strcmp(group, row->group) != 0)
            fr_buf_printf(out, "\n%s:\n", row->group);
        group = row->group;
        put_setting(out, row);
    }
    fr_buf_printf(out, "%-*s%s\n", INDENT, "  -h, --help", "Print this text and end.");
    fr_buf_printf(out, "%-*s%s\n", INDENT, "  -V, --version",
                  "Print the version and the engines built in, and end.");
}
