// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The server's own epoll set, beside libmicrohttpd's: it tells of clients that leave while
 * libmicrohttpd does not look at their connection, and of lingering sockets.
 */
#include "http/internal.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

static void on_readable(void *arg, int status, int events)
{
    struct fr_server *server = arg;

    (void)status;
    (void)events;
    /* One at a time, for an event's callback may take another descriptor out of the set. */
    for (int i = 0; i < 64; i++) {
        struct epoll_event event;
        if (epoll_wait(server->watch_fd, &event, 1, 0) != 1)
            return;
        struct watched *watched = event.data.ptr;
        watched->event(watched, event.events);
    }
}

int fr_watch_open(struct fr_server *server)
{
    server->watch_fd = epoll_create1(EPOLL_CLOEXEC);
    if (server->watch_fd < 0)
        return -errno;
    int rc = fr_poll_create(server->loop, server->watch_fd, on_readable, server,
                            &server->watch_poll);
    return rc < 0 ? rc : fr_poll_set(server->watch_poll, UV_READABLE);
}

void fr_watch_close(struct fr_server *server)
{
    fr_poll_free(server->watch_poll);
    server->watch_poll = NULL;
    if (server->watch_fd >= 0)
        (void)close(server->watch_fd);
    server->watch_fd = -1;
}

int fr_watch_set(struct fr_server *server, struct watched *watched, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watched};
    int op = watched->on ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

    if (epoll_ctl(server->watch_fd, op, watched->fd, &event) < 0)
        return -errno;
    watched->on = true;
    return 0;
}

void fr_watch_drop(struct fr_server *server, struct watched *watched)
{
    if (watched->on)
        (void)epoll_ctl(server->watch_fd, EPOLL_CTL_DEL, watched->fd, NULL);
    watched->on = false;
}
