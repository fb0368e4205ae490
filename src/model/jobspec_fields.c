// SPDX-License-Identifier: LGPL-3.0-only
#include <ctype.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "base/util.h"
#include "model/submit.h"

#define NAME_MAX_BYTES 256
#define PATH_MAX_BYTES 4095
#define STDIN_MAX_BYTES (1U << 20)
#define DURATION_MAX 3153600000.0 /* a hundred years of seconds; keeps times finite */

bool fr_submit_is_text(struct fr_submit *submit, const char *name, const char *pointer,
                       const json_t *value, size_t max)
{
    char shown[FR_SUBMIT_SHOWN];
    size_t len = json_string_length(value);

    if (!json_is_string(value))
        fr_problems_add(submit->problems, FR_CODE_INVALID, pointer,
                        "%s must be a text, found %s.", name, fr_submit_show(value, shown));
    else if (strlen(json_string_value(value)) != len)
        fr_problems_add(submit->problems, FR_CODE_INVALID, pointer,
                        "%s holds a NUL byte, which no program can be given: take it out.",
                        name);
    else if (len > max)
        fr_problems_add(submit->problems, FR_CODE_TOO_LARGE, pointer,
                        "%s has %zu bytes, at most %zu are taken.", name, len, max);
    else
        return true;
    return false;
}

const char *fr_submit_pointer(const char *pointer, const char *key, char *buf)
{
    char *end = buf + FR_SUBMIT_POINTER - 4; /* an escape and the NUL always fit */
    char *at = buf;

    for (; *pointer && at < end; pointer++)
        *at++ = *pointer;
    *at++ = '/';
    for (; *key && at < end; key++) {
        if (*key == '~' || *key == '/') {
            *at++ = '~';
            *at++ = *key == '~' ? '0' : '1';
        } else {
            *at++ = *key;
        }
    }
    while (*key && at > buf && ((unsigned char)*key & 0xc0) == 0x80)
        key = --at; /* cut: never within a character */
    *at = '\0';
    return buf;
}

/* Whole characters of text that fit into room bytes. */
static size_t whole_characters(const char *text, size_t len, size_t room)
{
    if (len <= room)
        return len;
    while (room > 0 && ((unsigned char)text[room] & 0xc0) == 0x80)
        room--;
    return room;
}

const char *fr_submit_show(const json_t *value, char *buf)
{
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);
    size_t n;

    if (json_is_object(value) || json_is_array(value)) {
        snprintf(buf, FR_SUBMIT_SHOWN, "%s", json_is_object(value) ? "an object" : "a list");
        return buf;
    }
    if (text) {
        size_t shown = whole_characters(text, len, FR_SUBMIT_SHOWN - 6);
        snprintf(buf, FR_SUBMIT_SHOWN, "\"%.*s%s\"", (int)shown, text,
                 shown < len ? "..." : "");
        return buf;
    }
    n = json_dumpb(value, buf, FR_SUBMIT_SHOWN - 1, JSON_ENCODE_ANY); /* at most 24 bytes */
    buf[n < FR_SUBMIT_SHOWN ? n : 0] = '\0';
    return buf;
}

static void *target(struct fr_submit *submit, const struct fr_submit_field *field)
{
    return (char *)submit + field->offset;
}

/* A JSON integer, or a text of one. */
static bool read_integer(const json_t *value, int64_t *ret)
{
    const char *text = json_string_value(value);
    char *end;

    if (json_is_integer(value)) {
        *ret = json_integer_value(value);
        return true;
    }
    if (!text || (!isdigit((unsigned char)text[0]) && text[0] != '-'))
        return false;
    errno = 0;
    *ret = strtoll(text, &end, 10);
    return errno == 0 && end != text && (size_t)(end - text) == json_string_length(value);
}

static int take_count(struct fr_submit *submit, const struct fr_submit_field *field)
{
    char shown[FR_SUBMIT_SHOWN];
    int64_t count;

    if (!read_integer(field->value, &count))
        fr_problems_add(submit->problems, FR_CODE_INVALID, field->pointer,
                        "Parameter %s must be an integer, found %s", field->name,
                        fr_submit_show(field->value, shown));
    else if (count < 1)
        fr_problems_add(submit->problems, FR_CODE_INVALID, field->pointer,
                        "Parameter %s must be >= 1, found %" PRId64, field->name, count);
    else if (count > FR_SUBMIT_COUNT_MAX)
        fr_problems_add(submit->problems, FR_CODE_INVALID, field->pointer,
                        "Parameter %s must be <= %d, found %" PRId64, field->name,
                        FR_SUBMIT_COUNT_MAX, count);
    else
        *(int *)target(submit, field) = (int)count;
    return 0;
}

