// SPDX-License-Identifier: LGPL-3.0-only
#include "core/auth.h"

#include <errno.h>
#include <pwd.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/util.h"
#include "core/hosts.h"
#include "core/jwt.h"
#include "core/sign_ins.h"

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

#define DIGEST_BYTES crypto_generichash_BYTES
#define MARK_BYTES crypto_shorthash_siphashx24_BYTES
#define CREDENTIALS_MAX 1024 /* bytes of "user:token", longer ones are refused */
#define KNOWN_SLOTS 64       /* a power of two */

/* An Authorization header that was right. */
struct known {
    unsigned char sum[MARK_BYTES]; /* all zero: an empty slot */
    uint64_t version;              /* of the tokens */
    struct fr_identity who;
};

struct fr_auth {
    bool has_token, has_user, required, open;
    struct fr_tokens *tokens;
    struct fr_sign_ins *sign_ins;    /* NULL: they are not counted */
    struct known known[KNOWN_SLOTS]; /* by the mark's first byte */
    unsigned char mark_key[crypto_shorthash_siphashx24_KEYBYTES];
    uid_t uid;
    char *uid_name;
    unsigned char key[crypto_generichash_KEYBYTES]; /* so that digests cannot be prepared */
    unsigned char user[DIGEST_BYTES], token[DIGEST_BYTES];
    char *secret_key;                       /* NULL: no access tokens */
    unsigned char access_key[DIGEST_BYTES]; /* for those that we make */
    double access_seconds;
    struct fr_hosts hosts;
};

static void digest(const struct fr_auth *auth, const char *text, size_t len, unsigned char *out)
{
    crypto_generichash(out, DIGEST_BYTES, (const unsigned char *)text, len, auth->key,
                       sizeof auth->key);
}

static int set_uid_name(struct fr_auth *auth)
{
    const struct passwd *pw = getpwuid(auth->uid);
    char number[24];

    snprintf(number, sizeof number, "%u", (unsigned int)auth->uid);
    auth->uid_name = strdup(pw ? pw->pw_name : number);
    return auth->uid_name ? 0 : -ENOMEM;
}

/* Each text ends with its NUL, so that no two sets of them are one row of bytes. */
static int set_secret_key(struct fr_auth *auth, const struct fr_auth_options *options)
{
    const char *const parts[] = {"flux-restd access token", options->secret_key,
                                 options->user ? options->user : "", options->token};
    crypto_generichash_state state;

    if (!options->secret_key || !options->token)
        return 0;
    (void)crypto_generichash_init(&state, NULL, 0, DIGEST_BYTES);
    for (size_t i = 0; i < FR_ARRAY_SIZE(parts); i++)
        (void)crypto_generichash_update(&state, (const unsigned char *)parts[i],
                                        strlen(parts[i]) + 1);
    (void)crypto_generichash_final(&state, auth->access_key, DIGEST_BYTES);
    sodium_memzero(&state, sizeof state);
    auth->access_seconds = options->access_seconds;
    auth->secret_key = strdup(options->secret_key);
    return auth->secret_key ? 0 : -ENOMEM;
}

static int check_options(const struct fr_auth_options *options, struct fr_error *err)
{
    size_t length = (options->user ? strlen(options->user) : 0) +
                    (options->token ? strlen(options->token) : 0);

    if (length > CREDENTIALS_MAX - 3)
        return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                            "user and token together have %zu bytes; at most %d can be sent",
                            length, CREDENTIALS_MAX - 3);
    if (options->token && fr_token_is_one(options->token))
        return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                            "FLUX_TOKEN begins with " FR_TOKEN_PREFIX
                            ", as the tokens that the daemon makes do: choose another");
    return 0;
}

static int fill(struct fr_auth *auth, const struct fr_auth_options *options)
{
    if (auth->has_token)
        digest(auth, options->token, strlen(options->token), auth->token);
    if (auth->has_user)
        digest(auth, options->user, strlen(options->user), auth->user);
    int rc = set_uid_name(auth);
    if (rc == 0)
        rc = set_secret_key(auth, options);
    if (rc == 0 && options->sign_ins)
        rc = fr_sign_ins_create(options->sign_ins, &auth->sign_ins);
    return rc == 0 ? fr_hosts_set(&auth->hosts, options->allow_hosts) : rc;
}

