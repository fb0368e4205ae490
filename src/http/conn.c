// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Connections: who may have one, how long each phase may last, and noticing that a client left.
 *
 * Deadlines are looked at once a second and not by a timer per request. While a reply is being
 * sent, libmicrohttpd's own timeout (time since anything was sent) is switched on; at all other
 * times it is off and costs nothing.
 *
 * A client that has left is told from one that only shut down its sending side and still reads:
 * over a Unix socket the kernel says which; over loopback TCP sock_diag is asked whether the
 * other end still has an owner; from another machine it cannot be known, and a half-closed
 * connection counts as a client that left once its request has waited for a tick.
 *
 * libmicrohttpd reads with edge-triggered events and may miss the end of input that came
 * together with a request; the watch finds that too.
 */
#include "http/internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/util.h"
#include "http/peer.h"

/* One place in so many is kept for the user who runs us. */
enum { OWN_SHARE = 8 };

struct conn *fr_conn_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

static void set_timeout(struct conn *conn, unsigned int seconds)
{
    conn->timed = seconds != 0;
    (void)MHD_set_connection_option(conn->mhd, MHD_CONNECTION_OPTION_TIMEOUT, seconds);
}

void fr_conn_enter(struct conn *conn, enum conn_phase phase)
{
    conn->phase = phase;
    conn->since = uv_now(conn->server->loop);
    if (phase != CONN_IDLE)
        return;
    if (conn->timed)
        set_timeout(conn, 0);
    /* There will be no other request. */
    if (conn->server->stopping || conn->half_closed)
        fr_conn_cut(conn);
}

void fr_conn_cut(struct conn *conn)
{
    (void)shutdown(conn->watched.fd, SHUT_RDWR);
    /*
     * libmicrohttpd finds out by the event, unless it has closed the connection on its side
     * and forgotten to clean up. It looks at those with a timeout of their own at every turn.
     */
    set_timeout(conn, 1);
    fr_server_kick(conn->server);
}

void fr_conn_abandon(struct conn *conn)
{
    struct fr_req *req = conn->req;

    fr_watch_drop(conn->server, &conn->watched);
    fr_conn_cut(conn);
    /* A connection that libmicrohttpd looks at will be found broken by it. */
    if (!req || !req->suspended)
        return;
    req->dead = true;
    if (req->stream)
        fr_stream_closed(req->stream);
    else if (!req->answered && req->gone)
        req->gone(req->gone_arg);
    fr_req_wake(req);
}

/* Whether the client is there although it has closed its sending side. */
static bool is_held(struct conn *conn)
{
    return conn->peer.is_unix || fr_peer_is_held(conn->server->diag_fd, conn->watched.fd);
}

static bool is_waited_for(const struct conn *conn)
{
    return conn->phase == CONN_HANDLING ||
           (conn->req && (conn->req->stream || conn->req->paused));
}

static void on_event(struct watched *watched, uint32_t events)
{
    struct conn *conn = fr_container_of(watched, struct conn, watched);

    conn->half_closed = true;
    if ((events & (EPOLLHUP | EPOLLERR)) || (is_waited_for(conn) && !is_held(conn)) ||
        /* From now on only what is told unasked: the other direction's end, and errors. */
        fr_watch_set(conn->server, watched, 0) < 0)
        fr_conn_abandon(conn);
    else if (conn->phase == CONN_IDLE)
        fr_conn_cut(conn);
}

/*
 * The watch is for connections that have been in one phase for a tick; those that serve one
 * quick request after the other never come to it.
 */
static void look_for_client(struct conn *conn)
{
    if (!conn->watched.on)
        (void)fr_watch_set(conn->server, &conn->watched,
                           conn->half_closed ? 0 : (uint32_t)EPOLLRDHUP);
    else if (conn->half_closed && is_waited_for(conn) && !is_held(conn))
        fr_conn_abandon(conn);
}

/*
 * A request has not arrived in time. libmicrohttpd takes no reply in the midst of an upload, so
 * this one goes past it. What the client still sends is read away, or it might not see it.
 */
static void time_out(struct conn *conn)
{
    static const char reply[] =
        "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Type: text/plain\r\n"
        "Content-Length: 36\r\n\r\nThe request did not arrive in time.\n";

    if (!conn->req || conn->half_closed || conn->linger) {
        fr_conn_cut(conn);
        return;
    }
    (void)send(conn->watched.fd, reply, sizeof reply - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)shutdown(conn->watched.fd, SHUT_WR);
    conn->linger = true;
    conn->req->dead = true;
    conn->req->status = 408;
    if (conn->req->gone)
        conn->req->gone(conn->req->gone_arg);
    set_timeout(conn, 1);
}

/* Seconds that a request may take to arrive. */
static unsigned int patience(const struct conn *conn)
{
    const struct fr_server_limits *limits = &conn->server->limits;

    return conn->fresh && limits->handshake_seconds < limits->request_seconds
               ? limits->handshake_seconds
               : limits->request_seconds;
}

