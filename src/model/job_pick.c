// SPDX-License-Identifier: LGPL-3.0-only
#include <stdbool.h>
#include <string.h>

#include "base/util.h"
#include "model/job_json.h"

/* What job_json.c writes, in its order; a test holds the two together. */
const char *const fr_job_json_fields[] = {
    "id",
    "jobid",
    "name",
    "userid",
    "username",
    "urgency",
    "priority",
    "command",
    "cwd",
    "queue",
    "project",
    "bank",
    "state",
    "result",
    "returncode",
    "waitstatus",
    "success",
    "exception",
    "exception_occurred",
    "exception_severity",
    "exception_type",
    "exception_note",
    "t_submit",
    "t_depend",
    "t_priority",
    "t_sched",
    "t_run",
    "t_cleanup",
    "t_inactive",
    "duration",
    "expiration",
    "runtime",
    "ntasks",
    "ncores",
    "ngpus",
    "nnodes",
    "ranks",
    "nodelist",
    "dependencies",
    "annotations",
    "why",
};
const size_t fr_job_json_nfields = FR_ARRAY_SIZE(fr_job_json_fields);

/* The end of a string whose first quote is at text. */
static const char *after_string(const char *text)
{
    for (text++; *text && *text != '"'; text++)
        if (*text == '\\' && text[1])
            text++;
    return *text ? text + 1 : text;
}

/* The end of any value: the comma or bracket after it, or the end of the text. */
static const char *after_value(const char *text)
{
    int depth = 0;

    while (*text) {
        if (*text == '"') {
            text = after_string(text);
            continue;
        }
        if (depth == 0 && (*text == ',' || *text == '}'))
            break;
        depth += *text == '{' || *text == '[';
        depth -= *text == '}' || *text == ']';
        text++;
    }
    return text;
}

static bool is_wanted(const char *key, size_t len, const char *const *fields, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(fields[i]) == len && memcmp(fields[i], key, len) == 0)
            return true;
    return false;
}

void fr_job_json_pick(const char *json, const char *const *fields, size_t count,
                      struct fr_buf *out)
{
    bool any = false;

    fr_buf_putc(out, '{');
    for (const char *at = json + 1; *at == '"';) {
        const char *key = at, *colon = after_string(at);
        const char *end = after_value(colon);
        if (is_wanted(key + 1, (size_t)(colon - key) - 2, fields, count)) {
            if (any)
                fr_buf_putc(out, ',');
            fr_buf_put(out, key, (size_t)(end - key));
            any = true;
        }
        at = *end == ',' ? end + 1 : end;
    }
    fr_buf_putc(out, '}');
}
