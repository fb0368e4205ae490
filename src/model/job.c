// SPDX-License-Identifier: LGPL-3.0-only
#include "model/job.h"

#include <string.h>
#include <sys/wait.h>

#include "base/util.h"

struct word {
    const char *text;
    int mask;
};

static const struct word state_words[] = {
    {"NEW", FR_STATE_NEW},           {"DEPEND", FR_STATE_DEPEND},
    {"PRIORITY", FR_STATE_PRIORITY}, {"SCHED", FR_STATE_SCHED},
    {"RUN", FR_STATE_RUN},           {"CLEANUP", FR_STATE_CLEANUP},
    {"INACTIVE", FR_STATE_INACTIVE}, {"PENDING", FR_STATES_PENDING},
    {"RUNNING", FR_STATES_RUNNING},  {"ACTIVE", FR_STATES_ACTIVE},
};

static const struct word result_words[] = {
    {"COMPLETED", FR_RESULT_COMPLETED}, {"FAILED", FR_RESULT_FAILED},
    {"CANCELED", FR_RESULT_CANCELED},   {"TIMEOUT", FR_RESULT_TIMEOUT},
    {"CANCELLED", FR_RESULT_CANCELED},
};

static const char *word_of(const struct word *words, size_t count, int mask)
{
    for (size_t i = 0; i < count; i++) {
        if (words[i].mask == mask)
            return words[i].text;
    }
    return "";
}

static int mask_of(const struct word *words, size_t count, const char *text, int *ret)
{
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(words[i].text, text) == 0) {
            *ret = words[i].mask;
            return 0;
        }
    }
    return -EINVAL;
}

const char *fr_state_word(enum fr_state state)
{
    return word_of(state_words, FR_ARRAY_SIZE(state_words), (int)state);
}

const char *fr_result_word(enum fr_result result)
{
    return word_of(result_words, FR_ARRAY_SIZE(result_words), (int)result);
}

int fr_state_parse(const char *text, int *ret_mask)
{
    return mask_of(state_words, FR_ARRAY_SIZE(state_words), text, ret_mask);
}

int fr_result_parse(const char *text, int *ret_mask)
{
    return mask_of(result_words, FR_ARRAY_SIZE(result_words), text, ret_mask);
}

struct fr_job *fr_job_create(uint64_t id)
{
    struct fr_job *job = calloc(1, sizeof(*job));

    if (!job)
        return NULL;
    job->id = id;
    job->userid = -1;
    job->priority = -1;
    job->urgency = -1;
    job->waitstatus = -1;
    job->exception_severity = -1;
    job->state = FR_STATE_NEW;
    return job;
}

void fr_job_free(struct fr_job *job)
{
    if (!job)
        return;
    free(job->name);
    free(job->command);
    free(job->cwd);
    free(job->queue);
    free(job->bank);
    free(job->project);
    free(job->ranks);
    free(job->nodelist);
    free(job->exception_type);
    free(job->exception_note);
    free(job->annotations);
    free(job->dependencies);
    free(job);
}

int fr_job_returncode(const struct fr_job *job)
{
    if (job->waitstatus >= 0) {
        if (WIFSIGNALED(job->waitstatus))
            return -WTERMSIG(job->waitstatus);
        if (WIFEXITED(job->waitstatus))
            return WEXITSTATUS(job->waitstatus);
    } else if (job->result == FR_RESULT_CANCELED) {
        return -128;
    } else if (job->result == FR_RESULT_FAILED) {
        return 1;
    }
    return FR_JOB_NO_RETURNCODE;
}

double fr_job_runtime(const struct fr_job *job, double now)
{
    double end = job->t_cleanup > 0 ? job->t_cleanup : now;

    if (job->t_run <= 0 || end < job->t_run)
        return 0;
    return end - job->t_run;
}
