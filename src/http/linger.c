// SPDX-License-Identifier: LGPL-3.0-only
/*
 * A request that was refused before its body was read leaves bytes unread, and closing a socket
 * with unread bytes makes the kernel reset the connection: the client may never see why it was
 * refused. So the socket is kept open for a little while, its input thrown away. Bounded in
 * number, time and bytes; beyond that the client has to do with the reset.
 */
#include "http/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/util.h"

enum { LINGER_COUNT = 64, LINGER_MS = 2000, LINGER_BYTES = 4 << 20 };

struct lingerer {
    LIST_ENTRY(lingerer) link;
    struct fr_server *server;
    struct watched watched;
    uint64_t since;
    size_t bytes;
};

static void end(struct lingerer *lingerer)
{
    struct fr_server *server = lingerer->server;

    fr_watch_drop(server, &lingerer->watched);
    (void)close(lingerer->watched.fd);
    LIST_REMOVE(lingerer, link);
    server->n_lingerers--;
    free(lingerer);
}

static void on_event(struct watched *watched, uint32_t events)
{
    struct lingerer *lingerer = fr_container_of(watched, struct lingerer, watched);
    char scratch[65536];

    (void)events;
    ssize_t n = recv(watched->fd, scratch, sizeof scratch, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0)
        lingerer->bytes += (size_t)n;
    if (n <= 0 || lingerer->bytes > LINGER_BYTES)
        end(lingerer);
}

void fr_linger_add(struct fr_server *server, int fd)
{
    struct lingerer *lingerer =
        server->n_lingerers < LINGER_COUNT ? calloc(1, sizeof *lingerer) : NULL;

    if (!lingerer) {
        (void)close(fd);
        return;
    }
    (void)shutdown(fd, SHUT_WR);
    lingerer->server = server;
    lingerer->watched = (struct watched){.fd = fd, .event = on_event};
    lingerer->since = uv_now(server->loop);
    LIST_INSERT_HEAD(&server->lingerers, lingerer, link);
    server->n_lingerers++;
    fr_server_need_tick(server);
    if (fr_watch_set(server, &lingerer->watched, EPOLLIN | EPOLLRDHUP) < 0)
        end(lingerer);
}

void fr_linger_tick(struct fr_server *server)
{
    struct lingerer *next = LIST_FIRST(&server->lingerers);

    for (struct lingerer *lingerer = next; lingerer; lingerer = next) {
        next = LIST_NEXT(lingerer, link);
        if (uv_now(server->loop) - lingerer->since > LINGER_MS)
            end(lingerer);
    }
}

void fr_linger_close(struct fr_server *server)
{
    while (!LIST_EMPTY(&server->lingerers))
        end(LIST_FIRST(&server->lingerers));
}
