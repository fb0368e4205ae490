// SPDX-License-Identifier: LGPL-3.0-only
/*
 * TLS before a connection: what a client sends is decrypted here and passed on through a pair
 * of sockets to the same code that serves plain connections; what comes back goes the other
 * way. Not by libmicrohttpd, which (0.9.75) spins at full speed for as long as a handshake
 * stands still within a record, and then does not end it.
 *
 * Deadlines and limits are those of the inner connection: it exists from the start, so that a
 * handshake counts as a request that has not arrived. When it ends, what it left is sent, for
 * as long as the client takes it. A client that takes nothing is watched here: what waits for
 * it keeps us from seeing that the inner connection has ended.
 */
#include "http/internal.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

/* A record's greatest length; and how many are passed on before others get their turn. */
enum { RECORD = 16384, ROUNDS = 4 };

struct pipe {
    char data[RECORD];
    size_t at, len; /* what has not been passed on */
};

struct secure {
    LIST_ENTRY(secure) link;
    struct fr_server *server;
    struct fr_tls *tls;
    gnutls_session_t session;
    int outer, inner; /* the client's socket, and our end of the pair */
    struct fr_poll *outer_poll, *inner_poll;
    bool ready;       /* the handshake is done */
    bool client_done; /* the client sends no more */
    bool inner_done;  /* the connection sends no more */
    bool failed;
    int outer_wants, inner_wants; /* events to wait for */
    uint64_t progress;            /* uv_now() when bytes for the client came or went last */
    struct pipe in, out;
};

