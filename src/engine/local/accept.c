// SPDX-License-Identifier: LGPL-3.0-only
/*
 * What of a jobspec the local engine can do. It lists what is accepted: whatever it does not
 * know would be passed over in silence, and so is refused by its name.
 */
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "engine/local/local.h"

/* Members of one object that are accepted, and what to say to some of those that are not. */
struct members {
    const char *where; /* path in the jobspec, with its dot */
    const char *const *known;
    const struct {
        const char *name;
        const char *remedy;
    } * refused; /* ends with a NULL name */
};

#define PATH_TEXT 256 /* of a member's path in a message */
#define KNOWN(...) ((const char *const[]){__VA_ARGS__, NULL})

static const struct members top = {"", KNOWN("version", "resources", "tasks", "attributes")};
static const struct members attributes = {"attributes.", KNOWN("system", "user")};
static const struct members job_info = {"attributes.system.job.", KNOWN("name")};
static const struct members shell = {"attributes.system.shell.", KNOWN("options")};
static const struct members task = {"tasks.", KNOWN("command", "slot", "count")};
static const struct members vertex = {"resources.",
                                      KNOWN("type", "count", "with", "label", "exclusive")};

static const struct members system_members = {
    "attributes.system.",
    KNOWN("duration", "cwd", "environment", "shell", "job", "files", "dependencies"),
    .refused =
        (const __typeof__ (*system_members.refused)[]){
            {"queue", "it has one queue without a name: leave queue out"},
            {"bank", "nothing is accounted here: leave bank out"},
            {"project", "nothing is accounted here: leave project out"},
            {"constraints", "there is but one node: leave constraints out"},
            {0}},
};

/*
 * Shell options are open to names that nobody knows, as with Flux, where a plugin may know
 * them. Of those that Flux itself knows, these are not done here.
 */
static const struct members option_members = {
    "attributes.system.shell.options.",
    NULL,
    .refused =
        (const __typeof__ (*option_members.refused)[]){
            {"cpu-affinity", "each job is bound to its cores: leave it out"},
            {"gpu-affinity", "each job sees its own GPUs: leave it out"},
            {"exit-on-error", "end the other tasks inside the command"},
            {"exit-timeout", "end the other tasks inside the command"},
            {"hwloc", "leave it out"},
            {"initrc", "leave it out"},
            {"mpi", "it starts no MPI job: run mpirun inside a job of one task"},
            {"nosetpgrp", "leave it out"},
            {"pmi", "it starts no MPI job: run mpirun inside a job of one task"},
            {"pty", "run the command under script(1)"},
            {"signal", "let the command set a timer of its own"},
            {"stage-in", "copy the files inside the command"},
            {"stop-tasks-in-exec", "leave it out"},
            {"taskmap", "leave it out"},
            {"userrc", "leave it out"},
            {0}},
};

static int refuse(struct fr_error *err, const char *where, const char *name, const char *remedy)
{
    return fr_error_set(err, ENOSYS, FR_CODE_UNSUPPORTED,
                        "The local engine does not do %s (%s%.100s): %s.", name, where, name,
                        remedy);
}

static bool is_known(const struct members *members, const char *name)
{
    for (const char *const *known = members->known; *known; known++) {
        if (strcmp(*known, name) == 0)
            return true;
    }
    return false;
}

/* Nulls count as not given. */
static int members_check(const struct members *members, const json_t *object,
                         struct fr_error *err)
{
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)object, name, value) {
        if (json_is_null(value))
            continue;
        for (size_t i = 0; members->refused && members->refused[i].name; i++) {
            if (strcmp(members->refused[i].name, name) == 0)
                return refuse(err, members->where, name, members->refused[i].remedy);
        }
        if (members->known && !is_known(members, name))
            return refuse(err, members->where, name, "leave it out");
    }
    return 0;
}

