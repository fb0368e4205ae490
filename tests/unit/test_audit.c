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

/* Where there was room for half a line, the next one begins a line of its own. */
static void test_half_a_line(void **state)
{
    struct rlimit was, small;
    struct fr_audit *audit;
    char text[1024] = "";

    assert_int_equal(fr_audit_open(path, 1 << 20, &audit, NULL), 0);
    put(audit, "first");
    size_t one = size_of(path);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    small = (struct rlimit){.rlim_cur = one + 10, .rlim_max = was.rlim_max};
    assert_ptr_not_equal(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    put(audit, "second");
    put(audit, "third");
    assert_int_equal(size_of(path), one + 10);
    small.rlim_cur = one + 11; /* the newline alone has room */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    put(audit, "forth");
    assert_int_equal(size_of(path), one + 11);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    put(audit, "fifth");
    put(audit, "sixth");
    assert_int_equal(size_of(path), 3 * one + 11);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fread(text, 1, sizeof text - 1, file), 3 * one + 11);
    (void)fclose(file);
    assert_int_equal(text[one + 10], '\n');
    assert_int_equal(strncmp(text + one + 11, "{\"time\":", 8), 0);
    assert_non_null(strstr(text + one + 11, "fifth"));
    assert_int_equal(text[2 * one + 10], '\n');
    fr_audit_close(audit);
}

/* Of two that share the file, each finds what the other has written, and that it was renamed.
 */
static void test_two_that_share_it(void **state)
{
    struct fr_audit *first, *second;
    size_t one;

    assert_int_equal(fr_audit_open(path, 100, &first, NULL), 0);
    put(first, "aaaaa");
    one = size_of(path);
    assert_true(one > 100);
    fr_audit_close(first);
    assert_int_equal(fr_audit_open(path, one + 1, &first, NULL), 0);
    assert_int_equal(fr_audit_open(path, one + 1, &second, NULL), 0);
    put(second, "bbbbb");
    assert_int_equal(size_of(path), 2 * one);
    put(first, "ccccc"); /* which has not written itself what makes it full */
    assert_int_equal(size_of(old), 2 * one);
    assert_int_equal(size_of(path), one);
    put(second, "ddddd");
    assert_int_equal(size_of(old), 2 * one);
    assert_int_equal(size_of(path), 2 * one);
    fr_audit_close(first);
    fr_audit_close(second);
}

/* One that is quiet while the other has filled the file twice writes where it is found. */
static void test_one_that_was_quiet(void **state)
{
    struct fr_audit *busy, *quiet;
    char text[1024] = "";

    assert_int_equal(fr_audit_open(path, 300, &busy, NULL), 0);
    assert_int_equal(fr_audit_open(path, 300, &quiet, NULL), 0);
    for (int i = 0; i < 20; i++)
        put(busy, "aaaaa");
    put(quiet, "bbbbb");
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    (void)fclose(file);
    assert_non_null(strstr(text, "bbbbb"));
    fr_audit_close(busy);
    fr_audit_close(quiet);
}

static void test_a_directory_that_cannot_be_made(void **state)
{
    struct fr_audit *audit = NULL;
    struct fr_error err;
    char name[128];

    assert_int_equal(close(open(path, O_CREAT | O_WRONLY, 0600)), 0);
    (void)snprintf(name, sizeof name, "%s/in/log", path);
    assert_true(fr_audit_open(name, 100, &audit, &err) < 0);
    assert_non_null(strstr(err.text, "audit log's directory"));
    assert_null(audit);
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
        cmocka_unit_test_setup_teardown(test_half_a_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_that_share_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_that_was_quiet, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_directory_that_cannot_be_made, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files_that_are_refused, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
