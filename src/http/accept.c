// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Listening sockets. We accept connections ourselves and hand them to libmicrohttpd, for three
 * reasons: its own accept loop spins when descriptors run out before the first connection; the
 * limits hold for all listeners together; and the peer is identified before its first byte is
 * read.
 */
#include "http/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"
#include "base/util.h"

enum { ACCEPT_BATCH = 32 };

static void free_listener(struct listener *listener)
{
    if (!listener)
        return;
    fr_poll_free(listener->poll);
    if (listener->fd >= 0)
        (void)close(listener->fd);
    /* Only the file that we made: another daemon may have replaced it since. */
    struct stat st;
    if (listener->path && listener->ino && lstat(listener->path, &st) == 0 &&
        st.st_dev == listener->dev && st.st_ino == listener->ino)
        (void)unlink(listener->path);
    free(listener->path);
    free(listener->address);
    free(listener);
}
FR_DEFINE_CLEANUP(struct listener *, listener, free_listener);

/* false when there is no more to accept now. */
static bool accept_one(struct listener *listener)
{
    union {
        struct sockaddr any;
        struct sockaddr_storage storage;
    } addr;
    socklen_t len = sizeof addr;
    int fd = accept4(listener->fd, &addr.any, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd >= 0) {
        if (listener->is_tls)
            fr_secure_adopt(listener->server, fd, &addr.any, len);
        else
            fr_conn_adopt(listener->server, fd, fd, &addr.any, len);
        return true;
    }
    switch (errno) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        /* The client stays in the backlog; trying again at once would only burn time. */
        fr_accept_pause(listener->server, true);
        return false;
    case EAGAIN:
        return false;
    default:
        return true; /* a connection that ended before it was accepted, or a signal */
    }
}

static void on_connection(void *arg, int status, int events)
{
    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPT_BATCH && accept_one(arg); i++)
        ;
}

void fr_accept_pause(struct fr_server *server, bool paused)
{
    if (server->paused == paused)
        return;
    server->paused = paused;
    for (size_t i = 0; i < server->n_listeners; i++)
        if (server->listeners[i]->poll)
            (void)fr_poll_set(server->listeners[i]->poll, paused ? 0 : UV_READABLE);
    fr_server_need_tick(server);
}

void fr_accept_close(struct fr_server *server)
{
    for (size_t i = 0; i < server->n_listeners; i++)
        free_listener(server->listeners[i]);
    free(server->listeners);
    server->listeners = NULL;
    server->n_listeners = 0;
}

/* A file of the wanted name may go only if it is our own socket and nobody listens at it. */
static int clear_path(const struct sockaddr_un *addr, struct fr_error *err)
{
    const char *path = addr->sun_path;
    struct stat st;

    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0
                               : fr_error_set(err, errno, FR_CODE_INVALID,
                                              "cannot look at '%s': %s", path, strerror(errno));
    if (!S_ISSOCK(st.st_mode))
        return fr_error_set(err, EADDRINUSE, FR_CODE_INVALID,
                            "'%s' exists and is not a socket: choose another path or move "
                            "it away",
                            path);
    if (st.st_uid != geteuid())
        return fr_error_set(err, EADDRINUSE, FR_CODE_INVALID,
                            "'%s' is another user's socket: choose another path", path);
    _cleanup_(fr_cleanup_fd) int fd =
        socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fr_error_set(err, errno, FR_CODE_INTERNAL, "cannot make a socket: %s",
                            strerror(errno));
    if (connect(fd, (const struct sockaddr *)addr, sizeof *addr) == 0 || errno != ECONNREFUSED)
        return fr_error_set(err, EADDRINUSE, FR_CODE_INVALID,
                            "another program listens at '%s': stop it or choose another path",
                            path);
    (void)unlink(path);
    return 0;
}