int fr_auth_create(const struct fr_auth_options *options, struct fr_auth **ret,
                   struct fr_error *err)
{
    if (sodium_init() < 0)
        return fr_error_set(err, EIO, FR_CODE_INTERNAL, "libsodium cannot be initialised");
    int rc = check_options(options, err);
    if (rc < 0)
        return rc;
    struct fr_auth *auth = calloc(1, sizeof *auth);
    if (!auth)
        return -ENOMEM;
    auth->has_token = options->token && options->token[0];
    auth->has_user = options->user && options->user[0];
    auth->required = options->required;
    auth->open = options->open;
    auth->tokens = options->tokens;
    auth->uid = geteuid();
    randombytes_buf(auth->key, sizeof auth->key);
    randombytes_buf(auth->mark_key, sizeof auth->mark_key);
    rc = fill(auth, options);
    if (rc < 0)
        fr_error_set(err, -rc, FR_CODE_INTERNAL, "names and keys cannot be kept: %s",
                     strerror(-rc));
    else if (auth->required && !fr_auth_has_credentials(auth))
        rc = fr_error_set(err, EINVAL, FR_CODE_INVALID,
                          "credentials are required, but no token is set; set FLUX_TOKEN (and "
                          "FLUX_USER), or do not set FLUX_REQUIRE_AUTH");
    if (rc < 0) {
        fr_auth_free(auth);
        return rc;
    }
    *ret = auth;
    return 0;
}

void fr_auth_free(struct fr_auth *auth)
{
    if (!auth)
        return;
    fr_hosts_done(&auth->hosts);
    free(auth->uid_name);
    fr_sign_ins_free(auth->sign_ins);
    if (auth->secret_key)
        sodium_memzero(auth->secret_key, strlen(auth->secret_key));
    free(auth->secret_key);
    sodium_memzero(auth, sizeof *auth);
    free(auth);
}

bool fr_auth_has_credentials(const struct fr_auth *auth)
{
    const struct fr_token *tokens;
    double now = fr_time_now();
    size_t count = 0;

    if (auth->has_token)
        return true;
    if (auth->tokens)
        tokens = fr_tokens_list(auth->tokens, &count);
    for (size_t i = 0; i < count; i++)
        if (now < tokens[i].expires)
            return true;
    return false;
}

/* Every comparison is of digests and all are made, so that the time tells nothing. */
static bool token_matches(const struct fr_auth *auth, const char *token, size_t len)
{
    unsigned char sum[DIGEST_BYTES];

    digest(auth, token, len, sum);
    bool equal = sodium_memcmp(sum, auth->token, sizeof sum) == 0;
    return equal && auth->has_token && len > 0;
}

static bool user_matches(const struct fr_auth *auth, const char *user, size_t len)
{
    unsigned char sum[DIGEST_BYTES];

    digest(auth, user, len, sum);
    bool equal = sodium_memcmp(sum, auth->user, sizeof sum) == 0;
    return equal || !auth->has_user;
}

static void name_identity(struct fr_identity *ret, const char *user, size_t len,
                          enum fr_identified method)
{
    if (len >= sizeof ret->user)
        len = sizeof ret->user - 1;
    memcpy(ret->user, user, len);
    ret->user[len] = '\0';
    ret->method = method;
    ret->role = FR_ROLE_ADMIN;
    ret->expires = 0;
}

static void name_own(const struct fr_auth *auth, struct fr_identity *ret,
                     enum fr_identified method)
{
    name_identity(ret, auth->uid_name, strlen(auth->uid_name), method);
}

static int refuse_wrong(struct fr_error *err)
{
    return fr_error_set(err, EACCES, FR_CODE_UNAUTHORIZED,
                        "the credentials are not right: send the user and token that the "
                        "daemon was started with (FLUX_USER, FLUX_TOKEN), or a token that it "
                        "has made and that was not revoked");
}

static int check_scoped(const struct fr_auth *auth, const char *text, struct fr_identity *ret,
                        struct fr_error *err)
{
    const struct fr_token *token = auth->tokens ? fr_tokens_find(auth->tokens, text) : NULL;

