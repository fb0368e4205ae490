// SPDX-License-Identifier: LGPL-3.0-only
#include "engine/local/template.h"

#include <stdbool.h>
#include <string.h>

#include "base/util.h"
#include "model/fluid.h"

/* type is what follows "id". */
static bool id_render(uint64_t id, const char *type, struct fr_buf *out)
{
    unsigned long long n = id;
    unsigned int part[4] = {(unsigned int)(id >> 48) & 0xffff,
                            (unsigned int)(id >> 32) & 0xffff,
                            (unsigned int)(id >> 16) & 0xffff, (unsigned int)id & 0xffff};
    char text[FR_FLUID_TEXT];
    const char *f58 = fr_fluid_f58(id, text);

    if (strcmp(type, "") == 0 || strcmp(type, ".f58") == 0)
        fr_buf_puts(out, f58);
    else if (strcmp(type, ".f58plain") ==
             0) /* f in place of the first letter, which has two bytes */
        fr_buf_printf(out, "f%s", f58 + 2);
    else if (strcmp(type, ".dec") == 0)
        fr_buf_printf(out, "%llu", n);
    else if (strcmp(type, ".hex") == 0)
        fr_buf_printf(out, "0x%llx", n);
    else if (strcmp(type, ".dothex") == 0 || strcmp(type, ".kvs") == 0)
        fr_buf_printf(out, "%s%04x.%04x.%04x.%04x", type[1] == 'k' ? "job." : "", part[0],
                      part[1], part[2], part[3]);
    else
        return false;
    return true;
}

static bool name_render(const struct fr_template *job, const char *name, struct fr_buf *out)
{
    if (strncmp(name, "jobid", 5) == 0)
        name += 3;
    if (strncmp(name, "id", 2) == 0)
        return id_render(job->id, name + 2, out);
    if (strcmp(name, "name") == 0)
        fr_buf_puts(out, job->name);
    else if (strcmp(name, "nnodes") == 0)
        fr_buf_puts(out, "1");
    else if (strcmp(name, "ntasks") == 0 || strcmp(name, "size") == 0)
        fr_buf_printf(out, "%d", job->ntasks);
    else if (strcmp(name, "tmpdir") == 0)
        fr_buf_puts(out, job->tmpdir);
    else if (strcmp(name, "node.id") == 0)
        fr_buf_puts(out, "0");
    else if (strcmp(name, "node.name") == 0)
        fr_buf_puts(out, job->host);
    else
        return false;
    return true;
}

void fr_template_render(const struct fr_template *job, const char *text, struct fr_buf *out)
{
    while (*text) {
        const char *end = strncmp(text, "{{", 2) == 0 ? strstr(text, "}}") : NULL;
        char name[64];
        size_t len = end ? (size_t)(end - text) - 2 : sizeof(name);

        if (len < sizeof(name)) {
            memcpy(name, text + 2, len);
            name[len] = '\0';
            if (name_render(job, name, out)) {
                text = end + 2;
                continue;
            }
        }
        fr_buf_putc(out, *text++);
    }
}
