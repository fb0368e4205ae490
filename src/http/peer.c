// SPDX-License-Identifier: LGPL-3.0-only
#include "http/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/util.h"

/* Both ends of a connection, IPv4 written as the v4-mapped IPv6 address that it also is. */
struct ends {
    struct in6_addr local, peer;
    in_port_t local_port, peer_port; /* network order */
};

int fr_peer_open(int *ret_fd)
{
    int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (fd < 0)
        return -errno;
    /* The kernel has answered when send() returns; this is for the day it does not. */
    const struct timeval patience = {.tv_usec = 200000};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    *ret_fd = fd;
    return 0;
}

static bool take_address(const struct sockaddr_storage *from, struct in6_addr *ret,
                         in_port_t *ret_port)
{
    if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)from;
        *ret = six->sin6_addr;
        *ret_port = six->sin6_port;
        return true;
    }
    if (from->ss_family != AF_INET)
        return false;
    const struct sockaddr_in *four = (const struct sockaddr_in *)from;
    memset(ret, 0, sizeof *ret);
    ret->s6_addr[10] = ret->s6_addr[11] = 0xff;
    memcpy(&ret->s6_addr[12], &four->sin_addr, 4);
    *ret_port = four->sin_port;
    return true;
}

static bool get_ends(int fd, struct ends *ret)
{
    struct sockaddr_storage local = {0}, peer = {0};
    socklen_t local_len = sizeof local, peer_len = sizeof peer;

    return getsockname(fd, (struct sockaddr *)&local, &local_len) == 0 &&
           getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0 &&
           take_address(&local, &ret->local, &ret->local_port) &&
           take_address(&peer, &ret->peer, &ret->peer_port);
}

static bool is_loopback(const struct in6_addr *addr)
{
    if (IN6_IS_ADDR_V4MAPPED(addr))
        return addr->s6_addr[12] == 127;
    return IN6_IS_ADDR_LOOPBACK(addr);
}

static void put_address(__be32 to[4], int family, const struct in6_addr *addr)
{
    memset(to, 0, 4 * sizeof to[0]);
    if (family == AF_INET)
        memcpy(to, &addr->s6_addr[12], 4);
    else
        memcpy(to, addr, sizeof *addr);
}

/* An address of the kernel's answer, whose family follows the socket, not the question. */
static bool same_address(int family, const __be32 from[4], const struct in6_addr *addr)
{
    if (family == AF_INET6)
        return memcmp(from, addr, sizeof *addr) == 0;
    return IN6_IS_ADDR_V4MAPPED(addr) && memcmp(from, &addr->s6_addr[12], 4) == 0;
}

struct question {
    struct nlmsghdr head;
    struct inet_diag_req_v2 body;
};

static int ask(int diag_fd, const struct ends *ends, unsigned int seq)
{
    /* The question is about the peer's socket: its source is our peer. */
    const int family = IN6_IS_ADDR_V4MAPPED(&ends->peer) ? AF_INET : AF_INET6;
    struct question question = {
        .head = {.nlmsg_len = sizeof question,
                 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                 .nlmsg_flags = NLM_F_REQUEST,
                 .nlmsg_seq = seq},
        .body = {.sdiag_family = (unsigned char)family,
                 .sdiag_protocol = IPPROTO_TCP,
                 .idiag_states = ~0u,
                 .id = {.idiag_sport = ends->peer_port,
                        .idiag_dport = ends->local_port,
                        .idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}}},
    };
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

    put_address(question.body.id.idiag_src, family, &ends->peer);
    put_address(question.body.id.idiag_dst, family, &ends->local);
    if (sendto(diag_fd, &question, sizeof question, 0, (const struct sockaddr *)&kernel,
               sizeof kernel) < 0)
        return -errno;
    return 0;
}