    if (!token) {
        (void)refuse_wrong(err);
        return -EKEYREVOKED; /* or it never was one */
    }
    /* Who has the token's text may know that it was one. */
    if (fr_time_now() >= token->expires)
        return fr_error_set(err, EKEYEXPIRED, FR_CODE_UNAUTHORIZED,
                            "the token \"%s\" has expired; have another one made", token->name);
    char user[sizeof token->name + sizeof "token:"];
    int len = snprintf(user, sizeof user, "token:%s", token->name);
    name_identity(ret, user, (size_t)len, FR_BY_TOKEN);
    ret->role = token->role;
    ret->expires = token->expires;
    return 0;
}

/* plain is "user:token", ends with a NUL, and may have more of them in it. */
static int check_pair(const struct fr_auth *auth, const char *plain, size_t len,
                      struct fr_identity *ret, struct fr_error *err)
{
    const char *colon = memchr(plain, ':', len);

    if (!colon)
        return refuse_wrong(err);
    size_t user_len = (size_t)(colon - plain), token_len = len - user_len - 1;
    if (fr_token_is_one(colon + 1) && strlen(colon + 1) == token_len)
        return check_scoped(auth, colon + 1, ret, err);
    bool user_ok = user_matches(auth, plain, user_len);
    bool token_ok = token_matches(auth, colon + 1, token_len);
    if (!user_ok || !token_ok)
        return refuse_wrong(err);
    if (user_len > 0)
        name_identity(ret, plain, user_len, FR_BY_BASIC);
    else
        name_own(auth, ret, FR_BY_BASIC);
    return 0;
}

static int check_basic(const struct fr_auth *auth, const char *encoded, struct fr_identity *ret,
                       struct fr_error *err)
{
    char plain[CREDENTIALS_MAX];
    size_t len = 0;
    int rc;

    if (sodium_base642bin((unsigned char *)plain, sizeof plain - 1, encoded, strlen(encoded),
                          " ", &len, NULL, sodium_base64_VARIANT_ORIGINAL) == 0) {
        plain[len] = '\0';
        rc = check_pair(auth, plain, len, ret, err);
    } else {
        rc = refuse_wrong(err);
    }
    sodium_memzero(plain, sizeof plain);
    return rc;
}

/* 0; -ENOENT if it is no access token of ours; -EKEYEXPIRED with err. */
static int check_access(const struct fr_auth *auth, const char *text, struct fr_identity *ret,
                        struct fr_error *err)
{
    _cleanup_(fr_cleanup_json) json_t *claims = NULL;

    if (!auth->secret_key)
        return -ENOENT;
    int rc =
        fr_jwt_read(text, auth->access_key, sizeof auth->access_key, fr_time_now(), &claims);
    if (rc == -EKEYEXPIRED)
        return fr_error_set(err, EKEYEXPIRED, FR_CODE_UNAUTHORIZED,
                            "the access token has expired: ask POST /v1/token for another");
    const char *user = json_string_value(json_object_get(claims, "sub"));
    if (rc < 0 || !user)
        return -ENOENT;
    name_identity(ret, user, strlen(user), FR_BY_JWT);
    ret->expires = json_number_value(json_object_get(claims, "exp"));
    return 0;
}

static int check_bearer(const struct fr_auth *auth, const char *token, struct fr_identity *ret,
                        struct fr_error *err)
{
    if (fr_token_is_one(token))
        return check_scoped(auth, token, ret, err);
    int rc = check_access(auth, token, ret, err);
    if (rc != -ENOENT)
        return rc;
    if (!token_matches(auth, token, strlen(token)))
        return refuse_wrong(err);
    name_own(auth, ret, FR_BY_BEARER);
    return 0;
}

/* Of a header that is of one of our schemes: what follows its word, else NULL. */
static const char *after_scheme(const char *header, const char *scheme)
{
    size_t len = strlen(scheme);

    if (strncasecmp(header, scheme, len) != 0 || header[len] != ' ')
        return NULL;
    header += len;
    return header + strspn(header, " ");
}

static int check_slowly(const struct fr_auth *auth, const char *header, struct fr_identity *ret,
                        struct fr_error *err)
{
    const char *basic = after_scheme(header, "Basic"), *bearer = after_scheme(header, "Bearer");

    if (basic)
        return check_basic(auth, basic, ret, err);
    if (bearer)
        return check_bearer(auth, bearer, ret, err);
    return refuse_wrong(err);
}

