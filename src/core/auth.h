// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Who may: decides who a request is from, and whether a browser was tricked into sending it.
 *
 * Knows nothing of routes: a route says which role it needs, this says who asks.
 */
#ifndef FR_CORE_AUTH_H
#define FR_CORE_AUTH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "core/role.h"
#include "core/tokens.h"
#include "http/message.h"

struct fr_auth;

struct fr_auth_options {
    const char *user;         /* name for HTTP Basic; NULL: none set */
    const char *token;        /* its password; NULL: none set */
    const char *secret_key;   /* for fr_auth_exchange(); NULL: none set */
    double access_seconds;    /* for which an access token holds */
    unsigned int sign_ins;    /* most that may fail in a minute, of one peer; 0: any number */
    bool required;            /* of everyone, the daemon's own user too */
    bool open;                /* --auth=none: anyone is let in without credentials */
    char *const *allow_hosts; /* names beside this machine's that Host may have, or NULL */
    struct fr_tokens *tokens; /* scoped tokens, borrowed; NULL: there are none */
};

/* How we know who asks. */
enum fr_identified {
    FR_BY_PUBLIC, /* nobody was asked: a public route */
    FR_BY_NOTHING,
    FR_BY_PEER,
    FR_BY_BASIC,
    FR_BY_BEARER,
    FR_BY_TOKEN, /* a scoped one */
    FR_BY_JWT    /* an access token of fr_auth_exchange() */
};

/* "public", "none", "peer", "basic", "bearer", "token", "jwt"; static. */
const char *fr_identified_word(enum fr_identified method);

/* Who asks. */
struct fr_identity {
    char user[128]; /* for logs and the service's answer; of a scoped token "token:NAME" */
    enum fr_identified method;
    enum fr_role role; /* what they may do at most */
    double expires;    /* when this ends, seconds since the epoch; 0: never */
};

/* options are copied. 0; -EINVAL with err (required without credentials set); -ENOMEM. */
int fr_auth_create(const struct fr_auth_options *options, struct fr_auth **ret,
                   struct fr_error *err);
void fr_auth_free(struct fr_auth *auth); /* NULL is allowed; secrets are wiped */

/* Whether credentials are set at all, a scoped token that has not expired among them. */
bool fr_auth_has_credentials(const struct fr_auth *auth);

/*
 * Finds out who asks. peer says who is at the other end; authorization is the header, or NULL.
 * Credentials that are given must be right even where none are needed; a scoped token goes as a
 * bearer token, or as the password of any user. 0; -EACCES with err (FR_CODE_UNAUTHORIZED)
 * whose text does not tell which part was wrong. Takes the same time for a wrong user as for a
 * wrong token. What was right is remembered as a keyed hash, until it ends or the tokens
 * change.
 */
int fr_auth_check(struct fr_auth *auth, const struct fr_peer *peer, const char *authorization,
                  struct fr_identity *ret, struct fr_error *err);

/* Whether somebody may go on with what was begun: false once a token has ended or was revoked.
 */
bool fr_auth_holds(struct fr_auth *auth, const struct fr_identity *who);

/* For how many seconds no credentials are taken from this peer; 0: they are. */
unsigned int fr_auth_wait(const struct fr_auth *auth, const struct fr_peer *peer);

/*
 * Exchanges a bearer's JWT with the claims user, pass and scope "token", signed with the secret
 * key, for an access token: a JWT of ours, signed with a key that follows from the secret key,
 * the user and the token, so that it ends when one of them is changed, and that who knows the
 * secret key alone cannot make one. 0 with it appended; -EACCES with err
 * (FR_CODE_UNAUTHORIZED), whose text does not tell which part was wrong; -EBUSY as above;
 * -ENOMEM.
 */
int fr_auth_exchange(struct fr_auth *auth, const struct fr_peer *peer,
                     const char *authorization, struct fr_buf *ret, struct fr_error *err);

/*
 * Whether the Host header names this server: an address, localhost, this machine's name, or an
 * allowed one. A name that resolves here only for an attacker's page (DNS rebinding) is none
 * of these. host NULL (HTTP/1.0) is accepted. 0 or -EPERM with err (FR_CODE_HOST).
 */
int fr_auth_check_host(const struct fr_auth *auth, const char *host, struct fr_error *err);

/*
 * Whether a call that changes something may come from the page it comes from: origin (NULL:
 * not a page) must be of the host that it was sent to. fetch_site is the Sec-Fetch-Site header
 * or NULL. 0 or -EPERM with err (FR_CODE_ORIGIN).
 */
int fr_auth_check_origin(const char *host, const char *origin, const char *fetch_site,
                         struct fr_error *err);

/*
 * Whether a read may come from the page it comes from: a browser lets any page load what is
 * here as a script or a picture, and says so. Somebody who follows a link is welcome. The
 * arguments are the Sec-Fetch-Site and Sec-Fetch-Mode headers or NULL. 0 or -EPERM with err.
 */
int fr_auth_check_embedding(const char *fetch_site, const char *fetch_mode,
                            struct fr_error *err);

#endif