static void close_fd(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

static void end(struct secure *secure)
{
    struct fr_server *server = secure->server;

    fr_poll_free(secure->outer_poll);
    fr_poll_free(secure->inner_poll);
    if (secure->session) {
        /* Said if it can be said at once. */
        if (secure->ready && !secure->failed)
            (void)gnutls_bye(secure->session, GNUTLS_SHUT_WR);
        gnutls_deinit(secure->session);
    }
    fr_tls_release(secure->tls);
    close_fd(secure->inner);
    /* Of what the client still sends the kernel would make a reset. */
    if (secure->inner_done && !secure->client_done && !secure->failed)
        fr_linger_add(server, secure->outer);
    else
        close_fd(secure->outer);
    LIST_REMOVE(secure, link);
    server->n_secured--;
    if (server->stopping)
        fr_server_kick(server);
    free(secure);
}

static bool is_for_later(int code)
{
    return code == GNUTLS_E_AGAIN || code == GNUTLS_E_INTERRUPTED;
}

/* Each of the following: whether anything was done that lets others go on. */
static bool shake_hands(struct secure *secure)
{
    const int rc = gnutls_handshake(secure->session);

    if (rc == 0) {
        secure->ready = true;
        return true;
    }
    secure->failed = !is_for_later(rc) && gnutls_error_is_fatal(rc);
    secure->outer_wants |=
        gnutls_record_get_direction(secure->session) ? UV_WRITABLE : UV_READABLE;
    return false;
}

static bool take_from_client(struct secure *secure)
{
    struct pipe *in = &secure->in;

    if (secure->client_done || in->len > 0)
        return false;
    const ssize_t n = gnutls_record_recv(secure->session, in->data, sizeof in->data);
    if (n > 0) {
        in->at = 0;
        in->len = (size_t)n;
        return true;
    }
    if (n < 0 && is_for_later((int)n)) {
        secure->outer_wants |= UV_READABLE;
        return false;
    }
    /* Renegotiation is refused along with what is broken. */
    secure->failed = n < 0 && n != GNUTLS_E_PREMATURE_TERMINATION;
    secure->client_done = true;
    (void)shutdown(secure->inner, SHUT_WR);
    return false;
}

static bool give_to_inner(struct secure *secure)
{
    struct pipe *in = &secure->in;

    if (in->len == 0)
        return false;
    const ssize_t n = send(secure->inner, in->data + in->at, in->len, MSG_NOSIGNAL);
    if (n > 0) {
        in->at += (size_t)n;
        in->len -= (size_t)n;
        return true;
    }
    if (errno == EAGAIN || errno == EINTR)
        secure->inner_wants |= UV_WRITABLE;
    else
        in->len = 0; /* nobody is there to read it, but a last reply may be */
    return false;
}

static bool take_from_inner(struct secure *secure)
{
    struct pipe *out = &secure->out;

    if (secure->inner_done || out->len > 0)
        return false;
    const ssize_t n = recv(secure->inner, out->data, sizeof out->data, 0);
    if (n > 0) {
        out->at = 0;
        out->len = (size_t)n;
        secure->progress = uv_now(secure->server->loop);
        return true;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        secure->inner_wants |= UV_READABLE;
    else
        secure->inner_done = true;
    return false;
}

static bool give_to_client(struct secure *secure)
{
    struct pipe *out = &secure->out;

    if (out->len == 0)
        return false;
    const ssize_t n = gnutls_record_send(secure->session, out->data + out->at, out->len);
    if (n > 0) {
        out->at += (size_t)n;
        out->len -= (size_t)n;
        secure->progress = uv_now(secure->server->loop);
        return true;
    }
    if (is_for_later((int)n))
        secure->outer_wants |= UV_WRITABLE;
    else
        secure->failed = true;
    return false;
}

/* One turn of everything; whether another may do more. */
static bool turn(struct secure *secure)
{
    secure->outer_wants = secure->inner_wants = 0;
    if (!secure->ready) {
        secure->inner_wants = UV_DISCONNECT;
        return shake_hands(secure);
    }
    bool more = take_from_client(secure);
    more |= give_to_inner(secure);
    more |= take_from_inner(secure);
    more |= give_to_client(secure);
    return more;
}

static void pump(struct secure *secure)
{
    bool more = true;

    for (int i = 0; more && i < ROUNDS && !secure->failed; i++)
        more = turn(secure);
    if (secure->failed || (secure->inner_done && (secure->out.len == 0 || !secure->ready))) {
        end(secure);
        return;
    }
    /* What GnuTLS has read already no descriptor tells of: a writable one comes at once. */
    if (more)
        secure->inner_wants |= UV_WRITABLE;
    if (fr_poll_set(secure->outer_poll, secure->outer_wants) < 0 ||
        fr_poll_set(secure->inner_poll, secure->inner_wants) < 0) {
        secure->failed = true;
        end(secure);
    }
}

static void on_outer(void *arg, int status, int events)
{
    struct secure *secure = arg;

    (void)events;
    secure->failed |= status < 0;
    pump(secure);
}

static void on_inner(void *arg, int status, int events)
{
    struct secure *secure = arg;

    secure->failed |= status < 0;
    /* Cut by its deadline, or turned away: a handshake is more than we have to spare for it. */
    if (!secure->ready && (events & UV_DISCONNECT))
        secure->inner_done = true;
    pump(secure);
}

/* The two ends of the way between; *ret_theirs is for the connection. */
static int connect_inner(struct secure *secure, int *ret_theirs)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
        return -errno;
    secure->inner = ends[0];
    *ret_theirs = ends[1];
    return 0;
}

static int begin(struct secure *secure, int *ret_theirs)
{
    uv_loop_t *loop = secure->server->loop;
    int rc = fr_tls_begin(secure->tls, secure->outer, &secure->session);

    if (rc == 0)
        rc = connect_inner(secure, ret_theirs);
    if (rc == 0)
        rc = fr_poll_create(loop, secure->outer, on_outer, secure, &secure->outer_poll);
    if (rc == 0)
        rc = fr_poll_create(loop, secure->inner, on_inner, secure, &secure->inner_poll);
    return rc;
}

void fr_secure_adopt(struct fr_server *server, int fd, const struct sockaddr *addr,
                     socklen_t len)
{
    struct secure *secure = calloc(1, sizeof *secure);
    const int on = 1;
    int theirs = -1;

    if (!secure) {
        (void)close(fd);
        return;
    }
    /* As libmicrohttpd does where it has the client's socket; without it a reply is only late.
     */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    secure->server = server;
    secure->tls = fr_tls_hold(server->tls);
    secure->outer = fd;
    secure->inner = -1;
    secure->progress = uv_now(server->loop);
    LIST_INSERT_HEAD(&server->secured, secure, link);
    server->n_secured++;
    if (begin(secure, &theirs) < 0) {
        secure->failed = true;
        close_fd(theirs);
        end(secure);
        return;
    }
    fr_conn_adopt(server, theirs, fd, addr, len);
    pump(secure);
}

void fr_secure_tick(struct fr_server *server)
{
    const uint64_t patience = (uint64_t)server->limits.reply_seconds * 1000;
    struct secure *next = LIST_FIRST(&server->secured);

    for (struct secure *secure = next; secure; secure = next) {
        next = LIST_NEXT(secure, link);
        if (secure->out.len == 0 || uv_now(server->loop) - secure->progress < patience)
            continue;
        secure->failed = true;
        end(secure);
    }
}

void fr_secure_close(struct fr_server *server)
{
    while (!LIST_EMPTY(&server->secured)) {
        LIST_FIRST(&server->secured)->failed = true;
        end(LIST_FIRST(&server->secured));
    }
}