bool fr_auth_holds(struct fr_auth *auth, const struct fr_identity *who)
{
    double now = fr_time_now();
    size_t count;

    if (who->expires != 0 && now >= who->expires)
        return false;
    if (who->method != FR_BY_TOKEN)
        return true;
    fr_tokens_look(auth->tokens, now);
    const struct fr_token *tokens = fr_tokens_list(auth->tokens, &count);
    /* Another of the same name ends at another time. */
    for (size_t i = 0; i < count; i++)
        if (strcmp(tokens[i].name, who->user + strlen("token:")) == 0)
            return tokens[i].expires == who->expires;
    return false;
}

#define STEADY_NOW ((double)uv_hrtime() / 1e9)

unsigned int fr_auth_wait(const struct fr_auth *auth, const struct fr_peer *peer)
{
    if (!auth->sign_ins || !fr_sign_ins_any(auth->sign_ins))
        return 0;
    return fr_sign_ins_wait(auth->sign_ins, peer, STEADY_NOW);
}

static int refuse_guesser(const struct fr_auth *auth, const struct fr_peer *peer,
                          struct fr_error *err)
{
    if (fr_auth_wait(auth, peer) == 0)
        return 0;
    return fr_error_set(err, EBUSY, FR_CODE_TOO_MANY,
                        "too many sign-ins have failed from where you are: no credentials are "
                        "taken from there for a while");
}

static void note_failed(struct fr_auth *auth, const struct fr_peer *peer,
                        const unsigned char sum[MARK_BYTES])
{
    uint64_t number;

    memcpy(&number, sum, sizeof number);
    if (auth->sign_ins)
        fr_sign_ins_note(auth->sign_ins, peer, number, STEADY_NOW);
}

/*
 * What was right once is found again by one keyed hash, whatever it was made of: 128 bits of
 * SipHash, which is a pseudorandom function under a key that every daemon draws anew and tells
 * nobody. So no header can be made to meet another one's hash but by chance, one in 2^128.
 */
static int check_authorization(struct fr_auth *auth, const struct fr_peer *peer,
                               const char *header, struct fr_identity *ret,
                               struct fr_error *err)
{
    unsigned char sum[MARK_BYTES];
    uint64_t version = 0;
    double now = fr_time_now();

    if (refuse_guesser(auth, peer, err) < 0)
        return -EBUSY;
    if (auth->tokens) {
        fr_tokens_look(auth->tokens, now);
        version = fr_tokens_version(auth->tokens);
    }
    (void)crypto_shorthash_siphashx24(sum, (const unsigned char *)header, strlen(header),
                                      auth->mark_key);
    struct known *known = &auth->known[sum[0] & (KNOWN_SLOTS - 1)];
    if (sodium_memcmp(sum, known->sum, sizeof sum) == 0 && known->version == version &&
        (known->who.expires == 0 || now < known->who.expires)) {
        *ret = known->who;
        return 0;
    }
    int rc = check_slowly(auth, header, ret, err);
    if (rc == 0) {
        memcpy(known->sum, sum, sizeof sum);
        known->version = version;
        known->who = *ret;
    } else if (rc == -EKEYREVOKED || (rc != -EKEYEXPIRED && fr_auth_has_credentials(auth))) {
        /* Where there is nothing to guess, a client may send what it has for another server. */
        note_failed(auth, peer, sum);
    }
    return rc;
}

/*
 * Root is trusted over a Unix socket only: over TCP a port forward or a proxy that runs as
 * root would let in anyone.
 */
static bool peer_is_trusted(const struct fr_auth *auth, const struct fr_peer *peer)
{
    if (peer->uid < 0)
        return false;
    if (peer->is_unix)
        return peer->uid == (int64_t)auth->uid || peer->uid == 0;
    return peer->is_loopback && peer->uid == (int64_t)auth->uid;
}

int fr_auth_check(struct fr_auth *auth, const struct fr_peer *peer, const char *authorization,
                  struct fr_identity *ret, struct fr_error *err)
{
    int rc = authorization ? check_authorization(auth, peer, authorization, ret, err) : -ENOENT;

