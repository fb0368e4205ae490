// SPDX-License-Identifier: LGPL-3.0-only
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/util.h"
#include "model/submit.h"

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

#define add_fault(submit, code, pointer, ...)                                                  \
    fr_problems_add((submit)->problems, (code), (pointer), __VA_ARGS__)

const char *const fr_stdin_words[FR_STDIN_WORDS] = {
    "/bin/sh", "-c", "exec \"$@\" <\"$FLUX_JOB_TMPDIR/" FR_STDIN_FILE "\"", "flux-restd-stdin"};

/* What the place cannot ever give, said before anyone waits for it. */
static void check_size(struct fr_submit *submit, int64_t nodes, int64_t cores, int64_t gpus)
{
    const struct fr_jobspec_place *place = submit->place;

    if (place->nodes > 0 && nodes > place->nodes)
        add_fault(submit, FR_CODE_UNSATISFIABLE, submit->jobspec ? "/jobspec" : "/num_nodes",
                  "The server only has %d nodes, you requested %lld", place->nodes,
                  (long long)nodes);
    if (place->cores > 0 && cores > place->cores)
        add_fault(submit, FR_CODE_UNSATISFIABLE, submit->jobspec ? "/jobspec" : "/num_tasks",
                  "The server only has %d cores, you requested %lld", place->cores,
                  (long long)cores);
    if (submit->jobspec && place->gpus == 0 && gpus > 0)
        add_fault(submit, FR_CODE_UNSATISFIABLE, "/jobspec",
                  "This server does not support gpus: the jobspec asks for %lld.",
                  (long long)gpus);
    else if (gpus > place->gpus)
        add_fault(
            submit, FR_CODE_UNSATISFIABLE, submit->jobspec ? "/jobspec" : "/gpus_per_task",
            "The server only has %d gpus, you requested %lld", place->gpus, (long long)gpus);
}

static void check_launcher(struct fr_submit *submit)
{
    const char *program = json_string_value(json_array_get(submit->command, 0));

    if (!submit->is_launcher || !program)
        return;
    program = fr_jobspec_base_name(program);
    if (strcmp(program, "nextflow") != 0 && strcmp(program, "snakemake") != 0)
        add_fault(submit, FR_CODE_INVALID, "/is_launcher",
                  "is_launcher is for nextflow and snakemake, found %.100s: leave it out.",
                  program);
}

/* Checks fields against each other and the place, and fills in what was not given. */
static void check_shape(struct fr_submit *submit)
{
    int64_t slots;

    if (!submit->command && !submit->bad_command)
        add_fault(submit, FR_CODE_INVALID, "/command", "A 'command' is minimally required.");
    if (submit->exclusive && submit->num_nodes == 0)
        add_fault(submit, FR_CODE_INVALID, "/exclusive",
                  "exclusive can only be set with a node count");
    if (submit->num_tasks == 0)
        submit->num_tasks = submit->num_nodes ? submit->num_nodes : 1;
    if (submit->cores_per_task == 0)
        submit->cores_per_task = 1;
    if (submit->num_nodes > submit->num_tasks)
        add_fault(submit, FR_CODE_INVALID, "/num_nodes",
                  "num_nodes is %d but num_tasks only %d: each node needs a task.",
                  submit->num_nodes, submit->num_tasks);
    slots = submit->num_tasks;
    if (submit->num_nodes > 0) /* every node gets as many slots as the fullest one */
        slots = ((slots - 1) / submit->num_nodes + 1) * submit->num_nodes;
    check_size(submit, submit->num_nodes, slots * submit->cores_per_task,
               slots * submit->gpus_per_task);
    check_launcher(submit);
}

static json_t *compose_slot(const struct fr_submit *submit, int slots)
{
    json_t *with = json_pack("[{s:s, s:i}]", "type", "core", "count", submit->cores_per_task);
    json_t *gpu;

    if (submit->gpus_per_task > 0) {
        gpu = json_pack("{s:s, s:i}", "type", "gpu", "count", submit->gpus_per_task);
        if (json_array_append_new(with, gpu) < 0) {
            json_decref(with);
            return NULL;
        }
    }
    return json_pack("{s:s, s:i, s:s, s:o}", "type", "slot", "count", slots, "label", "task",
                     "with", with);
}

