// SPDX-License-Identifier: LGPL-3.0-only
#include "core/audit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64], path[96], old[100];

static int setup(void **state)
{
    (void)snprintf(dir, sizeof dir, "/tmp/fr-audit-XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/log", dir);
    (void)snprintf(old, sizeof old, "%s.1", path);
    return 0;
}

static int teardown(void **state)
{
    (void)unlink(path);
    (void)unlink(old);
    return rmdir(dir);
}

static size_t size_of(const char *file)
{
    struct stat st;

    return stat(file, &st) == 0 ? (size_t)st.st_size : 0;
}

static void put(struct fr_audit *audit, const char *request)
{
    struct fr_actor actor = {.who = {.user = "ada", .role = FR_ROLE_ADMIN}, .uid = -1};

    (void)snprintf(actor.request, sizeof actor.request, "%s", request);
    fr_audit_put(audit, &actor, &(struct fr_act){.what = "stopService", .status = 200});
}

static void test_a_disk_that_is_full(void **state)
{
    struct rlimit was, small = {.rlim_cur = 300, .rlim_max = RLIM_INFINITY};
    struct fr_audit *audit;

    assert_int_equal(fr_audit_open(path, 1 << 20, &audit, NULL), 0);
    put(audit, "first");
    size_t one = size_of(path);
    assert_true(one > 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    small.rlim_cur = one;
    small.rlim_max = was.rlim_max;
    assert_ptr_not_equal(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    put(audit, "second");
    put(audit, "third");
    assert_int_equal(size_of(path), one);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    put(audit, "forth");
    assert_int_equal(size_of(path), 2 * one);
    fr_audit_close(audit);
    fr_audit_put(NULL, NULL, NULL);
}

/* Of two that share the file, the second finds that it was renamed. */
static void test_two_that_share_it(void **state)
{
    struct fr_audit *first, *second;

    assert_int_equal(fr_audit_open(path, 100, &first, NULL), 0);
    assert_int_equal(fr_audit_open(path, 100, &second, NULL), 0);
    put(first, "aaaaa");
    size_t one = size_of(path);
    assert_true(one > 100);
    put(second, "bbbbb"); /* which does not know that it is full */
    assert_int_equal(size_of(path), 2 * one);
    put(first, "ccccc");
    assert_int_equal(size_of(old), 2 * one);
    assert_int_equal(size_of(path), one);
    put(second, "ddddd");
    assert_int_equal(size_of(old), 2 * one);
    assert_int_equal(size_of(path), 2 * one);
    fr_audit_close(first);
    fr_audit_close(second);
}

static void test_files_that_are_refused(void **state)
{
    struct fr_audit *audit = NULL;
    struct fr_error err;

    assert_int_equal(symlink("/dev/null", path), 0);
    assert_int_equal(fr_audit_open(path, 100, &audit, &err), -EPERM);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(close(open(path, O_CREAT | O_WRONLY, 0600)), 0);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(fr_audit_open(path, 100, &audit, &err), -EPERM);
    assert_non_null(strstr(err.text, "chmod 600"));
    assert_null(audit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_disk_that_is_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_that_share_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files_that_are_refused, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
