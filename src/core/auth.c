// SPDX-License-Identifier: LGPL-3.0-only
#include "core/auth.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pwd.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/text.h"
#include "base/util.h"

#define DIGEST_BYTES crypto_generichash_BYTES
#define CREDENTIALS_MAX 1024 /* bytes of "user:token", longer ones are refused */
#define HOSTS_MAX 64

struct fr_auth {
    bool has_token, has_user, required, open;
    uid_t uid;
    char *uid_name;
    unsigned char key[crypto_generichash_KEYBYTES]; /* so that digests cannot be prepared */
    unsigned char user[DIGEST_BYTES], token[DIGEST_BYTES];
    char *hosts[HOSTS_MAX + 1];
};

static void digest(const struct fr_auth *auth, const char *text, size_t len, unsigned char *out)
{
    crypto_generichash(out, DIGEST_BYTES, (const unsigned char *)text, len, auth->key,
                       sizeof auth->key);
}

static int add_host(struct fr_auth *auth, const char *host)
{
    size_t n = 0;

    while (auth->hosts[n])
        n++;
    if (n == HOSTS_MAX)
        return -E2BIG;
    auth->hosts[n] = strdup(host);
    return auth->hosts[n] ? 0 : -ENOMEM;
}

static int set_hosts(struct fr_auth *auth, char *const *allow_hosts)
{
    char name[256] = "";
    int rc = add_host(auth, "localhost");

    if (rc == 0 && gethostname(name, sizeof name - 1) == 0 && name[0])
        rc = add_host(auth, name);
    char *dot = strchr(name, '.');
    if (rc == 0 && dot) {
        *dot = '\0';
        rc = add_host(auth, name);
    }
    for (size_t i = 0; rc == 0 && allow_hosts && allow_hosts[i]; i++)
        rc = add_host(auth, allow_hosts[i]);
    return rc;
}

static int set_uid_name(struct fr_auth *auth)
{
    const struct passwd *pw = getpwuid(auth->uid);
    char number[24];

    snprintf(number, sizeof number, "%u", (unsigned int)auth->uid);
    auth->uid_name = strdup(pw ? pw->pw_name : number);
    return auth->uid_name ? 0 : -ENOMEM;
}

int fr_auth_create(const struct fr_auth_options *options, struct fr_auth **ret,
                   struct fr_error *err)
{
    bool has_token = options->token && options->token[0];
    bool has_user = options->user && options->user[0];

    if (sodium_init() < 0)
        return fr_error_set(err, EIO, FR_CODE_INTERNAL, "libsodium cannot be initialised");
    if (options->required && !has_token)
        return fr_error_set(
            err, EINVAL, FR_CODE_INVALID,
            "credentials are required, but no token is set; set FLUX_TOKEN (and "
            "FLUX_USER), or do not set FLUX_REQUIRE_AUTH");
    size_t length =
        (has_user ? strlen(options->user) : 0) + (has_token ? strlen(options->token) : 0);
    if (length > CREDENTIALS_MAX - 3)
        return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                            "user and token together have %zu bytes; at most %d can be sent",
                            length, CREDENTIALS_MAX - 3);
    struct fr_auth *auth = calloc(1, sizeof *auth);
    if (!auth)
        return -ENOMEM;
    auth->has_token = has_token;
    auth->has_user = has_user;
    auth->required = options->required;
    auth->open = options->open;
    auth->uid = geteuid();
    randombytes_buf(auth->key, sizeof auth->key);
    if (has_token)
        digest(auth, options->token, strlen(options->token), auth->token);
    if (has_user)
        digest(auth, options->user, strlen(options->user), auth->user);
    int rc = set_uid_name(auth);
    if (rc == 0)
        rc = set_hosts(auth, options->allow_hosts);
    if (rc < 0) {
        fr_auth_free(auth);
        return fr_error_set(err, -rc, FR_CODE_INTERNAL,
                            "the names that Host may have cannot be kept: %s", strerror(-rc));
    }
    *ret = auth;
    return 0;
}

void fr_auth_free(struct fr_auth *auth)
{
    if (!auth)
        return;
    for (size_t i = 0; auth->hosts[i]; i++)
        free(auth->hosts[i]);
    free(auth->uid_name);
    sodium_memzero(auth, sizeof *auth);
    free(auth);
}

bool fr_auth_has_credentials(const struct fr_auth *auth)
{
    return auth->has_token;
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
}

static bool check_basic(const struct fr_auth *auth, const char *encoded,
                        struct fr_identity *ret)
{
    char plain[CREDENTIALS_MAX];
    size_t len = 0;
    bool ok = false;

