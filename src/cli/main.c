// SPDX-License-Identifier: LGPL-3.0-only
/* The client's start: what was asked, of whom, and as whom. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "base/version.h"
#include "cli/display.h"
#include "cli/run.h"
#include "cli/signals.h"

#define HELP_MAX (1024 * 1024)
#define URL_DEFAULT "http://127.0.0.1:5000"
#define TIMEOUT_DEFAULT 60.0

/* A variable of the environment that is set and not empty, or NULL. */
static const char *variable(const char *name)
{
    const char *text = getenv(name);

    return text && *text ? text : NULL;
}

static const char *or_else(const char *text, const char *other)
{
    return text ? text : other;
}

static int create_client(const struct fr_args *args, struct fr_client **ret,
                         struct fr_error *err)
{
    const char *path = fr_args_text(args, "token-file");
    char *token = NULL;
    int r = path ? fr_client_read_token(path, &token, err) : 0;

    if (r == 0)
        r = fr_client_create(
            &(struct fr_client_options){
                .url = or_else(fr_args_text(args, "url"),
                               or_else(variable("FLUX_RESTFUL_HOST"), URL_DEFAULT)),
                .user = variable("FLUX_USER"),
                .token = token ? token : variable("FLUX_TOKEN"),
                .cacert = fr_args_text(args, "cacert"),
                .timeout = fr_args_seconds(args, "timeout", TIMEOUT_DEFAULT),
            },
            ret, err);
    if (token)
        explicit_bzero(token, strlen(token));
    free(token);
    return r;
}

/* A descriptor that is closed would be given to a socket, and written to. */
static int open_standard_fds(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd < 0)
        return -errno;
    close(fd);
    return 0;
}

static int print_help(const struct fr_command *command)
{
    struct fr_buf text = FR_BUF_INIT(HELP_MAX);

    fr_help_put(&text, command);
    int r = fr_out_flush(&text);
    fr_buf_done(&text);
    return r < 0 ? FR_EXIT_FAILED : FR_EXIT_OK;
}

static int print_version(void)
{
    static const char text[] = "flux-rest " FR_VERSION "\n";

    return fr_out_write(STDOUT_FILENO, text, strlen(text)) < 0 ? FR_EXIT_FAILED : FR_EXIT_OK;
}

static bool color_is_known(const char *when)
{
    return strcmp(when, "auto") == 0 || strcmp(when, "always") == 0 ||
           strcmp(when, "never") == 0;
}

/* What a failure before the command's own work ends with: every other code of `run` is a job's.
 */
static int failed(const struct fr_args *args, int code)
{
    return args->command && args->command->run == fr_run_run ? FR_EXIT_RUN : code;
}

static int run(const struct fr_args *args)
{
    struct fr_error err = {.text = ""};
    const char *color = or_else(fr_args_text(args, "color"), "auto");
    struct fr_cli cli = {
        .args = args, .json = fr_args_flag(args, "json"), .color = fr_out_color(color)};

    if (!color_is_known(color)) {
        fr_say("--color: '%s' is not taken; give auto, always or never", color);
        return failed(args, FR_EXIT_USAGE);
    }
    int r = create_client(args, &cli.client, &err);
    if (r < 0) {
        fr_say("%s", *err.text ? err.text : strerror(-r));
        return failed(args, r == -ENOMEM ? FR_EXIT_FAILED : FR_EXIT_USAGE);
    }
    int code = args->command->run(&cli);
    fr_progress_clear();
    fr_client_free(cli.client);
    return code;
}

int main(int argc, char **argv)
{
    struct fr_error err = {.text = ""};
    struct fr_args args;
    int code, r = open_standard_fds();

    fr_display_init();
    if (r == 0)
        r = fr_signals_init();
    if (r < 0) {
        fr_say("cannot start: %s", strerror(-r));
        return FR_EXIT_FAILED;
    }
    r = fr_args_parse(argc, argv, &args, &err);
    if (r < 0) {
        fr_say("%s", *err.text ? err.text : strerror(-r));
        code = failed(&args, FR_EXIT_USAGE);
    } else if (args.help) {
        code = print_help(args.command);
    } else if (args.version) {
        code = print_version();
    } else {
        code = run(&args);
    }
    fr_args_done(&args);
    if (code == FR_EXIT_INTERRUPTED && fr_signals_gave_up())
        fr_signals_die(SIGINT);
    return code;
}
