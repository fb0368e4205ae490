// SPDX-License-Identifier: LGPL-3.0-only
/*
 * A jobspec (RFC 25, version 1): built from a submit request, or read from what a client or
 * an engine holds.
 *
 * The JSON is the truth; the fields beside it are what the scheduler, the job table and the
 * local shell need of it, read out once.
 */
#ifndef FR_MODEL_JOBSPEC_H
#define FR_MODEL_JOBSPEC_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "model/problems.h"

struct fr_jobspec {
    json_t *json;      /* the whole jobspec; owned */
    json_t *unwrapped; /* owned, what argv points to where stdin_text is set; else NULL */
    /* All below are read from json. Texts are borrowed from it; NULL if absent. */
    const json_t *argv;        /* tasks[0].command, an array of strings (see stdin_text) */
    const json_t *environment; /* attributes.system.environment, an object, or NULL */
    const json_t *shell;       /* attributes.system.shell.options, an object, or NULL */
    /*
     * A text for every task's standard input, or NULL. In the JSON it is a file of the job
     * (RFC 37) that a small sh command redirects from, as Flux has no other way to say it;
     * argv is the command without that.
     */
    const char *stdin_text;
    const char *cwd;
    const char *name; /* attributes.system.job.name; else the base name of argv[0] */
    const char *queue;
    const char *bank;
    const char *project;
    int nnodes;         /* nodes asked for; 0 if not said */
    int nslots;         /* slots in all, at least 1 */
    int ntasks;         /* tasks in all, at least 1; see tasks_per_node */
    int ncores;         /* cores asked for in all: slots times cores of one */
    int ngpus;          /* GPUs asked for in all */
    int cores_per_task; /* cores of one slot, which is one task's; at least 1 */
    int gpus_per_task;  /* GPUs of one slot; 0 if none */
    /*
     * The shell option per-resource asks for so many tasks on each node (core) of R: not 0
     * when R alone tells how many that is. ntasks is then what one node would make of it.
     */
    int tasks_per_node;
    int tasks_per_core;
    bool exclusive;  /* whole nodes: ncores is then the least, R tells */
    double duration; /* time limit in seconds; 0 is unlimited */
};

/*
 * Takes one reference to json (stolen, on failure too; NULL is a fault like any other) and
 * reads it. 0; -EINVAL with err when it is not a jobspec of version 1 that can be understood;
 * -ENOMEM.
 */
int fr_jobspec_create(json_t *json, struct fr_jobspec **ret, struct fr_error *err);

/* NULL is allowed. */
void fr_jobspec_free(struct fr_jobspec *spec);

/* argv joined with spaces, as a person would read it; the caller frees it. NULL: no memory. */
char *fr_jobspec_command(const struct fr_jobspec *spec);

/*
 * What the builder must know of the place that the job would run in.
 */
struct fr_jobspec_place {
    int nodes;            /* nodes of the instance; this and cores: 0 if not known */
    int cores;            /* cores in all */
    int gpus;             /* GPUs in all; 0: gpus_per_task is refused */
    const char *cwd;      /* working directory if the request names none; borrowed */
    char *const *environ; /* environment a job starts from, NULL-terminated; borrowed */
};

/* What a submit request asks for beside the jobspec. */
struct fr_jobspec_submit {
    struct fr_jobspec *spec; /* owned by whoever got it */
    int urgency;             /* 0–31, 16 if not given */
};

/*
 * Builds a jobspec out of the fields of a submit request (api.md, "Submit fields"): a JSON
 * object whose members came from a JSON body, a form or a query. Values from a form or a query
 * are all strings: numbers, booleans, "k=v,k=v" and objects as JSON text are read from them
 * too. null and "" count as not given (but for stdin, which may be empty).
 *
 * A whole RFC 25 `jobspec` is taken as it is, but for a missing environment or cwd, which are
 * filled in; nothing but urgency goes with it.
 *
 * Every fault is added to problems, with the field's JSON pointer and a text that names the
 * value and the remedy; texts that older clients compare are theirs to the letter. Unknown
 * members are faults too (FR_CODE_UNKNOWN_FIELD), with the nearest known name.
 * 0; -EINVAL when problems has any; -ENOMEM.
 */
int fr_jobspec_build(const json_t *fields, const struct fr_jobspec_place *place,
                     struct fr_jobspec_submit *ret, struct fr_problems *problems);

/*
 * Splits a command line into words as a POSIX shell does: blanks, single and double quotes,
 * backslash; no expansion, no operators, no comments. 0 with a new array of strings; -EINVAL
 * with err for an unclosed quote or a trailing backslash; -ENOMEM.
 */
int fr_shell_split(const char *text, json_t **ret_words, struct fr_error *err);

/*
 * Reads an RFC 23 duration: a number of seconds, or with a suffix ms, s, m, h or d. "infinity"
 * is 0 (no limit). 0; -EINVAL (syntax, negative, NaN).
 */
int fr_fsd_parse(const char *text, double *ret_seconds);

#endif
