// SPDX-License-Identifier: LGPL-3.0-only
/* What is lent to the Flux thread, whose part the test plays, and when it is answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "engine/flux/front.h"

#define ID 4711

struct fixture {
    uv_loop_t loop;
    struct fr_flux flux;
    int answers;
    bool failed;
    struct fr_error err;
};

static struct fixture *fixture;

static void on_wake(void *arg)
{
    fr_flux_requests_decide(&fixture->flux);
}

static int setup(void **state)
{
    struct fr_flux *flux;

    fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    flux = &fixture->flux;
    assert_int_equal(uv_loop_init(&fixture->loop), 0);
    assert_int_equal(fr_wake_create(&fixture->loop, on_wake, NULL, &flux->wake), 0);
    assert_int_equal(fr_flux_link_create(NULL, &flux->link), 0);
    TAILQ_INIT(&flux->waiting);
    TAILQ_INIT(&flux->late);
    TAILQ_INIT(&flux->decided);
    flux->loop = &fixture->loop;
    flux->has_thread = true;
    flux->requests_max = 3;
    flux->patience_ms = 1000;
    return 0;
}

static int teardown(void **state)
{
    struct fr_flux *flux = &fixture->flux;

    fr_wake_free(flux->wake);
    while (fr_queue_pop(flux->link->to_flux))
        ;
    fr_flux_requests_free(flux);
    assert_int_equal(flux->nrequests, 0);
    assert_int_equal(flux->bytes, 0);
    fr_flux_link_drop(flux->link);
    fr_flux_link_drop(flux->link);
    assert_int_equal(uv_run(&fixture->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&fixture->loop), 0);
    free(fixture);
    return 0;
}

static void on_done(void *arg, const struct fr_error *err)
{
    fixture->answers++;
    fixture->failed = err != NULL;
    if (err)
        fixture->err = *err;
}

static void on_nodes(void *arg, const struct fr_node *nodes, size_t count,
                     const struct fr_error *err)
{
    on_done(arg, err);
}

static void cancel(void)
{
    fr_flux_cancel(&fixture->flux.base, ID, "note", on_done, NULL);
}

static void turn(void)
{
    (void)uv_run(&fixture->loop, UV_RUN_NOWAIT);
}

static void check_answer(int answers, enum fr_code code)
{
    assert_int_equal(fixture->answers, answers);
    assert_true(fixture->failed);
    assert_int_equal(fixture->err.code, code);
}

/* As the Flux thread does before it sends. */
static struct fr_flux_request *take(bool send)
{
    struct fr_flux_request *request = fr_queue_pop(fixture->flux.link->to_flux);
    int waiting = FR_FLUX_WAITING;

    assert_non_null(request);
    if (send)
        assert_true(atomic_compare_exchange_strong(&request->fate, &waiting, FR_FLUX_TAKEN));
    return request;
}

static void test_answered(void **state)
{
    cancel();
    assert_int_equal(fixture->answers, 0);
    struct fr_flux_request *request = take(true);
    assert_int_equal(request->item.kind, FR_FLUX_CANCEL);
    assert_int_equal(request->id, ID);
    assert_string_equal(request->text, "note");
    fr_flux_requests_back(&fixture->flux, request);
    assert_int_equal(fixture->answers, 1);
    assert_false(fixture->failed);
}

static void test_each_verb_carries_what_it_needs(void **state)
{
    struct fr_engine *engine = &fixture->flux.base;
    struct fr_flux_request *request;

    fr_flux_duration(engine, ID, 1.5, on_done, NULL);
    request = take(true);
    assert_int_equal(request->item.kind, FR_FLUX_DURATION);
    assert_true(request->seconds == 1.5);
    fr_flux_requests_back(&fixture->flux, request);
    fr_flux_drain(engine, "node[0-3]", "bad fan", on_done, NULL);
    request = take(true);
    assert_int_equal(request->item.kind, FR_FLUX_DRAIN);
    assert_string_equal(request->text, "node[0-3]");
    assert_string_equal(request->reason, "bad fan");
    fr_flux_requests_back(&fixture->flux, request);
    fr_flux_urgency(engine, ID, 31, on_done, NULL);
    request = take(true);
    assert_int_equal(request->item.kind, FR_FLUX_URGENCY);
    assert_int_equal(request->number, 31);
    fr_flux_requests_back(&fixture->flux, request);
    assert_int_equal(fixture->answers, 3);
}