static int bind_unix(struct listener *listener, const char *path, struct fr_error *err)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    struct stat st;

    if (!*path || *path == '@')
        return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                            "'unix:%s' names no file: give a path, such as unix:/run/user/…",
                            path);
    if (strlen(path) >= sizeof addr.sun_path)
        return fr_error_set(err, ENAMETOOLONG, FR_CODE_INVALID,
                            "the socket path '%s' is longer than the %zu bytes that the system "
                            "allows",
                            path, sizeof addr.sun_path - 1);
    memcpy(addr.sun_path, path, strlen(path));
    int rc = clear_path(&addr, err);
    if (rc < 0)
        return rc;
    listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* The mode of the descriptor becomes the file's: it is never open to others. */
    if (listener->fd < 0 || fchmod(listener->fd, 0600) < 0 ||
        bind(listener->fd, (const struct sockaddr *)&addr, sizeof addr) < 0 ||
        lstat(path, &st) < 0)
        return fr_error_set(err, errno, FR_CODE_INVALID, "cannot listen at 'unix:%s': %s", path,
                            strerror(errno));
    listener->dev = st.st_dev;
    listener->ino = st.st_ino;
    listener->path = strdup(path);
    return listener->path ? 0 : -ENOMEM;
}

/* Numbers only, so that no name server is asked. */
static int parse_tcp(const char *text, struct addrinfo **ret, struct fr_error *err)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                                   .ai_socktype = SOCK_STREAM};
    char host[INET6_ADDRSTRLEN + 20];
    const char *port;

    if (!fr_text_split_host(text, host, sizeof host, &port) || !*port)
        return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                            "cannot listen at '%s': write ADDRESS:PORT, [IPV6]:PORT or "
                            "unix:PATH",
                            text);
    if (!fr_text_is_port(port))
        return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                            "cannot listen at '%s': the port is a number from 0 to 65535",
                            text);
    const char *number = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    if (getaddrinfo(number, port, &hints, ret) != 0)
        return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                            "cannot listen at '%s': '%s' is not an address in numbers", text,
                            host);
    return 0;
}

static int explain_bind(const char *text, int errnum, struct fr_error *err)
{
    const char *remedy = errnum == EADDRINUSE ? "stop what listens there, or take another port"
                         : errnum == EADDRNOTAVAIL ? "this machine has no such address"
                         : errnum == EACCES        ? "ports below 1024 need privileges"
                                                   : "see the address";

    return fr_error_set(err, errnum, FR_CODE_INVALID, "cannot listen at '%s': %s (%s)", text,
                        strerror(errnum), remedy);
}

static bool is_beyond(const struct sockaddr *addr)
{
    if (addr->sa_family == AF_INET)
        return (ntohl(((const struct sockaddr_in *)addr)->sin_addr.s_addr) >> 24) != 127;
    const struct in6_addr *six = &((const struct sockaddr_in6 *)addr)->sin6_addr;
    return !IN6_IS_ADDR_LOOPBACK(six) &&
           !(IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == 127);
}

