// SPDX-License-Identifier: LGPL-3.0-only
#include "shell/shell.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int file_read(int fd, char *text, size_t size)
{
    size_t used = 0;

    while (used < size) {
        ssize_t n = read(fd, text + used, size - used);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return -EPROTO;
        used += (size_t)n;
    }
    return 0;
}

/* The whole file with a NUL behind it. */
static int file_load(int dir, char **ret_text, size_t *ret_len)
{
    int fd = openat(dir, FR_FOLDER_JOB, O_RDONLY | O_CLOEXEC);
    struct stat st;
    char *text = NULL;
    int rc;

    if (fd < 0)
        return -errno;
    rc = fstat(fd, &st) < 0 ? -errno : 0;
    if (rc == 0 && !(text = calloc(1, (size_t)st.st_size + 1)))
        rc = -ENOMEM;
    if (rc == 0)
        rc = file_read(fd, text, (size_t)st.st_size);
    (void)close(fd);
    if (rc < 0) {
        free(text);
        return rc;
    }
    *ret_text = text;
    *ret_len = (size_t)st.st_size;
    return 0;
}

/* Room for every word and variable there can be. */
static int lists_alloc(struct description *job, const char *end)
{
    size_t nargs = 0;
    size_t nenv = 0;
    size_t nlimits = 0;

    for (const char *p = job->text; p < end; p += strlen(p) + 1) {
        nargs += *p == FR_TAG_ARG;
        nenv += *p == FR_TAG_ENV;
        nlimits += *p == FR_TAG_RLIMIT;
    }
    job->argv = calloc(nargs + 1, sizeof(*job->argv));
    job->env = calloc(nenv + ENV_SPARE + 1, sizeof(*job->env));
    job->rlimits = calloc(nlimits + 1, sizeof(*job->rlimits));
    return job->argv && job->env && job->rlimits ? 0 : -ENOMEM;
}

static void number_take(struct description *job, char tag, const char *value)
{
    switch (tag) {
    case FR_TAG_NTASKS:
        job->ntasks = (unsigned int)strtoul(value, NULL, 10);
        break;
    case FR_TAG_LIMIT:
        job->limit = strtod(value, NULL);
        break;
    case FR_TAG_OUTPUT_MAX:
        job->output_max = strtoull(value, NULL, 10);
        break;
    case FR_TAG_UMASK:
        job->umask = (mode_t)strtoul(value, NULL, 8);
        break;
    case FR_TAG_NOFILE:
        job->nofile = strtoull(value, NULL, 10);
        break;
    default:
        break;
    }
}

static void record_take(struct description *job, char tag, char *value, size_t *nargs)
{
    switch (tag) {
    case FR_TAG_JOBID:
        job->jobid = value;
        break;
    case FR_TAG_CWD:
        job->cwd = value;
        break;
    case FR_TAG_TMPDIR:
        job->tmpdir = value;
        break;
    case FR_TAG_STDIN:
        job->input = value;
        break;
    case FR_TAG_STDOUT:
        job->file[1] = value;
        break;
    case FR_TAG_STDERR:
        job->file[2] = value;
        break;
    case FR_TAG_FILES:
        job->how = value;
        break;
    case FR_TAG_RLIMIT:
        job->rlimits[job->nrlimits++] = value;
        break;
    case FR_TAG_CPUS:
        job->cpus = value;
        break;
    case FR_TAG_ARG:
        job->argv[(*nargs)++] = value;
        break;
    case FR_TAG_ENV:
        job->env[job->nenv++] = value;
        break;
    default:
        number_take(job, tag, value);
    }
}

int description_read(int dir, struct description *job)
{
    size_t nargs = 0;
    size_t len = 0;
    char last = 0;
    int rc = file_load(dir, &job->text, &len);

    if (rc == 0)
        rc = lists_alloc(job, job->text + len);
    if (rc < 0)
        return rc;
    if (job->text[0] != FR_TAG_VERSION || strtol(job->text + 1, NULL, 10) != FR_FOLDER_VERSION)
        return -EPROTO;
    job->umask = 022;
    job->how = "";
    for (char *p = job->text; p < job->text + len; p += strlen(p) + 1) {
        last = *p;
        if (last)
            record_take(job, last, p + 1, &nargs);
    }
    return last == FR_TAG_END && nargs > 0 && job->ntasks > 0 && job->jobid ? 0 : -EPROTO;
}
