// SPDX-License-Identifier: LGPL-3.0-only
#include "api/filter.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "model/fluid.h"

#define NAME_PATTERN_MAX 256
#define IDS_MAX 1000

/* Calls each for every word between commas, up to its first refusal; false then. */
static bool each_word(const char *text, bool (*each)(void *arg, const char *word), void *arg)
{
    char word[64];

    for (;;) {
        size_t len = strcspn(text, ",");
        size_t n = len < sizeof word ? len : sizeof word - 1;
        memcpy(word, text, n);
        word[n] = '\0';
        if (!each(arg, word))
            return false;
        if (text[len] == '\0')
            return true;
        text += len + 1;
    }
}

/* --- states and results --- */

struct words {
    const char *pointer, *known;
    int (*parse)(const char *text, int *ret_mask);
    int mask;
    struct fr_problems *problems;
};

static bool add_word(void *arg, const char *word)
{
    struct words *words = arg;
    int mask = 0;

    if (words->parse(word, &mask) < 0)
        fr_problems_add(words->problems, FR_CODE_INVALID, words->pointer,
                        "\"%s\" is no %s; use %s", word, words->pointer + 1, words->known);
    words->mask |= mask;
    return true;
}

static void read_masks(const struct fr_req *req, struct fr_filter *filter,
                       struct fr_problems *problems)
{
    const char *states = fr_req_query(req, "state"), *results = fr_req_query(req, "result");
    struct words state = {"?state",
                          "depend, priority, sched, run, cleanup, inactive, pending, running "
                          "or active",
                          fr_state_parse, 0, problems};
    struct words result = {"?result", "completed, failed, canceled or timeout", fr_result_parse,
                           0, problems};

    if (states)
        (void)each_word(states, add_word, &state);
    if (results)
        (void)each_word(results, add_word, &result);
    filter->states = states ? state.mask : FR_STATES_ALL;
    filter->results = result.mask;
}

/* --- ids --- */

struct ids {
    struct fr_filter *filter;
    struct fr_problems *problems;
};

static bool add_id(void *arg, const char *word)
{
    struct ids *ids = arg;
    struct fr_filter *filter = ids->filter;

    if (filter->nids == IDS_MAX) {
        fr_problems_add(ids->problems, FR_CODE_INVALID, "?ids",
                        "these are more than %d ids; ask for fewer at a time", IDS_MAX);
        return false;
    }
    if (fr_fluid_parse(word, &filter->ids[filter->nids]) < 0) {
        fr_problems_add(ids->problems, FR_CODE_INVALID, "?ids",
                        "\"%s\" is no job id; give ids as the list does, with commas between",
                        word);
        return false;
    }
    filter->nids++;
    return true;
}

static int compare_ids(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return left < right ? -1 : left > right;
}

static int read_ids(const char *text, struct fr_filter *filter, struct fr_problems *problems)
{
    struct ids ids = {filter, problems};

    filter->ids = calloc(IDS_MAX, sizeof *filter->ids);
    if (!filter->ids)
        return -ENOMEM;
    if (each_word(text, add_id, &ids))
        qsort(filter->ids, filter->nids, sizeof *filter->ids, compare_ids);
    uint64_t *fitting = realloc(filter->ids, (filter->nids + 1) * sizeof *filter->ids);
    if (fitting)
        filter->ids = fitting;
    return 0;
}

/* --- the rest --- */

static void read_user(const char *text, struct fr_filter *filter, struct fr_problems *problems)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);

    if (strcmp(text, "all") == 0)
        return;
    if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && number < UINT32_MAX) {
        filter->userid = (int64_t)number;
        return;
    }
    const struct passwd *pw = getpwnam(text);
    if (pw)
        filter->userid = pw->pw_uid;
    else
        fr_problems_add(problems, FR_CODE_INVALID, "?user",
                        "there is no user \"%.64s\" on this machine; give a name, a number, or "
                        "all",
                        text);
}

int fr_filter_read(const struct fr_req *req, struct fr_filter *ret,
                   struct fr_problems *problems)
{
    const char *name = fr_req_query(req, "name"), *queue = fr_req_query(req, "queue");
    const char *user = fr_req_query(req, "user"), *ids = fr_req_query(req, "ids");

    *ret = (struct fr_filter){.userid = -1};
    read_masks(req, ret, problems);
    if (name && strlen(name) > NAME_PATTERN_MAX)
        fr_problems_add(problems, FR_CODE_INVALID, "?name",
                        "the pattern has more than %d bytes", NAME_PATTERN_MAX);
    if (user)
        read_user(user, ret, problems);
    ret->name = name ? strdup(name) : NULL;
    ret->queue = queue ? strdup(queue) : NULL;
    if ((name && !ret->name) || (queue && !ret->queue))
        return -ENOMEM;
    return ids ? read_ids(ids, ret, problems) : 0;
}

void fr_filter_done(struct fr_filter *filter)
{
    free(filter->name);
    free(filter->queue);
    free(filter->ids);
    *filter = (struct fr_filter){.userid = -1};
}

bool fr_filter_has_id(const struct fr_filter *filter, uint64_t id)
{
    return !filter->ids || bsearch(&id, filter->ids, filter->nids, sizeof id, compare_ids);
}

bool fr_filter_passes(const struct fr_filter *filter, const struct fr_job *job)
{
    if (filter->results && !(filter->results & job->result))
        return false;
    if (filter->userid >= 0 && filter->userid != job->userid)
        return false;
    if (filter->queue && (!job->queue || strcmp(filter->queue, job->queue) != 0))
        return false;
    return fr_filter_has_id(filter, job->id) &&
           (!filter->name || fr_text_glob(filter->name, job->name ? job->name : ""));
}

bool fr_filter_is_open(const struct fr_filter *filter)
{
    return !filter->results && filter->userid < 0 && !filter->queue && !filter->ids &&
           !filter->name;
}
