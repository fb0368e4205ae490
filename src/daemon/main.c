// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The daemon: wiring only. Settings → engine, service, API, server → the loop → the end.
 *
 * The end goes in one order: the server stops taking requests and finishes its replies; then,
 * where that was asked for, the engine's instance is told to end; then the engine closes; then
 * the loop runs dry.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "api/api.h"
#include "base/file.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/settings.h"
#include "base/util.h"
#include "daemon/banner.h"
#include "daemon/confine.h"
#include "daemon/manager.h"
#include "daemon/process.h"
#include "daemon/warnings.h"

/* Longest file with a certificate and those above it, or with a key. */
enum { TLS_FILE_MAX = 256 * 1024 };

struct daemon {
    uv_loop_t loop;
    struct fr_settings settings;
    struct fr_service *service;
    struct fr_engine *engine;
    struct fr_tokens *tokens; /* NULL: there is no place to keep them */
    struct fr_auth *auth;
    struct fr_audit *audit; /* NULL: none is kept */
    struct fr_api *api;
    struct fr_server *server;
    struct fr_timer *patience; /* with requests that wait, once we are stopping */
    char **job_environ;
    struct fr_poll *signal_poll;
    int signal_fd;
    bool signalled;     /* told to end by SIGTERM or SIGINT */
    bool with_instance; /* the instance ends with us */
    int status;         /* exit status */
};

/* What fr_manager_tell() returned: a manager that does not hear is no reason to end. */
static void tell_manager(int rc)
{
    if (rc < 0)
        fr_log_warning("the service manager cannot be told at NOTIFY_SOCKET: %s",
                       strerror(-rc));
}

/* --- the certificate --- */

/*
 * Reads it, for the first time or again. What renews certificates often does so behind links
 * (certbot, Kubernetes): those are followed.
 */
static int load_tls(struct daemon *daemon, struct fr_error *err)
{
    const struct fr_settings *settings = &daemon->settings;
    _cleanup_(fr_cleanup_str) char *cert = NULL;
    bool is_private = false;
    char *key;

    if (!settings->tls_cert)
        return 0;
    int rc = fr_file_slurp_linked(settings->tls_cert, TLS_FILE_MAX, &cert, &is_private, err);
    if (rc == 0)
        rc = fr_file_slurp_linked(settings->tls_key, TLS_FILE_MAX, &key, &is_private, err);
    if (rc < 0)
        return rc;
    if (is_private)
        rc = fr_server_set_tls(daemon->server, cert, key, err);
    else
        rc = fr_error_set(err, EPERM, FR_CODE_INVALID,
                          "Other users can read the key in %s: 'chmod 600' it, and get a new "
                          "certificate with a new key.",
                          settings->tls_key);
    explicit_bzero(key, strlen(key));
    free(key);
    return rc;
}

static void reload(struct daemon *daemon)
{
    struct fr_error err;

    if (!daemon->settings.tls_cert)
        fr_log_notice("there is no certificate to read again");
    else if (load_tls(daemon, &err) < 0)
        fr_log_err("the certificate stays as it was: %s", err.text);
    else
        fr_log_notice("read the certificate again; new connections are shown it");
}

/* --- the end --- */

static void on_engine_closed(void *arg)
{
    struct daemon *daemon = arg;

    fr_service_set_engine(daemon->service, NULL);
    daemon->engine = NULL;
    fr_timer_free(daemon->patience);
    /* They stay blocked: one that comes now does not change how we end. */
    fr_poll_free(daemon->signal_poll);
    (void)close(daemon->signal_fd);
}

static void on_instance_ended(void *arg, const struct fr_error *err)
{
    struct daemon *daemon = arg;

    if (err)
        fr_log_err("the instance could not be told to end: %s", err->text);
    daemon->engine->ops->close(daemon->engine, on_engine_closed, daemon);
}

static void on_server_stopped(void *arg)
{
    struct daemon *daemon = arg;
    const struct fr_engine_ops *ops = daemon->engine->ops;

    if (daemon->with_instance && ops->shutdown)
        ops->shutdown(daemon->engine, on_instance_ended, daemon);
    else
        ops->close(daemon->engine, on_engine_closed, daemon);
}

/* Half of the grace has gone: who still waits for the engine is told what is known, in time. */
static void on_patience_ended(void *arg)
{
    struct daemon *daemon = arg;

    fr_api_answer_held(daemon->api);
}

static void on_stop(void *arg, bool with_instance, const struct fr_error *err)
{
    struct daemon *daemon = arg;

    daemon->with_instance = with_instance;
    if (err) {
        fr_log_err("%s", err->text);
        daemon->status = EXIT_FAILURE;
    }
    fr_log_notice("stopping");
    tell_manager(fr_manager_tell("STOPPING=1"));
    fr_timer_start(daemon->patience, daemon->settings.grace_seconds * 1000 / 2, 0);
    fr_server_stop(daemon->server, daemon->settings.grace_seconds * 1000, on_server_stopped,
                   daemon);
}

