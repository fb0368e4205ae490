// SPDX-License-Identifier: LGPL-3.0-only
/* The page of the documentation that has every setting, in Markdown. */
#include "cli/docs.h"

#include <string.h>

#include "base/settings_table.h"

/* Text as it stands: what means something in a cell of a table is escaped. */
static void put(struct fr_buf *out, const char *text)
{
    for (; *text; text++) {
        if (strchr("|*_<[\\", *text))
            fr_buf_putc(out, '\\');
        fr_buf_putc(out, *text);
    }
}

static void put_setting(struct fr_buf *out, const struct fr_setting *row)
{
    const char *preset = row->preset_doc ? row->preset_doc : row->preset;

    /* A secret is no option. */
    fr_buf_printf(out, "| `%s%s%s%s` | ",
                  row->secret    ? ""
                  : row->metavar ? "--"
                                 : "--[no-]",
                  row->name, row->metavar ? " " : "", row->metavar ? row->metavar : "");
    for (size_t i = 0; i < FR_SETTING_ENV_MAX && row->env[i]; i++)
        fr_buf_printf(out, "%s`%s`", i ? ", " : "", row->env[i]);
    fr_buf_puts(out, " | ");
    put(out, preset ? preset : "");
    fr_buf_puts(out, " | ");
    put(out, row->help);
    fr_buf_puts(out, " |\n");
}

void fr_docs_put_settings(struct fr_buf *out)
{
    const char *group = "";

    fr_buf_puts(
        out, "# Settings\n\nA setting may stand on the command line, in a variable of the "
             "environment or in a config file (`--config`, lines of `name = value` with the "
             "names of the options); the first of these that has it counts. A secret is never "
             "taken from the command line. This page is made out of the table that the daemon "
             "itself reads.\n");
    for (size_t i = 0; i < fr_settings_count; i++) {
        const struct fr_setting *row = &fr_settings_table[i];
        if (strcmp(group, row->group) != 0)
            fr_buf_printf(out,
                          "\n## %s\n\n| option | variable | default | what it does |\n"
                          "|---|---|---|---|\n",
                          row->group);
        group = row->group;
        put_setting(out, row);
    }
}
