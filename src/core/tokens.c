// SPDX-License-Identifier: LGPL-3.0-only
#include "core/tokens.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/util.h"
#include "core/tokens_file.h"

#define LOOK_SECONDS 1.0
#define CHANGES_MAX 100 /* that wait */

/* A change, or a look, on its way through the worker. */
struct change {
    STAILQ_ENTRY(change) link;
    struct fr_tokens *tokens;
    enum { LOOK, MAKE, REVOKE } what;
    struct fr_token token; /* of REVOKE the name alone */
    char text[FR_TOKEN_TEXT];
    fr_tokens_f cb;
    void *arg;
    struct fr_token_set *set; /* as it is afterwards; NULL: as it was */
    struct fr_error err;
};

struct fr_tokens {
    uv_loop_t *loop;
    char *dir;
    struct fr_token_set *set;
    struct fr_token_mark mark; /* of the file that set was read from; the worker's */
    uint64_t version;
    double looked;
    bool in_trouble; /* the file could not be read, and that was said */
    bool busy;       /* one change is with the worker */
    unsigned int waiting;
    STAILQ_HEAD(, change) changes; /* the first is the one that is with the worker */
};

static void hash(const char *text, unsigned char out[32])
{
    (void)crypto_generichash(out, 32, (const unsigned char *)text, strlen(text), NULL, 0);
}

int fr_tokens_create(uv_loop_t *loop, const char *state_dir, struct fr_tokens **ret,
                     struct fr_error *err)
{
    struct fr_tokens *tokens = calloc(1, sizeof *tokens);
    int rc;

    if (sodium_init() < 0)
        rc = fr_error_set(err, EIO, FR_CODE_INTERNAL, "libsodium cannot be initialised");
    else if (!tokens || !(tokens->dir = strdup(state_dir)))
        rc = fr_error_set(err, ENOMEM, FR_CODE_INTERNAL, "no memory for the tokens");
    else
        rc = fr_token_set_read(tokens->dir, &tokens->set, &tokens->mark, err);
    if (rc < 0) {
        fr_tokens_free(tokens);
        return rc;
    }
    tokens->loop = loop;
    STAILQ_INIT(&tokens->changes);
    *ret = tokens;
    return 0;
}

void fr_tokens_free(struct fr_tokens *tokens)
{
    if (!tokens)
        return;
    free(tokens->set);
    free(tokens->dir);
    free(tokens);
}

bool fr_token_is_one(const char *text)
{
    return strncmp(text, FR_TOKEN_PREFIX, sizeof FR_TOKEN_PREFIX - 1) == 0;
}

bool fr_token_name_is_valid(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789._-";
    size_t len = strlen(name);

    return len > 0 && len <= FR_TOKEN_NAME_MAX && name[strspn(name, allowed)] == '\0' &&
           name[strspn(name, ".")] != '\0';
}

const struct fr_token *fr_tokens_find(const struct fr_tokens *tokens, const char *text)
{
    const struct fr_token *found = NULL;
    unsigned char sum[32];

    hash(text, sum);
    for (size_t i = 0; i < tokens->set->count; i++)
        if (sodium_memcmp(sum, tokens->set->items[i].hash, sizeof sum) == 0)
            found = &tokens->set->items[i];
    return found;
}

const struct fr_token *fr_tokens_list(const struct fr_tokens *tokens, size_t *ret_count)
{
    *ret_count = tokens->set->count;
    return tokens->set->items;
}

uint64_t fr_tokens_version(const struct fr_tokens *tokens)
{
    return tokens->version;
}

/* --- in the worker, one change at a time --- */

static int apply_make(struct change *change, struct fr_token_set *set)
{
    size_t kept = 0;

    for (size_t i = 0; i < set->count; i++) {
        if (set->items[i].expires <= change->token.created)
            continue;
        if (strcmp(set->items[i].name, change->token.name) == 0)
            return fr_error_set(&change->err, EEXIST, FR_CODE_NAME_TAKEN,
                                "there is a token \"%s\" already: choose another name, or "
                                "revoke that one first",
                                change->token.name);
        set->items[kept++] = set->items[i];
    }
    set->count = kept;
    if (kept == FR_TOKENS_MAX)
        return fr_error_set(&change->err, EMFILE, FR_CODE_TOO_MANY,
                            "there are %d tokens, which is the most: revoke some first",
                            FR_TOKENS_MAX);
    size_t at = kept;
    for (; at > 0 && strcmp(set->items[at - 1].name, change->token.name) > 0; at--)
        set->items[at] = set->items[at - 1];
    set->items[at] = change->token;
    set->count++;
    return 0;
}

static int apply_revoke(struct change *change, struct fr_token_set *set)
{
    size_t kept = 0;

    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->items[i].name, change->token.name) != 0)
            set->items[kept++] = set->items[i];
    if (kept == set->count)
        return fr_error_set(&change->err, ENOENT, FR_CODE_NOT_FOUND, "there is no token \"%s\"",
                            change->token.name);
    set->count = kept;
    return 0;
}

