// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Texts that people write by hand: command lines and durations.
 */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/util.h"
#include "model/jobspec.h"

struct splitter {
    const char *p;
    struct fr_buf word;
    bool in_word; /* also for '' and "", which make an empty word */
    json_t *words;
};

/* A new JSON text; -EILSEQ if the bytes are no UTF-8. */
static int make_word(const char *text, size_t len, json_t **ret)
{
    json_t *unchecked;

    *ret = json_stringn(text, len);
    if (*ret)
        return 0;
    unchecked = json_stringn_nocheck(text, len);
    if (!unchecked)
        return -ENOMEM;
    json_decref(unchecked);
    return -EILSEQ;
}

static int flush_word(struct splitter *s)
{
    json_t *word;
    int r;

    if (!s->in_word)
        return 0;
    if (fr_buf_status(&s->word) < 0)
        return -ENOMEM;
    r = make_word(s->word.len ? s->word.data : "", s->word.len, &word);
    if (r < 0)
        return r;
    if (json_array_append_new(s->words, word) < 0)
        return -ENOMEM;
    fr_buf_reset(&s->word);
    s->in_word = false;
    return 0;
}

static int take_single_quoted(struct splitter *s, struct fr_error *err)
{
    const char *end = strchr(s->p + 1, '\'');

    if (!end)
        return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                            "The command has a single quote that is not closed.");
    fr_buf_put(&s->word, s->p + 1, (size_t)(end - s->p - 1));
    s->p = end + 1;
    return 0;
}

/* Between double quotes a backslash keeps its place except before $ ` " \ and newline. */
static int take_double_quoted(struct splitter *s, struct fr_error *err)
{
    for (s->p++; *s->p != '"'; s->p++) {
        if (*s->p == '\0')
            return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                                "The command has a double quote that is not closed.");
        if (*s->p == '\\' && s->p[1] == '\n') {
            s->p++;
            continue;
        }
        if (*s->p == '\\' && s->p[1] && strchr("$`\"\\", s->p[1]))
            s->p++;
        fr_buf_putc(&s->word, *s->p);
    }
    s->p++;
    return 0;
}

static int take_backslash(struct splitter *s, struct fr_error *err)
{
    if (s->p[1] == '\0')
        return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                            "The command ends with a backslash that escapes nothing.");
    if (s->p[1] != '\n') { /* an escaped newline joins two lines */
        fr_buf_putc(&s->word, s->p[1]);
        s->in_word = true;
    }
    s->p += 2;
    return 0;
}

static int take_step(struct splitter *s, struct fr_error *err)
{
    if (strchr(" \t\r\n", *s->p)) {
        s->p++;
        return flush_word(s);
    }
    if (*s->p == '\\')
        return take_backslash(s, err);
    s->in_word = true;
    if (*s->p == '\'')
        return take_single_quoted(s, err);
    if (*s->p == '"')
        return take_double_quoted(s, err);
    fr_buf_putc(&s->word, *s->p++);
    return 0;
}

int fr_shell_split(const char *text, json_t **ret_words, struct fr_error *err)
{
    struct splitter s = {.p = text};
    int r = 0;

    fr_buf_init(&s.word, strlen(text) + 1);
    s.words = json_array();
    if (!s.words)
        return -ENOMEM;
    while (*s.p && r == 0)
        r = take_step(&s, err);
    if (r == 0)
        r = flush_word(&s);
    if (r == -EILSEQ)
        r = fr_error_set(err, EINVAL, FR_CODE_INVALID, "The command is not valid UTF-8.");
    fr_buf_done(&s.word);
    if (r < 0) {
        json_decref(s.words);
        return r;
    }
    *ret_words = s.words;
    return 0;
}

static double fsd_unit(const char *suffix)
{
    static const struct {
        const char *suffix;
        double seconds;
    } units[] = {{"", 1}, {"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};

    for (size_t i = 0; i < FR_ARRAY_SIZE(units); i++) {
        if (strcmp(suffix, units[i].suffix) == 0)
            return units[i].seconds;
    }
    return 0;
}

int fr_fsd_parse(const char *text, double *ret_seconds)
{
    char *end;
    double value, unit;

    if (strcasecmp(text, "infinity") == 0 || strcasecmp(text, "inf") == 0) {
        *ret_seconds = 0;
        return 0;
    }
    /* strtod also reads signs, blanks, nan and hex, which are no FSD. */
    if (!isdigit((unsigned char)text[0]) && text[0] != '.')
        return -EINVAL;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
        return -EINVAL;
    value = strtod(text, &end);
    unit = fsd_unit(end);
    if (end == text || unit == 0 || !isfinite(value * unit))
        return -EINVAL;
    *ret_seconds = value * unit;
    return 0;
}
