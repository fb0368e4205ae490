// SPDX-License-Identifier: LGPL-3.0-only
/* One value: from its text to its member. */
#include "base/settings_table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/settings.h"
#include "base/util.h"

static int refuse(const struct fr_setting *row, const char *text, const char *where,
                  const char *wanted, struct fr_error *err)
{
    if (row->secret)
        return fr_error_set(err, EINVAL, FR_CODE_INVALID, "%s: %s is needed.", where, wanted);
    return fr_error_set(err, EINVAL, FR_CODE_INVALID, "%s: '%.80s' is not taken; %s is needed.",
                        where, text, wanted);
}

static int assign_string(char **member, const struct fr_setting *row, const char *text,
                         const char *where, struct fr_error *err)
{
    if (!*text)
        return refuse(row, text, where, "a text that is not empty", err);
    char *copy = strdup(text);
    if (!copy)
        return fr_error_set(err, ENOMEM, FR_CODE_INTERNAL, "Out of memory.");
    if (*member && row->secret)
        explicit_bzero(*member, strlen(*member));
    free(*member);
    *member = copy;
    return 0;
}

static int assign_item(char ***member, const struct fr_setting *row, const char *text,
                       const char *where, struct fr_error *err)
{
    size_t n = 0;

    if (!*text)
        return refuse(row, text, where, "a text that is not empty", err);
    while (*member && (*member)[n])
        n++;
    char **grown = realloc(*member, (n + 2) * sizeof *grown);
    if (!grown)
        return fr_error_set(err, ENOMEM, FR_CODE_INTERNAL, "Out of memory.");
    *member = grown;
    grown[n + 1] = NULL;
    grown[n] = strdup(text);
    if (!grown[n])
        return fr_error_set(err, ENOMEM, FR_CODE_INTERNAL, "Out of memory.");
    return 0;
}

static int assign_bool(bool *member, const struct fr_setting *row, const char *text,
                       const char *where, struct fr_error *err)
{
    static const char *const yes[] = {"true", "1", "yes", "on"};
    static const char *const no[] = {"", "false", "0", "no", "off"};

    for (size_t i = 0; i < FR_ARRAY_SIZE(yes); i++) {
        if (strcasecmp(text, yes[i]) == 0) {
            *member = true;
            return 0;
        }
    }
    for (size_t i = 0; i < FR_ARRAY_SIZE(no); i++) {
        if (strcasecmp(text, no[i]) == 0) {
            *member = false;
            return 0;
        }
    }
    return refuse(row, text, where, "true (1, yes, on) or false (0, no, off)", err);
}

/* The power of two that a suffix stands for, -1 if it is none. */
static int suffix_shift(char suffix)
{
    switch (suffix) {
    case 'k':
    case 'K':
        return 10;
    case 'm':
    case 'M':
        return 20;
    case 'g':
    case 'G':
        return 30;
    default:
        return -1;
    }
}

/* Digits, and a suffix where sizes are meant: no sign, no blanks, no overflow. */
static bool parse_number(const char *text, bool suffixes, uint64_t *ret)
{
    uint64_t value = 0;

    if (*text < '0' || *text > '9')
        return false;
    for (; *text >= '0' && *text <= '9'; text++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
            return false;
    }
    if (suffixes && *text) {
        int shift = suffix_shift(*text++);
        if (shift < 0 || __builtin_mul_overflow(value, 1ULL << shift, &value))
            return false;
    }
    if (*text)
        return false;
    *ret = value;
    return true;
}

static int assign_number(void *member, const struct fr_setting *row, const char *text,
                         const char *where, struct fr_error *err)
{
    bool size = row->type == FR_SETTING_SIZE;
    uint64_t value;

    if (!parse_number(text, size, &value) || value < row->min || value > row->max) {
        char wanted[120];
        snprintf(wanted, sizeof wanted, "a %s from %" PRIu64 " to %" PRIu64 "%s",
                 size ? "size" : "number", row->min, row->max,
                 size ? " (bytes, or with K, M or G)" : "");
        return refuse(row, text, where, wanted, err);
    }
    if (size)
        *(uint64_t *)member = value;
    else
        *(unsigned int *)member = (unsigned int)value;
    return 0;
}

static int assign_choice(int *member, const struct fr_setting *row, const char *text,
                         const char *where, struct fr_error *err)
{
    char wanted[120] = "one of";

    for (const struct fr_setting_choice *choice = row->choices; choice->word; choice++) {
        if (strcmp(choice->word, text) == 0) {
            *member = choice->value;
            return 0;
        }
        size_t len = strlen(wanted);
        snprintf(wanted + len, sizeof wanted - len, "%s %s", choice == row->choices ? "" : ",",
                 choice->word);
    }
    return refuse(row, text, where, wanted, err);
}

int fr_settings_assign(struct fr_settings *settings, const struct fr_setting *row,
                       const char *text, const char *where, struct fr_error *err)
{
    void *member = (char *)settings + row->offset;

    switch (row->type) {
    case FR_SETTING_STRING:
        return assign_string(member, row, text, where, err);
    case FR_SETTING_LIST:
        return assign_item(member, row, text, where, err);
    case FR_SETTING_BOOL:
        return assign_bool(member, row, text, where, err);
    case FR_SETTING_UINT:
    case FR_SETTING_SIZE:
        return assign_number(member, row, text, where, err);
    case FR_SETTING_CHOICE:
        return assign_choice(member, row, text, where, err);
    case FR_SETTING_FILE:
        break;
    }
    return 0;
}
