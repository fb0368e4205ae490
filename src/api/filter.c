// SPDX-License-Identifier: LGPL-3.0-only
#include "api/filter.h"

#include <errno.h>
#include <math.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "model/fluid.h"

#define TEXT_MAX 256
#define ID_DIGITS "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

/* As strcasestr(), for what is short: glibc's takes several times as long, most of it to begin.
 */
static bool contains(const char *text, const char *what)
{
    unsigned char first = lower(what[0]);

    if (!first)
        return text;
    for (; text && *text; text++) {
        size_t i = 0;
        if (lower(*text) != first)
            continue;
        do
            i++;
        while (what[i] && lower(text[i]) == lower(what[i]));
        if (!what[i])
            return true;
    }
    return false;
}

/*
 * Whether it can be a part of an id at all: making the two texts of each job takes longer than
 * to look through all others.
 */
static bool is_part_of_id(const char *what)
{
    if (strncmp(what, "ƒ", strlen("ƒ")) == 0)
        what += strlen("ƒ");
    return strspn(what, ID_DIGITS) == strlen(what) && strlen(what) < FR_FLUID_TEXT;
}

static bool id_contains(uint64_t id, const char *what)
{
    char f58[FR_FLUID_TEXT], decimal[24];

    if (contains(fr_fluid_f58(id, f58), what))
        return true;
    if (strspn(what, "0123456789") != strlen(what))
        return false;
    snprintf(decimal, sizeof decimal, "%llu", (unsigned long long)id);
    return contains(decimal, what);
}

bool fr_filter_contains(const struct fr_job *job, const char *what)
{
    if (!what)
        return true;
    return contains(job->name, what) || contains(job->command, what) ||
           contains(job->nodelist, what) || (is_part_of_id(what) && id_contains(job->id, what));
}

static bool passes_times(const struct fr_filter *filter, const struct fr_job *job)
{
    if (filter->since > 0 && job->state == FR_STATE_INACTIVE && job->t_inactive < filter->since)
        return false;
    return filter->until <= 0 || job->t_submit <= filter->until;
}

static int compare_ids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

bool fr_filter_has_id(const struct fr_filter *filter, uint64_t id)
{
    return !filter->ids || bsearch(&id, filter->ids, filter->nids, sizeof id, compare_ids);
}

bool fr_filter_is_open(const struct fr_filter *filter)
{
    return !filter->results && filter->userid < 0 && !filter->queue && !filter->ids &&
           !filter->name && !filter->q && filter->since <= 0 && filter->until <= 0;
}

bool fr_filter_passes(const struct fr_filter *filter, const struct fr_job *job)
{
    if (filter->results && !(filter->results & job->result))
        return false;
    if (filter->userid >= 0 && filter->userid != job->userid)
        return false;
    if (!passes_times(filter, job))
        return false;
    if (filter->queue && (!job->queue || strcmp(filter->queue, job->queue) != 0))
        return false;
    if (filter->name && !fr_text_glob(filter->name, job->name ? job->name : ""))
        return false;
    return fr_filter_contains(job, filter->q);
}

/* Reads words separated by commas into a mask. */
static void read_words(const char *pointer, const char *text, int (*parse)(const char *, int *),
                       const char *known, int *ret_mask, struct fr_problems *problems)
{
    char word[32];

    *ret_mask = 0;
    do {
        size_t len = strcspn(text, ",");
        int mask = 0;
        if (len < sizeof word) {
            memcpy(word, text, len);
            word[len] = '\0';
        }
        if (len >= sizeof word || parse(word, &mask) < 0)
            fr_problems_add(problems, FR_CODE_INVALID, pointer, "\"%.*s\" is no %s; use %s",
                            (int)(len < 64 ? len : 64), text, pointer + 1, known);
        *ret_mask |= mask;
        text += len + (text[len] == ',');
    } while (*text);
}