/*
 * A second SIGTERM or SIGINT ends at once: whoever sends two does not want to wait. What was
 * acknowledged is safe. SIGHUP never does: a broker that ends may send it at any time.
 */
static void on_signal(struct daemon *daemon, int signum)
{
    if (signum != SIGHUP && daemon->signalled)
        _exit(EXIT_FAILURE);
    daemon->signalled |= signum != SIGHUP;
    fr_log_notice("got signal %d (%s)", signum, strsignal(signum));
    fr_service_stop(daemon->service, false, NULL);
}

static void on_signals(void *arg, int status, int events)
{
    struct daemon *daemon = arg;
    struct signalfd_siginfo info;

    (void)status;
    (void)events;
    while (read(daemon->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
        if (info.ssi_signo == SIGUSR1)
            reload(daemon);
        else
            on_signal(daemon, (int)info.ssi_signo);
}

static int catch_signals(struct daemon *daemon)
{
    daemon->signal_fd = fr_process_open_signals();
    if (daemon->signal_fd < 0)
        return daemon->signal_fd;
    int rc = fr_poll_create(&daemon->loop, daemon->signal_fd, on_signals, daemon,
                            &daemon->signal_poll);
    return rc < 0 ? rc : fr_poll_set(daemon->signal_poll, UV_READABLE);
}

/* --- the service's news --- */

static void on_ready(void *arg)
{
    struct daemon *daemon = arg;
    size_t known = fr_table_count(fr_service_table(daemon->service));

    fr_log_info("ready: %zu jobs are known", known);
    tell_manager(fr_manager_tell("READY=1\nSTATUS=%zu jobs were known at the start", known));
}

static void on_engine_state(void *arg, const char *lost_reason)
{
    if (lost_reason) {
        /* As ready as it gets: it serves, says what is lost, and comes back by itself. */
        fr_log_warning("the engine is lost: %s", lost_reason);
        tell_manager(
            fr_manager_tell("READY=1\nSTATUS=The engine is lost: %.800s", lost_reason));
    } else {
        fr_log_notice("the engine is back");
        tell_manager(fr_manager_tell("STATUS=The engine is back"));
    }
}

/* --- the start --- */

static int choose_engine(const struct fr_settings *settings, struct fr_error *err)
{
    bool wanted =
        settings->engine == FR_ENGINE_FLUX ||
        (settings->engine == FR_ENGINE_AUTO && (settings->flux_uri || fr_flux_present()));

    if (!wanted)
        return FR_ENGINE_LOCAL;
    if (!fr_flux_version())
        return fr_error_set(err, ENOSYS, FR_CODE_UNSUPPORTED,
                            "there is a Flux here, but this flux-restd was built without "
                            "flux-core; build it where pkg-config finds flux-core, or ask for "
                            "--engine local to run jobs without Flux");
    return FR_ENGINE_FLUX;
}

static int create_local(struct daemon *daemon, struct fr_error *err)
{
    const struct fr_settings *settings = &daemon->settings;
    char found[PATH_MAX];

    if (!settings->shell && fr_process_find_shell(found, sizeof found) < 0)
        return fr_error_set(err, ENOENT, FR_CODE_INVALID,
                            "the job shell flux-restd-shell is not where it was installed; say "
                            "where it is with --shell");
    if (!settings->state_dir)
        return fr_error_set(err, ENOENT, FR_CODE_INVALID,
                            "there is no home directory to keep jobs in; name a directory with "
                            "--state-dir");
    return fr_local_create(&daemon->loop,
                           &(struct fr_local_options){
                               .state_dir = settings->state_dir,
                               .shell_path = settings->shell ? settings->shell : found,
                               .output_max = settings->output_max,
                               .cores = (int)settings->cores,
                               .gpus = (int)settings->gpus,
                               .keep_jobs = settings->keep_jobs,
                               .keep_seconds = settings->keep_days * 86400.0,
                           },
                           fr_service_sink(daemon->service), &daemon->engine, err);
}

static int create_engine(struct daemon *daemon, struct fr_error *err)
{
    int choice = choose_engine(&daemon->settings, err);

    if (choice < 0)
        return choice;
    daemon->job_environ =
        fr_process_job_environ(environ, fr_settings_private_env(), choice == FR_ENGINE_FLUX);
    if (!daemon->job_environ)
        return fr_error_set(err, ENOMEM, FR_CODE_INTERNAL, "no memory to start with");
    if (choice == FR_ENGINE_LOCAL)
        return create_local(daemon, err);
    return fr_flux_create(&daemon->loop,
                          &(struct fr_flux_options){
                              .uri = daemon->settings.flux_uri,
                              .requests = daemon->settings.flux_requests,
                              .seconds = daemon->settings.flux_seconds,
                          },
                          fr_service_sink(daemon->service), &daemon->engine, err);
}

static int create_service(struct daemon *daemon, struct fr_error *err)
{
    struct fr_service_hooks hooks = {
        .ready = on_ready, .engine_state = on_engine_state, .stop = on_stop, .arg = daemon};

    int rc = fr_service_create(daemon->settings.events_max, &hooks, &daemon->service);
    if (rc == 0)
        rc = create_engine(daemon, err);
    if (rc == 0)
        fr_service_set_engine(daemon->service, daemon->engine);
    return rc;
}

static int create_parts(struct daemon *daemon, struct fr_error *err)
{
    const struct fr_settings *settings = &daemon->settings;
    struct fr_auth_options auth = {
        .user = settings->user,
        .token = settings->token,
        .secret_key = settings->secret_key,
        .access_seconds = settings->access_minutes * 60.0,
        .sign_ins = settings->sign_ins,
        .required = settings->require_auth,
        .open = settings->auth == FR_AUTH_NONE,
        .allow_hosts = settings->allow_host,
    };
    struct fr_server_limits limits = {
        .header_block = settings->header_max,
        .body = settings->body_max,
        .replies = settings->replies_max,
        .connections = settings->connections,
        .per_address = settings->connections_per_address,
        .request_seconds = settings->request_seconds,
        .handshake_seconds = settings->handshake_seconds,
        .idle_seconds = settings->idle_seconds,
        .reply_seconds = settings->reply_seconds,
        .parameters = settings->parameters,
    };

    int rc = create_service(daemon, err);
    if (rc == 0 && settings->state_dir)
        rc = fr_tokens_create(&daemon->loop, settings->state_dir, &daemon->tokens, err);
    if (rc < 0)
        return rc;
    auth.tokens = daemon->tokens;
    rc = fr_auth_create(&auth, &daemon->auth, err);
    if (rc == 0 && settings->audit_log && strcmp(settings->audit_log, "none") != 0)
        rc = fr_audit_open(settings->audit_log, settings->audit_max, &daemon->audit, err);
    if (rc < 0)
        return rc;
    struct fr_api_options options = {
        .service = daemon->service,
        .auth = daemon->auth,
        .tokens = daemon->tokens,
        .audit = daemon->audit,
        .environ = daemon->job_environ,
        .json_depth = settings->json_depth,
        .streams = settings->streams,
        .streams_per_client = settings->streams_per_client,
        .bulk_jobs = settings->bulk_jobs,
        .access_log = settings->access_log,
    };
    rc = fr_api_create(&daemon->loop, &options, &daemon->api);
    if (rc < 0)
        return rc;
    struct fr_server_hooks server_hooks = fr_api_hooks(daemon->api);
    return fr_server_create(&daemon->loop, &limits, &server_hooks, &daemon->server);
}

/* Where a service manager passes sockets it says where we listen, in place of the settings. */
static int open_listeners(struct daemon *daemon, struct fr_error *err)
{
    char **listen = daemon->settings.listen;
    int passed = fr_manager_sockets();
    int rc = passed < 0 ? fr_error_set(err, -passed, FR_CODE_INVALID,
                                       "LISTEN_FDS is no number of descriptors: unset it")
                        : 0;

    for (int i = 0; rc == 0 && i < passed; i++)
        rc = fr_server_adopt(daemon->server, FR_MANAGER_FIRST_FD + i, err);
    for (size_t i = 0; rc == 0 && passed == 0 && listen[i]; i++)
        rc = fr_server_listen(daemon->server, listen[i], err);
    return rc;
}

static int listen_everywhere(struct daemon *daemon, struct fr_error *err)
{
    const struct fr_settings *settings = &daemon->settings;
    bool may_be_remote =
        settings->auth == FR_AUTH_NONE || fr_auth_has_credentials(daemon->auth);
    int rc = open_listeners(daemon, err);

    if (rc < 0)
        return rc;
    /* Nothing is served before the loop runs, so that refusing here is early enough. */
    for (size_t i = 0; i < fr_server_listeners(daemon->server); i++)
        if (fr_server_is_remote(daemon->server, i) && !may_be_remote)
            return fr_error_set(
                err, EPERM, FR_CODE_INVALID,
                "%s can be reached from other machines and no credentials are "
                "set; set FLUX_USER and FLUX_TOKEN, listen on 127.0.0.1, or say "
                "--auth=none to let anyone run jobs here",
                fr_server_address(daemon->server, i));
    return 0;
}

static int start(struct daemon *daemon, struct fr_error *err)
{
    int rc = create_parts(daemon, err);

    fr_process_raise_files();
    if (rc == 0)
        rc = load_tls(daemon, err);
    if (rc == 0)
        rc = listen_everywhere(daemon, err);
    if (rc == 0)
        rc = fr_timer_create(&daemon->loop, on_patience_ended, daemon, &daemon->patience);
    if (rc == 0)
        rc = catch_signals(daemon);
    if (rc == 0)
        rc = daemon->engine->ops->open(daemon->engine, err);
    return rc;
}

/* How Flux is reached where its URI begins so: by a program that libflux-core starts. */
static bool needs_ssh(const struct fr_settings *settings)
{
    const char *uri = settings->flux_uri ? settings->flux_uri : getenv("FLUX_URI");

    return uri && strncmp(uri, "ssh:", 4) == 0;
}

/* Once everything is open. A kernel without filters is no reason to serve nobody. */
static void confine(const struct daemon *daemon)
{
    struct fr_error err;

    if (!daemon->settings.confine || strcmp(daemon->engine->ops->name, "flux") != 0)
        return;
    if (needs_ssh(&daemon->settings))
        fr_log_notice("not confined, for Flux is reached by ssh");
    else if (fr_confine_close(&err) < 0)
        fr_log_warning("not confined: %s", err.text);
}

/* What is left when the loop has run dry. */
static void release(struct daemon *daemon)
{
    fr_server_free(daemon->server);
    fr_api_free(daemon->api);
    fr_auth_free(daemon->auth);
    fr_tokens_free(daemon->tokens);
    fr_audit_close(daemon->audit);
    fr_service_free(daemon->service);
    free(daemon->job_environ);
    fr_settings_done(&daemon->settings);
}

static int run(struct daemon *daemon)
{
    struct fr_error err = {.text = ""};

    int rc = start(daemon, &err);
    if (rc < 0) {
        /* The kernel clears up after a daemon that never served. */
        fprintf(stderr, "flux-restd: %s\n", err.text[0] ? err.text : strerror(-rc));
        return EXIT_FAILURE;
    }
    confine(daemon);
    fr_banner_start(&daemon->settings, daemon->server, daemon->engine);
    fr_warnings_log(&daemon->settings);
    uv_run(&daemon->loop, UV_RUN_DEFAULT);
    release(daemon);
    uv_run(&daemon->loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&daemon->loop) < 0)
        fr_log_debug("the loop still held something at the end");
    return daemon->status;
}

static int print_help(void)
{
    struct fr_buf text = FR_BUF_INIT(1024 * 1024);

    fr_settings_help(&text);
    if (fr_buf_status(&text) == 0)
        fputs(text.data, stdout);
    int rc = fr_buf_status(&text);
    fr_buf_done(&text);
    return rc == 0 && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void on_fault(void *arg, const char *text)
{
    puts(text);
}

static int check_store(const struct fr_settings *settings)
{
    struct fr_error err = {.text = "there is no home directory; name it with --state-dir"};
    int faults = settings->state_dir ? fr_local_check(settings->state_dir, on_fault, NULL, &err)
                                     : -ENOENT;

    if (faults < 0)
        fprintf(stderr, "flux-restd: %s\n", err.text);
    else if (faults == 0)
        puts("nothing is wrong with the job store");
    return faults == 0 && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static struct daemon daemon;
    enum fr_settings_todo todo;
    struct fr_error err = {.text = ""};

    int rc = fr_process_prepare();
    if (rc == 0)
        rc = fr_settings_read(argc, argv, environ, &daemon.settings, &todo, &err);
    if (rc < 0) {
        fprintf(stderr, "flux-restd: %s\n", err.text[0] ? err.text : strerror(-rc));
        return 2;
    }
    if (todo == FR_SETTINGS_HELP)
        return print_help();
    if (todo == FR_SETTINGS_VERSION) {
        fr_banner_version();
        return EXIT_SUCCESS;
    }
    if (daemon.settings.check_store) {
        int status = check_store(&daemon.settings);
        fr_settings_done(&daemon.settings);
        return status;
    }
    fr_settings_wipe_env(environ);
    fr_log_set_level((enum fr_log_level)daemon.settings.log_level);
    if (daemon.settings.confine && fr_confine_hide() < 0)
        fr_log_warning("cores and debuggers cannot be kept out: %s", strerror(errno));
    if (uv_loop_init(&daemon.loop) < 0) {
        fprintf(stderr, "flux-restd: no memory to start with\n");
        return EXIT_FAILURE;
    }
    return run(&daemon);
}
