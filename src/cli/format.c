// SPDX-License-Identifier: LGPL-3.0-only
#include "cli/format.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"
#include "cli/display.h"
#include "cli/out.h"
#include "cli/when.h"

#define ITEMS_MAX 64
#define NAME_MAX_BYTES 80
#define WIDTH_MAX 1000
#define CELL_MAX (1U << 20)
#define FIELDS_MAX 80

struct item {
    char *literal; /* or a field: */
    char name[NAME_MAX_BYTES];
    const struct fr_field *field; /* NULL: the member of that name */
    char conversion;              /* 0: none */
    bool right, dash, drop_empty, grow;
    size_t width, max; /* max 0: none */
};

struct fr_format {
    struct item items[ITEMS_MAX];
    size_t count;
};

/* --- values --- */

json_t *fr_format_member(const json_t *row, const char *path)
{
    json_t *value = (json_t *)row;

    while (value && *path) {
        size_t len = strcspn(path, ".");
        value = json_object_getn(value, path, len);
        path += len + (path[len] == '.');
    }
    return value;
}

void fr_format_put_value(const json_t *value, struct fr_buf *out)
{
    char *text;

    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_NULL:
        return;
    case JSON_STRING:
        fr_buf_puts(out, json_string_value(value));
        return;
    case JSON_INTEGER:
        fr_buf_put_i64(out, json_integer_value(value));
        return;
    case JSON_REAL:
        fr_buf_put_double(out, json_real_value(value));
        return;
    case JSON_TRUE:
    case JSON_FALSE:
        fr_buf_puts(out, json_is_true(value) ? "true" : "false");
        return;
    case JSON_OBJECT:
    case JSON_ARRAY:
        text = json_dumps(value, JSON_COMPACT);
        fr_buf_puts(out, text ? text : "");
        free(text);
        return;
    }
}

void fr_format_put_jobid(const char *jobid, struct fr_buf *out)
{
    static const char letter[] = "\xc6\x92"; /* ƒ */
    bool plain = !fr_display_is_unicode() || getenv("FLUX_F58_FORCE_ASCII");

    if (plain && strncmp(jobid, letter, 2) == 0)
        fr_buf_printf(out, "f%s", jobid + 2);
    else
        fr_buf_puts(out, jobid);
}

/* --- reading --- */

static int refuse(struct fr_error *err, const char *at, const char *why)
{
    return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                        "the format cannot be read at '%.60s': %s", at, why);
}

static const struct fr_field *find_field(const struct fr_field *fields, const char *name)
{
    for (; fields->name; fields++) {
        if (strcmp(fields->name, name) == 0)
            return fields;
    }
    return NULL;
}

static int refuse_name(const struct fr_field *fields, const char *name, struct fr_error *err)
{
    const char *names[FIELDS_MAX], *nearest;
    size_t count = 0;

    for (; fields->name && count < FIELDS_MAX; fields++)
        names[count++] = fields->name;
    nearest = fr_text_nearest(name, names, count);
    return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                        "there is no field {%s}%s%s%s; '--format=help' lists them", name,
                        nearest ? "; did you mean {" : "", nearest ? nearest : "",
                        nearest ? "}?" : "");
}

/* Digits at *at, which moves behind them. */
static size_t take_number(const char **at)
{
    size_t value = 0;

    while (isdigit((unsigned char)**at)) {
        value = value * 10 + (size_t)(**at - '0');
        if (value > WIDTH_MAX)
            value = WIDTH_MAX;
        ++*at;
    }
    return value;
}

/* What follows the colon: [<>][WIDTH][.MAX][h]. */
static int parse_spec(const char **at, struct item *item, struct fr_error *err)
{
    const char *start = *at;

    if (**at == '<' || **at == '>')
        item->right = *(*at)++ == '>';
    item->width = take_number(at);
    if (**at == '.') {
        ++*at;
        item->max = take_number(at);
    }
    if (**at == 'h') {
        item->dash = true;
        ++*at;
    }
    return **at == '}' ? 0 : refuse(err, start, "expected [<>][WIDTH][.MAX][h] after ':'");
}

