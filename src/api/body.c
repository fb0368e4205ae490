// SPDX-License-Identifier: LGPL-3.0-only
#include "api/body.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "api/fields.h"
#include "api/params.h"
#include "api/problem.h"
#include "base/text.h"
#include "base/util.h"

#define MEMBERS_MAX 16

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

static void refuse_unknown(const char *name, const struct fr_member *members, size_t count,
                           struct fr_problems *problems)
{
    const char *known[MEMBERS_MAX];
    char pointer[80];

    for (size_t i = 0; i < count; i++)
        known[i] = members[i].name;
    const char *nearest = fr_text_nearest(name, known, count);
    snprintf(pointer, sizeof pointer, "/%.64s", name);
    fr_problems_add(
        problems, FR_CODE_UNKNOWN_FIELD, pointer, "there is no field \"%.64s\" here%s%s%s",
        name, nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
}

static bool is_text(const json_t *value)
{
    return json_is_string(value) &&
           strlen(json_string_value(value)) == json_string_length(value);
}

static void take(const struct fr_member *member, const json_t *value,
                 struct fr_problems *problems)
{
    char pointer[80];
    int truth = json_is_boolean(value)  ? json_is_true(value)
                : json_is_string(value) ? fr_param_read_bool(json_string_value(value))
                                        : -1;

    snprintf(pointer, sizeof pointer, "/%.64s", member->name);
    switch (member->kind) {
    case FR_MEMBER_TEXT:
        if (is_text(value))
            *(const char **)member->to = json_string_value(value);
        else
            fr_problems_add(problems, FR_CODE_INVALID, pointer, "%s must be a text without NUL",
                            member->name);
        break;
    case FR_MEMBER_BOOL:
        if (truth >= 0)
            *(bool *)member->to = truth;
        else
            fr_problems_add(problems, FR_CODE_INVALID, pointer, "%s must be true or false",
                            member->name);
        break;
    case FR_MEMBER_JSON:
        *(const json_t **)member->to = value;
        break;
    }
}

bool fr_body_read(struct fr_req *req, const struct fr_member *members, size_t count,
                  json_t **ret_fields)
{
    _cleanup_(fr_cleanup_json) json_t *fields = NULL;
    struct fr_problems problems;
    const char *key;
    json_t *value;

    fr_problems_init(&problems);
    int rc = fr_fields_read(req, fr_api_call(req)->api->json_depth, &fields, &problems);
    json_object_foreach (fields, key, value) {
        size_t i = 0;
        while (i < count && strcmp(members[i].name, key) != 0)
            i++;
        if (i == count)
            refuse_unknown(key, members, count, &problems);
        else if (!json_is_null(value))
            take(&members[i], value, &problems);
    }
    bool ok = rc == 0 && problems.count == 0 && problems.left_out == 0;
    if (rc == -ENOMEM)
        fr_reply_no_memory(req);
    else if (!ok)
        fr_reply_problems(req, 0, NULL, &problems);
    fr_problems_done(&problems);
    if (ok)
        *ret_fields = fr_take(fields);
    return ok;
}
