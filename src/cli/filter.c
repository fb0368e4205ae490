// SPDX-License-Identifier: LGPL-3.0-only
#include "cli/filter.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/util.h"

/* Words of --filter; the server knows "canceled", and people write "cancelled" too. */
static const struct {
    const char *word, *sent;
    bool is_result;
} words[] = {
    {"depend", "depend", false},     {"priority", "priority", false},
    {"sched", "sched", false},       {"run", "run", false},
    {"cleanup", "cleanup", false},   {"inactive", "inactive", false},
    {"pending", "pending", false},   {"running", "running", false},
    {"active", "active", false},     {"completed", "completed", true},
    {"failed", "failed", true},      {"canceled", "canceled", true},
    {"cancelled", "canceled", true}, {"timeout", "timeout", true},
};

static void append(char *list, size_t size, const char *word)
{
    size_t used = strlen(list);

    snprintf(list + used, size - used, "%s%s", used ? "," : "", word);
}

static bool add_word(struct fr_filter *filter, const char *word, size_t len)
{
    for (size_t i = 0; i < FR_ARRAY_SIZE(words); i++) {
        if (strlen(words[i].word) != len || strncasecmp(words[i].word, word, len) != 0)
            continue;
        if (words[i].is_result && !strstr(filter->results, words[i].sent))
            append(filter->results, sizeof filter->results, words[i].sent);
        else if (!words[i].is_result && strlen(filter->states) < 200)
            append(filter->states, sizeof filter->states, words[i].sent);
        return true;
    }
    return false;
}

int fr_filter_read(const struct fr_args *args, struct fr_filter *ret)
{
    const char *text = fr_args_text(args, "filter");

    *ret = (struct fr_filter){.states = ""};
    while (text && *text) {
        size_t len = strcspn(text, ",");
        if (len > 0 && !add_word(ret, text, len)) {
            fr_say("--filter: '%.*s' is neither a state nor a result; 'flux-rest %s --help' "
                   "lists them",
                   len < 40 ? (int)len : 40, text, args->command->name);
            return FR_EXIT_USAGE;
        }
        text += len + (text[len] == ',');
    }
    if (*ret->states && *ret->results) {
        fr_say("--filter: give states (%s) or results (%s), not both: a job that has a result "
               "is inactive",
               ret->states, ret->results);
        return FR_EXIT_USAGE;
    }
    return FR_EXIT_OK;
}

void fr_filter_put(struct fr_buf *path, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    fr_buf_printf(path, "%c%s=", path->data && strchr(path->data, '?') ? '&' : '?', name);
    fr_client_put_escaped(path, value);
}

void fr_filter_put_all(struct fr_buf *path, const struct fr_args *args,
                       const struct fr_filter *filter, const char *states)
{
    bool any = *filter->states || *filter->results;

    fr_filter_put(path, "state", any ? filter->states : states);
    fr_filter_put(path, "result", filter->results);
    fr_filter_put(path, "name", fr_args_text(args, "name"));
    fr_filter_put(path, "queue", fr_args_text(args, "queue"));
    fr_filter_put(path, "user", fr_args_text(args, "user"));
}
