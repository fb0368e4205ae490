// SPDX-License-Identifier: LGPL-3.0-only
#include "core/tokens_file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/util.h"

#define NAME "tokens.json"
#define LOCK_NAME "tokens.lock"
#define FILE_MAX (1024 * 1024)
#define LOCK_TRIES 100
#define LOCK_PAUSE_NS 20000000L

FR_DEFINE_CLEANUP(json_t *, json, json_decref);
FR_DEFINE_CLEANUP(struct fr_token_set *, set, free);

static void path_of(const char *dir, const char *name, char path[PATH_MAX])
{
    (void)snprintf(path, PATH_MAX, "%s/%s", dir, name);
}

static struct fr_token_mark mark_of(const char *dir)
{
    struct fr_token_mark mark;
    char path[PATH_MAX];
    struct stat st;

    memset(&mark, 0, sizeof mark); /* for memcmp() */
    path_of(dir, NAME, path);
    if (lstat(path, &st) < 0)
        return mark;
    mark.dev = st.st_dev;
    mark.ino = st.st_ino;
    mark.size = st.st_size;
    mark.changed = st.st_ctim;
    return mark;
}

bool fr_token_set_has_changed(const char *dir, const struct fr_token_mark *mark)
{
    struct fr_token_mark now = mark_of(dir);

    return memcmp(&now, mark, sizeof now) != 0;
}

static bool read_one(json_t *entry, struct fr_token *ret)
{
    const char *name, *role, *hex;
    size_t len = 0;

    return json_unpack(entry, "{s:s, s:s, s:F, s:F, s:s}", "name", &name, "role", &role,
                       "created", &ret->created, "expires", &ret->expires, "hash", &hex) == 0 &&
           fr_token_name_is_valid(name) && fr_role_parse(role, &ret->role) &&
           snprintf(ret->name, sizeof ret->name, "%s", name) > 0 &&
           sodium_hex2bin(ret->hash, sizeof ret->hash, hex, strlen(hex), NULL, &len, NULL) ==
               0 &&
           len == sizeof ret->hash;
}

static bool read_all(json_t *document, struct fr_token_set *set)
{
    json_t *list = json_object_get(document, "tokens"), *entry;
    size_t i;

    if (json_integer_value(json_object_get(document, "version")) != 1 || !json_is_array(list) ||
        json_array_size(list) > FR_TOKENS_MAX)
        return false;
    json_array_foreach (list, i, entry)
        if (!read_one(entry, &set->items[set->count++]))
            return false;
    return true;
}

/* The file's text; NULL and 0 if there is none. */
static int slurp(const char *path, char **ret, struct fr_error *err)
{
    bool is_private = true;
    int rc = fr_file_slurp(path, FILE_MAX, ret, &is_private, err);

    if (rc == -ENOENT)
        return 0;
    if (rc == 0 && !is_private) {
        free(fr_take(*ret));
        return fr_error_set(err, EPERM, FR_CODE_STORAGE,
                            "other users can read %.200s: 'chmod 600' it", path);
    }
    return rc;
}

int fr_token_set_read(const char *dir, struct fr_token_set **ret,
                      struct fr_token_mark *ret_mark, struct fr_error *err)
{
    _cleanup_(fr_cleanup_set) struct fr_token_set *set = calloc(1, sizeof *set);
    _cleanup_(fr_cleanup_str) char *text = NULL;
    /* Before it is read: what changes meanwhile is seen at the next look. */
    struct fr_token_mark mark = mark_of(dir);
    char path[PATH_MAX];

    if (!set)
        return fr_error_set(err, ENOMEM, FR_CODE_INTERNAL, "no memory for the tokens");
    path_of(dir, NAME, path);
    int rc = slurp(path, &text, err);
    if (rc < 0)
        return rc;
    if (text) {
        _cleanup_(fr_cleanup_json) json_t *document = json_loads(text, 0, NULL);
        if (!read_all(document, set))
            return fr_error_set(err, EINVAL, FR_CODE_STORAGE,
                                "%.200s is damaged: move it away, and make its tokens anew",
                                path);
    }
    *ret = fr_take(set);
    *ret_mark = mark;
    return 0;
}

static json_t *to_json(const struct fr_token_set *set)
{
    json_t *list = json_array();
    char hex[2 * sizeof set->items[0].hash + 1];

    for (size_t i = 0; i < set->count; i++) {
        const struct fr_token *token = &set->items[i];
        (void)sodium_bin2hex(hex, sizeof hex, token->hash, sizeof token->hash);
        json_t *entry = json_pack("{s:s, s:s, s:f, s:f, s:s}", "name", token->name, "role",
                                  fr_role_word(token->role), "created", token->created,
                                  "expires", token->expires, "hash", hex);
        if (json_array_append_new(list, entry) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return json_pack("{s:i, s:o}", "version", 1, "tokens", list);
}

int fr_token_set_write(const char *dir, const struct fr_token_set *set,
                       struct fr_token_mark *ret_mark, struct fr_error *err)
{
    _cleanup_(fr_cleanup_json) json_t *document = to_json(set);
    _cleanup_(fr_cleanup_str) char *text =
        document ? json_dumps(document, JSON_INDENT(1) | JSON_PRESERVE_ORDER) : NULL;
    char path[PATH_MAX];

    if (!text)
        return fr_error_set(err, ENOMEM, FR_CODE_INTERNAL, "no memory for the tokens");
    path_of(dir, NAME, path);
    int rc = fr_file_replace(path, text, strlen(text), err);
    if (rc == 0)
        *ret_mark = mark_of(dir);
    return rc;
}

int fr_token_set_lock(const char *dir, int *ret_fd, struct fr_error *err)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
    char path[PATH_MAX];
    int rc = fr_file_make_directory("state directory", dir, err);

    if (rc < 0)
        return rc;
    path_of(dir, LOCK_NAME, path);
    _cleanup_(fr_cleanup_fd) int fd =
        open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return fr_error_set(err, errno, FR_CODE_STORAGE, "%.200s cannot be opened: %s", path,
                            strerror(errno));
    for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
        if ((errno != EWOULDBLOCK && errno != EINTR) || i == LOCK_TRIES)
            return fr_error_set(err, errno, FR_CODE_STORAGE, "%.200s cannot be locked: %s",
                                path, strerror(errno));
        (void)nanosleep(&pause, NULL);
    }
    *ret_fd = fd;
    fd = -1;
    return 0;
}
