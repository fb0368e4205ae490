// SPDX-License-Identifier: LGPL-3.0-only
/*
 * A submit request on its way from fields to a jobspec. Between jobspec_fields.c, which reads
 * the fields, and jobspec_build.c, which checks them against each other and composes; nobody
 * else includes this.
 */
#ifndef FR_MODEL_SUBMIT_H
#define FR_MODEL_SUBMIT_H

#include "model/jobspec.h"

/* What a count may be: more than any machine has, and far from any overflow. */
#define FR_SUBMIT_COUNT_MAX (1 << 20)
/* Room for a JSON pointer to a field or a member of one. */
#define FR_SUBMIT_POINTER 300

/* Counts are 0 and texts NULL where not given. Objects are owned, texts are the fields'. */
struct fr_submit {
    const struct fr_jobspec_place *place;
    struct fr_problems *problems;
    json_t *command; /* words */
    json_t *jobspec;
    json_t *envars; /* values are strings, or null to take one away */
    json_t *options;
    json_t *rlimits;
    json_t *dependencies; /* as in attributes.system */
    json_t *constraints;  /* as in attributes.system */
    json_t *attributes;
    const char *name, *queue, *bank;
    const char *workdir, *output, *error, *input;
    int num_tasks, num_nodes, cores_per_task, gpus_per_task;
    int urgency;
    double runtime;
    bool exclusive, is_launcher, label_io, unbuffered;
    bool bad_command; /* a command was given, but with a fault */
    bool others;      /* a field was given that does not go with `jobspec` */
};

/*
 * Reads every member of fields; faults go to submit->problems. 0 or -ENOMEM. The caller frees
 * with fr_submit_done(), also on failure.
 */
int fr_submit_read(struct fr_submit *submit, const json_t *fields);
void fr_submit_done(struct fr_submit *submit);

/* As fr_submit_read for the fields that have an inner structure (jobspec_members.c). */
struct fr_submit_field {
    const char *name;
    const char *pointer;
    const json_t *value; /* never null or "" */
    size_t offset;       /* where in struct fr_submit it goes */
    size_t max;          /* most bytes of a text */
};
int fr_submit_take_command(struct fr_submit *submit, const struct fr_submit_field *field);
int fr_submit_take_envars(struct fr_submit *submit, const struct fr_submit_field *field);
int fr_submit_take_options(struct fr_submit *submit, const struct fr_submit_field *field);
int fr_submit_take_rlimits(struct fr_submit *submit, const struct fr_submit_field *field);
int fr_submit_take_dependencies(struct fr_submit *submit, const struct fr_submit_field *field);
int fr_submit_take_constraints(struct fr_submit *submit, const struct fr_submit_field *field);

/* Whether the value is a text without NUL of at most max bytes; else adds the fault. */
bool fr_submit_is_text(struct fr_submit *submit, const char *name, const char *pointer,
                       const json_t *value, size_t max);

/*
 * A new object out of an object, a text that holds one in JSON, or "k=v,k=v", where a key
 * without a value gets `bare` (NULL: is a fault). NULL in *ret with the fault `text` added if
 * it is none of these. 0 or -ENOMEM.
 */
int fr_submit_object(struct fr_submit *submit, const struct fr_submit_field *field,
                     const char *bare, const char *text, json_t **ret);

/* pointer/key, escaped as RFC 6901 says and cut to FR_SUBMIT_POINTER. Returns buf. */
const char *fr_submit_pointer(const char *pointer, const char *key, char *buf);

/* The value for the text of a fault: cut to fit, a list only as "a list". Returns buf. */
#define FR_SUBMIT_SHOWN 96
const char *fr_submit_show(const json_t *value, char *buf);

/* What follows the last slash, or the whole if that is nothing. In jobspec.c. */
const char *fr_jobspec_base_name(const char *path);

/*
 * The words before a command whose standard input comes from the job's file of this name:
 * /bin/sh, -c, the script, and the script's name.
 */
#define FR_STDIN_WORDS 4
#define FR_STDIN_FILE "stdin"
extern const char *const fr_stdin_words[FR_STDIN_WORDS];

#endif
