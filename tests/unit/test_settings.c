// SPDX-License-Identifier: LGPL-3.0-only
#include "base/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/settings_table.h"
#include "base/util.h"

#define ARGV(...) ((char *[]){"flux-restd", __VA_ARGS__, NULL})
#define ENV(...) ((char *[]){"HOME=/home/u", __VA_ARGS__, NULL})

static char *const bare[] = {"HOME=/home/u", NULL};
static char dir[64];
static char path[96];

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/test_settings.XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/file", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir);
}

static void put_file(const char *text, mode_t mode)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fputs(text, f) < 0, 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static int count(char *const *argv)
{
    int n = 0;

    while (argv[n])
        n++;
    return n;
}

static struct fr_settings read_ok(char *const *argv, char *const *env)
{
    struct fr_settings s;
    enum fr_settings_todo todo;
    struct fr_error err = {0};

    int r = fr_settings_read(count(argv), argv, env, &s, &todo, &err);
    if (r != 0)
        fail_msg("refused: %s", err.text);
    assert_int_equal(todo, FR_SETTINGS_RUN);
    return s;
}

/* Refused with that errno and a text that has the word in it; nothing is returned. */
static void read_fails(char *const *argv, char *const *env, int errnum, const char *word)
{
    struct fr_settings s;
    enum fr_settings_todo todo = 77;
    struct fr_error err = {0};

    memset(&s, 0x5a, sizeof s);
    assert_int_equal(fr_settings_read(count(argv), argv, env, &s, &todo, &err), -errnum);
    assert_int_equal(todo, 77);
    assert_int_equal(s.port, 0x5a5a5a5a);
    if (!strstr(err.text, word))
        fail_msg("'%s' is not in: %s", word, err.text);
    assert_int_equal(fr_settings_read(count(argv), argv, env, &s, &todo, NULL), -errnum);
}

static void test_defaults(void **state)
{
    (void)state;
    struct fr_settings s = read_ok(ARGV(NULL), bare);

    assert_string_equal(s.listen[0], "127.0.0.1:5000");
    assert_null(s.listen[1]);
    assert_string_equal(s.state_dir, "/home/u/.local/state/flux-restd");
    assert_int_equal(s.engine, FR_ENGINE_AUTO);
    assert_int_equal(s.auth, FR_AUTH_CREDENTIALS);
    assert_int_equal(s.log_level, FR_LOG_INFO);
    assert_true(s.access_log);
    assert_false(s.require_auth);
    assert_null(s.token);
    assert_null(s.user);
    assert_null(s.flux_uri);
    assert_non_null(s.allow_host);
    assert_null(s.allow_host[0]);
    assert_int_equal(s.events_max, 64 << 20);
    fr_settings_done(&s);
    assert_null(s.listen);
    fr_settings_done(&s);
}

/* Every row is sound: its default can be read, and names do not collide. */
static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < fr_settings_count; i++) {
        const struct fr_setting *row = &fr_settings_table[i];
        char wanted[80] = "FLUX_RESTD_";
        size_t n = strlen(wanted);

        for (const char *p = row->name; *p; p++)
            wanted[n++] = *p == '-' ? '_' : (char)(*p - 'a' + 'A');
        assert_string_equal(row->env[0], wanted);
        assert_true((row->metavar == NULL) == (row->type == FR_SETTING_BOOL));
        assert_true(strlen(row->name) <= 40);
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(fr_settings_table[k].name, row->name);
            if (row->type != FR_SETTING_FILE && fr_settings_table[k].type != FR_SETTING_FILE)
                assert_int_not_equal(fr_settings_table[k].offset, row->offset);
        }
    }
}

static void test_argv_forms(void **state)
{
    (void)state;
    struct fr_settings s =
        read_ok(ARGV("--port", "6000", "--engine=local", "--no-access-log", "--require-auth",
                     "--flux-uri=--odd", "--body-max", "2m", "--log-level", "debug"),
                bare);

    assert_int_equal(s.port, 6000);
    assert_string_equal(s.listen[0], "127.0.0.1:6000");
    assert_int_equal(s.engine, FR_ENGINE_LOCAL);
    assert_false(s.access_log);
    assert_true(s.require_auth);
    assert_string_equal(s.flux_uri, "--odd");
    assert_int_equal(s.body_max, 2 << 20);
    assert_int_equal(s.log_level, FR_LOG_DEBUG);
    fr_settings_done(&s);

    s = read_ok(ARGV("--port=1", "--port=2", "--require-auth=no"), bare);
    assert_int_equal(s.port, 2);
    assert_false(s.require_auth);
    fr_settings_done(&s);
}

