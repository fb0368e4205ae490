// SPDX-License-Identifier: LGPL-3.0-only
#include "http/peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int diag = -1;

/* Both ends of a connection; `far` is the client's. */
struct pair {
    int near, far, listener;
    struct sockaddr_in6 addr; /* or sockaddr_in */
    socklen_t len;
};

static int listen_at(int family, struct sockaddr_in6 *ret, socklen_t *ret_len)
{
    const int off = 0;
    const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    memset(ret, 0, sizeof *ret);
    ret->sin6_family = (sa_family_t)family;
    if (family == AF_INET6)
        assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off), 0);
    *ret_len = family == AF_INET6 ? sizeof *ret : sizeof(struct sockaddr_in);
    if (bind(fd, (struct sockaddr *)ret, *ret_len) < 0) {
        (void)close(fd);
        return -1;
    }
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)ret, ret_len), 0);
    return fd;
}

/* The client speaks `client`, the listener `server`; they may differ (v4-mapped). */
static bool connect_pair(int server, int client, struct pair *ret)
{
    struct sockaddr_in6 at;
    socklen_t len;
    struct sockaddr_in four = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    ret->listener = listen_at(server, &at, &len);
    if (ret->listener < 0)
        return false;
    ret->far = socket(client, SOCK_STREAM | SOCK_CLOEXEC, 0);
    four.sin_port = at.sin6_port;
    at.sin6_addr = in6addr_loopback;
    const int rc = client == AF_INET ? connect(ret->far, (struct sockaddr *)&four, sizeof four)
                                     : connect(ret->far, (struct sockaddr *)&at, sizeof at);
    assert_int_equal(rc, 0);
    ret->near = accept4(ret->listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(ret->near >= 0);
    return true;
}

static void end_pair(struct pair *pair)
{
    (void)close(pair->near);
    if (pair->far >= 0)
        (void)close(pair->far);
    (void)close(pair->listener);
}

static void is_me(int server, int client)
{
    struct pair pair;
    struct fr_peer peer;

    if (!connect_pair(server, client, &pair)) {
        print_message("this machine has no such addresses\n");
        skip();
    }
    fr_peer_identify(diag, pair.near, &peer);
    assert_true(peer.is_loopback);
    assert_false(peer.is_unix);
    assert_int_equal(peer.uid, geteuid());
    assert_true(fr_peer_is_held(diag, pair.near));
    /* The other way round it is us too. */
    fr_peer_identify(diag, pair.far, &peer);
    assert_int_equal(peer.uid, geteuid());
    fr_peer_identify(-1, pair.near, &peer);
    assert_true(peer.is_loopback);
    assert_int_equal(peer.uid, -1);
    assert_false(fr_peer_is_held(-1, pair.near));
    end_pair(&pair);
}

static void test_ipv4(void **state)
{
    is_me(AF_INET, AF_INET);
}

static void test_ipv6(void **state)
{
    is_me(AF_INET6, AF_INET6);
}

static void test_v4_mapped(void **state)
{
    struct pair pair;
    struct fr_peer peer;

    is_me(AF_INET6, AF_INET);
    assert_true(connect_pair(AF_INET6, AF_INET, &pair));
    fr_peer_identify(diag, pair.near, &peer);
    assert_memory_equal(peer.address, "127.0.0.1:", 10);
    end_pair(&pair);
}

static void wait_for_end(int fd)
{
    struct pollfd one = {.fd = fd, .events = POLLRDHUP};

    assert_int_equal(poll(&one, 1, 10000), 1);
}

static void test_sends_and_closes(void **state)
{
    struct pair pair;
    struct fr_peer peer;

    assert_true(connect_pair(AF_INET, AF_INET, &pair));
    assert_int_equal(send(pair.far, "GET", 3, 0), 3);
    (void)close(pair.far);
    pair.far = -1;
    wait_for_end(pair.near);
    fr_peer_identify(diag, pair.near, &peer);
    assert_true(peer.is_loopback);
    assert_int_equal(peer.uid, -1);
    assert_false(fr_peer_is_held(diag, pair.near));
    end_pair(&pair);
}

static void test_half_closed(void **state)
{
    struct pair pair;
    struct fr_peer peer;

    assert_true(connect_pair(AF_INET, AF_INET, &pair));
    assert_int_equal(shutdown(pair.far, SHUT_WR), 0);
    wait_for_end(pair.near);
    fr_peer_identify(diag, pair.near, &peer);
    assert_int_equal(peer.uid, -1);
    assert_true(fr_peer_is_held(diag, pair.near));
    end_pair(&pair);
}

/* Resets the client's end, and puts a listener of ours at the port that it had. -1: the port is
 * in other hands already. */
static int listen_instead(struct pair *pair)
{
    const struct linger none = {.l_onoff = 1};
    const int on = 1;
    struct sockaddr_in addr;
    socklen_t len = sizeof addr;

    assert_int_equal(getsockname(pair->far, (struct sockaddr *)&addr, &len), 0);
    assert_int_equal(setsockopt(pair->far, SOL_SOCKET, SO_LINGER, &none, sizeof none), 0);
    (void)close(pair->far);
    pair->far = -1;
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    if (bind(listener, (struct sockaddr *)&addr, sizeof addr) == 0 && listen(listener, 1) == 0)
        return listener;
    (void)close(listener);
    return -1;
}

static void test_listener_at_the_clients_port(void **state)
{
    struct pair pair;
    struct fr_peer peer;
    int listener = -1;

    for (int i = 0; i < 20 && listener < 0; i++) {
        assert_true(connect_pair(AF_INET, AF_INET, &pair));
        listener = listen_instead(&pair);
        if (listener < 0)
            end_pair(&pair);
    }
    assert_true(listener >= 0);
    fr_peer_identify(diag, pair.near, &peer);
    assert_int_equal(peer.uid, -1);
    (void)close(listener);
    end_pair(&pair);
}

/* Somebody else's connection. Needs root, to become somebody else. */
static void test_another_user(void **state)
{
    struct pair pair = {.far = -1};
    struct fr_peer peer;
    struct sockaddr_in6 at;
    socklen_t len;
    int hold[2];

    if (geteuid() != 0) {
        print_message("only root can become another user\n");
        skip();
    }
    pair.listener = listen_at(AF_INET, &at, &len);
    assert_true(pair.listener >= 0);
    ((struct sockaddr_in *)&at)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(pipe(hold), 0);
    const pid_t child = fork();
    if (child == 0) {
        char byte;
        (void)close(hold[1]);
        if (setuid(65534) < 0)
            _exit(1);
        const int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr *)&at, len) < 0)
            _exit(2);
        (void)!read(hold[0], &byte, 1);
        _exit(0);
    }
    (void)close(hold[0]);
    pair.near = accept4(pair.listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(pair.near >= 0);
    fr_peer_identify(diag, pair.near, &peer);
    assert_int_equal(peer.uid, 65534);
    (void)close(hold[1]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    end_pair(&pair);
}

static void test_unix(void **state)
{
    struct fr_peer peer;
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    fr_peer_identify(diag, ends[0], &peer);
    assert_true(peer.is_unix);
    assert_false(peer.is_loopback);
    assert_int_equal(peer.uid, geteuid());
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void test_no_socket(void **state)
{
    struct fr_peer peer;

    fr_peer_identify(diag, -1, &peer);
    assert_int_equal(peer.uid, -1);
    assert_false(peer.is_unix);
    assert_false(peer.is_loopback);
    assert_false(fr_peer_is_held(diag, -1));
}

static int open_diag(void **state)
{
    return fr_peer_open(&diag);
}

static int close_diag(void **state)
{
    return close(diag);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ipv4),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_v4_mapped),
        cmocka_unit_test(test_sends_and_closes),
        cmocka_unit_test(test_half_closed),
        cmocka_unit_test(test_listener_at_the_clients_port),
        cmocka_unit_test(test_another_user),
        cmocka_unit_test(test_unix),
        cmocka_unit_test(test_no_socket),
    };
    return cmocka_run_group_tests(tests, open_diag, close_diag);
}
