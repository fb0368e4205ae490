// SPDX-License-Identifier: LGPL-3.0-only
#include "model/jobspec.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/util.h"
#include "model/submit.h"

#define COUNT_MAX (1 << 24) /* of nodes, slots, cores in all: what anyone may ask for */
#define RESOURCE_DEPTH 8    /* node > slot > core, with room for others between */
#define COMMAND_TEXT_MAX (8U << 20)

FR_DEFINE_CLEANUP(struct fr_jobspec *, jobspec, fr_jobspec_free);

static int fault(struct fr_error *err, const char *what)
{
    return fr_error_set(err, EINVAL, FR_CODE_INVALID, "The jobspec is not valid: %s.", what);
}

/* Follows a path of members; NULL where it breaks off. */
static const json_t *member(const json_t *object, const char *const *path)
{
    for (; object && *path; path++)
        object = json_object_get(object, *path);
    return object;
}

struct counts {
    int64_t nodes, slots, cores, gpus; /* as written; 0 if absent */
    bool exclusive;
};

/* Reads one level of resources; factor is what the levels above multiply nodes by. */
static int read_resources(const json_t *level, int depth, int64_t factor, struct counts *counts,
                          struct fr_error *err)
{
    const json_t *vertex;
    size_t i;

    if (!json_is_array(level) || depth > RESOURCE_DEPTH)
        return fault(err, "resources is no list of resources, or is too deep");
    json_array_foreach (level, i, vertex) {
        const char *type = json_string_value(json_object_get(vertex, "type"));
        const json_t *count_json = json_object_get(vertex, "count");
        const json_t *with = json_object_get(vertex, "with");
        int64_t count = json_integer_value(count_json);
        int r;

        if (!type || !json_is_integer(count_json) || count < 1 || count > COUNT_MAX ||
            count * factor > COUNT_MAX)
            return fault(err, "a resource needs a type and a count that is a positive integer");
        if (strcmp(type, "node") == 0) {
            counts->nodes = count * factor;
            counts->exclusive |= json_is_true(json_object_get(vertex, "exclusive"));
        } else if (strcmp(type, "slot") == 0) {
            counts->slots = count;
        } else if (strcmp(type, "core") == 0) {
            counts->cores = count;
        } else if (strcmp(type, "gpu") == 0) {
            counts->gpus = count;
        }
        r = with ? read_resources(with, depth + 1, count * factor, counts, err) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

static int take_counts(struct fr_jobspec *spec, const struct counts *counts,
                       struct fr_error *err)
{
    int64_t slots = counts->slots * (counts->nodes ? counts->nodes : 1);

    if (counts->slots == 0 || counts->cores == 0)
        return fault(err, "resources has no slot with cores");
    if (slots > COUNT_MAX || slots * counts->cores > COUNT_MAX ||
        slots * counts->gpus > COUNT_MAX)
        return fault(err, "resources asks for more than can exist");
    spec->nnodes = (int)counts->nodes;
    spec->nslots = (int)slots;
    spec->cores_per_task = (int)counts->cores;
    spec->gpus_per_task = (int)counts->gpus;
    spec->ncores = (int)(slots * counts->cores);
    spec->ngpus = (int)(slots * counts->gpus);
    spec->exclusive = counts->exclusive;
    return 0;
}

/* The shell option per-resource: {"type": "node" or "core", "count"?: n}. */
static int read_per_resource(struct fr_jobspec *spec, struct fr_error *err)
{
    const json_t *option = json_object_get(spec->shell, "per-resource");
    const char *type = json_string_value(json_object_get(option, "type"));
    const json_t *count_json = json_object_get(option, "count");
    int64_t count = count_json ? json_integer_value(count_json) : 1;
    int64_t nodes = spec->nnodes ? spec->nnodes : 1;
    int64_t total = spec->ntasks;

    if (!option)
        return 0;
    if (!type || count < 1 || count > COUNT_MAX)
        return fault(err, "the shell option per-resource needs a type and a positive count");
    if (strcmp(type, "node") == 0) {
        total = nodes * count;
        spec->tasks_per_node = spec->nnodes ? 0 : (int)count;
    } else if (strcmp(type, "core") == 0) {
        total = spec->ncores * count;
        spec->tasks_per_core = spec->nnodes ? (int)count : 0;
    }
    if (total > COUNT_MAX)
        return fault(err, "it asks for more tasks than can exist");
    spec->ntasks = (int)total;
    return 0;
}

static int read_argv(struct fr_jobspec *spec, const json_t *task, struct fr_error *err)
{
    const json_t *command = json_object_get(task, "command");
    const json_t *word;
    size_t i;

    if (json_array_size(command) == 0)
        return fault(err, "tasks[0].command is no list of words");
    json_array_foreach (command, i, word) {
        if (!json_is_string(word) ||
            strlen(json_string_value(word)) != json_string_length(word))
            return fault(err, "tasks[0].command holds something that is no text without NUL");
    }
    spec->argv = command;
    return 0;
}

static int read_tasks(struct fr_jobspec *spec, struct fr_error *err)
{
    const json_t *task = json_array_get(json_object_get(spec->json, "tasks"), 0);
    const json_t *total = member(task, (const char *const[]){"count", "total", NULL});
    int r;

    if (!json_is_object(task))
        return fault(err, "tasks is no list with a task");
    r = read_argv(spec, task, err);
    if (r < 0)
        return r;
    spec->ntasks = spec->nslots;
    if (total) {
        if (!json_is_integer(total) || json_integer_value(total) < 1 ||
            json_integer_value(total) > COUNT_MAX)
            return fault(err, "tasks[0].count.total is no positive integer");
        spec->ntasks = (int)json_integer_value(total);
    }
    return read_per_resource(spec, err);
}

/* An optional text without NUL. */
static int read_text(const json_t *object, const char *key, const char **ret,
                     struct fr_error *err)
{
    const json_t *value = json_object_get(object, key);

    if (!value || json_is_null(value))
        return 0;
    if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value))
        return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                            "The jobspec is not valid: %s is no text.", key);
    *ret = json_string_value(value);
    return 0;
}

