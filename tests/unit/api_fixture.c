// SPDX-License-Identifier: LGPL-3.0-only
#include "api_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "base/util.h"

static const char *instance(struct fr_engine *engine)
{
    return "played";
}

static void size_of(struct fr_engine *engine, int *ret_nodes, int *ret_cores, int *ret_gpus)
{
    *ret_nodes = 1;
    *ret_cores = 4;
    *ret_gpus = 0;
}

static struct fr_output_watch *output(struct fr_engine *engine, uint64_t id, uint64_t offset,
                                      fr_output_f cb, void *arg)
{
    struct api_fix *fix = fr_container_of(engine, struct api_fix, engine);

    fix->watching = true;
    fix->output_cb = cb;
    fix->output_arg = arg;
    return (struct fr_output_watch *)fix;
}

static void output_pause(struct fr_output_watch *watch, bool paused)
{
}

static void output_free(struct fr_output_watch *watch)
{
    ((struct api_fix *)watch)->watching = false;
}

static void on_ready(void *arg)
{
}

static void on_engine_state(void *arg, const char *lost_reason)
{
}

static void on_stop(void *arg, bool with_instance, const struct fr_error *err)
{
    struct api_fix *fix = arg;

    fix->stops++;
    fix->with_instance = with_instance;
}

struct api_fix *api_start(void)
{
    struct api_fix *fix = calloc(1, sizeof *fix);
    const struct fr_service_hooks hooks = {on_ready, on_engine_state, on_stop, fix};
    static char *no_environ[] = {NULL};
    struct fr_error err;

    assert_non_null(fix);
    fix->ops = (struct fr_engine_ops){.name = "local",
                                      .instance = instance,
                                      .size = size_of,
                                      .output = output,
                                      .output_pause = output_pause,
                                      .output_free = output_free};
    fix->engine.ops = &fix->ops;
    assert_int_equal(uv_loop_init(&fix->http.loop), 0);
    assert_int_equal(fr_service_create(1 << 20, &hooks, &fix->service), 0);
    fr_service_set_engine(fix->service, &fix->engine);
    fix->sink = fr_service_sink(fix->service);
    fix->sink->caught_up(fix->sink->arg, 0);
    assert_int_equal(fr_auth_create(&(struct fr_auth_options){.open = true}, &fix->auth, &err),
                     0);
    const struct fr_api_options options = {.service = fix->service,
                                           .auth = fix->auth,
                                           .environ = no_environ,
                                           .json_depth = 64,
                                           .streams = 100,
                                           .streams_per_client = 100,
                                           .bulk_jobs = 100000};
    assert_int_equal(fr_api_create(&fix->http.loop, &options, &fix->api), 0);
    const struct fr_server_hooks server_hooks = fr_api_hooks(fix->api);
    assert_int_equal(
        fr_server_create(&fix->http.loop, &fix_limits, &server_hooks, &fix->http.server), 0);
    assert_int_equal(fr_server_listen(fix->http.server, "127.0.0.1:0", &err), 0);
    (void)snprintf(fix->http.address, sizeof fix->http.address, "%s",
                   fr_server_address(fix->http.server, 0));
    return fix;
}

void api_end(struct api_fix *fix)
{
    fr_server_free(fix->http.server);
    fr_api_free(fix->api);
    fr_auth_free(fix->auth);
    fr_service_free(fix->service);
    assert_false(fix->watching);
    assert_int_equal(uv_run(&fix->http.loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&fix->http.loop), 0);
    free(fix);
}

/* Of the job added last it is counted here, for while a backlog is read no table shows it. */
static int64_t next_index(struct api_fix *fix, uint64_t id)
{
    if (id == fix->latest)
        return fix->latest_index++;
    const struct fr_job *job = fr_table_find(fr_service_table(fix->service), id);

    return job ? job->nevents : 0;
}

void api_event(struct api_fix *fix, uint64_t id, const char *name, const char *context)
{
    const struct fr_event event = {.timestamp = fr_time_now(),
                                   .name = name,
                                   .context = context,
                                   .index = next_index(fix, id)};

    fix->sink->journal(fix->sink->arg,
                       &(struct fr_journal_entry){.id = id, .events = &event, .nevents = 1});
}

void api_add_waiting(struct api_fix *fix, uint64_t id, const char *name)
{
    struct fr_jobspec *spec;
    struct fr_error err = {.text = ""};
    json_t *json = json_pack(
        "{s:i, s:[{s:s, s:i, s:s, s:[{s:s, s:i}]}], s:[{s:[s], s:s, s:{s:i}}],"
        " s:{s:{s:i, s:{s:s}}}}",
        "version", 1, "resources", "type", "slot", "count", 1, "label", "task", "with", "type",
        "core", "count", 1, "tasks", "command", name, "slot", "task", "count", "per_slot", 1,
        "attributes", "system", "duration", 0, "job", "name", name);

    if (fr_jobspec_create(json, &spec, &err) < 0)
        fail_msg("%s", err.text);
    const struct fr_event event = {
        .timestamp = fr_time_now(),
        .name = "submit",
        .context = "{\"userid\":0,\"urgency\":16,\"flags\":0,\"version\":1}"};
    fix->sink->journal(
        fix->sink->arg,
        &(struct fr_journal_entry){.id = id, .events = &event, .nevents = 1, .jobspec = spec});
    fr_jobspec_free(spec);
    fix->latest = id;
    fix->latest_index = 1;
    api_event(fix, id, "validate", NULL);
    api_event(fix, id, "depend", NULL);
    api_event(fix, id, "priority", "{\"priority\":16}");
}

void api_add_job(struct api_fix *fix, uint64_t id, const char *name)
{
    api_add_waiting(fix, id, name);
    api_event(fix, id, "alloc", NULL);
}

static char *send_request(struct api_fix *fix, const char *text, unsigned int *ret_status)
{
    struct client *client = client_open(&fix->http);

    client_send(client, text);
    char *reply = client_reply(client, ret_status);
    client_close(client);
    return reply;
}

char *api_ask(struct api_fix *fix, const char *line, unsigned int *ret_status)
{
    char text[1024];

    (void)snprintf(text, sizeof text, "%s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", line);
    return send_request(fix, text, ret_status);
}

char *api_post(struct api_fix *fix, const char *line, const char *json,
               unsigned int *ret_status)
{
    char text[4096];

    (void)snprintf(text, sizeof text,
                   "%s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                   "Content-Length: %zu\r\n\r\n%s",
                   line, strlen(json), json);
    return send_request(fix, text, ret_status);
}