static json_t *compose_resources(const struct fr_submit *submit)
{
    int nodes = submit->num_nodes;
    int slots = nodes ? (submit->num_tasks - 1) / nodes + 1 : submit->num_tasks;
    json_t *slot = compose_slot(submit, slots);
    json_t *node;

    if (!slot || nodes == 0)
        return slot;
    node = json_pack("{s:s, s:i, s:[o]}", "type", "node", "count", nodes, "with", slot);
    if (node && submit->exclusive && json_object_set_new(node, "exclusive", json_true()) < 0) {
        json_decref(node);
        return NULL;
    }
    return node;
}

/* The command, behind the words that bring it its standard input. */
static json_t *compose_command(const struct fr_submit *submit)
{
    json_t *words = json_array();

    for (size_t i = 0; submit->input && i < FR_STDIN_WORDS; i++) {
        if (json_array_append_new(words, json_string(fr_stdin_words[i])) < 0)
            goto fail;
    }
    if (json_array_extend(words, submit->command) == 0)
        return words;
fail:
    json_decref(words);
    return NULL;
}

static json_t *compose_tasks(const struct fr_submit *submit)
{
    bool uneven = submit->num_nodes && submit->num_tasks % submit->num_nodes != 0;

    return json_pack("[{s:o, s:s, s:{s:i}}]", "command", compose_command(submit), "slot",
                     "task", "count", uneven ? "total" : "per_slot",
                     uneven ? submit->num_tasks : 1);
}

/* Whether JSON can say the text; -EILSEQ if not, for it is no UTF-8. */
static int check_utf8(const char *text)
{
    json_t *checked = json_string(text);
    json_t *unchecked = checked ? NULL : json_string_nocheck(text);
    int r = checked ? 0 : unchecked ? -EILSEQ : -ENOMEM;

    json_decref(checked);
    json_decref(unchecked);
    return r;
}

static int set_environ(json_t *object, const char *entry)
{
    const char *equals = strchr(entry, '=');
    int r = check_utf8(entry);

    if (r == -EILSEQ || !equals || equals == entry)
        return 0; /* such a variable stays behind */
    if (r < 0 || json_object_setn_new_nocheck(object, entry, (size_t)(equals - entry),
                                              json_string_nocheck(equals + 1)) < 0)
        return -ENOMEM;
    return 0;
}

/* The place's environment with the request's variables; null takes one away. */
static json_t *compose_environment(const struct fr_submit *submit)
{
    json_t *object = json_object();
    const char *name;
    json_t *value;

    for (char *const *entry = submit->place->environ; object && entry && *entry; entry++) {
        if (set_environ(object, *entry) < 0)
            goto fail;
    }
    json_object_foreach (submit->envars, name, value) {
        if (json_is_null(value))
            (void)json_object_del(object, name);
        else if (json_object_set(object, name, value) < 0)
            goto fail;
    }
    return object;
fail:
    json_decref(object);
    return NULL;
}

static int set_file(json_t *options, const char *stream, const char *path)
{
    json_t *file;

    if (!path || strcmp(path, "kvs") == 0 || strcmp(path, "none") == 0)
        return 0; /* as for flux-submit(1): the output stays with the job */
    file = json_pack("{s:s, s:s}", "type", "file", "path", path);
    return file ? json_object_set_new(options, stream, file) : -1;
}

/* Sets options.a.b.c; -EEXIST where something on the way is no object. */
static int set_option(json_t *options, const char *key, json_t *value)
{
    for (;;) {
        size_t len = strcspn(key, ".");
        json_t *child;

        if (key[len] == '\0')
            return json_object_set(options, key, value) < 0 ? -ENOMEM : 0;
        child = json_object_getn(options, key, len);
        if (!child) {
            child = json_object();
            if (json_object_setn_new(options, key, len, child) < 0)
                return -ENOMEM;
        }
        if (!json_is_object(child))
            return -EEXIST;
        options = child;
        key += len + 1;
    }
}