static int resources_check(const json_t *level, struct fr_error *err)
{
    static const char *const types[] = {"node", "slot", "core", "gpu"};
    const json_t *entry;
    size_t i;
    int rc = 0;

    json_array_foreach (level, i, entry) {
        const char *type = json_string_value(json_object_get(entry, "type"));
        bool known = false;

        for (size_t k = 0; type && k < FR_ARRAY_SIZE(types); k++)
            known |= strcmp(types[k], type) == 0;
        if (!known)
            return refuse(err, "resources.type: ", type ? type : "",
                          "ask for node, slot, core and gpu alone");
        rc = members_check(&vertex, entry, err);
        if (rc == 0)
            rc = resources_check(json_object_get(entry, "with"), err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int tasks_check(const json_t *tasks, struct fr_error *err)
{
    const json_t *count = json_object_get(json_array_get(tasks, 0), "count");
    const json_t *per_slot = json_object_get(count, "per_slot");

    if (json_array_size(tasks) != 1)
        return fr_error_set(err, ENOSYS, FR_CODE_UNSUPPORTED,
                            "The local engine runs one kind of task in a job, and tasks has "
                            "%zu: submit a job for each.",
                            json_array_size(tasks));
    if (per_slot && json_integer_value(per_slot) != 1)
        return fr_error_set(err, ENOSYS, FR_CODE_UNSUPPORTED,
                            "tasks.count.per_slot must be 1, not %lld: ask for more slots.",
                            (long long)json_integer_value(per_slot));
    return members_check(&task, json_array_get(tasks, 0), err);
}

static int system_check(const struct fr_jobspec *spec, const json_t *system,
                        struct fr_error *err)
{
    const json_t *files = json_object_get(system, "files");
    int rc;

    /* Files are taken only as what a text for stdin is. */
    if (json_object_size(files) > (spec->stdin_text ? 1 : 0))
        return refuse(err, system_members.where, "files",
                      "have the files there before, or let the command write them");
    rc = members_check(&system_members, system, err);
    if (rc == 0)
        rc = members_check(&job_info, json_object_get(system, "job"), err);
    if (rc == 0)
        rc = members_check(&shell, json_object_get(system, "shell"), err);
    if (rc == 0)
        rc = members_check(&option_members, spec->shell, err);
    return rc;
}

/*
 * JSON can say U+0000, but no program can be given it, and what is stored is read as texts.
 * path of `used` characters names the value, and is written to behind that.
 */
static int nul_check(const json_t *value, char *path, size_t used, struct fr_error *err)
{
    const char *name;
    json_t *child;
    size_t i;
    int rc = 0;

    if (json_is_string(value) && strlen(json_string_value(value)) != json_string_length(value))
        return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                            "The jobspec's %s holds a NUL character (U+0000): leave that out.",
                            path);
    json_array_foreach ((json_t *)(uintptr_t)value, i, child) {
        int n = snprintf(path + used, PATH_TEXT - used, "[%zu]", i);

        rc =
            nul_check(child, path, used + (size_t)n < PATH_TEXT ? used + (size_t)n : used, err);
        if (rc < 0)
            return rc;
    }
    json_object_foreach ((json_t *)(uintptr_t)value, name, child) {
        int n = snprintf(path + used, PATH_TEXT - used, "%s%s", used ? "." : "", name);

        rc =
            nul_check(child, path, used + (size_t)n < PATH_TEXT ? used + (size_t)n : used, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int fr_local_accept(const struct fr_jobspec *spec, struct fr_error *err)
{
    const json_t *attrs = json_object_get(spec->json, "attributes");
    char path[PATH_TEXT] = "";
    int rc = members_check(&top, spec->json, err);

    if (rc == 0)
        rc = nul_check(spec->json, path, 0, err);
    if (rc == 0)
        rc = members_check(&attributes, attrs, err);
    if (rc == 0)
        rc = resources_check(json_object_get(spec->json, "resources"), err);
    if (rc == 0)
        rc = tasks_check(json_object_get(spec->json, "tasks"), err);
    if (rc == 0)
        rc = system_check(spec, json_object_get(attrs, "system"), err);
    return rc;
}