/* A field from behind its brace to behind the closing one. */
static int parse_field(const char **at, struct item *item, const struct fr_field *fields,
                       struct fr_error *err)
{
    const char *start = *at - 1;
    size_t len =
        strspn(*at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

    if (len == 0 || len >= sizeof item->name)
        return refuse(err, start, "expected the name of a field after '{'");
    memcpy(item->name, *at, len);
    item->name[len] = '\0';
    *at += len;
    if (**at == '!') {
        if (!(*at)[1] || !strchr("FHd", (*at)[1]))
            return refuse(err, start, "the conversions are !F, !H and !d");
        item->conversion = (*at)[1];
        *at += 2;
    }
    if (**at == ':') {
        ++*at;
        int r = parse_spec(at, item, err);
        if (r < 0)
            return r;
    }
    if (**at != '}')
        return refuse(err, start, "a '}' is missing");
    ++*at;
    item->field = find_field(fields, item->name);
    if (!item->field && !strchr(item->name, '.'))
        return refuse_name(fields, item->name, err);
    return 0;
}

/* The marks that may stand before a field: the bytes that they take. */
static size_t parse_marks(const char *at, struct item *item)
{
    static const struct {
        const char *mark;
        bool drop_empty, grow;
    } marks[] = {{"?:{", true, false}, {"+:{", false, true}, {"?+:{", true, true}};

    for (size_t i = 0; i < FR_ARRAY_SIZE(marks); i++) {
        size_t len = strlen(marks[i].mark) - 1;
        if (strncmp(at, marks[i].mark, len + 1) != 0)
            continue;
        item->drop_empty = marks[i].drop_empty;
        item->grow = marks[i].grow;
        return len;
    }
    return 0;
}

/* Text up to the next field. */
static int parse_literal(const char **at, struct item *item, struct fr_error *err)
{
    struct fr_buf text = FR_BUF_INIT(CELL_MAX);
    struct item unused = {0};
    size_t len;

    while (**at && parse_marks(*at, &unused) == 0) {
        if (**at == '{' && (*at)[1] != '{')
            break;
        if (**at == '}' && (*at)[1] != '}') {
            fr_buf_done(&text);
            return refuse(err, *at, "a '}' stands alone; '}}' is a brace");
        }
        *at += **at == '{' || **at == '}';
        fr_buf_putc(&text, *(*at)++);
    }
    return fr_buf_take(&text, &item->literal, &len);
}

static int parse_item(const char **at, struct item *item, const struct fr_field *fields,
                      struct fr_error *err)
{
    size_t marks = parse_marks(*at, item);

    if (marks == 0 && (**at != '{' || (*at)[1] == '{'))
        return parse_literal(at, item, err);
    *at += marks + 1;
    return parse_field(at, item, fields, err);
}

int fr_format_parse(const char *text, const struct fr_field *fields, struct fr_format **ret,
                    struct fr_error *err)
{
    struct fr_format *format = calloc(1, sizeof *format);
    int r = format ? 0 : -ENOMEM;

