// SPDX-License-Identifier: LGPL-3.0-only
#include <errno.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "engine/flux/thread.h"
#include "engine/flux/wrap.h"

/* An entry may hold megabytes: they are told in pieces of at most this. */
#define PIECE_MOST ((size_t)64 << 10)
/*
 * An entry may say that its data came many times over, and a job can write its entries itself:
 * all that one unfolds to is cut here, far above what a shell writes.
 */
#define UNFOLD_MOST ((uint64_t)16 << 20)

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

/* What an entry says, borrowed from its JSON but for the decoded data. */
struct content {
    bool is_stderr;
    char rank[256]; /* idsets of more ranks than fit are cut: not known then */
    const char *data;
    size_t len;
    char *decoded; /* owned */
    uint64_t repeat;
};

static void read_common(const json_t *context, struct content *content)
{
    const char *stream = json_string_value(json_object_get(context, "stream"));
    const json_t *rank = json_object_get(context, "rank");
    const char *text = json_string_value(rank);

    content->is_stderr = stream && strcmp(stream, "stderr") == 0;
    if (text && strlen(text) < sizeof content->rank)
        memcpy(content->rank, text, strlen(text) + 1);
    else if (json_is_integer(rank))
        (void)snprintf(content->rank, sizeof content->rank, "%lld",
                       (long long)json_integer_value(rank));
}

static int read_data(const json_t *context, struct content *content)
{
    const json_t *data = json_object_get(context, "data");
    const char *encoding = json_string_value(json_object_get(context, "encoding"));
    json_int_t repeat = json_integer_value(json_object_get(context, "repeat"));

    content->data = json_string_value(data);
    content->len = json_string_length(data);
    content->repeat = repeat > 1 ? (uint64_t)repeat : 1;
    if (!content->data || content->len == 0 || !encoding || strcmp(encoding, "base64") != 0)
        return 0;
    content->decoded = malloc(content->len / 4 * 3 + 1);
    if (!content->decoded)
        return -ENOMEM;
    ssize_t n = fr_flux_base64_decode(content->data, content->len, content->decoded);
    if (n < 0)
        return (int)n;
    content->data = content->decoded;
    content->len = (size_t)n;
    return 0;
}

/* A piece with room for rank, and for len bytes (and a NUL) at *ret_room. */
static struct fr_flux_piece *piece_create(uint64_t tag, uint64_t offset,
                                          const struct content *content, size_t len,
                                          char **ret_room)
{
    size_t rank = strlen(content->rank) + 1;
    size_t size = sizeof(struct fr_flux_piece) + rank + len + 1;
    struct fr_flux_piece *piece = calloc(1, size);

    if (!piece)
        return NULL;
    piece->item.kind = FR_FLUX_PIECE;
    piece->tag = tag;
    piece->size = size;
    piece->output.is_stderr = content->is_stderr;
    piece->output.offset = offset;
    memcpy(piece->bytes, content->rank, rank);
    piece->output.rank = rank > 1 ? piece->bytes : NULL;
    *ret_room = piece->bytes + rank;
    return piece;
}

/* Fills room with len bytes of the data's endless repetition, from pos on. */
static void unfold(char *room, size_t len, uint64_t pos, const struct content *content)
{
    while (len > 0) {
        size_t at = (size_t)(pos % content->len);
        size_t n = content->len - at < len ? content->len - at : len;
        memcpy(room, content->data + at, n);
        room += n;
        pos += n;
        len -= n;
    }
}

static uint64_t unfolded_len(const struct content *content)
{
    if (content->repeat == 1)
        return content->len;
    if (content->repeat > UNFOLD_MOST / content->len)
        return UNFOLD_MOST;
    return content->len * content->repeat;
}

static int tell_data(struct fr_flux_thread *thread, uint64_t tag, struct fr_flux_place place,
                     const struct content *content)
{
    uint64_t total, n = 0;

    if (!content->data || content->len == 0)
        return 0; /* the end of one stream of one task */
    total = unfolded_len(content);
    for (uint64_t pos = 0; pos < total; pos += PIECE_MOST) {
        size_t len = total - pos < PIECE_MOST ? (size_t)(total - pos) : PIECE_MOST;
        bool is_last = pos + len == total;
        struct fr_flux_piece *piece;
        char *room;
        if (++n <= place.pieces)
            continue; /* had before */
        piece = piece_create(tag, fr_flux_offset(place.entries + is_last, is_last ? 0 : n),
                             content, len, &room);
        if (!piece)
            return -ENOMEM;
        unfold(room, len, pos, content);
        piece->output.kind = FR_OUTPUT_DATA;
        piece->output.data = room;
        piece->output.len = len;
        fr_flux_tell(thread, &piece->item);
    }
    return 0;
}

static int tell_redirect(struct fr_flux_thread *thread, uint64_t tag,
                         struct fr_flux_place place, const struct content *content,
                         const char *path)
{
    char *room;
    struct fr_flux_piece *piece;

    if (!path)
        return -EPROTO;
    piece =
        piece_create(tag, fr_flux_offset(place.entries + 1, 0), content, strlen(path), &room);
    if (!piece)
        return -ENOMEM;
    memcpy(room, path, strlen(path) + 1);
    piece->output.kind = FR_OUTPUT_REDIRECT;
    piece->output.path = room;
    fr_flux_tell(thread, &piece->item);
    return 0;
}

int fr_flux_pieces_tell(struct fr_flux_thread *thread, uint64_t tag, struct fr_flux_place place,
                        const char *event)
{
    _cleanup_(fr_cleanup_json) json_t *json = json_loads(event, JSON_ALLOW_NUL, NULL);
    const char *name = json_string_value(json_object_get(json, "name"));
    const json_t *context = json_object_get(json, "context");
    struct content content = {.rank = ""};
    int rc = 0;

    if (!name)
        return -EPROTO;
    read_common(context, &content);
    if (strcmp(name, "data") == 0) {
        rc = read_data(context, &content);
        if (rc == 0)
            rc = tell_data(thread, tag, place, &content);
    } else if (strcmp(name, "redirect") == 0) {
        const char *path = json_string_value(json_object_get(context, "path"));
        rc = tell_redirect(thread, tag, place, &content, path);
    }
    free(content.decoded);
    return rc;
}
