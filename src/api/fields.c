// SPDX-License-Identifier: LGPL-3.0-only
#include "api/fields.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "base/util.h"

#define FORM_FIELDS_MAX 1024
#define JSON_VALUES_MAX 100000

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

/*
 * Deepest nesting of a JSON text, and how many values it has at most, without parsing it: a
 * hostile one must cost neither a stack nor the time that millions of small values take.
 */
static unsigned int depth_of(const char *text, size_t len, size_t *ret_values)
{
    unsigned int depth = 0, deepest = 0;
    size_t values = 1;
    bool in_string = false;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == ',') {
            values++;
        } else if (c == '{' || c == '[') {
            if (++depth > deepest)
                deepest = depth;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    *ret_values = values;
    return deepest;
}

int fr_fields_parse_json(const char *text, size_t len, unsigned int depth_max, json_t **ret,
                         struct fr_problems *problems)
{
    json_error_t fault;
    size_t values;

    if (depth_of(text, len, &values) > depth_max) {
        fr_problems_add(problems, FR_CODE_MALFORMED, "",
                        "the JSON is nested more than %u levels deep", depth_max);
        return -EINVAL;
    }
    if (values > JSON_VALUES_MAX) {
        fr_problems_add(problems, FR_CODE_TOO_LARGE, "", "the JSON has more than %d values",
                        JSON_VALUES_MAX);
        return -EINVAL;
    }
    json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &fault);
    if (json) {
        *ret = json;
        return 0;
    }
    if (json_error_code(&fault) == json_error_out_of_memory)
        return -ENOMEM;
    fr_problems_add(problems, FR_CODE_MALFORMED, "",
                    "the body is no JSON: line %d, column %d: %s", fault.line, fault.column,
                    fault.text);
    return -EINVAL;
}

/* Decodes one name or value of a form in place; returns its length. */
static size_t decode(char *text, size_t len)
{
    size_t out = 0;

    for (size_t i = 0; i < len; i++) {
        if (text[i] == '+') {
            text[out++] = ' ';
        } else if (text[i] == '%' && i + 2 < len && fr_text_hex(text[i + 1]) >= 0 &&
                   fr_text_hex(text[i + 2]) >= 0) {
            text[out++] = (char)(fr_text_hex(text[i + 1]) << 4 | fr_text_hex(text[i + 2]));
            i += 2;
        } else {
            text[out++] = text[i];
        }
    }
    return out;
}

static int add_field(json_t *fields, const char *name, size_t name_len, const char *value,
                     size_t value_len, struct fr_problems *problems)
{
    char pointer[80];
    _cleanup_(fr_cleanup_str) char *key = strndup(name, name_len);
    json_t *text = json_stringn(value, value_len);

    if (!key) {
        json_decref(text);
        return -ENOMEM;
    }
    snprintf(pointer, sizeof pointer, "/%.64s", key);
    if (!text) { /* jansson refuses what is not UTF-8 */
        fr_problems_add(problems, FR_CODE_MALFORMED, pointer, "%.64s is not valid UTF-8", key);
        return 0;
    }
    if (json_object_get(fields, key)) {
        json_decref(text);
        fr_problems_add(problems, FR_CODE_INVALID, pointer, "%.64s is given twice", key);
        return 0;
    }
    if (json_object_set_new(fields, key, text) < 0)
        fr_problems_add(problems, FR_CODE_MALFORMED, "", "a field's name is not valid UTF-8");
    return 0;
}

static int read_form(const char *body, size_t len, json_t *fields, struct fr_problems *problems)
{
    _cleanup_(fr_cleanup_str) char *copy = malloc(len + 1);
    size_t at = 0;

    if (!copy)
        return -ENOMEM;
    memcpy(copy, body, len);
    copy[len] = '\0';
    for (size_t n = 0; at < len; n++) {
        if (n == FORM_FIELDS_MAX) {
            fr_problems_add(problems, FR_CODE_TOO_LARGE, "", "the form has more than %d fields",
                            FORM_FIELDS_MAX);
            return 0;
        }
        char *pair = copy + at;
        char *end = memchr(pair, '&', len - at);
        size_t pair_len = end ? (size_t)(end - pair) : len - at;
        char *eq = memchr(pair, '=', pair_len);
        size_t name_len = eq ? (size_t)(eq - pair) : pair_len;
        size_t value_len = eq ? pair_len - name_len - 1 : 0;
        at += pair_len + 1;
        if (pair_len == 0)
            continue;
        size_t name_out = decode(pair, name_len);
        size_t value_out = eq ? decode(eq + 1, value_len) : 0;
        int rc = add_field(fields, pair, name_out, eq ? eq + 1 : "", value_out, problems);
        if (rc < 0)
            return rc;
    }
    return 0;
}

