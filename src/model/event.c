// SPDX-License-Identifier: LGPL-3.0-only
#include "model/event.h"

void fr_event_format(const struct fr_event *event, struct fr_buf *out)
{
    fr_buf_puts(out, "{\"timestamp\":");
    fr_buf_put_double(out, event->timestamp);
    fr_buf_puts(out, ",\"name\":");
    fr_buf_put_json_string(out, event->name);
    if (event->context) {
        fr_buf_puts(out, ",\"context\":");
        fr_buf_puts(out, event->context);
    }
    fr_buf_putc(out, '}');
}