    if (sodium_base642bin((unsigned char *)plain, sizeof plain - 1, encoded, strlen(encoded),
                          " ", &len, NULL, sodium_base64_VARIANT_ORIGINAL) == 0) {
        plain[len] = '\0';
        const char *colon = memchr(plain, ':', len);
        if (colon) {
            size_t user_len = (size_t)(colon - plain);
            bool user_ok = user_matches(auth, plain, user_len);
            bool token_ok = token_matches(auth, colon + 1, len - user_len - 1);
            ok = user_ok && token_ok;
            if (ok)
                name_identity(ret, user_len ? plain : auth->uid_name,
                              user_len ? user_len : strlen(auth->uid_name), FR_BY_BASIC);
        }
    }
    sodium_memzero(plain, sizeof plain);
    return ok;
}

static bool check_authorization(const struct fr_auth *auth, const char *header,
                                struct fr_identity *ret)
{
    if (strncasecmp(header, "Basic ", 6) == 0)
        return check_basic(auth, header + 6, ret);
    if (strncasecmp(header, "Bearer ", 7) == 0) {
        const char *token = header + 7;
        token += strspn(token, " ");
        if (!token_matches(auth, token, strlen(token)))
            return false;
        name_identity(ret, auth->uid_name, strlen(auth->uid_name), FR_BY_BEARER);
        return true;
    }
    return false;
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

int fr_auth_check(const struct fr_auth *auth, const struct fr_peer *peer,
                  const char *authorization, struct fr_identity *ret, struct fr_error *err)
{
    if (authorization && auth->has_token) {
        if (check_authorization(auth, authorization, ret))
            return 0;
        return fr_error_set(err, EACCES, FR_CODE_UNAUTHORIZED,
                            "the credentials are not right: send the user and token that the "
                            "daemon was started with (FLUX_USER, FLUX_TOKEN)");
    }
    if (!auth->required && peer_is_trusted(auth, peer)) {
        name_identity(ret, auth->uid_name, strlen(auth->uid_name), FR_BY_PEER);
        return 0;
    }
    if (!auth->required && auth->open) {
        name_identity(ret, "anyone", strlen("anyone"), FR_BY_NOTHING);
        return 0;
    }
    return fr_error_set(
        err, EACCES, FR_CODE_UNAUTHORIZED, "%s",
        auth->has_token
            ? "credentials are required: send a user and token with HTTP Basic, as "
              "curl --user \"$FLUX_USER:$FLUX_TOKEN\" does"
            : "only the user that runs this daemon may use it without credentials, and it has "
              "none set; start it with FLUX_USER and FLUX_TOKEN to let others in");
}

/* The name out of a Host header, without the dot that ends an absolute one. */
static bool split_host(const char *host, char *name, size_t size)
{
    const char *port;

    if (!fr_text_split_host(host, name, size, &port) || (*port && !fr_text_is_port(port)))
        return false;
    size_t len = strlen(name);
    if (len > 1 && name[len - 1] == '.')
        name[len - 1] = '\0';
    return true;
}

const char *fr_identified_word(enum fr_identified method)
{
    static const char *const words[] = {
        [FR_BY_PUBLIC] = "public", [FR_BY_NOTHING] = "none",  [FR_BY_PEER] = "peer",
        [FR_BY_BASIC] = "basic",   [FR_BY_BEARER] = "bearer",
    };

    return words[method];
}

int fr_auth_check_host(const struct fr_auth *auth, const char *host, struct fr_error *err)
{
    char name[256];
    struct in6_addr addr;

    if (!host)
        return 0;
    if (split_host(host, name, sizeof name)) {
        /* An address cannot be rebound: whoever has it in the address bar is talking to us. */
        if (inet_pton(AF_INET, name, &addr) == 1 || inet_pton(AF_INET6, name, &addr) == 1)
            return 0;
        for (size_t i = 0; auth->hosts[i]; i++)
            if (strcasecmp(name, auth->hosts[i]) == 0)
                return 0;
    }
    return fr_error_set(
        err, EPERM, FR_CODE_HOST,
        "the request was sent to the name \"%.200s\", which this server does not "
        "serve; start it with --allow-host to serve that name too",
        host);
}

int fr_auth_check_origin(const char *host, const char *origin, const char *fetch_site,
                         struct fr_error *err)
{
    if (origin) {
        const char *scheme_end = strstr(origin, "://");
        if (host && scheme_end && strcasecmp(scheme_end + 3, host) == 0)
            return 0;
        return fr_error_set(err, EPERM, FR_CODE_ORIGIN,
                            "a page of %.200s may not change anything here", origin);
    }
    if (fetch_site && strcmp(fetch_site, "same-origin") != 0 && strcmp(fetch_site, "none") != 0)
        return fr_error_set(err, EPERM, FR_CODE_ORIGIN,
                            "a page of another site may not change anything here");
    return 0;
}

int fr_auth_check_embedding(const char *fetch_site, const char *fetch_mode,
                            struct fr_error *err)
{
    bool ours = !fetch_site || strcmp(fetch_site, "same-origin") == 0 ||
                strcmp(fetch_site, "none") == 0;

    if (ours || (fetch_mode && strcmp(fetch_mode, "navigate") == 0))
        return 0;
    return fr_error_set(err, EPERM, FR_CODE_ORIGIN,
                        "a page of another site may not load anything from here");
}