static void read_user(const char *text, int64_t *ret, struct fr_problems *problems)
{
    char *end;

    if (strcmp(text, "all") == 0) {
        *ret = -1;
        return;
    }
    unsigned long number = strtoul(text, &end, 10);
    if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && number < UINT32_MAX) {
        *ret = (int64_t)number;
        return;
    }
    const struct passwd *pw = strlen(text) <= TEXT_MAX ? getpwnam(text) : NULL;
    if (pw)
        *ret = pw->pw_uid;
    else
        fr_problems_add(problems, FR_CODE_INVALID, "?user",
                        "there is no user \"%.64s\" here; give a name, a number or all", text);
}

static void read_time(const char *name, const char *text, double *ret,
                      struct fr_problems *problems)
{
    char *end;
    double value = strtod(text, &end);

    if (end != text && *end == '\0' && isfinite(value) && value >= 0) {
        *ret = value;
        return;
    }
    char pointer[16];
    snprintf(pointer, sizeof pointer, "?%s", name);
    fr_problems_add(problems, FR_CODE_INVALID, pointer,
                    "%s must be seconds since the epoch, not \"%.64s\"", name, text);
}

static void sort_ids(struct fr_filter *filter)
{
    size_t kept = 0;

    qsort(filter->ids, filter->nids, sizeof *filter->ids, compare_ids);
    for (size_t i = 0; i < filter->nids; i++)
        if (i == 0 || filter->ids[i] != filter->ids[i - 1])
            filter->ids[kept++] = filter->ids[i];
    filter->nids = kept;
}

static int read_ids(const char *text, struct fr_filter *filter, struct fr_problems *problems)
{
    size_t most = 1;
    char word[40];

    for (const char *at = text; *at; at++)
        most += *at == ',';
    if (most > FR_FILTER_IDS_MAX) {
        fr_problems_add(problems, FR_CODE_INVALID, "?ids", "at most %d ids, not %zu",
                        FR_FILTER_IDS_MAX, most);
        return 0;
    }
    filter->ids = malloc(most * sizeof *filter->ids);
    if (!filter->ids)
        return -ENOMEM;
    for (; *text; text += *text == ',') {
        size_t len = strcspn(text, ",");
        if (len < sizeof word) {
            memcpy(word, text, len);
            word[len] = '\0';
        }
        if (len >= sizeof word || fr_fluid_parse(word, &filter->ids[filter->nids]) < 0)
            fr_problems_add(problems, FR_CODE_INVALID, "?ids", "\"%.*s\" is no job id",
                            (int)(len < 64 ? len : 64), text);
        else
            filter->nids++;
        text += len;
    }
    sort_ids(filter);
    return 0;
}

static const char *read_text(const char *pointer, const char *text,
                             struct fr_problems *problems)
{
    if (text && strlen(text) > TEXT_MAX)
        fr_problems_add(problems, FR_CODE_INVALID, pointer, "%s has more than %d bytes",
                        pointer + 1, TEXT_MAX);
    return text && text[0] ? text : NULL;
}

int fr_filter_read(fr_filter_get_f get, void *arg, struct fr_filter *ret,
                   struct fr_problems *problems)
{
    const char *states = get(arg, "state"), *results = get(arg, "result");
    const char *user = get(arg, "user"), *ids = get(arg, "ids");
    const char *since = get(arg, "since"), *until = get(arg, "until");

    *ret = (struct fr_filter){.states = FR_STATES_ALL, .userid = (int64_t)geteuid()};
    if (states)
        read_words(
            "?state", states, fr_state_parse,
            "depend, priority, sched, run, cleanup, inactive, pending, running or active",
            &ret->states, problems);
    if (results)
        read_words("?result", results, fr_result_parse,
                   "completed, failed, canceled or timeout", &ret->results, problems);
    ret->name = read_text("?name", get(arg, "name"), problems);
    ret->queue = read_text("?queue", get(arg, "queue"), problems);
    ret->q = read_text("?q", get(arg, "q"), problems);
    if (user)
        read_user(user, &ret->userid, problems);
    else if (ids)
        ret->userid = -1; /* who names a job means it, whoever's it is */
    if (since)
        read_time("since", since, &ret->since, problems);
    if (until)
        read_time("until", until, &ret->until, problems);
    return ids ? read_ids(ids, ret, problems) : 0;
}

void fr_filter_done(struct fr_filter *filter)
{
    free(filter->ids);
}