/* As take_count, with the two texts that older clients know. */
static int take_gpus(struct fr_submit *submit, const struct fr_submit_field *field)
{
    int64_t count;

    if (submit->place->gpus == 0)
        fr_problems_add(submit->problems, FR_CODE_UNSATISFIABLE, field->pointer,
                        "This server does not support gpus: gpus_per_task cannot be set.");
    else if (read_integer(field->value, &count) && count < 1)
        fr_problems_add(submit->problems, FR_CODE_INVALID, field->pointer,
                        "Parameter gpus_per_task must be >= 1");
    else
        return take_count(submit, field);
    return 0;
}

static bool is_word(const char *text, const char *const *words)
{
    for (; text && *words; words++) {
        if (strcasecmp(text, *words) == 0)
            return true;
    }
    return false;
}

static int take_bool(struct fr_submit *submit, const struct fr_submit_field *field)
{
    static const char *const yes[] = {"true", "yes", "on", "1", NULL};
    static const char *const no[] = {"false", "no", "off", "0", NULL};
    const char *text = json_string_value(field->value);
    int64_t number = json_is_integer(field->value) ? json_integer_value(field->value) : -1;
    char shown[FR_SUBMIT_SHOWN];

    if (json_is_true(field->value) || number == 1 || is_word(text, yes))
        *(bool *)target(submit, field) = true;
    else if (!json_is_false(field->value) && number != 0 && !is_word(text, no))
        fr_problems_add(submit->problems, FR_CODE_INVALID, field->pointer,
                        "%s must be true or false, found %s.", field->name,
                        fr_submit_show(field->value, shown));
    return 0;
}

static int take_text(struct fr_submit *submit, const struct fr_submit_field *field)
{
    if (fr_submit_is_text(submit, field->name, field->pointer, field->value, field->max))
        *(const char **)target(submit, field) = json_string_value(field->value);
    return 0;
}

/* Seconds, as a number or a duration such as "90s"; 0 is no limit. */
static int take_runtime(struct fr_submit *submit, const struct fr_submit_field *field)
{
    const char *text = json_string_value(field->value);
    double seconds = json_number_value(field->value);
    char shown[FR_SUBMIT_SHOWN];
    bool known = json_is_number(field->value);
    int64_t integer;

    if (text && strlen(text) == json_string_length(field->value))
        known = fr_fsd_parse(text, &seconds) == 0;
    if (read_integer(field->value, &integer) && integer < 0)
        fr_problems_add(submit->problems, FR_CODE_INVALID, field->pointer,
                        "Runtime must be >= 0, found %" PRId64, integer);
    else if (known && seconds < 0)
        fr_problems_add(submit->problems, FR_CODE_INVALID, field->pointer,
                        "Runtime must be >= 0, found %s", fr_submit_show(field->value, shown));
    else if (!known)
        fr_problems_add(submit->problems, FR_CODE_INVALID, field->pointer,
                        "runtime must be a number of seconds or a duration such as 90s, 15m "
                        "or 1.5h, found %s.",
                        fr_submit_show(field->value, shown));
    else if (seconds > DURATION_MAX)
        fr_problems_add(submit->problems, FR_CODE_INVALID, field->pointer,
                        "runtime must be at most %.0f seconds, found %s; 0 is no limit.",
                        DURATION_MAX, fr_submit_show(field->value, shown));
    else
        submit->runtime = seconds;
    return 0;
}

static int take_urgency(struct fr_submit *submit, const struct fr_submit_field *field)
{
    const char *text = json_string_value(field->value);
    char shown[FR_SUBMIT_SHOWN];
    int64_t urgency;

    if (text && strcasecmp(text, "hold") == 0)
        submit->urgency = 0;
    else if (text && strcasecmp(text, "default") == 0)
        submit->urgency = 16;
    else if (text && strcasecmp(text, "expedite") == 0)
        submit->urgency = 31;
    else if (read_integer(field->value, &urgency) && urgency >= 0 && urgency <= 31)
        submit->urgency = (int)urgency;
    else
        fr_problems_add(submit->problems, FR_CODE_INVALID, field->pointer,
                        "urgency must be 0 to 31, hold, default or expedite, found %s.",
                        fr_submit_show(field->value, shown));
    return 0;
}

static int take_attributes(struct fr_submit *submit, const struct fr_submit_field *field)
{
    return fr_submit_object(submit, field, NULL, "attributes must be key/value pairs (dict)",
                            &submit->attributes);
}

