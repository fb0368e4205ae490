// SPDX-License-Identifier: LGPL-3.0-only
#include "model/event.h"

#include <string.h>

#include "base/text.h"
#include "base/util.h"
#include "model/fluid.h"

static const char *const names[] = {
    "submit",
    "validate",
    "invalidate",
    "set-flags",
    "dependency-add",
    "depend",
    "priority",
    "urgency",
    "dependency-remove",
    "jobspec-update",
    "resource-update",
    "flux-restart",
    "annotations",
    "memo",
    "alloc",
    "prolog-start",
    "prolog-finish",
    "start",
    "exception",
    "finish",
    "epilog-start",
    "epilog-finish",
    "release",
    "free",
    "debug",
    "clean",
};

_Static_assert(FR_ARRAY_SIZE(names) == FR_EVENTS_KNOWN, "FR_EVENTS_KNOWN is out of date");

int fr_event_known(const char *name, const char **ret_nearest)
{
    for (size_t i = 0; i < FR_ARRAY_SIZE(names); i++)
        if (strcmp(names[i], name) == 0)
            return (int)i;
    if (ret_nearest)
        *ret_nearest = fr_text_nearest(name, names, FR_ARRAY_SIZE(names));
    return -1;
}

/* A context is JSON that was written compactly; should it not be, a line stays a line. */
static void put_context(struct fr_buf *out, const char *context)
{
    size_t from = out->len;

    fr_buf_puts(out, context);
    if (fr_buf_status(out) < 0)
        return;
    for (char *at = out->data + from; *at; at++)
        if (*at == '\n' || *at == '\r')
            *at = ' ';
}

/* The members of RFC 18, without braces. */
static void put_members(const struct fr_event *event, struct fr_buf *out)
{
    fr_buf_puts(out, "\"timestamp\":");
    fr_buf_put_double(out, event->timestamp);
    fr_buf_puts(out, ",\"name\":");
    fr_buf_put_json_string(out, event->name);
    if (event->context) {
        fr_buf_puts(out, ",\"context\":");
        put_context(out, event->context);
    }
}

void fr_event_format(const struct fr_event *event, struct fr_buf *out)
{
    fr_buf_putc(out, '{');
    put_members(event, out);
    fr_buf_putc(out, '}');
}

void fr_event_json(const struct fr_event *event, uint64_t id, const char *state,
                   const char *cursor, struct fr_buf *out)
{
    char jobid[FR_FLUID_TEXT];

    fr_buf_puts(out, "{\"id\":");
    fr_buf_put_u64(out, id);
    fr_buf_puts(out, ",\"jobid\":\"");
    fr_buf_puts(out, fr_fluid_f58(id, jobid));
    fr_buf_putc(out, '"');
    if (event->index >= 0) {
        fr_buf_puts(out, ",\"index\":");
        fr_buf_put_i64(out, event->index);
    }
    fr_buf_putc(out, ',');
    put_members(event, out);
    fr_buf_printf(out, ",\"state\":\"%s\",\"cursor\":\"%s\"}", state, cursor);
}