static void tick(struct conn *conn)
{
    const struct fr_server_limits *limits = &conn->server->limits;
    const uint64_t seconds = (uv_now(conn->server->loop) - conn->since) / 1000;

    if (seconds == 0)
        return;
    look_for_client(conn);
    switch (conn->phase) {
    case CONN_IDLE:
        if (seconds >= limits->idle_seconds)
            fr_conn_cut(conn);
        break;
    case CONN_RECEIVING:
        /* What a half-closed client has sent has been read by now, unless that was paused: no
         * more will come. */
        if (conn->req && conn->req->paused)
            break;
        if (seconds >= patience(conn) ||
            (conn->half_closed && !(conn->req && conn->req->on_data)))
            time_out(conn);
        break;
    case CONN_HANDLING:
        break;
    case CONN_SENDING:
        if (!conn->timed)
            set_timeout(conn, limits->reply_seconds);
        break;
    }
}

void fr_conn_tick(struct fr_server *server)
{
    struct conn *conn;

    LIST_FOREACH(conn, &server->conns, link)
    tick(conn);
}

void fr_conn_notify(void *cls, struct MHD_Connection *mhd, void **context,
                    enum MHD_ConnectionNotificationCode code)
{
    struct fr_server *server = cls;
    struct conn *conn = *context;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        conn = fr_take(server->adopting);
        conn->mhd = mhd;
        LIST_INSERT_HEAD(&server->conns, conn, link);
        server->n_conns++;
        *context = conn;
        return;
    }
    if (!conn)
        return;
    /* libmicrohttpd forgets the notice of completion where it fails over its own reply. */
    if (conn->req)
        fr_request_end(conn->req);
    fr_watch_drop(server, &conn->watched);
    if (conn->linger) {
        /* libmicrohttpd closes its descriptor next; this one keeps the socket. */
        int fd = fcntl(conn->watched.fd, F_DUPFD_CLOEXEC, 0);
        if (fd >= 0)
            fr_linger_add(server, fd);
    }
    LIST_REMOVE(conn, link);
    server->n_conns--;
    *context = NULL;
    free(conn);
}

static void take_key(struct conn *conn, const struct sockaddr *addr)
{
    struct conn_key *key = &conn->key;

    key->uid = -2;
    if (conn->peer.is_unix || conn->peer.is_loopback)
        key->uid = conn->peer.uid;
    else if (addr->sa_family == AF_INET6)
        key->addr = ((const struct sockaddr_in6 *)addr)->sin6_addr;
    else if (addr->sa_family == AF_INET) {
        key->addr.s6_addr[10] = key->addr.s6_addr[11] = 0xff;
        memcpy(&key->addr.s6_addr[12], &((const struct sockaddr_in *)addr)->sin_addr, 4);
    }
}

/* Whether the peer is who runs us: nobody else may take the last places. */
static bool is_own(const struct fr_peer *peer)
{
    return ((peer->is_unix || peer->is_loopback) && peer->uid == (int64_t)geteuid()) ||
           (peer->is_unix && peer->uid == 0);
}

/* NULL if one more connection of this peer is allowed, else the whole reply that says no. */
static const char *over_limit(const struct fr_server *server, const struct conn *one)
{
    const unsigned int all = server->limits.connections;
    const unsigned int most = is_own(&one->peer) ? all : all - all / OWN_SHARE;
    const struct conn *conn;
    unsigned int same = 0;

    /* The sockets that TLS is taken off may outlive their connections: they are counted too. */
    if (server->n_conns >= most || (one->peer.is_tls && server->n_secured > most))
        return "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n"
               "Content-Type: text/plain\r\nContent-Length: 22\r\n\r\nToo many connections.\n";
    LIST_FOREACH(conn, &server->conns, link)
    same += conn->key.uid == one->key.uid &&
            memcmp(&conn->key.addr, &one->key.addr, sizeof one->key.addr) == 0;
    if (same >= server->limits.per_address)
        return "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nConnection: close\r\n"
               "Content-Type: text/plain\r\nContent-Length: 48\r\n\r\n"
               "Too many connections from this address or user.\n";
    return NULL;
}

static void turn_away(struct fr_server *server, int fd, const char *reply)
{
    (void)send(fd, reply, strlen(reply), MSG_DONTWAIT | MSG_NOSIGNAL);
    fr_linger_add(server, fd);
}

void fr_conn_adopt(struct fr_server *server, int fd, int outer, const struct sockaddr *addr,
                   socklen_t len)
{
    struct conn *conn = calloc(1, sizeof *conn);

    if (!conn) {
        (void)close(fd);
        return;
    }
    conn->server = server;
    conn->watched = (struct watched){.fd = fd, .event = on_event};
    conn->fresh = true;
    fr_peer_identify(server->diag_fd, outer, &conn->peer);
    conn->peer.is_tls = fd != outer;
    take_key(conn, addr);
    const char *no = over_limit(server, conn);
    if (no) {
        turn_away(server, fd, no);
        free(conn);
        return;
    }
    fr_conn_enter(conn, CONN_RECEIVING);
    server->adopting = conn;
    /* What TLS was taken off comes over a Unix socket, and is to be treated as that. */
    const struct sockaddr_un inner = {.sun_family = AF_UNIX};
    if (conn->peer.is_tls)
        (void)MHD_add_connection(server->mhd, fd, (const struct sockaddr *)&inner,
                                 sizeof inner);
    else
        (void)MHD_add_connection(server->mhd, fd, addr, len);
    /* Still here: it failed before libmicrohttpd took it, and the socket is closed. */
    free(fr_take(server->adopting));
    fr_server_need_tick(server);
}