static int take_jobspec(struct fr_submit *submit, const struct fr_submit_field *field)
{
    return fr_submit_object(submit, field, NULL, "jobspec must be an RFC 25 jobspec (dict)",
                            &submit->jobspec);
}

#define AT(member) offsetof(struct fr_submit, member)

static const struct {
    const char *name;
    int (*take)(struct fr_submit *submit, const struct fr_submit_field *field);
    size_t offset;
    size_t max;
    bool may_be_empty;
    bool beside_jobspec;
} known_fields[] = {
    {"command", fr_submit_take_command},
    {"num_tasks", take_count, AT(num_tasks)},
    {"cores_per_task", take_count, AT(cores_per_task)},
    {"gpus_per_task", take_gpus, AT(gpus_per_task)},
    {"num_nodes", take_count, AT(num_nodes)},
    {"exclusive", take_bool, AT(exclusive)},
    {"workdir", take_text, AT(workdir), PATH_MAX_BYTES},
    {"envars", fr_submit_take_envars},
    {"option_flags", fr_submit_take_options},
    {"runtime", take_runtime},
    {"is_launcher", take_bool, AT(is_launcher)},
    {"name", take_text, AT(name), NAME_MAX_BYTES},
    {"queue", take_text, AT(queue), NAME_MAX_BYTES},
    {"bank", take_text, AT(bank), NAME_MAX_BYTES},
    {"urgency", take_urgency, .beside_jobspec = true},
    {"dependencies", fr_submit_take_dependencies},
    {"constraints", fr_submit_take_constraints},
    {"stdin", take_text, AT(input), STDIN_MAX_BYTES, .may_be_empty = true},
    {"output", take_text, AT(output), PATH_MAX_BYTES},
    {"error", take_text, AT(error), PATH_MAX_BYTES},
    {"rlimits", fr_submit_take_rlimits},
    {"attributes", take_attributes},
    {"label_io", take_bool, AT(label_io)},
    {"unbuffered", take_bool, AT(unbuffered)},
    {"jobspec", take_jobspec, .beside_jobspec = true},
};

static void add_unknown(struct fr_submit *submit, const char *name, const char *pointer)
{
    const char *names[FR_ARRAY_SIZE(known_fields)];
    const char *nearest;

    for (size_t i = 0; i < FR_ARRAY_SIZE(known_fields); i++)
        names[i] = known_fields[i].name;
    nearest = fr_text_nearest(name, names, FR_ARRAY_SIZE(known_fields));
    if (nearest)
        fr_problems_add(submit->problems, FR_CODE_UNKNOWN_FIELD, pointer,
                        "There is no field '%.100s': did you mean '%s'?", name, nearest);
    else
        fr_problems_add(submit->problems, FR_CODE_UNKNOWN_FIELD, pointer,
                        "There is no field '%.100s'.", name);
}

static int take_field(struct fr_submit *submit, const char *name, const json_t *value)
{
    char pointer[FR_SUBMIT_POINTER];
    struct fr_submit_field field = {.value = value};
    bool empty = json_is_string(value) && json_string_length(value) == 0;

    field.pointer = fr_submit_pointer("", name, pointer);
    for (size_t i = 0; i < FR_ARRAY_SIZE(known_fields); i++) {
        if (strcmp(known_fields[i].name, name) != 0)
            continue;
        if (json_is_null(value) || (empty && !known_fields[i].may_be_empty))
            return 0;
        field.name = known_fields[i].name;
        field.offset = known_fields[i].offset;
        field.max = known_fields[i].max;
        submit->others |= !known_fields[i].beside_jobspec;
        return known_fields[i].take(submit, &field);
    }
    add_unknown(submit, name, field.pointer);
    return 0;
}

int fr_submit_read(struct fr_submit *submit, const json_t *fields)
{
    const char *name;
    json_t *value;

    submit->urgency = 16;
    if (!json_is_object(fields)) {
        fr_problems_add(submit->problems, FR_CODE_INVALID, "",
                        "A submit request is an object of fields.");
        return 0;
    }
    json_object_foreach ((json_t *)fields, name, value) {
        int r = take_field(submit, name, value);
        if (r < 0)
            return r;
    }
    return 0;
}

void fr_submit_done(struct fr_submit *submit)
{
    json_decref(submit->command);
    json_decref(submit->jobspec);
    json_decref(submit->envars);
    json_decref(submit->options);
    json_decref(submit->rlimits);
    json_decref(submit->dependencies);
    json_decref(submit->constraints);
    json_decref(submit->attributes);
}
