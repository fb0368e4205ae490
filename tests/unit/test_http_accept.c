// SPDX-License-Identifier: LGPL-3.0-only
#include "http_client.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char now[] = "GET /now HTTP/1.1\r\nHost: a\r\n\r\n";
static const char path[] = "test_http_accept.sock";

static void refuses(struct http_fix *fix, const char *address, int rc, const char *why)
{
    struct fr_error err = {.text = ""};
    const int got = fr_server_listen(fix->server, address, &err);

    if (got != rc || !strstr(err.text, why))
        fail_msg("%s: %d, %s", address, got, err.text);
    assert_int_equal(fr_server_listen(fix->server, address, NULL), rc);
    assert_int_equal(fr_server_listeners(fix->server), 1);
}

static void test_addresses_that_are_none(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    char text[300];

    refuses(fix, "", -EINVAL, "ADDRESS:PORT");
    refuses(fix, "5000", -EINVAL, "ADDRESS:PORT");
    refuses(fix, ":5000", -EINVAL, "ADDRESS:PORT");
    refuses(fix, "127.0.0.1", -EINVAL, "ADDRESS:PORT");
    refuses(fix, "127.0.0.1:", -EINVAL, "ADDRESS:PORT");
    refuses(fix, "::1:5000", -EINVAL, "ADDRESS:PORT");
    refuses(fix, "[]:5000", -EINVAL, "ADDRESS:PORT");
    refuses(fix, "[::1]5000", -EINVAL, "ADDRESS:PORT");
    refuses(fix, "127.0.0.1:http", -EINVAL, "number");
    refuses(fix, "127.0.0.1:65536", -EINVAL, "number");
    refuses(fix, "127.0.0.1:-1", -EINVAL, "number");
    refuses(fix, "127.0.0.1:+1", -EINVAL, "number");
    refuses(fix, "example.invalid:5000", -EINVAL, "address in numbers");
    refuses(fix, "192.0.2.1:0", -EADDRNOTAVAIL, "no such address");
    refuses(fix, fix->address, -EADDRINUSE, "another port");
    refuses(fix, "unix:", -EINVAL, "path");
    refuses(fix, "unix:@name", -EINVAL, "path");
    refuses(fix, "unix:/nonexistent/dir/sock", -ENOENT, "/nonexistent/dir/sock");
    memset(text, 'x', sizeof text);
    memcpy(text, "unix:", 5);
    text[5 + sizeof((struct sockaddr_un *)0)->sun_path] = '\0';
    refuses(fix, text, -ENAMETOOLONG, "107 bytes");
    fix_end(fix);
}

static void test_tcp(void **state)
{
    struct http_fix *fix = fix_start(NULL, "localhost:0");
    struct fr_error err;

    assert_memory_equal(fix->address, "127.0.0.1:", 10);
    assert_int_not_equal(atoi(fix->address + 10), 0);
    assert_false(fr_server_is_remote(fix->server, 0));
    assert_int_equal(ask(fix, now, NULL), 200);
    assert_true(fix->last_peer.is_loopback);
    assert_false(fix->last_peer.is_unix);
    assert_int_equal(fix->last_peer.uid, geteuid());
    assert_memory_equal(fix->last_peer.address, "127.0.0.1:", 10);
    assert_int_equal(fr_server_listen(fix->server, "0.0.0.0:0", &err), 0);
    assert_true(fr_server_is_remote(fix->server, 1));
    assert_int_equal(fr_server_listeners(fix->server), 2);
    fix_end(fix);
}

static bool has_ipv6(void)
{
    const struct sockaddr_in6 addr = {.sin6_family = AF_INET6,
                                      .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 && bind(fd, (const struct sockaddr *)&addr, sizeof addr) == 0;

    if (fd >= 0)
        (void)close(fd);
    return has;
}

static void test_ipv6(void **state)
{
    if (!has_ipv6()) {
        print_message("there is no IPv6 here\n");
        skip();
    }
    struct http_fix *fix = fix_start(NULL, "[::1]:0");

    assert_memory_equal(fix->address, "[::1]:", 6);
    assert_false(fr_server_is_remote(fix->server, 0));
    assert_int_equal(ask(fix, now, NULL), 200);
    assert_true(fix->last_peer.is_loopback);
    assert_int_equal(fix->last_peer.uid, geteuid());
    assert_memory_equal(fix->last_peer.address, "[::1]:", 6);
    assert_int_equal(fr_server_listen(fix->server, "[::]:0", NULL), 0);
    assert_true(fr_server_is_remote(fix->server, 1));
    fix_end(fix);
}

static int bind_at(const char *name)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(addr.sun_path, sizeof addr.sun_path, "%s", name);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    return fd;
}

static void test_unix(void **state)
{
    struct http_fix *fix;
    struct stat st;

    (void)unlink(path);
    const mode_t mask = umask(0);
    fix = fix_start(NULL, "unix:test_http_accept.sock");
    (void)umask(mask);
    assert_string_equal(fix->address, "unix:test_http_accept.sock");
    assert_false(fr_server_is_remote(fix->server, 0));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(ask(fix, now, NULL), 200);
    assert_true(fix->last_peer.is_unix);
    assert_false(fix->last_peer.is_loopback);
    assert_int_equal(fix->last_peer.uid, geteuid());
    assert_string_equal(fix->last_peer.address, "unix");
    /* A living one is not replaced. */
    refuses(fix, fix->address, -EADDRINUSE, "another program listens");
    fix_end(fix);
    assert_int_equal(stat(path, &st), -1);
}

