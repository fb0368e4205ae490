// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The other end: one server, asked by libcurl.
 *
 * One question at a time, except that one may be asked while another's answer streams in (from
 * its on_interrupt or on_turn). Nothing is sent twice here; see ask.h for what may be repeated.
 * Credentials go into the request's header alone, and to this server alone: no redirect is
 * followed.
 */
#ifndef FR_CLI_CLIENT_H
#define FR_CLI_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

struct fr_client;

struct fr_client_options {
    const char *url;    /* http://…, https://…, unix:/PATH, or HOST:PORT */
    const char *user;   /* or NULL */
    const char *token;  /* or NULL; copied, and wiped when the client is freed */
    const char *cacert; /* a file, or NULL */
    double timeout;     /* seconds for an answer that is no stream */
};

/* -EINVAL with err if the URL is none that we take; -ENOMEM. */
int fr_client_create(const struct fr_client_options *options, struct fr_client **ret,
                     struct fr_error *err);
void fr_client_free(struct fr_client *client);

/* Where it is, for people. Borrowed. */
const char *fr_client_url(const struct fr_client *client);

/* Whether the server is on this machine: a Unix socket or a loopback address. */
bool fr_client_is_local(const struct fr_client *client);

/* Whether it has answered anything yet. */
bool fr_client_has_answered(const struct fr_client *client);

struct fr_request {
    const char *method; /* "GET", "POST", "DELETE" */
    const char *path;   /* from /v1 on, with its query, escaped */
    const char *accept; /* or NULL */
    const char *type;   /* of the body, or NULL */
    const char *body;   /* or NULL; borrowed until it was answered */
    size_t body_len;
    const char *key;     /* Idempotency-Key, or NULL */
    bool keys_inside;    /* each job of the body has its own */
    const char *place;   /* Last-Event-ID, or NULL */
    bool stream;         /* goes on for as long as it likes, but not in silence */
    double wait_seconds; /* that the server takes on purpose, beside the usual time */
    /*
     * Takes the bytes of an answer with a status of 2xx as they come; without it they are
     * kept in the reply. Another value than 0 breaks off.
     */
    int (*on_data)(void *arg, const char *data, size_t len);
    /* Called after a Ctrl-C that does not make us give up. */
    void (*on_interrupt)(void *arg);
    /*
     * Called at each turn of waiting: after what has come, and when the seconds that it asked
     * for are over (none: it sets no seconds). Another value than 0 breaks off. May be NULL.
     */
    int (*on_turn)(void *arg, double *ret_seconds);
    void *arg;
};

struct fr_reply {
    long status;
    char type[80];      /* Content-Type, lower case, without parameters */
    double retry_after; /* seconds; 0 if not given */
    struct fr_buf body; /* ends with NUL */
    bool delivered;     /* on_data has had some of it */
};

/* What became of a request. */
enum fr_outcome {
    FR_ANSWERED,    /* whatever the status */
    FR_NOT_THERE,   /* no connection: nothing was sent */
    FR_BROKEN_OFF,  /* sent, at least in part, and no whole answer came */
    FR_TOO_LARGE,   /* the answer exceeds what we keep */
    FR_STOPPED,     /* on_data or on_turn broke off */
    FR_INTERRUPTED, /* Ctrl-C */
};

/*
 * Asks, and blocks until the answer is there. reply is initialised here, and freed by the
 * caller with fr_reply_done in any case. err says why it was not FR_ANSWERED.
 */
enum fr_outcome fr_client_ask(struct fr_client *client, const struct fr_request *request,
                              struct fr_reply *reply, struct fr_error *err);
void fr_reply_done(struct fr_reply *reply);

/* Appends text as it may stand in a path or query. */
void fr_client_put_escaped(struct fr_buf *out, const char *text);

/* Reads a token from a file that no other user may read. The caller wipes and frees it. */
int fr_client_read_token(const char *path, char **ret, struct fr_error *err);

#endif
