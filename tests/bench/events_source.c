// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The API over an engine that is made up: for tests/bench/events.py.
 *
 *   events_source BACKLOG
 *
 * Serves a past of BACKLOG events on a free port of 127.0.0.1, which it prints. For each line
 * "RATE COUNT" on standard input it publishes COUNT events, RATE a second; it ends with its
 * input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/resource.h>

#include "api/api.h"

#define JOBS 1000
#define TICK_MS 5

struct source {
    uv_loop_t loop;
    struct fr_service *service;
    const struct fr_engine_sink *sink;
    struct fr_engine engine;
    struct fr_server *server;
    struct fr_timer *timer;
    struct fr_poll *input;
    uint64_t seq;
    int64_t indices[JOBS];
    unsigned int rate;
    unsigned long left, sent;
    uint64_t begun; /* uv_hrtime() */
};

static const char *instance(struct fr_engine *engine)
{
    return "made up";
}

static void size_of(struct fr_engine *engine, int *ret_nodes, int *ret_cores, int *ret_gpus)
{
    *ret_nodes = *ret_cores = 1;
    *ret_gpus = 0;
}

static const struct fr_engine_ops ops = {
    .name = "local", .numbered = true, .instance = instance, .size = size_of};

static void on_ready(void *arg)
{
}

static void on_engine_state(void *arg, const char *lost_reason)
{
}

static void on_stop(void *arg, bool with_instance, const struct fr_error *err)
{
}

static void publish(struct source *source)
{
    size_t job = source->seq % JOBS;
    bool first = source->indices[job] == 0;
    const struct fr_event event = {
        .timestamp = fr_time_now(),
        .name = first ? "submit" : "memo",
        .context = first ? "{\"userid\":0,\"urgency\":16,\"flags\":0,\"version\":1}"
                         : "{\"progress\":\"0.5\"}",
        .index = source->indices[job]++,
        .seq = ++source->seq};

    source->sink->journal(
        source->sink->arg,
        &(struct fr_journal_entry){.id = job + 1, .events = &event, .nevents = 1});
}

static void on_timer(void *arg)
{
    struct source *source = arg;
    uint64_t due = (uv_hrtime() - source->begun) / 1000 * source->rate / 1000000;

    for (; source->sent < due && source->left > 0; source->sent++, source->left--)
        publish(source);
    if (source->left == 0)
        fr_timer_stop(source->timer);
}

static void on_input(void *arg, int status, int events)
{
    struct source *source = arg;
    char line[64];
    ssize_t n = read(STDIN_FILENO, line, sizeof line - 1);

    if (n <= 0)
        _exit(0);
    line[n] = '\0';
    if (sscanf(line, "%u %lu", &source->rate, &source->left) != 2)
        _exit(2);
    source->sent = 0;
    source->begun = uv_hrtime();
    fr_timer_start(source->timer, TICK_MS, TICK_MS);
}

static int serve(struct source *source)
{
    static char *no_environ[] = {NULL};
    const struct fr_service_hooks hooks = {on_ready, on_engine_state, on_stop, source};
    const struct fr_server_limits limits = {.header_block = 8192,
                                            .body = 1 << 20,
                                            .replies = 64 << 20,
                                            .connections = 20000,
                                            .per_address = 20000,
                                            .request_seconds = 60,
                                            .handshake_seconds = 10,
                                            .idle_seconds = 60,
                                            .reply_seconds = 60,
                                            .parameters = 128};
    struct fr_api_options options = {.environ = no_environ,
                                     .json_depth = 64,
                                     .streams = 20000,
                                     .streams_per_client = 20000,
                                     .bulk_jobs = 100000};
    struct fr_auth *auth;
    struct fr_api *api;
    struct fr_error err;
    int rc = fr_service_create(64 << 20, &hooks, &source->service);

    if (rc == 0)
        rc = fr_auth_create(&(struct fr_auth_options){.open = true}, &auth, &err);
    if (rc < 0)
        return rc;
    fr_service_set_engine(source->service, &source->engine);
    source->sink = fr_service_sink(source->service);
    options.service = source->service;
    options.auth = auth;
    rc = fr_api_create(&source->loop, &options, &api);
    if (rc < 0)
        return rc;
    const struct fr_server_hooks server_hooks = fr_api_hooks(api);
    rc = fr_server_create(&source->loop, &limits, &server_hooks, &source->server);
    return rc < 0 ? rc : fr_server_listen(source->server, "127.0.0.1:0", &err);
}

int main(int argc, char **argv)
{
    static struct source source = {.engine = {&ops}};
    unsigned long backlog = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    struct rlimit limit = {20000, 20000};

    (void)setrlimit(RLIMIT_NOFILE, &limit);

    if (uv_loop_init(&source.loop) < 0 || serve(&source) < 0 ||
        fr_timer_create(&source.loop, on_timer, &source, &source.timer) < 0 ||
        fr_poll_create(&source.loop, STDIN_FILENO, on_input, &source, &source.input) < 0 ||
        fr_poll_set(source.input, UV_READABLE) < 0)
        return 2;
    source.sink->caught_up(source.sink->arg, 0);
    while (source.seq < backlog)
        publish(&source);
    printf("%s\n", strrchr(fr_server_address(source.server, 0), ':') + 1);
    fflush(stdout);
    return uv_run(&source.loop, UV_RUN_DEFAULT);
}