static void test_argv_refused(void **state)
{
    (void)state;
    read_fails(ARGV("--prot", "1"), bare, EINVAL, "Did you mean --port?");
    read_fails(ARGV("--require-auht"), bare, EINVAL, "--require-auth?");
    read_fails(ARGV("--zzzzzzzzzzzzzzzzzzzz"), bare, EINVAL, "--help");
    read_fails(ARGV("--no-port"), bare, EINVAL, "--no-port");
    read_fails(ARGV("--no-access-log=yes"), bare, EINVAL, "no value");
    read_fails(ARGV("--port"), bare, EINVAL, "needs a value");
    read_fails(ARGV("--host", "--port=1"), bare, EINVAL, "--host needs a value");
    read_fails(ARGV("-p", "1"), bare, EINVAL, "'-p'");
    read_fails(ARGV("--"), bare, EINVAL, "'--'");
    read_fails(ARGV("--=x"), bare, EINVAL, "not a setting");
    read_fails(ARGV("stray"), bare, EINVAL, "'stray'");
    read_fails(ARGV("--host="), bare, EINVAL, "--host");
    read_fails(ARGV("--engine", "slurm"), bare, EINVAL, "one of auto, local, flux");
    read_fails(ARGV("--require-auth=maybe"), bare, EINVAL, "'maybe'");
}

static void test_numbers(void **state)
{
    static const char *const bad[] = {"",    "-1",    "+1",  "1 ",   " 1",
                                      "0x1", "65536", "1.5", "1e3",  "18446744073709551616",
                                      "1K",  "NaN",   "\n1", "1\xff"};
    char option[64];

    (void)state;
    for (size_t i = 0; i < FR_ARRAY_SIZE(bad); i++) {
        snprintf(option, sizeof option, "--port=%s", bad[i]);
        read_fails(ARGV(option), bare, EINVAL, "from 0 to 65535");
    }
    struct fr_settings s = read_ok(ARGV("--port=65535"), bare);
    assert_int_equal(s.port, 65535);
    fr_settings_done(&s);
}

static void test_sizes(void **state)
{
    static const char *const bad[] = {
        "1",   "64KK", "64KiB", "17179869184G", "64T",
        "-5M", "1.5M", "M",     "65G",          "36893488147419103232"};
    char option[64];

    (void)state;
    for (size_t i = 0; i < FR_ARRAY_SIZE(bad); i++) {
        snprintf(option, sizeof option, "--events-max=%s", bad[i]);
        read_fails(ARGV(option), bare, EINVAL, "--events-max");
    }
    struct fr_settings s = read_ok(ARGV("--events-max=1g", "--header-max=5000"), bare);
    assert_int_equal(s.events_max, 1 << 30);
    assert_int_equal(s.header_max, 5000);
    fr_settings_done(&s);
}

static void test_precedence(void **state)
{
    (void)state;
    put_file("# a comment\n\n  port = 7001 \r\nhost=::1\nuser = a = b # c\n", 0644);
    char config[128];
    snprintf(config, sizeof config, "--config=%s", path);

    struct fr_settings s = read_ok(ARGV(config), bare);
    assert_string_equal(s.listen[0], "[::1]:7001");
    assert_string_equal(s.user, "a = b # c");
    fr_settings_done(&s);

    s = read_ok(ARGV(config), ENV("PORT=7002", "FLUX_USER="));
    assert_string_equal(s.listen[0], "[::1]:7002");
    assert_string_equal(s.user, "a = b # c");
    fr_settings_done(&s);

    s = read_ok(ARGV(config), ENV("PORT=7002", "FLUX_RESTD_PORT=7003"));
    assert_int_equal(s.port, 7003);
    fr_settings_done(&s);

    s = read_ok(ARGV(config, "--port=7004"), ENV("PORT=nonsense"));
    assert_int_equal(s.port, 7004);
    fr_settings_done(&s);
}

