// SPDX-License-Identifier: LGPL-3.0-only
#include "model/job_record.h"

#include <string.h>

#include "base/util.h"

FR_DEFINE_CLEANUP(json_t *, json, json_decref);
FR_DEFINE_CLEANUP(struct fr_job *, job, fr_job_free);

enum kind { KIND_TEXT, KIND_TIME, KIND_INT64, KIND_INT32, KIND_BYTE, KIND_BOOL };

#define FIELD(kind, member)                                                                    \
    {                                                                                          \
        kind, offsetof(struct fr_job, member)                                                  \
    }

/* In the order in which they are written. */
static const struct field {
    enum kind kind;
    size_t offset;
} fields[] = {
    FIELD(KIND_INT64, userid),         FIELD(KIND_INT64, priority),
    FIELD(KIND_TIME, t_submit),        FIELD(KIND_TIME, t_depend),
    FIELD(KIND_TIME, t_priority),      FIELD(KIND_TIME, t_sched),
    FIELD(KIND_TIME, t_run),           FIELD(KIND_TIME, t_cleanup),
    FIELD(KIND_TIME, t_inactive),      FIELD(KIND_TIME, duration),
    FIELD(KIND_TIME, expiration),      FIELD(KIND_TEXT, name),
    FIELD(KIND_TEXT, command),         FIELD(KIND_TEXT, cwd),
    FIELD(KIND_TEXT, queue),           FIELD(KIND_TEXT, bank),
    FIELD(KIND_TEXT, project),         FIELD(KIND_TEXT, ranks),
    FIELD(KIND_TEXT, nodelist),        FIELD(KIND_TEXT, exception_type),
    FIELD(KIND_TEXT, exception_note),  FIELD(KIND_TEXT, annotations),
    FIELD(KIND_TEXT, dependencies),    FIELD(KIND_INT32, urgency),
    FIELD(KIND_INT32, ntasks),         FIELD(KIND_INT32, ncores),
    FIELD(KIND_INT32, ngpus),          FIELD(KIND_INT32, nnodes),
    FIELD(KIND_INT32, tasks_per_node), FIELD(KIND_INT32, tasks_per_core),
    FIELD(KIND_INT32, waitstatus),     FIELD(KIND_INT32, exception_severity),
    FIELD(KIND_INT32, nevents),        FIELD(KIND_BYTE, state),
    FIELD(KIND_BYTE, result),          FIELD(KIND_BOOL, success),
};

#define NFIELDS FR_ARRAY_SIZE(fields)

static json_t *field_get(const struct fr_job *job, const struct field *field)
{
    const char *at = (const char *)job + field->offset;
    const char *text;

    switch (field->kind) {
    case KIND_TEXT:
        text = *(char *const *)(const void *)at;
        return text ? json_string(text) : json_null();
    case KIND_TIME:
        return json_real(*(const double *)(const void *)at);
    case KIND_INT64:
        return json_integer(*(const int64_t *)(const void *)at);
    case KIND_INT32:
        return json_integer(*(const int32_t *)(const void *)at);
    case KIND_BYTE:
        return json_integer(*(const uint8_t *)at);
    case KIND_BOOL:
        return json_boolean(*(const bool *)(const void *)at);
    }
    return NULL;
}

static int field_set(struct fr_job *job, const struct field *field, const json_t *value)
{
    char *at = (char *)job + field->offset;
    json_int_t number = json_integer_value(value);
    char *text = NULL;

    switch (field->kind) {
    case KIND_TEXT:
        if (json_is_null(value))
            return 0;
        if (!json_is_string(value))
            return -EINVAL;
        text = strdup(json_string_value(value));
        *(char **)(void *)at = text;
        return text ? 0 : -ENOMEM;
    case KIND_TIME:
        *(double *)(void *)at = json_real_value(value);
        return json_is_real(value) ? 0 : -EINVAL;
    case KIND_INT64:
        *(int64_t *)(void *)at = number;
        return json_is_integer(value) ? 0 : -EINVAL;
    case KIND_INT32:
        *(int32_t *)(void *)at = (int32_t)number;
        return json_is_integer(value) && number == (int32_t)number ? 0 : -EINVAL;
    case KIND_BYTE:
        *(uint8_t *)at = (uint8_t)number;
        return json_is_integer(value) && number == (uint8_t)number ? 0 : -EINVAL;
    case KIND_BOOL:
        *(bool *)(void *)at = json_is_true(value);
        return json_is_boolean(value) ? 0 : -EINVAL;
    }
    return -EINVAL;
}

char *fr_job_record_format(const struct fr_job *job, const json_t *user)
{
    _cleanup_(fr_cleanup_json) json_t *list = json_array();

    for (size_t i = 0; i < NFIELDS; i++) {
        if (json_array_append_new(list, field_get(job, &fields[i])) < 0)
            return NULL;
    }
    if (user && json_array_append_new(list, json_deep_copy(user)) < 0)
        return NULL;
    return json_dumps(list, JSON_COMPACT | JSON_REAL_PRECISION(17));
}

int fr_job_record_parse(const char *text, uint64_t id, struct fr_job **ret, json_t **ret_user)
{
    _cleanup_(fr_cleanup_json) json_t *list = json_loads(text, 0, NULL);
    _cleanup_(fr_cleanup_job) struct fr_job *job = fr_job_create(id);
    size_t count = json_array_size(list);

    if (!job)
        return -ENOMEM;
    if (count != NFIELDS && count != NFIELDS + 1)
        return -EINVAL;
    for (size_t i = 0; i < NFIELDS; i++) {
        int rc = field_set(job, &fields[i], json_array_get(list, i));

        if (rc < 0)
            return rc;
    }
    if (job->state != FR_STATE_INACTIVE)
        return -EINVAL;
    *ret = fr_take(job);
    *ret_user = json_incref(json_array_get(list, NFIELDS));
    return 0;
}