/* What was not taken yet can be withdrawn, so that "not sent" is true. */
static void test_overdue_and_not_sent(void **state)
{
    cancel();
    fr_flux_requests_expire(&fixture->flux, uv_now(&fixture->loop) + 999);
    assert_int_equal(fixture->answers, 0);
    fr_flux_requests_expire(&fixture->flux, uv_now(&fixture->loop) + 1000);
    check_answer(1, FR_CODE_NOT_SENT);
    struct fr_flux_request *request = take(false);
    assert_int_equal(atomic_load(&request->fate), FR_FLUX_WITHDRAWN);
    fr_flux_requests_back(&fixture->flux, request);
    assert_int_equal(fixture->answers, 1);
}

static void test_overdue_and_sent(void **state)
{
    cancel();
    struct fr_flux_request *request = take(true);
    fr_flux_requests_expire(&fixture->flux, uv_now(&fixture->loop) + 1000);
    check_answer(1, FR_CODE_OUTCOME_UNKNOWN);
    fr_flux_requests_back(&fixture->flux, request); /* too late: answered once */
    assert_int_equal(fixture->answers, 1);
}

static void test_a_question_is_just_unanswered(void **state)
{
    fr_flux_nodes(&fixture->flux.base, on_nodes, NULL);
    (void)take(true);
    fr_flux_requests_expire(&fixture->flux, uv_now(&fixture->loop) + 1000);
    check_answer(1, FR_CODE_UNAVAILABLE);
}

static void test_too_many(void **state)
{
    for (int i = 0; i < 4; i++)
        cancel();
    assert_int_equal(fixture->answers, 0); /* never from inside the call */
    turn();
    check_answer(1, FR_CODE_NOT_SENT);
    fr_flux_requests_back(&fixture->flux, take(true));
    cancel();
    turn();
    assert_int_equal(fixture->answers, 2); /* there was room again */
}

static void test_lost(void **state)
{
    fixture->flux.lost = true;
    strcpy(fixture->flux.lost_text, "The broker is gone.");
    cancel();
    turn();
    check_answer(1, FR_CODE_NOT_SENT);
    assert_non_null(strstr(fixture->err.text, "The broker is gone."));
    fr_flux_nodes(&fixture->flux.base, on_nodes, NULL);
    turn();
    check_answer(2, FR_CODE_UNAVAILABLE);
    assert_null(fr_queue_pop(fixture->flux.link->to_flux));
}

/* A silent Flux is asked for a sign of life all the same. */
static void test_ping_of_a_silent_flux(void **state)
{
    fixture->flux.lost = true;
    fr_flux_ping(&fixture->flux, on_done, NULL);
    turn();
    assert_int_equal(fixture->answers, 1);
    fixture->flux.silent = true;
    fr_flux_ping(&fixture->flux, on_done, NULL);
    turn();
    assert_int_equal(fixture->answers, 1);
    assert_int_equal(take(true)->item.kind, FR_FLUX_PING);
}

static void test_stop(void **state)
{
    cancel();
    cancel();
    (void)take(true);
    fixture->flux.close_due = 1;
    fr_flux_requests_stop(&fixture->flux);
    assert_int_equal(fixture->answers, 2);
    assert_int_equal(fixture->err.code, FR_CODE_STOPPING); /* the second had not gone out */
    cancel();
    turn();
    check_answer(3, FR_CODE_STOPPING);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_answered),
        TEST(test_each_verb_carries_what_it_needs),
        TEST(test_overdue_and_not_sent),
        TEST(test_overdue_and_sent),
        TEST(test_a_question_is_just_unanswered),
        TEST(test_too_many),
        TEST(test_lost),
        TEST(test_ping_of_a_silent_flux),
        TEST(test_stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
