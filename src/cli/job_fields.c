// SPDX-License-Identifier: LGPL-3.0-only
/* What can be shown of a job in a column; names as flux-jobs(1) has them. */
#include "cli/format.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "cli/out.h"
#include "cli/when.h"

static const char *text_of(const json_t *row, const char *name)
{
    const char *text = json_string_value(json_object_get(row, name));

    return text ? text : "";
}

static bool is_inactive(const json_t *row)
{
    return strcmp(text_of(row, "state"), "INACTIVE") == 0;
}

static bool is_pending(const json_t *row)
{
    const char *state = text_of(row, "state");

    return strcmp(state, "DEPEND") == 0 || strcmp(state, "PRIORITY") == 0 ||
           strcmp(state, "SCHED") == 0 || strcmp(state, "NEW") == 0;
}

static void put_id(const json_t *row, struct fr_buf *out)
{
    fr_format_put_jobid(text_of(row, "jobid"), out);
}

static void put_id_dec(const json_t *row, struct fr_buf *out)
{
    fr_format_put_value(json_object_get(row, "id"), out);
}

/* The state of a job that has not ended, the result of one that has. */
static void put_status(const json_t *row, struct fr_buf *out)
{
    fr_buf_puts(out, text_of(row, is_inactive(row) ? "result" : "state"));
}

static const char *abbreviate(const char *word)
{
    static const char *const words[][2] = {
        {"NEW", "N"},       {"DEPEND", "D"},  {"PRIORITY", "P"}, {"SCHED", "S"},
        {"RUN", "R"},       {"CLEANUP", "C"}, {"INACTIVE", "I"}, {"COMPLETED", "CD"},
        {"CANCELED", "CA"}, {"FAILED", "F"},  {"TIMEOUT", "TO"},
    };

    for (size_t i = 0; i < FR_ARRAY_SIZE(words); i++) {
        if (strcmp(words[i][0], word) == 0)
            return words[i][1];
    }
    return word;
}

static void put_status_abbrev(const json_t *row, struct fr_buf *out)
{
    fr_buf_puts(out, abbreviate(text_of(row, is_inactive(row) ? "result" : "state")));
}

static void put_state_single(const json_t *row, struct fr_buf *out)
{
    fr_buf_puts(out, abbreviate(text_of(row, "state")));
}

static void put_result_abbrev(const json_t *row, struct fr_buf *out)
{
    fr_buf_puts(out, abbreviate(text_of(row, "result")));
}

static const char *status_color(const json_t *row)
{
    const char *state = text_of(row, "state"), *result = text_of(row, "result");

    if (strcmp(result, "COMPLETED") == 0)
        return FR_COLOR_GREEN;
    if (strcmp(result, "FAILED") == 0 || strcmp(result, "TIMEOUT") == 0)
        return FR_COLOR_RED;
    if (strcmp(result, "CANCELED") == 0)
        return FR_COLOR_DIM;
    if (strcmp(state, "RUN") == 0 || strcmp(state, "CLEANUP") == 0)
        return FR_COLOR_BLUE;
    return is_pending(row) ? FR_COLOR_YELLOW : NULL;
}

static void put_time(const json_t *row, struct fr_buf *out)
{
    double seconds = json_number_value(json_object_get(row, "runtime"));
    char text[FR_WHEN_TEXT];

    if (json_number_value(json_object_get(row, "t_run")) <= 0)
        return; /* it has not run */
    fr_when_put_seconds(seconds, text);
    fr_buf_puts(out, text);
}

static void put_exception(const json_t *row, struct fr_buf *out)
{
    const char *type = json_string_value(fr_format_member(row, "exception.type"));
    const char *note = json_string_value(fr_format_member(row, "exception.note"));

    fr_buf_printf(out, "%s%s%s", type ? type : "", note && *note ? ": " : "", note ? note : "");
}

/* How a job that did not do well ended. */
static void put_failure(const json_t *row, struct fr_buf *out)
{
    json_int_t code = json_integer_value(json_object_get(row, "returncode"));

    if (json_is_true(fr_format_member(row, "exception.occurred")))
        put_exception(row, out);
    else if (code > 128)
        fr_buf_printf(out, "ended by signal %d (%s)", (int)(code - 128),
                      strsignal((int)(code - 128)));
    else
        fr_buf_printf(out, "exit code %d", (int)code);
}

/* What is most worth knowing: why it waits, where it runs, how it failed. */
static void put_info(const json_t *row, struct fr_buf *out)
{
    const char *result = text_of(row, "result");

    if (is_pending(row))
        fr_buf_puts(out, text_of(row, "why"));
    else if (is_inactive(row) && strcmp(result, "COMPLETED") != 0)
        put_failure(row, out);
    else
        fr_buf_puts(out, text_of(row, "nodelist"));
}

