// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Tables: rows of JSON objects, shown by a format.
 *
 * A format is text with fields in braces, as flux-jobs(1) takes: {NAME!CONVERSION:SPEC}. The
 * conversion makes a text of a number: !F a duration ("1.5m"), !H a clock ("0:01:30"), !d a
 * local time; without one a number stays one. SPEC is [ALIGN][WIDTH][.MAX][h]: < or >, the
 * least width, the most columns, and a dash where there is nothing. Before a field "?:" leaves
 * the column out where no row has it, "+:" makes it as wide as its widest text, "?+:" both. {{
 * and }} are braces.
 *
 * A name is a field of the list below, which make sense of several members, or the path of any
 * member of the row, "annotations.sched.reason".
 */
#ifndef FR_CLI_FORMAT_H
#define FR_CLI_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/error.h"

struct fr_field {
    const char *name; /* NULL ends a list */
    const char *title;
    const char *help;
    /* Writes the text of one row; NULL: the member of that name. */
    void (*put)(const json_t *row, struct fr_buf *out);
    /* The colour of the text, or NULL. */
    const char *(*color)(const json_t *row);
};

struct fr_format;

/*
 * -EINVAL with err naming what cannot be read, also a name that is neither a field nor a path
 * (a word with a dot); -ENOMEM. fields must outlive the format.
 */
int fr_format_parse(const char *text, const struct fr_field *fields, struct fr_format **ret,
                    struct fr_error *err);
void fr_format_free(struct fr_format *format);

struct fr_format_look {
    bool header;
    bool color;
    size_t columns; /* lines are cut there; 0: nowhere */
    size_t lines;   /* most lines to write; 0: all */
};

/* Writes the rows, an array of objects, as a table. A failure stays in out. */
void fr_format_put(const struct fr_format *format, const json_t *rows,
                   const struct fr_format_look *look, struct fr_buf *out);

/* The fields with what they tell, as for -o help. */
void fr_format_put_help(const struct fr_field *fields, struct fr_buf *out);

/* The member at a path of names with dots between them, or NULL. Borrowed. */
json_t *fr_format_member(const json_t *row, const char *path);

/* Writes a value as a person reads it: texts without quotes, nothing for null and "". */
void fr_format_put_value(const json_t *value, struct fr_buf *out);

/* Writes an F58 id as this locale can show it: with f where there is no ƒ. */
void fr_format_put_jobid(const char *jobid, struct fr_buf *out);

/* The fields of a job, and the formats by name: NULL if there is none of that name. */
extern const struct fr_field fr_job_fields[];
const char *fr_job_format(const char *name);

#endif
