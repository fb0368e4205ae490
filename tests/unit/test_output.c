// SPDX-License-Identifier: LGPL-3.0-only
/*
 * A job's output over HTTP, from an engine that fails where no real one does on demand.
 */
#include "api_fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define JOB 12345

static void tell(struct api_fix *fix, const char *rank, const char *text)
{
    fix->output_cb(fix->output_arg, &(struct fr_output){.kind = FR_OUTPUT_DATA,
                                                        .rank = rank,
                                                        .data = text,
                                                        .len = strlen(text)});
}

static void tell_kind(struct api_fix *fix, enum fr_output_kind kind)
{
    fix->output_cb(fix->output_arg, &(struct fr_output){.kind = kind});
}

static void tell_error(struct api_fix *fix, enum fr_code code)
{
    struct fr_error err;

    fr_error_set(&err, EIO, code, "the wire was cut");
    fix->output_cb(fix->output_arg, &(struct fr_output){.kind = FR_OUTPUT_ERROR, .err = &err});
}

static struct client *begin(struct api_fix *fix, const char *path)
{
    struct client *client = client_open(&fix->http);

    client_send(client, "GET /v1/jobs/12345/");
    client_send(client, path);
    client_send(client, " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    fix_wait(&fix->http, fix->watching);
    return client;
}

/* What a list was cut by is told: a client must not take a part for the whole. */
static void cut_after(const char *text, enum fr_code code, unsigned int expected)
{
    struct api_fix *fix = api_start();
    unsigned int status;

    api_add_job(fix, JOB, "job");
    struct client *client = begin(fix, "output");
    if (text)
        tell(fix, "0", text);
    tell_error(fix, code);
    char *reply = client_reply(client, &status);
    assert_int_equal(status, expected);
    assert_non_null(strstr(reply, expected == 200 ? "does not exist yet" : "the wire was cut"));
    free(reply);
    client_close(client);
    api_end(fix);
}

static void test_list_cut_by_an_error(void **state)
{
    cut_after(NULL, FR_CODE_UNAVAILABLE, 503);
    cut_after("one\n", FR_CODE_UNAVAILABLE, 503);
    cut_after("no end", FR_CODE_UNAVAILABLE, 503);
    cut_after("one\n", FR_CODE_JOB_NOT_FOUND, 404);
    cut_after("no end", FR_CODE_JOB_NOT_FOUND, 404);
    cut_after(NULL, FR_CODE_JOB_NOT_FOUND, 200);
}

/* Two tasks that end without a newline each keep a line of their own. */
static void test_stream_does_not_mix_tasks(void **state)
{
    struct api_fix *fix = api_start();

    api_add_job(fix, JOB, "job");
    struct client *client = begin(fix, "output/stream");
    tell(fix, "0", "a");
    tell(fix, "1", "b");
    tell(fix, "0", "a");
    api_event(fix, JOB, "finish", "{\"status\":0}");
    api_event(fix, JOB, "release", "{\"ranks\":\"all\",\"final\":true}");
    api_event(fix, JOB, "free", NULL);
    api_event(fix, JOB, "clean", NULL);
    tell_kind(fix, FR_OUTPUT_END);
    client_expect(client, "\r\naa\nb\r\n0\r\n\r\n");
    client_close(client);
    api_end(fix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list_cut_by_an_error),
        cmocka_unit_test(test_stream_does_not_mix_tasks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