static void test_config_by_variable(void **state)
{
    (void)state;
    put_file("cores = 3\n", 0600);
    char variable[128];
    snprintf(variable, sizeof variable, "FLUX_RESTD_CONFIG=%s", path);

    struct fr_settings s = read_ok(ARGV(NULL), ENV(variable));
    assert_int_equal(s.cores, 3);
    fr_settings_done(&s);
    read_fails(ARGV("--config=/nonexistent/file"), ENV(variable), ENOENT, "/nonexistent/file");
}

static void config_fails(const char *text, mode_t mode, int errnum, const char *word)
{
    char config[128];

    put_file(text, mode);
    snprintf(config, sizeof config, "--config=%s", path);
    read_fails(ARGV(config), bare, errnum, word);
}

static void test_config_refused(void **state)
{
    (void)state;
    config_fails("prot = 1\n", 0600, EINVAL, "Did you mean port?");
    config_fails("\n\nport = x\n", 0600, EINVAL, "line 3");
    config_fails("port\n", 0600, EINVAL, "name = value");
    config_fails("host =\n", 0600, EINVAL, "line 1");
    config_fails("port = 1\nport = 2\n", 0600, EINVAL, "already set in line 1");
    config_fails("config = /etc/x\n", 0600, EINVAL, "config");
    config_fails("port = 1\n", 0620, EPERM, "chmod go-w");
    config_fails("port = 1\n", 0602, EPERM, "chmod go-w");
    config_fails("token = sesame\n", 0640, EPERM, "chmod 600");
    config_fails("token = sesame\n", 0604, EPERM, "chmod 600");
    config_fails("listen = 127.0.0.1:1\nport = 2\n", 0600, EINVAL, "listen");
}

static void test_config_odd_files(void **state)
{
    char config[128], target[128];

    (void)state;
    snprintf(config, sizeof config, "--config=%s", dir);
    read_fails(ARGV(config), bare, EPERM, "regular file");

    snprintf(config, sizeof config, "--config=%s", path);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite("port = 1\0\n", 1, 10, f), 10);
    assert_int_equal(fclose(f), 0);
    read_fails(ARGV(config), bare, EINVAL, "NUL");

    assert_int_equal(truncate(path, 0), 0);
    f = fopen(path, "w");
    for (int i = 0; i < 40000; i++)
        fputs("# 3456789\n", f);
    assert_int_equal(fclose(f), 0);
    read_fails(ARGV(config), bare, EINVAL, "longer");

    snprintf(target, sizeof target, "%s/target", dir);
    assert_int_equal(rename(path, target), 0);
    assert_int_equal(symlink(target, path), 0);
    read_fails(ARGV(config), bare, EPERM, "symbolic link");
    assert_int_equal(unlink(target), 0);

    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    read_fails(ARGV(config), bare, EPERM, "regular file");
}

static void test_bools(void **state)
{
    static const struct {
        const char *text;
        bool value;
    } words[] = {{"true", true}, {"1", true},   {"yes", true},    {"on", true},
                 {"TRUE", true}, {"", false},   {"false", false}, {"0", false},
                 {"no", false},  {"off", false}};
    char variable[64];

    (void)state;
    for (size_t i = 0; i < FR_ARRAY_SIZE(words); i++) {
        snprintf(variable, sizeof variable, "FLUX_REQUIRE_AUTH=%s", words[i].text);
        struct fr_settings s = read_ok(ARGV(NULL), ENV(variable));
        assert_int_equal(s.require_auth, words[i].value);
        fr_settings_done(&s);
    }
    read_fails(ARGV(NULL), ENV("FLUX_REQUIRE_AUTH=ja"), EINVAL,
               "FLUX_REQUIRE_AUTH in the environment");
    read_fails(ARGV(NULL), ENV("FLUX_REQUIRE_AUTH=2"), EINVAL, "'2'");
    read_fails(ARGV(NULL), ENV("FLUX_REQUIRE_AUTH=true "), EINVAL, "true (1, yes, on)");
}

