// SPDX-License-Identifier: LGPL-3.0-only
/*
 * libmicrohttpd on our loop. It runs in epoll mode without a thread: its epoll descriptor is
 * polled by the loop, and MHD_run() called when something is ready, when a connection was
 * resumed, and once a second for its timeouts.
 */
#include "http/server.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "http/internal.h"
#include "http/peer.h"

/* Most turns of libmicrohttpd before the loop's other descriptors get theirs. */
enum { RUN_ROUNDS = 8 };

/* Cuts whatever is left. */
static void shut(struct fr_server *server)
{
    struct conn *conn;

    server->stopping = true;
    server->stopped = true;
    fr_accept_close(server);
    /* libmicrohttpd aborts the process if it finds a suspended connection at its end. */
    LIST_FOREACH(conn, &server->conns, link)
    fr_conn_abandon(conn);
    fr_secure_close(server);
    fr_poll_free(server->mhd_poll);
    server->mhd_poll = NULL;
    /* Every request that is left gets its notice of completion in here. */
    if (server->mhd)
        MHD_stop_daemon(server->mhd);
    server->mhd = NULL;
    fr_linger_close(server);
    fr_watch_close(server);
}

/* Must be the last thing that a callback does: the server may be gone afterwards. */
static void finish(struct fr_server *server)
{
    fr_timer_stop(server->tick);
    fr_timer_stop(server->kick);
    fr_timer_stop(server->grace);
    shut(server);
    if (server->done)
        server->done(server->done_arg);
}

static void begin_stop(struct fr_server *server)
{
    struct conn *conn;

    server->stop_begun = true;
    fr_accept_close(server);
    fr_timer_start(server->grace, server->grace_ms, 0);
    LIST_FOREACH(conn, &server->conns, link)
    {
        if (conn->phase == CONN_IDLE || conn->fresh)
            fr_conn_cut(conn);
        else if (conn->req && conn->req->stream)
            fr_stream_closing(conn->req->stream);
    }
}

static void run(struct fr_server *server)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;
    bool more = true;

    server->running = true;
    for (int i = 0; more && i < RUN_ROUNDS; i++) {
        server->pending = false;
        (void)MHD_run(server->mhd);
        more = server->pending ||
               (MHD_get_timeout(server->mhd, &wait_ms) == MHD_YES && wait_ms == 0);
    }
    server->running = false;
    if (server->stopping && !server->stop_begun)
        begin_stop(server);
    if (server->stopping && server->n_conns == 0 && server->n_secured == 0)
        finish(server);
    else if (more)
        fr_timer_start(server->kick, 0, 0);
}

static void on_ready(void *arg, int status, int events)
{
    (void)status;
    (void)events;
    run(arg);
}

static void on_kick(void *arg)
{
    run(arg);
}

void fr_server_kick(struct fr_server *server)
{
    if (server->stopped)
        return;
    if (!server->pending && !server->running)
        fr_timer_start(server->kick, 0, 0);
    server->pending = true;
}

static void on_tick(void *arg)
{
    struct fr_server *server = arg;

    if (server->paused)
        fr_accept_pause(server, false);
    fr_conn_tick(server);
    fr_secure_tick(server);
    fr_linger_tick(server);
    if (server->n_conns == 0 && server->n_secured == 0 && server->n_lingerers == 0 &&
        !server->paused) {
        fr_timer_stop(server->tick);
        server->ticking = false;
    }
    run(server);
}

void fr_server_need_tick(struct fr_server *server)
{
    if (server->ticking || server->stopped)
        return;
    server->ticking = true;
    fr_timer_start(server->tick, 1000, 1000);
}

static void on_grace(void *arg)
{
    finish(arg);
}

static int start_mhd(struct fr_server *server)
{
    server->mhd = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
        fr_request_access, server, MHD_OPTION_NOTIFY_CONNECTION, fr_conn_notify, server,
        MHD_OPTION_NOTIFY_COMPLETED, fr_request_completed, server, MHD_OPTION_URI_LOG_CALLBACK,
        fr_request_begin, server, MHD_OPTION_UNESCAPE_CALLBACK, fr_request_unescape, server,
        MHD_OPTION_CONNECTION_LIMIT, server->limits.connections + 1,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, fr_check_pool_size(&server->limits),
        MHD_OPTION_END);
    if (!server->mhd)
        return -ENOMEM;
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info)
        return -ENOTSUP;
    int rc = fr_poll_create(server->loop, info->epoll_fd, on_ready, server, &server->mhd_poll);
    return rc < 0 ? rc : fr_poll_set(server->mhd_poll, UV_READABLE);
}

static int start(struct fr_server *server)
{
    int rc;

    if (getrandom(&server->id_state, sizeof server->id_state, GRND_NONBLOCK) < 0)
        server->id_state = uv_hrtime();
    /* Without sock_diag nobody is known over TCP: a loss of comfort, not of safety. */
    if (fr_peer_open(&server->diag_fd) < 0)
        server->diag_fd = -1;
    if ((rc = fr_timer_create(server->loop, on_kick, server, &server->kick)) < 0 ||
        (rc = fr_timer_create(server->loop, on_tick, server, &server->tick)) < 0 ||
        (rc = fr_timer_create(server->loop, on_grace, server, &server->grace)) < 0 ||
        (rc = fr_watch_open(server)) < 0)
        return rc;
    return start_mhd(server);
}

int fr_server_create(uv_loop_t *loop, const struct fr_server_limits *limits,
                     const struct fr_server_hooks *hooks, struct fr_server **ret)
{
    struct fr_server *server = calloc(1, sizeof *server);

    if (!server)
        return -ENOMEM;
    server->loop = loop;
    server->limits = *limits;
    server->hooks = *hooks;
    server->watch_fd = server->diag_fd = -1;
    LIST_INIT(&server->conns);
    LIST_INIT(&server->lingerers);
    LIST_INIT(&server->secured);
    int rc = start(server);
    if (rc < 0) {
        fr_server_free(server);
        return rc;
    }
    *ret = server;
    return 0;
}

int fr_server_set_tls(struct fr_server *server, const char *cert, const char *key,
                      struct fr_error *err)
{
    struct fr_tls *tls;
    int rc = fr_tls_create(cert, key, &tls, err);

    if (rc < 0)
        return rc;
    fr_tls_release(server->tls);
    server->tls = tls;
    return 0;
}

void fr_server_stop(struct fr_server *server, unsigned int grace_ms, void (*done)(void *arg),
                    void *arg)
{
    server->stopping = true;
    server->grace_ms = grace_ms;
    server->done = done;
    server->done_arg = arg;
    /* The caller may be a handler in the midst of MHD_run(): begin at the loop's next turn. */
    fr_timer_start(server->kick, 0, 0);
}

void fr_server_free(struct fr_server *server)
{
    if (!server)
        return;
    if (!server->stopped)
        shut(server);
    fr_timer_free(server->kick);
    fr_timer_free(server->tick);
    fr_timer_free(server->grace);
    if (server->diag_fd >= 0)
        (void)close(server->diag_fd);
    fr_tls_release(server->tls);
    free(server);
}