static int set_flag(json_t *options, const char *key, bool flag, const char *value)
{
    json_t *parsed;
    int r;

    if (!flag)
        return 0;
    parsed = json_loads(value, JSON_DECODE_ANY, NULL);
    r = parsed ? set_option(options, key, parsed) : -ENOMEM;
    json_decref(parsed);
    return r;
}

static int set_output(const struct fr_submit *submit, json_t *options)
{
    _cleanup_(fr_cleanup_json) json_t *output = json_object();
    int r = 0;

    if (!output || set_file(output, "stdout", submit->output) < 0 ||
        set_file(output, "stderr", submit->error) < 0)
        return -ENOMEM;
    if (json_object_size(output) > 0 && json_object_set(options, "output", output) < 0)
        return -ENOMEM;
    /* stderr takes over what stdout says, but for its kind of buffer; before 0.71 not even so
     * much, in Flux. */
    r = set_flag(options, "output.stdout.label", submit->label_io, "true");
    if (r == 0)
        r = set_flag(options, "output.stderr.label", submit->label_io && submit->error, "true");
    if (r == 0)
        r = set_flag(options, "output.stdout.buffer.type", submit->unbuffered, "\"none\"");
    if (r == 0)
        r = set_flag(options, "output.stderr.buffer.type", submit->unbuffered, "\"none\"");
    if (r == 0)
        r = set_flag(options, "output.batch-timeout", submit->unbuffered, "0.05");
    if (r == 0)
        r = set_flag(options, "input.batch-timeout", submit->unbuffered, "0.0");
    return r;
}

/* attributes.system.shell.options; option_flags come last and win. */
static int compose_options(const struct fr_submit *submit, json_t **ret)
{
    _cleanup_(fr_cleanup_json) json_t *options = json_object();
    const char *key;
    json_t *value;
    int r = options ? set_output(submit, options) : -ENOMEM;

    if (r == 0 && submit->rlimits && json_object_size(submit->rlimits) > 0)
        r = json_object_set(options, "rlimit", submit->rlimits) < 0 ? -ENOMEM : 0;
    json_object_foreach (submit->options, key, value) {
        if (r == 0)
            r = set_option(options, key, value);
        if (r == -EEXIST) {
            add_fault(submit, FR_CODE_INVALID, "/option_flags",
                      "The shell option %.100s goes through another one that is no object.",
                      key);
            r = 0;
        }
    }
    if (r == 0)
        *ret = fr_take(options);
    return r;
}

/* The working directory as an absolute path. */
static json_t *compose_cwd(const struct fr_submit *submit)
{
    const char *base = submit->place->cwd ? submit->place->cwd : "/";

    if (!submit->workdir)
        return json_string(base);
    if (submit->workdir[0] == '/')
        return json_string(submit->workdir);
    return json_pack("s++", base, "/", submit->workdir);
}

static int set_text(json_t *object, const char *key, const char *text)
{
    return text ? json_object_set_new(object, key, json_string(text)) : 0;
}

static int set_value(json_t *object, const char *key, json_t *value)
{
    bool empty = json_object_size(value) == 0 && json_array_size(value) == 0;

    return empty ? 0 : json_object_set(object, key, value);
}

/* With a text for standard input the program would be called sh: name it before that. */
static const char *job_name(const struct fr_submit *submit)
{
    if (submit->name || !submit->input)
        return submit->name;
    return fr_jobspec_base_name(json_string_value(json_array_get(submit->command, 0)));
}

static int set_stdin(json_t *system, const char *text)
{
    json_t *files;

    if (!text)
        return 0;
    files = json_pack("{s:{s:i, s:s, s:s}}", FR_STDIN_FILE, "mode", S_IFREG | 0600, "encoding",
                      "utf-8", "data", text);
    return files ? json_object_set_new(system, "files", files) : -1;
}

