// SPDX-License-Identifier: LGPL-3.0-only
#include "engine/local/launch.h"

#include <limits.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/util.h"
#include "engine/local/folder.h"
#include "engine/local/template.h"
#include "model/fluid.h"
#include "model/jobspec.h"
#include "model/rset.h"
#include "shell/folder.h"

#define GPUS_MAX 4096

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
    static const char *const names[] = {
        "FLUX_JOB_ID",        "FLUX_JOB_SIZE",   "FLUX_JOB_NNODES",     "FLUX_TASK_RANK",
        "FLUX_TASK_LOCAL_ID", "FLUX_JOB_TMPDIR", "CUDA_VISIBLE_DEVICES"};

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

static int gpu_put(unsigned int gpu, void *arg)
{
    struct fr_buf *list = arg;

    fr_buf_printf(list, "%s%u", list->len > 0 ? "," : "", gpu);
    return 0;
}

/* As Flux: a job without GPUs sees none, and numbers are those of the PCI bus. */
static int gpus_put(struct fr_buf *out, const char *gpus, json_t *environment)
{
    _cleanup_(fr_buf_done) struct fr_buf list = FR_BUF_INIT(65536);
    int rc = gpus ? fr_idset_each(gpus, GPUS_MAX, gpu_put, &list) : 0;

    if (rc == 0)
        rc = fr_buf_status(&list);
    if (rc < 0)
        return rc;
    fr_buf_printf(out, "%cCUDA_VISIBLE_DEVICES=%.*s", FR_TAG_ENV,
                  (int)(list.len > 0 ? list.len : 2), list.len > 0 ? list.data : "-1");
    fr_buf_putc(out, '\0');
    if (!json_object_get(environment, "CUDA_DEVICE_ORDER"))
        record_put(out, FR_TAG_ENV, "CUDA_DEVICE_ORDER=PCI_BUS_ID");
    return 0;
}

static const char *option_text(const json_t *stream, const char *key, const char *absent)
{
    const char *text = json_string_value(json_object_get(stream, key));

    return text ? text : absent;
}

/* Where a stream goes, unless that is the output. */
static void stream_put(struct fr_buf *out, enum fr_tag tag, const struct fr_template *template,
                       const char *path)
{
    if (!path)
        return;
    fr_buf_putc(out, (char)tag);
    fr_template_render(template, path, out);
    fr_buf_putc(out, '\0');
}

/* Of Flux's options `output` and `input`. stderr takes over what stdout says, but its buffer.
 */
static void files_put(struct fr_buf *out, const struct fr_jobspec *spec,
                      const struct fr_template *template)
{
    const json_t *output = json_object_get(spec->shell, "output");
    const json_t *streams[2] = {json_object_get(output, "stdout"),
                                json_object_get(output, "stderr")};
    const char *path = NULL;
    bool label = false;
    char how[8] = "";
    size_t n = 0;

    for (int i = 0; i < 2; i++) {
        const json_t *flag = json_object_get(streams[i], "label");
        const char *buffer = option_text(json_object_get(streams[i], "buffer"), "type",
                                         i == 0 ? "line" : "none");

        path = option_text(streams[i], "path", path);
        if (strcmp(option_text(streams[i], "type", ""), "kvs") == 0)
            path = NULL;
        label = flag ? json_is_true(flag) : label;
        stream_put(out, i == 0 ? FR_TAG_STDOUT : FR_TAG_STDERR, template, path);
        if (label)
            how[n++] = i == 0 ? 'l' : 'L';
        if (strcasecmp(buffer, "none") != 0)
            how[n++] = i == 0 ? 'b' : 'B';
    }
    if (strcmp(option_text(output, "mode", "truncate"), "append") == 0)
        how[n++] = 'a';
    record_put(out, FR_TAG_FILES, how);
    path = option_text(json_object_get(json_object_get(spec->shell, "input"), "stdin"), "path",
                       NULL);
    if (path && !spec->stdin_text)
        record_put(out, FR_TAG_STDIN, path);
}

static void rlimits_put(struct fr_buf *out, const struct fr_jobspec *spec)
{
    json_t *limits = json_object_get(spec->shell, "rlimit");
    const char *name;
    json_t *value;

    json_object_foreach (limits, name, value) {
        if (json_is_integer(value))
            number_put(out, FR_TAG_RLIMIT, "%.40s=%lld", name,
                       (long long)json_integer_value(value));
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
    rlimits_put(out, spec);
}

/* What tells of the place rather than of the jobspec. */
static void place_put(struct fr_buf *out, const struct fr_launch_settings *settings,
                      const struct fr_launch_job *job, const struct fr_jobspec *spec)
{
    char text[FR_FLUID_TEXT];
    char folder[PATH_MAX];
    char tmpdir[PATH_MAX];
    struct fr_template template = {.id = job->id,
                                   .name = spec->name,
                                   .ntasks = spec->ntasks,
                                   .tmpdir = tmpdir,
                                   .host = settings->host ? settings->host : ""};

    fr_folder_path(settings->state_dir, job->id, folder, sizeof(folder));
    fr_folder_tmpdir(settings->state_dir, job->id, tmpdir, sizeof(tmpdir));
    record_put(out, FR_TAG_JOBID, fr_fluid_f58(job->id, text));
    number_put(out, FR_TAG_OUTPUT_MAX, "%llu", (unsigned long long)settings->output_max);
    number_put(out, FR_TAG_UMASK, "%o", (unsigned int)settings->umask);
    number_put(out, FR_TAG_NOFILE, "%llu", (unsigned long long)settings->nofile);
    if (job->cpus)
        record_put(out, FR_TAG_CPUS, job->cpus);
    record_put(out, FR_TAG_TMPDIR, tmpdir);
    if (spec->stdin_text)
        number_put(out, FR_TAG_STDIN, "%s/" FR_FOLDER_STDIN, folder);
    files_put(out, spec, &template);
}

int fr_launch_describe(const struct fr_launch_settings *settings,
                       const struct fr_launch_job *job, const char *jobspec,
                       const char *environment, struct fr_buf *out, char **ret_input)
{
    _cleanup_(fr_cleanup_jobspec) struct fr_jobspec *spec = NULL;
    _cleanup_(fr_cleanup_str) char *input = NULL;
    _cleanup_(fr_cleanup_json) json_t *env =
        environment ? json_loads(environment, 0, NULL) : NULL;
    json_t *json = json_loads(jobspec, 0, NULL);
    int rc;

    if (!json || (environment && !env)) {
        json_decref(json);
        return -EINVAL;
    }
    rc = fr_jobspec_create(json, &spec, NULL);
    if (rc < 0)
        return rc;
    if (spec->stdin_text && !(input = strdup(spec->stdin_text)))
        return -ENOMEM;
    number_put(out, FR_TAG_VERSION, "%d", FR_FOLDER_VERSION);
    place_put(out, settings, job, spec);
    spec_put(out, spec);
    environment_put(out, env);
    rc = gpus_put(out, job->gpus, env);
    record_put(out, FR_TAG_END, "");
    if (rc == 0)
        rc = fr_buf_status(out);
    if (rc == 0)
        *ret_input = fr_take(input);
    return rc;
}
