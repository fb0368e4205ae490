// SPDX-License-Identifier: LGPL-3.0-only
/* flux-rest submit and run. */
#include "cli/run.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "cli/ask.h"
#include "cli/body.h"
#include "cli/follow.h"
#include "cli/format.h"
#include "cli/signals.h"

#define PATIENCE 2 /* Ctrl-C that make `run` leave its job */

FR_DEFINE_CLEANUP(json_t *, json, json_decref);

/* The whole request: the options' fields and the command. */
static int compose(const struct fr_cli *cli, char **ret)
{
    _cleanup_(fr_cleanup_json) json_t *body = NULL;
    int code = fr_body_read(cli, &body);

    if (code != FR_EXIT_OK)
        return code;
    json_t *command = fr_body_command(cli->args);
    if (!command)
        return FR_EXIT_USAGE;
    if (json_object_set_new(body, "command", command) == 0)
        *ret = json_dumps(body, JSON_COMPACT);
    return *ret ? FR_EXIT_OK : fr_ask_no_memory();
}

/* Sends it; the caller frees reply. */
static int send(struct fr_cli *cli, struct fr_reply *reply)
{
    _cleanup_(fr_cleanup_str) char *text = NULL;
    const char *given = fr_args_text(cli->args, "key");
    char key[FR_BODY_KEY];
    int code = compose(cli, &text);

    *reply = (struct fr_reply){.status = 0};
    if (code != FR_EXIT_OK)
        return code;
    if (!given && fr_body_make_key(key) < 0) {
        fr_say("the system gives no random numbers; give a --key");
        return FR_EXIT_FAILED;
    }
    struct fr_request request = {
        .method = "POST",
        .path = fr_args_flag(cli->args, "dry-run") ? "/v1/jobs?dry_run=true" : "/v1/jobs",
        .type = "application/json",
        .key = given ? given : key,
        .body = text,
        .body_len = strlen(text),
    };
    return fr_ask(cli, &request, reply);
}

static int print_jobid(const json_t *job)
{
    const char *jobid = json_string_value(json_object_get(job, "jobid"));
    struct fr_buf line = FR_BUF_INIT(4096);

    if (!jobid) {
        fr_say("the server's answer names no job; is it a flux-restd?");
        return FR_EXIT_FAILED;
    }
    fr_format_put_jobid(jobid, &line);
    fr_buf_putc(&line, '\n');
    int r = fr_out_flush(&line);
    fr_buf_done(&line);
    return r < 0 ? FR_EXIT_FAILED : FR_EXIT_OK;
}

static int print_reply(const struct fr_reply *reply)
{
    return fr_out_write(STDOUT_FILENO, reply->body.data ? reply->body.data : "",
                        reply->body.len) < 0
               ? FR_EXIT_FAILED
               : FR_EXIT_OK;
}

int fr_run_submit(struct fr_cli *cli)
{
    _cleanup_(fr_cleanup_json) json_t *job = NULL;
    struct fr_reply reply;
    int code = send(cli, &reply);

    if (code == FR_EXIT_OK && cli->json)
        code = print_reply(&reply);
    else if (code == FR_EXIT_OK && fr_args_flag(cli->args, "dry-run"))
        fr_say("nothing was submitted: the job could run");
    else if (code == FR_EXIT_OK)
        code = fr_ask_parse(&reply, &job);
    if (job)
        code = print_jobid(job);
    fr_reply_done(&reply);
    return code;
}

/* --- run --- */

struct running {
    struct fr_cli *cli;
    const char *id;
};

/* Also where Ctrl-C is pressed twice at once the job is asked to end. */
static void cancel(void *arg)
{
    const struct running *running = arg;
    struct fr_cli quiet = *running->cli;

    quiet.json = false;
    fr_say("canceling %s; Ctrl-C again leaves it to itself", running->id);
    fr_signals_set_patience(PATIENCE + 1);
    (void)fr_ask_verb(&quiet, FR_ASK_JOBS, running->id, "/cancel",
                      json_pack("{s:s}", "reason", "Ctrl-C"));
    fr_signals_set_patience(PATIENCE);
}

static int print_job(const struct fr_cli *cli, const json_t *job)
{
    _cleanup_(fr_cleanup_str) char *text = json_dumps(job, JSON_COMPACT);
    struct fr_buf line = FR_BUF_INIT(16U << 20);

    if (!cli->json)
        return FR_EXIT_OK;
    fr_buf_printf(&line, "%s\n", text ? text : "");
    int r = fr_out_flush(&line);
    fr_buf_done(&line);
    return r < 0 ? FR_EXIT_RUN : FR_EXIT_OK;
}

/* From the job's id to its end: its own exit code, or FR_EXIT_RUN. */
static int follow(struct fr_cli *cli, const char *id)
{
    struct running running = {.cli = cli, .id = id};
    _cleanup_(fr_cleanup_json) json_t *job = NULL;
    int code = FR_EXIT_OK;

    /* Pressed while the request was on its way. */
    if (fr_signals_take())
        cancel(&running);
    if (cli->json)
        code = fr_follow_end(cli, id, cancel, &running, &job);
    else
        code = fr_follow(cli, id, true, cancel, &running, &job);
    if (code != FR_EXIT_OK) {
        fr_say_more("The job is not ended by this: flux-rest output --follow %s", id);
        return code == FR_EXIT_INTERRUPTED ? code : FR_EXIT_RUN;
    }
    if (!fr_follow_is_good(job))
        fr_follow_tell(job);
    code = print_job(cli, job);
    return code != FR_EXIT_OK ? code : fr_follow_code(job);
}

int fr_run_run(struct fr_cli *cli)
{
    _cleanup_(fr_cleanup_json) json_t *job = NULL;
    struct fr_reply reply;
    struct fr_buf id = FR_BUF_INIT(4096);

    /* The first Ctrl-C cancels the job, once it has an id. */
    fr_signals_set_patience(PATIENCE);
    int code = send(cli, &reply);
    if (code == FR_EXIT_OK && fr_args_flag(cli->args, "dry-run")) {
        fr_say("nothing was submitted: the job could run");
        fr_reply_done(&reply);
        return FR_EXIT_OK;
    }
    if (code == FR_EXIT_OK)
        code = fr_ask_parse(&reply, &job);
    fr_reply_done(&reply);
    if (code == FR_EXIT_INTERRUPTED)
        return code;
    if (code == FR_EXIT_OK) {
        const char *jobid = json_string_value(json_object_get(job, "jobid"));
        fr_format_put_jobid(jobid ? jobid : "", &id);
        code = fr_buf_status(&id) == 0 && id.len ? follow(cli, id.data) : FR_EXIT_RUN;
    } else {
        code = FR_EXIT_RUN;
    }
    fr_buf_done(&id);
    return code;
}