/* Where several names mean one thing, true under one of them is true, in any order. */
static void test_auth_conflict(void **state)
{
    (void)state;
    struct fr_settings s =
        read_ok(ARGV(NULL), ENV("FLUX_REQUIRE_AUTH=false", "FLUX_USER_AUTH=1"));
    assert_true(s.require_auth);
    fr_settings_done(&s);
    s = read_ok(ARGV(NULL), ENV("FLUX_RESTD_REQUIRE_AUTH=on", "FLUX_USER_AUTH="));
    assert_true(s.require_auth);
    fr_settings_done(&s);
    read_fails(ARGV(NULL), ENV("FLUX_REQUIRE_AUTH=true", "FLUX_USER_AUTH=x"), EINVAL,
               "FLUX_USER_AUTH");
    s = read_ok(ARGV("--no-require-auth"), ENV("FLUX_REQUIRE_AUTH=true"));
    assert_false(s.require_auth);
    fr_settings_done(&s);
    s = read_ok(ARGV(NULL), ENV("FLUX_RESTD_ACCESS_LOG=off"));
    assert_false(s.access_log);
    fr_settings_done(&s);
}

static void test_lists(void **state)
{
    (void)state;
    struct fr_settings s =
        read_ok(ARGV("--listen", "unix:/a,b", "--listen=[::1]:0"), ENV("PORT=9"));
    assert_string_equal(s.listen[0], "unix:/a,b");
    assert_string_equal(s.listen[1], "[::1]:0");
    assert_null(s.listen[2]);
    fr_settings_done(&s);

    s = read_ok(ARGV(NULL),
                ENV("FLUX_RESTD_LISTEN=127.0.0.1:1, unix:/x,,", "FLUX_RESTD_ALLOW_HOST=a"));
    assert_string_equal(s.listen[0], "127.0.0.1:1");
    assert_string_equal(s.listen[1], "unix:/x");
    assert_null(s.listen[2]);
    assert_string_equal(s.allow_host[0], "a");
    fr_settings_done(&s);

    s = read_ok(ARGV("--port=7"), ENV("FLUX_RESTD_LISTEN=unix:/x"));
    assert_string_equal(s.listen[0], "127.0.0.1:7");
    assert_null(s.listen[1]);
    fr_settings_done(&s);

    s = read_ok(ARGV(NULL), ENV("FLUX_RESTD_LISTEN=,,"));
    assert_string_equal(s.listen[0], "127.0.0.1:5000");
    fr_settings_done(&s);

    read_fails(ARGV("--listen=unix:/x", "--port=7"), bare, EINVAL, "listen");
}

static void test_secret_on_command_line(void **state)
{
    struct fr_error err;
    struct fr_settings s;
    enum fr_settings_todo todo;

    (void)state;
    read_fails(ARGV("--token", "sesame"), bare, EINVAL, "--token-file");
    char *const *argv = ARGV("--token=sesame");
    assert_int_equal(fr_settings_read(2, argv, bare, &s, &todo, &err), -EINVAL);
    assert_null(strstr(err.text, "sesame"));
}

static void test_token_file(void **state)
{
    char option[128];

    (void)state;
    snprintf(option, sizeof option, "--token-file=%s", path);
    put_file("sesame\n", 0600);
    struct fr_settings s = read_ok(ARGV(option), ENV("FLUX_TOKEN=other"));
    assert_string_equal(s.token, "sesame");
    assert_string_equal(s.token_file, path);
    fr_settings_done(&s);

    put_file("sesame\n", 0640);
    read_fails(ARGV(option), bare, EPERM, "chmod 600");
    put_file("sesame\n", 0604);
    read_fails(ARGV(option), bare, EPERM, "chmod 600");
    put_file("\n", 0600);
    read_fails(ARGV(option), bare, EINVAL, "one line");
    put_file("one\ntwo\n", 0600);
    read_fails(ARGV(option), bare, EINVAL, "one line");
    read_fails(ARGV("--token-file=/nonexistent"), bare, ENOENT, "/nonexistent");
}

static void test_token_precedence(void **state)
{
    char variable[128], config[128];

    (void)state;
    put_file("token = from config\n", 0600);
    snprintf(config, sizeof config, "--config=%s", path);
    struct fr_settings s = read_ok(ARGV(config), bare);
    assert_string_equal(s.token, "from config");
    fr_settings_done(&s);
    s = read_ok(ARGV(config), ENV("FLUX_TOKEN=from env"));
    assert_string_equal(s.token, "from env");
    fr_settings_done(&s);
    s = read_ok(ARGV(NULL), ENV("FLUX_TOKEN="));
    assert_null(s.token);
    fr_settings_done(&s);

    snprintf(variable, sizeof variable, "FLUX_RESTD_TOKEN_FILE=%s", path);
    read_fails(ARGV(NULL), ENV(variable, "FLUX_TOKEN=x"), EINVAL, "one of them");

    put_file("token-file = /nonexistent\n", 0600);
    s = read_ok(ARGV(config), ENV("FLUX_TOKEN=from env"));
    assert_string_equal(s.token, "from env");
    assert_null(s.token_file);
    fr_settings_done(&s);
}

