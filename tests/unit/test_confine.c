// SPDX-License-Identifier: LGPL-3.0-only
/* Each in a child of its own, for there is no way back. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/confine.h"

/* Runs one in a child; the number that it returns. */
static int in_child(int (*body)(void))
{
    pid_t pid = fork();
    int status = 0;

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(body());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int hide(void)
{
    return fr_confine_hide() == 0 && prctl(PR_GET_DUMPABLE) == 0 ? 0 : 1;
}

static void test_hide(void **state)
{
    assert_int_equal(prctl(PR_GET_DUMPABLE), 1);
    assert_int_equal(in_child(hide), 0);
}

static void *nothing(void *arg)
{
    return arg;
}

/* How many of these were not answered by EPERM. */
static int count_open(void)
{
    char *const argv[] = {(char *)(uintptr_t) "true", NULL};
    int open = 0;

#define REFUSED(call) open += !((call) == -1 && errno == EPERM)
    REFUSED(execve("/bin/true", argv, argv + 1));
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    REFUSED(pid);
    REFUSED(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
    REFUSED(kill(getppid(), 0));
    REFUSED(mount("none", "/nowhere", "tmpfs", 0, NULL));
    REFUSED(setuid(getuid()));
    REFUSED(chroot("/"));
    REFUSED(socket(AF_PACKET, SOCK_RAW, 0));
    REFUSED(socket(AF_ALG, SOCK_SEQPACKET, 0));
    REFUSED(socket(AF_MAX + 1, SOCK_STREAM, 0));
#undef REFUSED
    return open;
}

/* What the daemon needs goes on working; 0 if all of it does. */
static int count_lost(void)
{
    static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
    pthread_t thread;
    int lost = pthread_create(&thread, NULL, nothing, NULL) != 0;

    lost += lost == 0 && pthread_join(thread, NULL) != 0;
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        if (socket(families[i], families[i] == AF_NETLINK ? SOCK_DGRAM : SOCK_STREAM, 0) < 0)
            lost += errno != EAFNOSUPPORT;
    return lost;
}

static int close_up(void)
{
    if (fr_confine_close(NULL) < 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return 100;
    return count_open() + 20 * count_lost();
}

static void *later(void *arg)
{
    char byte;

    if (read(*(int *)arg, &byte, 1) != 1)
        return NULL;
    return (void *)(intptr_t)(kill(getppid(), 0) == -1 && errno == EPERM);
}

/* A thread that was there before is closed up too: Flux has one of its own. */
static int close_others(void)
{
    int ends[2];
    pthread_t thread;
    void *refused = NULL;

    if (pipe(ends) < 0 || pthread_create(&thread, NULL, later, &ends[0]) != 0 ||
        fr_confine_close(NULL) < 0 || write(ends[1], "x", 1) != 1 ||
        pthread_join(thread, &refused) != 0)
        return 100;
    return refused ? 0 : 1;
}

static void test_close(void **state)
{
    assert_int_equal(in_child(close_up), 0);
    assert_int_equal(in_child(close_others), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hide),
        cmocka_unit_test(test_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