static int name_tcp(struct listener *listener)
{
    union {
        struct sockaddr any;
        struct sockaddr_storage storage;
    } addr;
    socklen_t len = sizeof addr;
    char host[INET6_ADDRSTRLEN + 20], port[8];

    if (getsockname(listener->fd, &addr.any, &len) < 0)
        return -errno;
    if (getnameinfo(&addr.any, len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return -EINVAL;
    listener->is_remote = is_beyond(&addr.any);
    listener->is_tls = listener->server->tls;
    if ((addr.any.sa_family == AF_INET6
             ? asprintf(&listener->address, "[%s]:%s", host, port)
             : asprintf(&listener->address, "%s:%s", host, port)) < 0)
        listener->address = NULL;
    return listener->address ? 0 : -ENOMEM;
}

static int bind_tcp(struct listener *listener, const char *text, struct fr_error *err)
{
    const int on = 1;
    struct addrinfo *info = NULL;
    int rc = parse_tcp(text, &info, err);

    if (rc < 0)
        return rc;
    listener->fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener->fd < 0 ||
        setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        /* An IPv6 address means IPv6, whatever the system's default says. */
        (info->ai_family == AF_INET6 &&
         setsockopt(listener->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0) ||
        bind(listener->fd, info->ai_addr, info->ai_addrlen) < 0)
        rc = explain_bind(text, errno, err);
    freeaddrinfo(info);
    return rc < 0 ? rc : name_tcp(listener);
}

static int keep(struct fr_server *server, struct listener *listener)
{
    struct listener **more =
        reallocarray(server->listeners, server->n_listeners + 1, sizeof *more);

    if (!more)
        return -ENOMEM;
    server->listeners = more;
    int rc =
        fr_poll_create(server->loop, listener->fd, on_connection, listener, &listener->poll);
    if (rc == 0)
        rc = fr_poll_set(listener->poll, UV_READABLE);
    if (rc == 0)
        more[server->n_listeners++] = listener;
    return rc;
}

int fr_server_listen(struct fr_server *server, const char *address, struct fr_error *err)
{
    _cleanup_(fr_cleanup_listener) struct listener *listener = calloc(1, sizeof *listener);
    int rc;

    if (!listener)
        return fr_error_set(err, ENOMEM, FR_CODE_INTERNAL, "out of memory");
    listener->fd = -1;
    listener->server = server;
    if (strncmp(address, "unix:", 5) == 0) {
        rc = bind_unix(listener, address + 5, err);
        if (rc == 0 && !(listener->address = strdup(address)))
            rc = -ENOMEM;
    } else {
        rc = bind_tcp(listener, address, err);
    }
    if (rc < 0)
        return rc == -ENOMEM ? fr_error_set(err, ENOMEM, FR_CODE_INTERNAL, "out of memory")
                             : rc;
    if (listen(listener->fd, SOMAXCONN) < 0)
        return explain_bind(address, errno, err);
    rc = keep(server, listener);
    if (rc < 0)
        return fr_error_set(err, -rc, FR_CODE_INTERNAL, "cannot listen at '%s': %s", address,
                            strerror(-rc));
    fr_take(listener);
    return 0;
}

static int name_unix(struct listener *listener, const struct sockaddr_un *addr, socklen_t len)
{
    size_t size = len - offsetof(struct sockaddr_un, sun_path);
    /* One without a file shows as systemd writes it. */
    const char *mark = size > 0 && addr->sun_path[0] == '\0' ? "@" : "";
    const char *name = addr->sun_path + strlen(mark);

    if (asprintf(&listener->address, "unix:%s%.*s", mark, (int)(size - strlen(mark)), name) < 0)
        listener->address = NULL;
    return listener->address ? 0 : -ENOMEM;
}

/* What the socket is, as an address; -EINVAL for one that does not listen for streams. */
static int name_adopted(struct listener *listener)
{
    union {
        struct sockaddr any;
        struct sockaddr_un un;
        struct sockaddr_storage storage;
    } addr;
    socklen_t len = sizeof addr, size = sizeof(int);
    int listens = 0, type = 0;

    if (getsockopt(listener->fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0 ||
        getsockopt(listener->fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 ||
        getsockname(listener->fd, &addr.any, &len) < 0)
        return -errno;
    if (!listens || type != SOCK_STREAM)
        return -EINVAL;
    if (addr.any.sa_family == AF_UNIX)
        return name_unix(listener, &addr.un, len);
    return addr.any.sa_family == AF_INET || addr.any.sa_family == AF_INET6 ? name_tcp(listener)
                                                                           : -EAFNOSUPPORT;
}

int fr_server_adopt(struct fr_server *server, int fd, struct fr_error *err)
{
    _cleanup_(fr_cleanup_listener) struct listener *listener = calloc(1, sizeof *listener);

    if (!listener)
        return fr_error_set(err, ENOMEM, FR_CODE_INTERNAL, "out of memory");
    listener->fd = fd;
    listener->server = server;
    int rc = name_adopted(listener);
    int flags = fcntl(fd, F_GETFL);
    if (rc == 0 && (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
                    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0))
        rc = -errno;
    if (rc == 0)
        rc = keep(server, listener);
    if (rc < 0) {
        listener->fd = -1;
        return fr_error_set(err, -rc, FR_CODE_INVALID,
                            "the descriptor %d that was passed cannot be served: %s; pass "
                            "listening stream sockets alone (ListenStream=)",
                            fd, strerror(-rc));
    }
    fr_take(listener);
    return 0;
}

size_t fr_server_listeners(const struct fr_server *server)
{
    return server->n_listeners;
}

const char *fr_server_address(const struct fr_server *server, size_t i)
{
    return server->listeners[i]->address;
}

bool fr_server_is_tls(const struct fr_server *server, size_t i)
{
    return server->listeners[i]->is_tls;
}

bool fr_server_is_remote(const struct fr_server *server, size_t i)
{
    return server->listeners[i]->is_remote;
}
