// SPDX-License-Identifier: LGPL-3.0-only
#include "core/sign_ins.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#define LIMIT 6 /* one in ten seconds */

static struct fr_sign_ins *make(void)
{
    struct fr_sign_ins *sign_ins;

    assert_int_equal(fr_sign_ins_create(LIMIT, &sign_ins), 0);
    return sign_ins;
}

static struct fr_peer remote(const char *address)
{
    struct fr_peer peer = {.uid = -1};

    (void)snprintf(peer.address, sizeof peer.address, "%s", address);
    return peer;
}

static void fail_from(struct fr_sign_ins *sign_ins, struct fr_peer peer, unsigned int count,
                      double now)
{
    static uint64_t sum;

    for (unsigned int i = 0; i < count; i++)
        fr_sign_ins_note(sign_ins, &peer, ++sum, now);
}

static unsigned int wait_of(struct fr_sign_ins *sign_ins, struct fr_peer peer, double now)
{
    return fr_sign_ins_wait(sign_ins, &peer, now);
}

static void test_limit(void **state)
{
    struct fr_sign_ins *sign_ins = make();
    struct fr_peer peer = remote("10.0.0.1:1000");

    assert_int_equal(wait_of(sign_ins, peer, 0), 0);
    fail_from(sign_ins, peer, LIMIT - 1, 0);
    assert_int_equal(wait_of(sign_ins, peer, 0), 0);
    fail_from(sign_ins, peer, 1, 0);
    assert_int_equal(wait_of(sign_ins, peer, 0), 10);
    assert_int_equal(wait_of(sign_ins, peer, 9.5), 1);
    assert_int_equal(wait_of(sign_ins, peer, 10), 0);
    fail_from(sign_ins, peer, 1, 10);
    assert_int_equal(wait_of(sign_ins, peer, 10), 10);
    /* after a minute all is forgiven */
    assert_int_equal(wait_of(sign_ins, peer, 71), 0);
    fail_from(sign_ins, peer, LIMIT - 1, 71);
    assert_int_equal(wait_of(sign_ins, peer, 71), 0);
    fr_sign_ins_free(sign_ins);
}

static void test_whose(void **state)
{
    struct fr_sign_ins *sign_ins = make();
    struct fr_peer ada = {.is_loopback = true, .uid = 1000, .address = "127.0.0.1:1"};
    struct fr_peer bob = {.is_loopback = true, .uid = 1001, .address = "127.0.0.1:2"};
    struct fr_peer unknown = {.is_loopback = true, .uid = -1, .address = "127.0.0.1:3"};
    struct fr_peer ada_unix = {.is_unix = true, .uid = 1000, .address = "unix"};

    fail_from(sign_ins, ada, LIMIT, 0);
    assert_true(wait_of(sign_ins, ada, 0) > 0);
    assert_true(wait_of(sign_ins, ada_unix, 0) > 0);
    assert_int_equal(wait_of(sign_ins, bob, 0), 0);
    assert_int_equal(wait_of(sign_ins, unknown, 0), 0);
    fail_from(sign_ins, remote("10.0.0.1:1"), LIMIT, 0);
    assert_true(wait_of(sign_ins, remote("10.0.0.1:2"), 0) > 0);
    assert_int_equal(wait_of(sign_ins, remote("10.0.0.2:1"), 0), 0);
    fail_from(sign_ins, remote("[2001:db8:0:1::1]:1"), LIMIT, 0);
    assert_true(wait_of(sign_ins, remote("[2001:db8:0:1:ffff::2]:1"), 0) > 0);
    assert_int_equal(wait_of(sign_ins, remote("[2001:db8:0:2::1]:1"), 0), 0);
    fr_sign_ins_free(sign_ins);
}

static void test_the_same_again(void **state)
{
    struct fr_sign_ins *sign_ins = make();
    struct fr_peer peer = remote("10.0.0.1:1000");

    for (int i = 0; i < 100; i++)
        fr_sign_ins_note(sign_ins, &peer, 7, i);
    assert_int_equal(wait_of(sign_ins, peer, 100), 0);
    fail_from(sign_ins, peer, LIMIT, 100);
    assert_true(wait_of(sign_ins, peer, 100) > 0);
    fr_sign_ins_free(sign_ins);
}

/* Who has failed most is kept, however many others come. */
static void test_many(void **state)
{
    struct fr_sign_ins *sign_ins = make();
    struct fr_peer guesser = remote("192.0.2.1:1");
    char address[40];

    fail_from(sign_ins, guesser, LIMIT, 0);
    for (int i = 0; i < 100000; i++) {
        (void)snprintf(address, sizeof address, "10.%d.%d.%d:1", i >> 16, (i >> 8) & 255,
                       i & 255);
        fail_from(sign_ins, remote(address), 1, 0);
    }
    assert_true(wait_of(sign_ins, guesser, 0) > 0);
    fr_sign_ins_free(sign_ins);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_whose),
        cmocka_unit_test(test_the_same_again),
        cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