static void test_unix_dead_socket_is_replaced(void **state)
{
    (void)unlink(path);
    (void)close(bind_at(path));
    struct http_fix *fix = fix_start(NULL, "unix:test_http_accept.sock");
    assert_int_equal(ask(fix, now, NULL), 200);
    fix_end(fix);
}

static void test_unix_other_files_are_left(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct stat st;

    (void)unlink(path);
    (void)close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    refuses(fix, "unix:test_http_accept.sock", -EADDRINUSE, "not a socket");
    assert_int_equal(lstat(path, &st), 0);
    (void)unlink(path);
    assert_int_equal(symlink("elsewhere", path), 0);
    refuses(fix, "unix:test_http_accept.sock", -EADDRINUSE, "not a socket");
    assert_int_equal(lstat(path, &st), 0);
    (void)unlink(path);
    if (geteuid() == 0) {
        (void)close(bind_at(path));
        assert_int_equal(chown(path, 65534, 65534), 0);
        refuses(fix, "unix:test_http_accept.sock", -EADDRINUSE, "another user");
        assert_int_equal(lstat(path, &st), 0);
        (void)unlink(path);
    }
    fix_end(fix);
}

/* The file at the end is removed only if it is still the one that was made. */
static void test_unix_successor_is_left(void **state)
{
    struct stat st;

    (void)unlink(path);
    struct http_fix *fix = fix_start(NULL, "unix:test_http_accept.sock");
    assert_int_equal(rename(path, "test_http_accept.old"), 0);
    int fd = bind_at(path);
    fix->fds++;
    fix_end(fix);
    assert_int_equal(lstat(path, &st), 0);
    (void)close(fd);
    (void)unlink(path);
    (void)unlink("test_http_accept.old");
}

/* A socket that somebody else made: served, and its file left where it is. */
static void test_adopted(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct fr_error err = {.text = ""};
    struct stat st;

    (void)unlink(path);
    const int fd = bind_at(path);
    assert_int_equal(fr_server_adopt(fix->server, fd, &err), -EINVAL);
    assert_non_null(strstr(err.text, "ListenStream"));
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(fr_server_adopt(fix->server, fd, &err), 0);
    assert_int_equal(fr_server_listeners(fix->server), 2);
    assert_string_equal(fr_server_address(fix->server, 1), "unix:test_http_accept.sock");
    assert_false(fr_server_is_remote(fix->server, 1));
    const int flags = fcntl(fd, F_GETFL);
    assert_true(flags & O_NONBLOCK);
    (void)snprintf(fix->address, sizeof fix->address, "%s", fr_server_address(fix->server, 1));
    assert_int_equal(ask(fix, now, NULL), 200);
    assert_true(fix->last_peer.is_unix);
    fix_end(fix);
    assert_int_equal(lstat(path, &st), 0);
    (void)unlink(path);
}

static void test_adopted_tcp(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    const struct sockaddr_in any = {.sin_family = AF_INET};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    const int udp = socket(AF_INET, SOCK_DGRAM, 0);

    assert_int_equal(fr_server_adopt(fix->server, udp, NULL), -EINVAL);
    (void)close(udp);
    assert_int_equal(fr_server_adopt(fix->server, 1000, NULL), -EBADF);
    assert_int_equal(bind(fd, (const struct sockaddr *)&any, sizeof any), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(fr_server_adopt(fix->server, fd, NULL), 0);
    assert_memory_equal(fr_server_address(fix->server, 1), "0.0.0.0:", 8);
    assert_true(fr_server_is_remote(fix->server, 1));
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    fix_end(fix);
}

static void test_descriptors_are_not_inherited(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *client = client_open(fix);
    int checked = 0;

    client_send(client, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    fix_wait(fix, fix->held);
    for (int fd = 3; fd < 1024; fd++) {
        const int flags = fcntl(fd, F_GETFD);
        if (flags < 0)
            continue;
        /* Those of the test's surroundings are not ours to judge. */
        struct stat st;
        assert_int_equal(fstat(fd, &st), 0);
        if (!S_ISSOCK(st.st_mode))
            continue;
        assert_true(flags & FD_CLOEXEC);
        checked++;
    }
    assert_true(checked >= 3);
    fr_req_reply(fix->held, 204, NULL, NULL);
    client_close(client);
    fix_end(fix);
}

/* Nothing left to accept with: the loop must come to rest, and recover. */
static void test_out_of_descriptors(void **state)
{
    struct http_fix *fix = fix_start(NULL, NULL);
    struct client *client = client_open(fix);
    struct rlimit old, low;
    unsigned int status;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    low = old;
    low.rlim_cur = 0;
    while (fcntl((int)low.rlim_cur, F_GETFD) >= 0)
        low.rlim_cur++;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    client_send(client, now);
    struct pollfd backend = {.fd = uv_backend_fd(&fix->loop), .events = POLLIN};
    fix_wait(fix, poll(&backend, 1, 0) == 0);
    for (int i = 0; i < 5; i++)
        (void)uv_run(&fix->loop, UV_RUN_NOWAIT);
    assert_int_equal(poll(&backend, 1, 0), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    free(client_reply(client, &status));
    assert_int_equal(status, 200);
    client_close(client);
    fix_end(fix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_that_are_none),
        cmocka_unit_test(test_tcp),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_unix),
        cmocka_unit_test(test_unix_dead_socket_is_replaced),
        cmocka_unit_test(test_unix_other_files_are_left),
        cmocka_unit_test(test_unix_successor_is_left),
        cmocka_unit_test(test_adopted),
        cmocka_unit_test(test_adopted_tcp),
        cmocka_unit_test(test_descriptors_are_not_inherited),
        cmocka_unit_test(test_out_of_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