    if (rc == 0 || rc == -EBUSY)
        return rc;
    /*
     * Where no credentials are set, what was sent counts for nothing: a client may always send
     * what it has for another server. But whoever was given a token of ours must not be taken
     * for more when it has been revoked.
     */
    if (rc == -EKEYREVOKED || rc == -EKEYEXPIRED ||
        (rc != -ENOENT && fr_auth_has_credentials(auth)))
        return -EACCES;
    if (!auth->required && peer_is_trusted(auth, peer)) {
        name_own(auth, ret, FR_BY_PEER);
        return 0;
    }
    if (!auth->required && auth->open) {
        name_identity(ret, "anyone", strlen("anyone"), FR_BY_NOTHING);
        return 0;
    }
    return fr_error_set(
        err, EACCES, FR_CODE_UNAUTHORIZED, "%s",
        fr_auth_has_credentials(auth)
            ? "credentials are required: send a user and token with HTTP Basic, as "
              "curl --user \"$FLUX_USER:$FLUX_TOKEN\" does, or a bearer token"
            : "only the user that runs this daemon may use it without credentials, and it has "
              "none set; start it with FLUX_USER and FLUX_TOKEN to let others in");
}

static bool claims_are_right(const struct fr_auth *auth, const json_t *claims,
                             const char **ret_user)
{
    const char *user = json_string_value(json_object_get(claims, "user"));
    const char *pass = json_string_value(json_object_get(claims, "pass"));
    const char *scope = json_string_value(json_object_get(claims, "scope"));
    bool user_ok = user_matches(auth, user ? user : "", user ? strlen(user) : 0);
    bool pass_ok = token_matches(auth, pass ? pass : "", pass ? strlen(pass) : 0);

    *ret_user = user && *user ? user : auth->uid_name;
    return user_ok && pass_ok && scope && strcmp(scope, "token") == 0;
}

int fr_auth_exchange(struct fr_auth *auth, const struct fr_peer *peer,
                     const char *authorization, struct fr_buf *ret, struct fr_error *err)
{
    const char *text = authorization ? after_scheme(authorization, "Bearer") : NULL;
    _cleanup_(fr_cleanup_json) json_t *claims = NULL;
    const char *user = NULL;
    double now = fr_time_now();

    if (!auth->secret_key)
        return fr_error_set(err, EACCES, FR_CODE_UNAUTHORIZED,
                            "this daemon gives out no access tokens: start it with "
                            "FLUX_SECRET_KEY and FLUX_TOKEN, or use HTTP Basic");
    if (refuse_guesser(auth, peer, err) < 0)
        return -EBUSY;
    if (!text ||
        fr_jwt_read(text, auth->secret_key, strlen(auth->secret_key), now, &claims) < 0 ||
        !claims_are_right(auth, claims, &user)) {
        unsigned char sum[MARK_BYTES];
        (void)crypto_shorthash_siphashx24(sum, (const unsigned char *)(text ? text : ""),
                                          text ? strlen(text) : 0, auth->mark_key);
        note_failed(auth, peer, sum);
        return fr_error_set(err, EACCES, FR_CODE_UNAUTHORIZED,
                            "the request for an access token is not right: as a bearer's send "
                            "a JWT, signed by HS256 with FLUX_SECRET_KEY, of user, pass (the "
                            "token) and scope \"token\"");
    }
    _cleanup_(fr_cleanup_json) json_t *access =
        json_pack("{s:s, s:I}", "sub", user, "exp", (json_int_t)(now + auth->access_seconds));
    if (access)
        fr_jwt_put(access, auth->access_key, sizeof auth->access_key, ret);
    if (!access || fr_buf_status(ret) < 0)
        return fr_error_set(err, ENOMEM, FR_CODE_INTERNAL, "no memory for this; try again");
    return 0;
}

const char *fr_identified_word(enum fr_identified method)
{
    static const char *const words[] = {
        [FR_BY_PUBLIC] = "public", [FR_BY_NOTHING] = "none",  [FR_BY_PEER] = "peer",
        [FR_BY_BASIC] = "basic",   [FR_BY_BEARER] = "bearer", [FR_BY_TOKEN] = "token",
        [FR_BY_JWT] = "jwt",
    };

    return words[method];
}

int fr_auth_check_host(const struct fr_auth *auth, const char *host, struct fr_error *err)
{
    return fr_hosts_check(&auth->hosts, host, err);
}