struct query_fields {
    json_t *fields;
    struct fr_problems *problems;
    int rc;
};

static void read_param(void *arg, const char *name, const char *value)
{
    struct query_fields *query = arg;

    if (query->rc == 0)
        query->rc =
            add_field(query->fields, name, strlen(name), value, strlen(value), query->problems);
}

/* Adds the members of a JSON body; a body without a command beside a query that has one is the
 * environment. */
static int merge_json(json_t *fields, json_t *body, struct fr_problems *problems)
{
    const char *key;
    json_t *value;

    if (!json_is_object(body)) {
        fr_problems_add(problems, FR_CODE_INVALID, "",
                        "the body must be a JSON object with the job's fields, such as "
                        "{\"command\": \"echo hello\"}");
        return 0;
    }
    if (json_object_get(fields, "command") && !json_object_get(body, "command") &&
        !json_object_get(fields, "envars"))
        return json_object_set(fields, "envars", body) < 0 ? -ENOMEM : 0;
    json_object_foreach (body, key, value) {
        char pointer[80];
        snprintf(pointer, sizeof pointer, "/%.64s", key);
        if (json_object_get(fields, key))
            fr_problems_add(problems, FR_CODE_INVALID, pointer,
                            "%.64s is given both in the query and in the body", key);
        else if (json_object_set(fields, key, value) < 0)
            return -ENOMEM;
    }
    return 0;
}

bool fr_fields_has_type(const char *content_type, const char *type)
{
    size_t len = strlen(type);

    return content_type && strncasecmp(content_type, type, len) == 0 &&
           (content_type[len] == '\0' || strchr("; \t", content_type[len]));
}

int fr_fields_read_body(const char *type, const char *body, size_t len, unsigned int depth_max,
                        json_t *fields, struct fr_problems *problems)
{
    size_t blank = strspn(body, " \t\r\n");

    if (len == 0 || blank == len)
        return 0;
    bool is_form = fr_fields_has_type(type, "application/x-www-form-urlencoded");
    /* curl -d '{…}' calls its JSON a form: what begins as an object is read as one. */
    if (!type || fr_fields_has_type(type, "application/json") ||
        (is_form && body[blank] == '{')) {
        _cleanup_(fr_cleanup_json) json_t *json = NULL;
        int rc = fr_fields_parse_json(body, len, depth_max, &json, problems);
        return rc < 0 ? rc : merge_json(fields, json, problems);
    }
    if (is_form)
        return read_form(body, len, fields, problems);
    fr_problems_add(problems, FR_CODE_MEDIA_TYPE, "",
                    "a body of type %.100s is not taken here; send application/json or "
                    "application/x-www-form-urlencoded",
                    type);
    return 0;
}

int fr_fields_read(const struct fr_req *req, unsigned int depth_max, json_t **ret,
                   struct fr_problems *problems)
{
    _cleanup_(fr_cleanup_json) json_t *fields = json_object();
    struct query_fields query = {fields, problems, 0};
    size_t len;
    const char *body = fr_req_body(req, &len);

    if (!fields)
        return -ENOMEM;
    fr_req_query_each(req, read_param, &query);
    int rc = query.rc;
    if (rc == 0)
        rc = fr_fields_read_body(fr_req_header(req, "Content-Type"), body, len, depth_max,
                                 fields, problems);
    if (rc == 0 && (problems->count || problems->left_out))
        rc = -EINVAL;
    if (rc < 0)
        return rc;
    *ret = fr_take(fields);
    return 0;
}