    while (r == 0 && *text) {
        if (format->count == ITEMS_MAX)
            r = refuse(err, text, "it has too many fields");
        else
            r = parse_item(&text, &format->items[format->count++], fields, err);
    }
    if (r < 0) {
        fr_format_free(format);
        return r;
    }
    *ret = format;
    return 0;
}

void fr_format_free(struct fr_format *format)
{
    if (!format)
        return;
    for (size_t i = 0; i < format->count; i++)
        free(format->items[i].literal);
    free(format);
}

/* --- writing --- */

static void convert(char conversion, const json_t *value, struct fr_buf *out)
{
    double number = json_number_value(value);
    char text[FR_WHEN_TEXT];

    if (!json_is_number(value) || (conversion == 'd' && number <= 0))
        return;
    if (conversion == 'F')
        fr_when_put_seconds(number, text);
    else if (conversion == 'H')
        fr_when_put_clock(number, text);
    else
        fr_when_put_time(number, text);
    fr_buf_puts(out, text);
}

/* The text of one cell into `cell`, emptied before; borrowed until the next one. */
static const char *cell_text(const struct item *item, const json_t *row, struct fr_buf *cell)
{
    fr_buf_reset(cell);
    if (item->conversion)
        convert(item->conversion, fr_format_member(row, item->name), cell);
    else if (item->field && item->field->put)
        item->field->put(row, cell);
    else
        fr_format_put_value(fr_format_member(row, item->name), cell);
    if (cell->len == 0 && item->dash)
        fr_buf_putc(cell, '-');
    return cell->len && !cell->failed ? cell->data : "";
}

static const char *title_of(const struct item *item)
{
    return item->field ? item->field->title : item->name;
}

/* How wide a column is to be; 0 and *ret_drop where it is to be left out. */
static size_t measure(const struct item *item, const json_t *rows,
                      const struct fr_format_look *look, struct fr_buf *cell, bool *ret_drop)
{
    size_t width = item->width, i;
    const json_t *row;
    bool empty = true;

    *ret_drop = false;
    if (!item->drop_empty && !item->grow)
        return width;
    if (item->grow && look->header && fr_display_width(title_of(item)) > width)
        width = fr_display_width(title_of(item));
    json_array_foreach (rows, i, row) {
        const char *text = cell_text(item, row, cell);
        size_t wide = item->grow ? fr_display_width(text) : 0;
        empty = empty && (!*text || strcmp(text, "-") == 0);
        if (wide > width)
            width = wide;
    }
    *ret_drop = item->drop_empty && empty;
    return item->max && width > item->max ? item->max : width;
}

/* One line being written. */
struct line {
    struct fr_buf *out;
    size_t used;    /* columns */
    size_t columns; /* FR_DISPLAY_ALL: no end */
    size_t blanks;  /* held back until something follows */
};

static void put_blanks(struct line *line)
{
    size_t room = line->columns - line->used;
    size_t n = line->blanks < room ? line->blanks : room;

    fr_buf_printf(line->out, "%*s", (int)n, "");
    line->used += n;
    line->blanks = 0;
}

static void put_text(struct line *line, const char *text, size_t max, const char *color)
{
    size_t room;

    put_blanks(line);
    room = line->columns - line->used;
    if (color && *text && room > 0)
        fr_buf_puts(line->out, color);
    line->used += fr_display_put_cut(line->out, text, max < room ? max : room);
    if (color && *text && room > 0)
        fr_buf_puts(line->out, FR_COLOR_END);
}

static void put_cell(struct line *line, const struct item *item, size_t width, const char *text,
                     const char *color)
{
    size_t max = item->max ? item->max : FR_DISPLAY_ALL;
    size_t wide = fr_display_width(text);
    size_t fill = wide < width ? width - wide : 0;

    if (item->grow && width < max)
        max = width;
    if (!*text) {
        line->blanks += fill;
        return;
    }
    line->blanks += item->right ? fill : 0;
    put_text(line, text, max, color);
    line->blanks += item->right ? 0 : fill;
}

/* A literal; its trailing blanks wait for what follows. */
static void put_literal(struct line *line, const char *text)
{
    if (text[strspn(text, " ")] == '\0')
        line->blanks += strlen(text);
    else
        put_text(line, text, FR_DISPLAY_ALL, NULL);
}

struct table {
    const struct fr_format *format;
    size_t widths[ITEMS_MAX];
    bool dropped[ITEMS_MAX];
    struct fr_buf cell;
};

/* Writes one row, or the headings where row is NULL. */
static void put_row(struct table *table, const json_t *row, const struct fr_format_look *look,
                    struct fr_buf *out)
{
    struct line line = {.out = out, .columns = look->columns ? look->columns : FR_DISPLAY_ALL};

    for (size_t i = 0; i < table->format->count; i++) {
        const struct item *item = &table->format->items[i];
        const char *color = row ? NULL : FR_COLOR_BOLD;
        if (table->dropped[i])
            continue;
        if (item->literal) {
            /* A column that was left out takes the blanks behind it along. */
            if (i == 0 || !table->dropped[i - 1])
                put_literal(&line, item->literal);
            continue;
        }
        const char *text = row ? cell_text(item, row, &table->cell) : title_of(item);
        if (row && item->field && item->field->color)
            color = item->field->color(row);
        put_cell(&line, item, table->widths[i], text, look->color ? color : NULL);
    }
    fr_buf_putc(out, '\n');
}

void fr_format_put(const struct fr_format *format, const json_t *rows,
                   const struct fr_format_look *look, struct fr_buf *out)
{
    struct table table = {.format = format, .cell = FR_BUF_INIT(CELL_MAX)};
    size_t i, left = look->lines ? look->lines : SIZE_MAX;
    const json_t *row;

    for (i = 0; i < format->count; i++) {
        if (!format->items[i].literal)
            table.widths[i] =
                measure(&format->items[i], rows, look, &table.cell, &table.dropped[i]);
    }
    if (look->header && left > 0) {
        put_row(&table, NULL, look, out);
        left--;
    }
    json_array_foreach (rows, i, row) {
        if (left-- == 0)
            break;
        put_row(&table, row, look, out);
    }
    fr_buf_done(&table.cell);
}

void fr_format_put_help(const struct fr_field *fields, struct fr_buf *out)
{
    for (; fields->name; fields++)
        fr_buf_printf(out, "%-20s %s\n", fields->name, fields->help);
}
