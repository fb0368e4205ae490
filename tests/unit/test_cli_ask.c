// SPDX-License-Identifier: LGPL-3.0-only
/*
 * How often flux-rest asks, and what it makes of tries that ended differently. The server is a
 * list of outcomes, and the clock goes on with each pause (see meson.build for what is
 * wrapped).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <errno.h>

#include "cli/ask.h"
#include "cli/signals.h"

enum fr_outcome __wrap_fr_client_ask(struct fr_client *client, const struct fr_request *request,
                                     struct fr_reply *reply, struct fr_error *err);
bool __wrap_fr_client_has_answered(const struct fr_client *client);
bool __wrap_fr_client_is_local(const struct fr_client *client);
const char *__wrap_fr_client_url(const struct fr_client *client);
bool __wrap_fr_signals_sleep(double seconds);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);

/* One try: no connection, no whole answer, or a status with the problem's code. */
struct
try {
    enum fr_outcome outcome;
    long status;
    const char *code;
};

#define AWAY                                                                                   \
    {                                                                                          \
        FR_NOT_THERE, 0, NULL                                                                  \
    }
#define BROKEN                                                                                 \
    {                                                                                          \
        FR_BROKEN_OFF, 0, NULL                                                                 \
    }
#define PROBLEM(status, code)                                                                  \
    {                                                                                          \
        FR_ANSWERED, (status), (code)                                                          \
    }
#define DONE PROBLEM(201, NULL)
#define TRIES_MAX 8

/* The server: these tries, the last of them for ever. */
static struct {
    const struct try *tries;
    size_t count, asked;
    bool answered;
} played;
static double now;

enum fr_outcome __wrap_fr_client_ask(struct fr_client *client, const struct fr_request *request,
                                     struct fr_reply *reply, struct fr_error *err)
{
    size_t last = played.count - 1;
    const struct try *one = &played.tries[played.asked < last ? played.asked : last];

    played.asked++;
    *reply = (struct fr_reply){.status = one->status, .body = FR_BUF_INIT(4096)};
    played.answered |= one->outcome == FR_ANSWERED;
    if (one->code)
        fr_buf_printf(&reply->body, "{\"code\":\"%s\",\"detail\":\"of %s\"}", one->code,
                      one->code);
    if (one->outcome != FR_ANSWERED)
        fr_error_set(err, EIO, FR_CODE_UNAVAILABLE, "outcome %d", (int)one->outcome);
    return one->outcome;
}

bool __wrap_fr_client_has_answered(const struct fr_client *client)
{
    return played.answered;
}

bool __wrap_fr_client_is_local(const struct fr_client *client)
{
    return true;
}

const char *__wrap_fr_client_url(const struct fr_client *client)
{
    return "http://played";
}

bool __wrap_fr_signals_sleep(double seconds)
{
    assert_true(seconds > 0 && seconds <= FR_ASK_PAUSE_MAX);
    now += seconds;
    return true;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
    *ret = (struct timespec){.tv_sec = (time_t)now};
    return 0;
}

struct conversation {
    struct try tries[TRIES_MAX];
    int code;           /* that the command ends with */
    double least, most; /* seconds until then */
};

static void hold(const struct conversation *conversation, const struct fr_request *request)
{
    const struct fr_args args = {.command = NULL};
    struct fr_cli cli = {.args = &args};
    struct fr_reply reply;

    memset(&played, 0, sizeof played);
    now = 1000;
    played.tries = conversation->tries;
    while (played.count < TRIES_MAX && (conversation->tries[played.count].status > 0 ||
                                        conversation->tries[played.count].outcome > 0))
        played.count++;
    int code = fr_ask(&cli, request, &reply);
    fr_reply_done(&reply);
    double took = now - 1000;
    if (code != conversation->code || took < conversation->least || took > conversation->most)
        fail_msg("%s: code %d after %g s and %zu tries, of which the first had outcome %d",
                 request->method, code, took, played.asked,
                 (int)conversation->tries[0].outcome);
}