static int compose_system(const struct fr_submit *submit, json_t **ret)
{
    _cleanup_(fr_cleanup_json) json_t *options = NULL;
    _cleanup_(fr_cleanup_json) json_t *system = NULL;
    const char *name = job_name(submit);
    int r = compose_options(submit, &options);

    if (r < 0)
        return r;
    system = json_pack("{s:f, s:o, s:o, s:{s:O}}", "duration", submit->runtime, "cwd",
                       compose_cwd(submit), "environment", compose_environment(submit), "shell",
                       "options", options);
    if (!system || set_text(system, "queue", submit->queue) < 0 ||
        set_text(system, "bank", submit->bank) < 0 ||
        set_value(system, "dependencies", submit->dependencies) < 0 ||
        set_value(system, "constraints", submit->constraints) < 0 ||
        set_stdin(system, submit->input) < 0)
        return -ENOMEM;
    if (name && json_object_set_new(system, "job", json_pack("{s:s}", "name", name)) < 0)
        return -ENOMEM;
    *ret = fr_take(system);
    return 0;
}

static int compose(const struct fr_submit *submit, json_t **ret)
{
    json_t *system = NULL;
    int r = compose_system(submit, &system);

    if (r < 0)
        return r;
    *ret = json_pack("{s:[o], s:o, s:{s:o, s:O*}, s:i}", "resources", compose_resources(submit),
                     "tasks", compose_tasks(submit), "attributes", "system", system, "user",
                     submit->attributes, "version", 1);
    return *ret ? 0 : -ENOMEM;
}

/* A jobspec as given, with the environment and cwd of the place where it has none. */
static int complete(struct fr_submit *submit, json_t **ret)
{
    _cleanup_(fr_cleanup_json) json_t *spec = json_deep_copy(submit->jobspec);
    json_t *system;

    if (submit->others)
        add_fault(submit, FR_CODE_INVALID, "/jobspec",
                  "With jobspec nothing but urgency can be given: put the rest into it.");
    if (!spec)
        return -ENOMEM;
    system = json_object_get(json_object_get(spec, "attributes"), "system");
    if (json_is_object(system)) {
        if (!json_object_get(system, "environment") &&
            json_object_set_new(system, "environment", compose_environment(submit)) < 0)
            return -ENOMEM;
        if (!json_object_get(system, "cwd") &&
            json_object_set_new(system, "cwd", compose_cwd(submit)) < 0)
            return -ENOMEM;
    }
    *ret = fr_take(spec);
    return 0;
}

static bool has_faults(const struct fr_submit *submit)
{
    return submit->problems->count + submit->problems->left_out > 0;
}

static int build(struct fr_submit *submit, struct fr_jobspec **ret)
{
    struct fr_error err;
    json_t *json = NULL;
    int r;

    if (submit->jobspec) {
        r = complete(submit, &json);
    } else {
        check_shape(submit);
        r = has_faults(submit) ? -EINVAL : compose(submit, &json);
    }
    if (r < 0)
        return r;
    r = fr_jobspec_create(json, ret, &err);
    if (r == -EINVAL)
        add_fault(submit, FR_CODE_INVALID, submit->jobspec ? "/jobspec" : "", "%s", err.text);
    if (r == 0 && submit->jobspec)
        check_size(submit, (*ret)->nnodes, (*ret)->ncores, (*ret)->ngpus);
    return r;
}

int fr_jobspec_build(const json_t *fields, const struct fr_jobspec_place *place,
                     struct fr_jobspec_submit *ret, struct fr_problems *problems)
{
    struct fr_submit submit = {.place = place, .problems = problems};
    struct fr_jobspec *spec = NULL;
    int r = fr_submit_read(&submit, fields);

    if (r == 0)
        r = build(&submit, &spec);
    fr_submit_done(&submit);
    if (r == 0 && has_faults(&submit))
        r = -EINVAL;
    if (r < 0) {
        fr_jobspec_free(spec);
        return r;
    }
    ret->spec = spec;
    ret->urgency = submit.urgency;
    return 0;
}
