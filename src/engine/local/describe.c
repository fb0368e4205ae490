// SPDX-License-Identifier: LGPL-3.0-only
#include "engine/local/launch.h"

#include <limits.h>
#include <string.h>

#include "base/buf.h"
#include "base/util.h"
#include "engine/local/folder.h"
#include "model/fluid.h"
#include "model/jobspec.h"
#include "shell/folder.h"

FR_DEFINE_CLEANUP(struct fr_jobspec *, jobspec, fr_jobspec_free);
FR_DEFINE_CLEANUP(json_t *, json, json_decref);

static void record_put(struct fr_buf *out, enum fr_tag tag, const char *text)
{
    fr_buf_putc(out, (char)tag);
    fr_buf_put(out, text, strlen(text) + 1);
}

static void number_put(struct fr_buf *out, enum fr_tag tag, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void number_put(struct fr_buf *out, enum fr_tag tag, const char *fmt, ...)
{
    va_list ap;

    fr_buf_putc(out, (char)tag);
    va_start(ap, fmt);
    fr_buf_vprintf(out, fmt, ap);
    va_end(ap);
    fr_buf_putc(out, '\0');
}

/* What the shell itself says of the job. */
static bool variable_set_by_shell(const char *name)
{
    static const char *const names[] = {"FLUX_JOB_ID",        "FLUX_JOB_SIZE",
                                        "FLUX_JOB_NNODES",    "FLUX_TASK_RANK",
                                        "FLUX_TASK_LOCAL_ID", "FLUX_JOB_TMPDIR"};

    for (size_t i = 0; i < FR_ARRAY_SIZE(names); i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

static void environment_put(struct fr_buf *out, json_t *environment)
{
    const char *name;
    json_t *value;

    json_object_foreach (environment, name, value) {
        const char *text = json_string_value(value);

        if (!text || !*name || strchr(name, '=') || variable_set_by_shell(name))
            continue;
        fr_buf_putc(out, FR_TAG_ENV);
        fr_buf_puts(out, name);
        fr_buf_putc(out, '=');
        fr_buf_put(out, text, strlen(text) + 1);
    }
}

static void spec_put(struct fr_buf *out, const struct fr_jobspec *spec)
{
    size_t i;
    json_t *word;

    number_put(out, FR_TAG_NTASKS, "%d", spec->ntasks);
    /* The least that can be said is not none. */
    number_put(out, FR_TAG_LIMIT, "%.6f",
               spec->duration > 0 && spec->duration < 1e-6 ? 1e-6 : spec->duration);
    if (spec->cwd)
        record_put(out, FR_TAG_CWD, spec->cwd);
    json_array_foreach ((json_t *)(uintptr_t)spec->argv, i, word) {
        if (json_is_string(word))
            record_put(out, FR_TAG_ARG, json_string_value(word));
    }
}

int fr_launch_describe(const struct fr_launch_settings *settings, uint64_t id,
                       const char *jobspec, const char *environment, const char *cpus,
                       struct fr_buf *out)
{
    _cleanup_(fr_cleanup_jobspec) struct fr_jobspec *spec = NULL;
    _cleanup_(fr_cleanup_json) json_t *env =
        environment ? json_loads(environment, 0, NULL) : NULL;
    json_t *json = json_loads(jobspec, 0, NULL);
    char text[FR_FLUID_TEXT];
    char path[PATH_MAX];
    int rc;

    if (!json || (environment && !env)) {
        json_decref(json);
        return -EINVAL;
    }
    rc = fr_jobspec_create(json, &spec, NULL);
    if (rc < 0)
        return rc;
    number_put(out, FR_TAG_VERSION, "%d", FR_FOLDER_VERSION);
    record_put(out, FR_TAG_JOBID, fr_fluid_f58(id, text));
    number_put(out, FR_TAG_OUTPUT_MAX, "%llu", (unsigned long long)settings->output_max);
    number_put(out, FR_TAG_UMASK, "%o", (unsigned int)settings->umask);
    number_put(out, FR_TAG_NOFILE, "%llu", (unsigned long long)settings->nofile);
    if (cpus)
        record_put(out, FR_TAG_CPUS, cpus);
    fr_folder_tmpdir(settings->state_dir, id, path, sizeof(path));
    record_put(out, FR_TAG_TMPDIR, path);
    spec_put(out, spec);
    environment_put(out, env);
    record_put(out, FR_TAG_END, "");
    return fr_buf_status(out);
}
