// SPDX-License-Identifier: LGPL-3.0-only
#include "cli/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/util.h"
#include "cli/body.h"

/* Reads "flux-rest" and the words of line, split at blanks. */
static int parse(const char *line, struct fr_args *args, struct fr_error *err)
{
    static char copy[512];
    char *words[32] = {"flux-rest"}, *rest = copy;
    int count = 1;

    assert_true(strlen(line) < sizeof copy);
    memcpy(copy, line, strlen(line) + 1);
    *err = (struct fr_error){.text = ""};
    for (char *word; *line && (word = strsep(&rest, " "));)
        words[count++] = word;
    return fr_args_parse(count, words, args, err);
}

static void test_options(void **state)
{
    struct fr_error err;
    struct fr_args args;

    assert_int_equal(
        parse("submit -n4 --nodes 2 -xl --env=A=1 --env B=2 prog -n9 --x", &args, &err), 0);
    assert_string_equal(args.command->name, "submit");
    assert_int_equal(fr_args_count(&args, "ntasks", 1), 4);
    assert_int_equal(fr_args_count(&args, "nodes", 1), 2);
    assert_int_equal(fr_args_count(&args, "cores-per-task", 7), 7);
    assert_true(fr_args_flag(&args, "exclusive"));
    assert_true(fr_args_flag(&args, "label-io"));
    assert_false(fr_args_flag(&args, "unbuffered"));
    assert_string_equal(fr_args_text(&args, "env"), "B=2");
    assert_null(fr_args_text(&args, "queue"));
    /* What follows the program is the program's. */
    assert_int_equal(args.nwords, 3);
    assert_string_equal(args.words[1], "-n9");
    fr_args_done(&args);
}

static void test_order(void **state)
{
    struct fr_error err;
    struct fr_args args;

    assert_int_equal(parse("--url http://a jobs f2 -a f3 -- -x", &args, &err), 0);
    assert_string_equal(fr_args_text(&args, "url"), "http://a");
    assert_true(fr_args_flag(&args, "all"));
    assert_int_equal(args.nwords, 3);
    assert_string_equal(args.words[2], "-x");
    fr_args_done(&args);
    assert_int_equal(parse("run --name hello -- -prog", &args, &err), 0);
    assert_string_equal(fr_args_text(&args, "job-name"), "hello");
    assert_string_equal(args.words[0], "-prog");
    fr_args_done(&args);
}

static void check_refused(const char *line, const char *part)
{
    struct fr_error err;
    struct fr_args args;

    assert_int_equal(parse(line, &args, &err), -EINVAL);
    if (!strstr(err.text, part))
        fail_msg("'%s' is refused with: %s", line, err.text);
    fr_args_done(&args);
}

static void test_refused(void **state)
{
    check_refused("", "say what to do");
    check_refused("jbos", "did you mean 'jobs'?");
    check_refused("jobs --al", "did you mean --all?");
    check_refused("jobs -Z", "no option -Z of jobs");
    check_refused("submit -n", "--ntasks needs a value");
    check_refused("submit -n0 a", "'0' is not taken");
    check_refused("submit -n 1x a", "'1x' is not taken");
    check_refused("submit -n 99999999999999999999 a", "is not taken");
    check_refused("submit --exclusive=1 a", "takes no value");
    check_refused("submit", "something is missing");
    check_refused("submit --queue= a", "--queue");
    check_refused("urgency f1 2 3", "one word too many");
    check_refused("jobs --timeout=-1", "--timeout");
    check_refused("submit --setopt==1 a", "--setopt");
}

static void test_help(void **state)
{
    struct fr_error err;
    struct fr_args args;

    assert_int_equal(parse("submit --help --nonsense", &args, &err), 0);
    assert_true(args.help);
    fr_args_done(&args);
    assert_int_equal(parse("-V", &args, &err), 0);
    assert_true(args.version);
    fr_args_done(&args);
    for (size_t i = 0; i < fr_commands_count; i++) {
        struct fr_buf text = FR_BUF_INIT(1 << 20);
        fr_help_put(&text, &fr_commands[i]);
        assert_int_equal(fr_buf_status(&text), 0);
        assert_non_null(strstr(text.data, "Examples:\n  "));
        for (const char *line = text.data; line;
             line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
            assert_true(strcspn(line, "\n") <= 100);
        fr_buf_done(&text);
    }
}

/* No letter and no name means two things in one command. */
static void test_table(void **state)
{
    for (size_t i = 0; i < fr_commands_count; i++) {
        struct fr_option_walk outer = {.command = &fr_commands[i]};
        const struct fr_option *a, *b;
        while ((a = fr_option_next(&outer))) {
            struct fr_option_walk inner = outer;
            assert_int_equal(a->metavar == NULL, a->type == FR_OPTION_FLAG);
            while ((b = fr_option_next(&inner))) {
                assert_string_not_equal(a->name, b->name);
                assert_true(!a->letter || a->letter != b->letter);
                assert_true(!a->alias || strcmp(a->alias, b->name) != 0);
            }
        }
    }
}

static void test_limit(void **state)
{
    double seconds;

    assert_int_equal(fr_body_parse_limit("5", &seconds), 0);
    assert_true(fabs(seconds - (300)) <= 1e-9);
    assert_int_equal(fr_body_parse_limit("90s", &seconds), 0);
    assert_true(fabs(seconds - (90)) <= 1e-9);
    assert_int_equal(fr_body_parse_limit("1.5h", &seconds), 0);
    assert_true(fabs(seconds - (5400)) <= 1e-9);
    assert_int_equal(fr_body_parse_limit("x", &seconds), -EINVAL);
}

static void test_key(void **state)
{
    char a[FR_BODY_KEY], b[FR_BODY_KEY];

    assert_int_equal(fr_body_make_key(a), 0);
    assert_int_equal(fr_body_make_key(b), 0);
    assert_int_equal(strlen(a), 32);
    assert_string_not_equal(a, b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options), cmocka_unit_test(test_order),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_help),
        cmocka_unit_test(test_table),   cmocka_unit_test(test_limit),
        cmocka_unit_test(test_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