static void hold_all(const struct conversation *all, size_t count,
                     const struct fr_request *request)
{
    for (size_t i = 0; i < count; i++)
        hold(&all[i], request);
}

#define HOLD_ALL(all, ...)                                                                     \
    hold_all((all), sizeof(all) / sizeof *(all), &(struct fr_request){.path = "/", __VA_ARGS__})

#define PATIENT FR_ASK_PATIENCE, FR_ASK_PATIENCE + FR_ASK_PAUSE_MAX + 2
#define SOME_TRIES 3, 4

/* What a try may have done is unknown until another is answered for it. */
static const struct conversation keyed[] = {
    {{AWAY}, FR_EXIT_UNREACHABLE, 0, 0},
    {{BROKEN, AWAY}, FR_EXIT_UNKNOWN, PATIENT},
    {{BROKEN}, FR_EXIT_UNKNOWN, SOME_TRIES},
    {{BROKEN, AWAY, AWAY, DONE}, FR_EXIT_OK, 0, 1},
    {{PROBLEM(503, "outcome-unknown"), AWAY}, FR_EXIT_UNKNOWN, PATIENT},
    {{PROBLEM(503, "outcome-unknown")}, FR_EXIT_UNKNOWN, SOME_TRIES},
    {{PROBLEM(503, "outcome-unknown"), PROBLEM(503, "stopping")}, FR_EXIT_UNKNOWN, SOME_TRIES},
    {{BROKEN, PROBLEM(503, "stopping")}, FR_EXIT_UNKNOWN, SOME_TRIES},
    {{BROKEN, PROBLEM(503, "unavailable"), AWAY}, FR_EXIT_UNKNOWN, PATIENT},
    {{BROKEN, PROBLEM(409, "key-in-flight")}, FR_EXIT_UNKNOWN, SOME_TRIES},
    {{BROKEN, PROBLEM(500, "internal")}, FR_EXIT_UNKNOWN, 0, 1},
    {{BROKEN, PROBLEM(400, "invalid")}, FR_EXIT_FAILED, 0, 1},
    {{PROBLEM(503, "stopping")}, FR_EXIT_FAILED, SOME_TRIES},
    {{PROBLEM(503, "stopping"), AWAY}, FR_EXIT_UNREACHABLE, PATIENT},
    /* Being away for long takes no tries from what comes after it. */
    {{BROKEN, AWAY, AWAY, AWAY, AWAY, AWAY, PROBLEM(503, "unavailable"), DONE},
     FR_EXIT_OK,
     0,
     20},
};

static void test_with_a_key(void **state)
{
    HOLD_ALL(keyed, .method = "POST", .key = "a");
    HOLD_ALL(keyed, .method = "POST", .keys_inside = true);
}

static void test_a_get_does_nothing(void **state)
{
    static const struct conversation gets[] = {
        {{AWAY}, FR_EXIT_UNREACHABLE, 0, 0},
        {{BROKEN, AWAY}, FR_EXIT_UNREACHABLE, PATIENT},
        {{BROKEN}, FR_EXIT_UNREACHABLE, SOME_TRIES},
        {{BROKEN, PROBLEM(503, "stopping")}, FR_EXIT_FAILED, SOME_TRIES},
    };

    HOLD_ALL(gets, .method = "GET");
}

static void test_without_a_key_nothing_is_repeated(void **state)
{
    static const struct conversation posts[] = {
        {{AWAY}, FR_EXIT_UNREACHABLE, 0, 0},
        {{BROKEN, DONE}, FR_EXIT_UNKNOWN, 0, 0},
        {{PROBLEM(503, "outcome-unknown"), DONE}, FR_EXIT_UNKNOWN, 0, 0},
        {{PROBLEM(503, "stopping"), DONE}, FR_EXIT_FAILED, 0, 0},
    };

    HOLD_ALL(posts, .method = "POST");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_with_a_key),
        cmocka_unit_test(test_a_get_does_nothing),
        cmocka_unit_test(test_without_a_key_nothing_is_repeated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