/* clang-format off */
const struct fr_field fr_job_fields[] = {
    {"id", "JOBID", "the id as F58", put_id, NULL},
    {"id.f58", "JOBID", "the same", put_id, NULL},
    {"id.dec", "JOBID", "the id as a decimal number", put_id_dec, NULL},
    {"name", "NAME", "the job's name", NULL, NULL},
    {"username", "USER", "who submitted it", NULL, NULL},
    {"userid", "UID", "the user's number", NULL, NULL},
    {"status", "STATUS", "the state, or the result of a job that has ended", put_status,
     status_color},
    {"status_abbrev", "ST", "the same in one or two letters", put_status_abbrev, status_color},
    {"state", "STATE", "the state", NULL, status_color},
    {"state_single", "S", "the state as one letter", put_state_single, status_color},
    {"result", "RESULT", "how it ended", NULL, status_color},
    {"result_abbrev", "RS", "the same in one or two letters", put_result_abbrev, status_color},
    {"returncode", "RC", "the exit code", NULL, NULL},
    {"waitstatus", "WAITSTATUS", "the status as wait(2) gives it", NULL, NULL},
    {"exception", "EXCEPTION", "what went wrong", put_exception, NULL},
    {"exception.type", "EXCEPTION-TYPE", "its type", NULL, NULL},
    {"exception.note", "EXCEPTION-NOTE", "its text", NULL, NULL},
    {"ntasks", "NTASKS", "tasks", NULL, NULL},
    {"nnodes", "NNODES", "nodes", NULL, NULL},
    {"ncores", "NCORES", "cores", NULL, NULL},
    {"ngpus", "NGPUS", "GPUs", NULL, NULL},
    {"nodelist", "NODELIST", "the nodes' names", NULL, NULL},
    {"ranks", "RANKS", "the nodes' ranks", NULL, NULL},
    {"urgency", "URG", "the urgency", NULL, NULL},
    {"priority", "PRI", "the priority", NULL, NULL},
    {"queue", "QUEUE", "the queue", NULL, NULL},
    {"bank", "BANK", "the bank", NULL, NULL},
    {"project", "PROJECT", "the project", NULL, NULL},
    {"command", "COMMAND", "the command line", NULL, NULL},
    {"cwd", "CWD", "the directory it runs in", NULL, NULL},
    {"t_submit", "T_SUBMIT", "when it was submitted (these with !d)", NULL, NULL},
    {"t_depend", "T_DEPEND", "when it entered DEPEND", NULL, NULL},
    {"t_run", "T_RUN", "when it began to run", NULL, NULL},
    {"t_cleanup", "T_CLEANUP", "when its tasks had ended", NULL, NULL},
    {"t_inactive", "T_INACTIVE", "when it had ended", NULL, NULL},
    {"duration", "DURATION", "the time limit (these with !F or !H); 0: none", NULL, NULL},
    {"expiration", "EXPIRATION", "when the time limit is reached (with !d)", NULL, NULL},
    {"runtime", "RUNTIME", "how long it has run", NULL, NULL},
    {"time", "TIME", "the same, short; nothing before it ran", put_time, NULL},
    {"dependencies", "DEPENDENCIES", "what it waits for", NULL, NULL},
    {"annotations", "ANNOTATIONS", "what the scheduler and others noted", NULL, NULL},
    {"why", "WHY", "why it waits", NULL, NULL},
    {"info", "INFO", "why it waits, where it runs, or how it failed", put_info, NULL},
    {NULL, NULL, NULL, NULL, NULL}};
/* clang-format on */

const char *fr_job_format(const char *name)
{
    static const char *const formats[][2] = {
        {"default", "+:{id:>8} ?+:{queue:<5.10} +:{username:<4.8} +:{name:<8.16} "
                    "{status_abbrev:>2} {ntasks:>6h} {nnodes:>6h} {time:>6h} {info}"},
        {"narrow", "+:{id:>8} +:{name:<4.10} {status_abbrev:>2} {time:>6h} {info}"},
        {"long", "+:{id:>8} ?+:{queue:<5} +:{username:<4} +:{name:<8.32} +:{status:<9} "
                 "{ntasks:>6h} {nnodes:>6h} {t_submit!d:<19} {time:>6h} +:{info:<4.40} "
                 "{command}"},
    };

    for (size_t i = 0; i < FR_ARRAY_SIZE(formats); i++) {
        if (strcmp(formats[i][0], name) == 0)
            return formats[i][1];
    }
    return NULL;
}