static int change_file(struct change *change)
{
    struct fr_tokens *tokens = change->tokens;
    _cleanup_(fr_cleanup_fd) int lock = -1;
    struct fr_token_set *set = NULL;
    /* If this fails, what was read is not taken, and the next look is to find it. */
    struct fr_token_mark mark;

    int rc = fr_token_set_lock(tokens->dir, &lock, &change->err);
    if (rc == 0)
        rc = fr_token_set_read(tokens->dir, &set, &mark, &change->err);
    if (rc == 0)
        rc = change->what == MAKE ? apply_make(change, set) : apply_revoke(change, set);
    if (rc == 0)
        rc = fr_token_set_write(tokens->dir, set, &tokens->mark, &change->err);
    if (rc < 0)
        free(set);
    else
        change->set = set;
    return rc;
}

static int work(void *arg)
{
    struct change *change = arg;
    struct fr_tokens *tokens = change->tokens;

    if (change->what != LOOK)
        return change_file(change);
    if (!fr_token_set_has_changed(tokens->dir, &tokens->mark))
        return 0;
    return fr_token_set_read(tokens->dir, &change->set, &tokens->mark, &change->err);
}

/* --- on the loop --- */

static void take_set(struct fr_tokens *tokens, struct fr_token_set *set)
{
    free(tokens->set);
    tokens->set = set;
    tokens->version++;
    if (tokens->in_trouble)
        fr_log_notice("the tokens can be read again");
    tokens->in_trouble = false;
}

/* What cannot be read lets nobody in. */
static void take_trouble(struct fr_tokens *tokens, const struct fr_error *err)
{
    tokens->set->count = 0;
    tokens->version++;
    if (!tokens->in_trouble)
        fr_log_err("no scoped token is taken until this is mended: %s", err->text);
    tokens->in_trouble = true;
}

static void start_next(struct fr_tokens *tokens);

static void on_worked(void *arg, int result)
{
    struct change *change = arg;
    struct fr_tokens *tokens = change->tokens;

    STAILQ_REMOVE_HEAD(&tokens->changes, link);
    tokens->waiting--;
    tokens->busy = false;
    if (change->set)
        take_set(tokens, change->set);
    else if (result < 0 && change->what == LOOK)
        take_trouble(tokens, &change->err);
    if (change->cb)
        change->cb(change->arg, result == 0 && change->what == MAKE ? change->text : NULL,
                   result < 0 ? &change->err : NULL);
    sodium_memzero(change, sizeof *change);
    free(change);
    start_next(tokens);
}

static void start_next(struct fr_tokens *tokens)
{
    struct change *change = STAILQ_FIRST(&tokens->changes);

    if (!change || tokens->busy)
        return;
    tokens->busy = true;
    int rc = fr_work_queue(tokens->loop, work, on_worked, change);
    if (rc == 0)
        return;
    fr_error_set(&change->err, ENOMEM, FR_CODE_INTERNAL, "no memory for this; try again");
    on_worked(change, rc);
}

static struct change *new_change(struct fr_tokens *tokens)
{
    struct change *change = tokens->waiting < CHANGES_MAX ? calloc(1, sizeof *change) : NULL;

    if (change)
        change->tokens = tokens;
    return change;
}

static void add(struct change *change)
{
    struct fr_tokens *tokens = change->tokens;

    STAILQ_INSERT_TAIL(&tokens->changes, change, link);
    tokens->waiting++;
    start_next(tokens);
}

int fr_tokens_refresh(struct fr_tokens *tokens, fr_tokens_f cb, void *arg)
{
    struct change *change = new_change(tokens);

    if (!change)
        return -ENOMEM;
    change->what = LOOK;
    change->cb = cb;
    change->arg = arg;
    add(change);
    return 0;
}

void fr_tokens_look(struct fr_tokens *tokens, double now)
{
    /* A clock that was set back must not keep us from looking. */
    if (tokens->busy || (now >= tokens->looked && now < tokens->looked + LOOK_SECONDS))
        return;
    tokens->looked = now;
    (void)fr_tokens_refresh(tokens, NULL, NULL);
}

int fr_tokens_make(struct fr_tokens *tokens, const char *name, enum fr_role role,
                   double expires, fr_tokens_f cb, void *arg)
{
    struct change *change = new_change(tokens);
    unsigned char random[32];

    if (!change)
        return -ENOMEM;
    change->what = MAKE;
    change->cb = cb;
    change->arg = arg;
    change->token.role = role;
    change->token.created = fr_time_now();
    change->token.expires = expires;
    (void)snprintf(change->token.name, sizeof change->token.name, "%s", name);
    randombytes_buf(random, sizeof random);
    memcpy(change->text, FR_TOKEN_PREFIX, sizeof FR_TOKEN_PREFIX - 1);
    (void)sodium_bin2base64(change->text + sizeof FR_TOKEN_PREFIX - 1,
                            sizeof change->text - (sizeof FR_TOKEN_PREFIX - 1), random,
                            sizeof random, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(random, sizeof random);
    hash(change->text, change->token.hash);
    add(change);
    return 0;
}

int fr_tokens_revoke(struct fr_tokens *tokens, const char *name, fr_tokens_f cb, void *arg)
{
    struct change *change = new_change(tokens);

    if (!change)
        return -ENOMEM;
    change->what = REVOKE;
    change->cb = cb;
    change->arg = arg;
    (void)snprintf(change->token.name, sizeof change->token.name, "%s", name);
    add(change);
    return 0;
}