static void test_state_dir(void **state)
{
    (void)state;
    struct fr_settings s = read_ok(ARGV(NULL), ENV("XDG_STATE_HOME=/xdg"));
    assert_string_equal(s.state_dir, "/xdg/flux-restd");
    fr_settings_done(&s);
    s = read_ok(ARGV(NULL), ENV("XDG_STATE_HOME=relative"));
    assert_string_equal(s.state_dir, "/home/u/.local/state/flux-restd");
    fr_settings_done(&s);
    s = read_ok(ARGV("--state-dir=/s"), bare);
    assert_string_equal(s.state_dir, "/s");
    fr_settings_done(&s);
}

static void test_help_and_version(void **state)
{
    struct fr_settings s;
    enum fr_settings_todo todo;

    (void)state;
    assert_int_equal(fr_settings_read(2, ARGV("--help"), ENV("PORT=x"), &s, &todo, NULL), 0);
    assert_int_equal(todo, FR_SETTINGS_HELP);
    assert_int_equal(fr_settings_read(3, ARGV("-V", "--bad"), bare, &s, &todo, NULL), 0);
    assert_int_equal(todo, FR_SETTINGS_VERSION);
    read_fails(ARGV("--bad", "--help"), bare, EINVAL, "--bad");
}

static void test_help_text(void **state)
{
    struct fr_buf out = FR_BUF_INIT(64 * 1024);

    (void)state;
    fr_settings_help(&out);
    fr_buf_putc(&out, '\0');
    assert_int_equal(fr_buf_status(&out), 0);
    for (const char *line = out.data; *line;) {
        size_t len = strcspn(line, "\n");
        assert_in_range(len, 0, 80);
        assert_true(len == 0 || line[len - 1] != ' ');
        line += len + (line[len] == '\n');
    }
    for (size_t i = 0; i < fr_settings_count; i++) {
        const struct fr_setting *row = &fr_settings_table[i];
        assert_non_null(strstr(out.data, row->name));
        for (size_t k = 0; k < FR_SETTING_ENV_MAX && row->env[k]; k++)
            assert_non_null(strstr(out.data, row->env[k]));
    }
    assert_null(strstr(out.data, "--token TEXT")); /* it is not an option */
    fr_buf_done(&out);
}

static bool is_private(const char *name)
{
    for (const char *const *p = fr_settings_private_env(); *p; p++) {
        if (strcmp(*p, name) == 0)
            return true;
    }
    return false;
}

static void test_private_env(void **state)
{
    (void)state;
    assert_true(is_private("FLUX_TOKEN"));
    assert_true(is_private("FLUX_RESTD_TOKEN"));
    assert_true(is_private("FLUX_SECRET_KEY"));
    assert_true(is_private("NOTIFY_SOCKET"));
    assert_true(is_private("CREDENTIALS_DIRECTORY"));
    assert_false(is_private("FLUX_URI"));
    assert_false(is_private("PATH"));
    for (size_t i = 0; i < fr_settings_count; i++)
        assert_true(is_private(fr_settings_table[i].env[0]));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_argv_forms),
        cmocka_unit_test(test_argv_refused),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test_setup_teardown(test_precedence, setup, teardown),
        cmocka_unit_test_setup_teardown(test_config_by_variable, setup, teardown),
        cmocka_unit_test_setup_teardown(test_config_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_config_odd_files, setup, teardown),
        cmocka_unit_test(test_bools),
        cmocka_unit_test(test_auth_conflict),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_secret_on_command_line),
        cmocka_unit_test_setup_teardown(test_token_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_token_precedence, setup, teardown),
        cmocka_unit_test(test_state_dir),
        cmocka_unit_test(test_help_and_version),
        cmocka_unit_test(test_help_text),
        cmocka_unit_test(test_private_env),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
