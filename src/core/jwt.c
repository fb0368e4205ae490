// SPDX-License-Identifier: LGPL-3.0-only
#include "core/jwt.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define SIGNATURE_BYTES crypto_auth_hmacsha256_BYTES
#define VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define SKEW_SECONDS 60.0 /* that another machine's clock may be ahead */

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

static void sign(const char *text, size_t len, const void *key, size_t key_len,
                 unsigned char out[SIGNATURE_BYTES])
{
    crypto_auth_hmacsha256_state state;

    (void)crypto_auth_hmacsha256_init(&state, key, key_len);
    (void)crypto_auth_hmacsha256_update(&state, (const unsigned char *)text, len);
    (void)crypto_auth_hmacsha256_final(&state, out);
    sodium_memzero(&state, sizeof state);
}

static bool signature_is_right(const char *text, size_t len, const char *encoded,
                               const void *key, size_t key_len)
{
    unsigned char given[SIGNATURE_BYTES], right[SIGNATURE_BYTES];
    size_t given_len = 0;

    if (sodium_base642bin(given, sizeof given, encoded, strlen(encoded), NULL, &given_len, NULL,
                          VARIANT) != 0 ||
        given_len != sizeof given)
        return false;
    sign(text, len, key, key_len, right);
    bool equal = sodium_memcmp(given, right, sizeof right) == 0;
    sodium_memzero(right, sizeof right);
    return equal;
}

/* One part, base64url of a JSON object; NULL if it is none. */
static json_t *read_part(const char *text, size_t len)
{
    char plain[FR_JWT_MAX];
    size_t plain_len = 0;
    json_t *part = NULL;

    if (sodium_base642bin((unsigned char *)plain, sizeof plain, text, len, NULL, &plain_len,
                          NULL, VARIANT) == 0)
        part = json_loadb(plain, plain_len, JSON_REJECT_DUPLICATES, NULL);
    sodium_memzero(plain, sizeof plain); /* a handshake's claims are credentials */
    if (part && !json_is_object(part)) {
        json_decref(part);
        part = NULL;
    }
    return part;
}

static bool head_is_ours(const json_t *head)
{
    const char *algorithm = json_string_value(json_object_get(head, "alg"));

    return algorithm && strcmp(algorithm, "HS256") == 0 && !json_object_get(head, "crit");
}

static int check_times(const json_t *claims, double now)
{
    const json_t *expires = json_object_get(claims, "exp");
    const json_t *begins = json_object_get(claims, "nbf");

    if ((expires && !json_is_number(expires)) || (begins && !json_is_number(begins)))
        return -EBADMSG;
    if (begins && json_number_value(begins) > now + SKEW_SECONDS)
        return -EBADMSG;
    return expires && now >= json_number_value(expires) ? -EKEYEXPIRED : 0;
}

int fr_jwt_read(const char *text, const void *key, size_t key_len, double now,
                json_t **ret_claims)
{
    const size_t head_len = strcspn(text, ".");
    const char *body = text + head_len + 1;

    if (strlen(text) > FR_JWT_MAX || text[head_len] == '\0')
        return -EBADMSG;
    const size_t body_len = strcspn(body, ".");
    if (body[body_len] == '\0' ||
        !signature_is_right(text, head_len + 1 + body_len, body + body_len + 1, key, key_len))
        return -EBADMSG;
    _cleanup_(fr_cleanup_json) json_t *head = read_part(text, head_len);
    _cleanup_(fr_cleanup_json) json_t *claims = read_part(body, body_len);
    if (!head || !claims || !head_is_ours(head))
        return -EBADMSG;
    int rc = check_times(claims, now);
    if (rc == 0)
        *ret_claims = fr_take(claims);
    return rc;
}

static void put_encoded(struct fr_buf *out, const void *data, size_t len)
{
    size_t size = sodium_base64_encoded_len(len, VARIANT); /* with its NUL */
    char *to = fr_buf_reserve(out, size);

    if (!to)
        return;
    (void)sodium_bin2base64(to, size, data, len, VARIANT);
    fr_buf_commit(out, size - 1);
}

void fr_jwt_put(const json_t *claims, const void *key, size_t key_len, struct fr_buf *out)
{
    /* Short, as it comes with every request. */
    static const char head[] = "{\"alg\":\"HS256\"}";
    _cleanup_(fr_cleanup_str) char *text = json_dumps(claims, JSON_COMPACT);
    unsigned char signature[SIGNATURE_BYTES];
    const size_t start = out->len;

    if (!text) {
        out->failed = -ENOMEM;
        return;
    }
    put_encoded(out, head, sizeof head - 1);
    fr_buf_putc(out, '.');
    put_encoded(out, text, strlen(text));
    if (fr_buf_status(out) < 0)
        return;
    sign(out->data + start, out->len - start, key, key_len, signature);
    fr_buf_putc(out, '.');
    put_encoded(out, signature, sizeof signature);
}