static int read_object(const json_t *object, const char *key, const json_t **ret,
                       struct fr_error *err)
{
    const json_t *value = json_object_get(object, key);

    if (!value)
        return 0;
    if (!json_is_object(value))
        return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                            "The jobspec is not valid: %s is no object.", key);
    *ret = value;
    return 0;
}

/* Whether the command is one that a text for standard input was put before. */
static bool is_wrapped(const json_t *argv)
{
    if (json_array_size(argv) <= FR_STDIN_WORDS)
        return false;
    for (size_t i = 0; i < FR_STDIN_WORDS; i++) {
        if (strcmp(json_string_value(json_array_get(argv, i)), fr_stdin_words[i]) != 0)
            return false;
    }
    return true;
}

static int unwrap(struct fr_jobspec *spec)
{
    static const char *const path[] = {"attributes",  "system", "files",
                                       FR_STDIN_FILE, "data",   NULL};
    const char *text = json_string_value(member(spec->json, path));

    if (!text || !is_wrapped(spec->argv))
        return 0;
    spec->unwrapped = json_copy((json_t *)spec->argv);
    if (!spec->unwrapped)
        return -ENOMEM;
    for (size_t i = 0; i < FR_STDIN_WORDS; i++)
        (void)json_array_remove(spec->unwrapped, 0);
    spec->argv = spec->unwrapped;
    spec->stdin_text = text;
    return 0;
}

const char *fr_jobspec_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static int read_system(struct fr_jobspec *spec, const json_t *system, struct fr_error *err)
{
    const json_t *duration = json_object_get(system, "duration");
    const json_t *job = NULL, *shell = NULL;
    int r;

    spec->duration = json_number_value(duration);
    if (!json_is_number(duration) || !isfinite(spec->duration) || spec->duration < 0)
        return fault(err, "attributes.system.duration is no number of seconds");
    r = read_text(system, "cwd", &spec->cwd, err);
    if (r == 0)
        r = read_text(system, "queue", &spec->queue, err);
    if (r == 0)
        r = read_text(system, "bank", &spec->bank, err);
    if (r == 0)
        r = read_text(system, "project", &spec->project, err);
    if (r == 0)
        r = read_object(system, "job", &job, err);
    if (r == 0)
        r = read_text(job, "name", &spec->name, err);
    if (r == 0)
        r = read_object(system, "environment", &spec->environment, err);
    if (r == 0)
        r = read_object(system, "shell", &shell, err);
    if (r == 0)
        r = read_object(shell, "options", &spec->shell, err);
    return r;
}

static int read_all(struct fr_jobspec *spec, struct fr_error *err)
{
    static const char *const system_path[] = {"attributes", "system", NULL};
    const json_t *version = json_object_get(spec->json, "version");
    struct counts counts = {0};
    int r;

    if (!json_is_integer(version) || json_integer_value(version) != 1)
        return fault(err, "it is no object with version 1");
    r = read_resources(json_object_get(spec->json, "resources"), 0, 1, &counts, err);
    if (r == 0)
        r = take_counts(spec, &counts, err);
    if (r == 0)
        r = read_system(spec, member(spec->json, system_path), err);
    if (r == 0)
        r = read_tasks(spec, err);
    if (r == 0)
        r = unwrap(spec);
    if (r == 0 && !spec->name)
        spec->name = fr_jobspec_base_name(json_string_value(json_array_get(spec->argv, 0)));
    return r;
}

int fr_jobspec_create(json_t *json, struct fr_jobspec **ret, struct fr_error *err)
{
    _cleanup_(fr_cleanup_jobspec) struct fr_jobspec *spec = calloc(1, sizeof(*spec));
    int r;

    if (!spec) {
        json_decref(json);
        return -ENOMEM;
    }
    spec->json = json;
    r = read_all(spec, err);
    if (r < 0)
        return r;
    *ret = fr_take(spec);
    return 0;
}

void fr_jobspec_free(struct fr_jobspec *spec)
{
    if (!spec)
        return;
    json_decref(spec->unwrapped);
    json_decref(spec->json);
    free(spec);
}

char *fr_jobspec_command(const struct fr_jobspec *spec)
{
    struct fr_buf buf = FR_BUF_INIT(COMMAND_TEXT_MAX);
    const json_t *word;
    char *text;
    size_t i, len;

    json_array_foreach (spec->argv, i, word) {
        if (i > 0)
            fr_buf_putc(&buf, ' ');
        fr_buf_put(&buf, json_string_value(word), json_string_length(word));
    }
    if (fr_buf_take(&buf, &text, &len) < 0)
        return NULL;
    return text;
}