/* 1 with ret filled, 0 if this datagram is not the answer, or a negative errno. */
static int read_answer(int diag_fd, unsigned int seq, struct inet_diag_msg *ret)
{
    union {
        struct nlmsghdr head;
        char bytes[4096];
    } answer;
    struct sockaddr_nl from = {0};
    socklen_t from_len = sizeof from;
    ssize_t n =
        recvfrom(diag_fd, &answer, sizeof answer, 0, (struct sockaddr *)&from, &from_len);

    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    if (from.nl_pid != 0 || !NLMSG_OK(&answer.head, (size_t)n) || answer.head.nlmsg_seq != seq)
        return 0;
    if (answer.head.nlmsg_type == NLMSG_ERROR)
        return -ENOENT;
    if (answer.head.nlmsg_len < NLMSG_LENGTH(sizeof *ret))
        return -EBADMSG;
    memcpy(ret, NLMSG_DATA(&answer.head), sizeof *ret);
    return 1;
}

/* The peer's own socket of the connection, as the kernel has it. */
static int query(int diag_fd, const struct ends *ends, struct inet_diag_msg *ret)
{
    static unsigned int last_seq;
    const unsigned int seq = ++last_seq;

    if (diag_fd < 0)
        return -EBADF;
    int rc = ask(diag_fd, ends, seq);
    /* Late answers to earlier questions are skipped, a few at most. */
    for (int i = 0; rc == 0 && i < 8; i++)
        rc = read_answer(diag_fd, seq, ret);
    if (rc < 0)
        return rc;
    /* The kernel may fall back to a listener at that port: believe only this connection. */
    if (rc == 0 || ret->id.idiag_sport != ends->peer_port ||
        ret->id.idiag_dport != ends->local_port ||
        !same_address(ret->idiag_family, ret->id.idiag_src, &ends->peer) ||
        !same_address(ret->idiag_family, ret->id.idiag_dst, &ends->local))
        return -ENOENT;
    return 0;
}

static void identify_unix(int fd, struct fr_peer *ret)
{
    struct ucred cred;
    socklen_t len = sizeof cred;

    ret->is_unix = true;
    (void)snprintf(ret->address, sizeof ret->address, "unix");
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && cred.uid != (uid_t)-1)
        ret->uid = cred.uid;
}

static void format_address(const struct ends *ends, struct fr_peer *ret)
{
    char text[INET6_ADDRSTRLEN] = "";
    const unsigned int port = ntohs(ends->peer_port);

    if (IN6_IS_ADDR_V4MAPPED(&ends->peer)) {
        (void)inet_ntop(AF_INET, &ends->peer.s6_addr[12], text, sizeof text);
        (void)snprintf(ret->address, sizeof ret->address, "%s:%u", text, port);
    } else {
        (void)inet_ntop(AF_INET6, &ends->peer, text, sizeof text);
        (void)snprintf(ret->address, sizeof ret->address, "[%s]:%u", text, port);
    }
}

void fr_peer_identify(int diag_fd, int fd, struct fr_peer *ret)
{
    struct ends ends;
    struct inet_diag_msg found;
    int family = 0;
    socklen_t len = sizeof family;

    *ret = (struct fr_peer){.uid = -1};
    (void)snprintf(ret->address, sizeof ret->address, "unknown");
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len) < 0)
        return;
    if (family == AF_UNIX) {
        identify_unix(fd, ret);
        return;
    }
    if (!get_ends(fd, &ends))
        return;
    format_address(&ends, ret);
    ret->is_loopback = is_loopback(&ends.local) && is_loopback(&ends.peer);
    if (!ret->is_loopback || query(diag_fd, &ends, &found) < 0)
        return;
    /* A socket that was closed has lost its owner: the kernel then says uid 0, inode 0. */
    if (found.idiag_state == TCP_ESTABLISHED && found.idiag_inode != 0)
        ret->uid = found.idiag_uid;
}

bool fr_peer_is_held(int diag_fd, int fd)
{
    struct ends ends;
    struct inet_diag_msg found;

    return get_ends(fd, &ends) && is_loopback(&ends.peer) && is_loopback(&ends.local) &&
           query(diag_fd, &ends, &found) == 0 && found.idiag_inode != 0;
}
