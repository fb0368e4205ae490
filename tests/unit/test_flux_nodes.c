// SPDX-License-Identifier: LGPL-3.0-only
/* Nodes and queues: the test answers on a loop:// handle what Flux's modules would. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "engine/flux/thread.h"

#define ANSWERS_MAX 4

struct fixture {
    struct fr_flux_thread thread;
    flux_msg_handler_t *handler;
    struct {
        const char *topic, *text; /* text NULL: ENOSYS */
    } answers[ANSWERS_MAX];
};

static void on_request(flux_t *h, flux_msg_handler_t *handler, const flux_msg_t *msg, void *arg)
{
    struct fixture *fixture = arg;
    const char *topic;

    assert_int_equal(flux_request_decode(msg, &topic, NULL), 0);
    for (size_t i = 0; i < ANSWERS_MAX && fixture->answers[i].topic; i++)
        if (strcmp(fixture->answers[i].topic, topic) == 0 && fixture->answers[i].text) {
            assert_int_equal(flux_respond(h, msg, fixture->answers[i].text), 0);
            return;
        }
    assert_int_equal(flux_respond_error(h, msg, ENOSYS, NULL), 0);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct fr_flux_thread *thread = &fixture->thread;

    assert_int_equal(fr_flux_link_create(NULL, &thread->link), 0);
    TAILQ_INIT(&thread->flight);
    thread->h = flux_open("loop://", 0);
    assert_non_null(thread->h);
    thread->reactor = flux_get_reactor(thread->h);
    fixture->handler =
        flux_msg_handler_create(thread->h, FLUX_MATCH_REQUEST, on_request, fixture);
    assert_non_null(fixture->handler);
    flux_msg_handler_start(fixture->handler);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    assert_true(TAILQ_EMPTY(&fixture->thread.flight));
    flux_msg_handler_destroy(fixture->handler);
    flux_close(fixture->thread.h);
    fr_flux_link_drop(fixture->thread.link);
    fr_flux_link_drop(fixture->thread.link);
    free(fixture);
    return 0;
}

/* Sends a request and runs until it is back; the caller frees it. */
static struct fr_flux_request *ask(struct fixture *fixture, enum fr_flux_kind kind)
{
    struct fr_flux_request *request = calloc(1, sizeof *request);

    assert_non_null(request);
    request->item.kind = kind;
    fr_flux_send(&fixture->thread, request);
    for (int i = 0; i < 1000 && !TAILQ_EMPTY(&fixture->thread.flight); i++)
        (void)flux_reactor_run(fixture->thread.reactor, FLUX_REACTOR_NOWAIT);
    assert_ptr_equal(fr_queue_pop(fixture->thread.link->to_loop), request);
    assert_null(fr_queue_pop(fixture->thread.link->to_loop));
    return request;
}

#define R(lite, nodes)                                                                         \
    "{\"version\":1,\"execution\":{\"R_lite\":[" lite "],\"nodelist\":[" nodes                 \
    "],\"starttime\":0,\"expiration\":0}}"
#define FOUR                                                                                   \
    "{\"rank\":\"0-1\",\"children\":{\"core\":\"0-3\",\"gpu\":\"0-1\"}},"                      \
    "{\"rank\":\"2-4\",\"children\":{\"core\":\"0-7\"}}"
#define NOTHING R("", "")

static void answer_status(struct fixture *fixture, const char *use, const char *status)
{
    fixture->answers[0].topic = "resource.sched-status";
    fixture->answers[0].text = use;
    fixture->answers[1].topic = "resource.status";
    fixture->answers[1].text = status;
}

static void test_states(void **state)
{
    struct fixture *fixture = *state;
    struct fr_flux_request *request;
    const struct fr_node *nodes;

    answer_status(
        fixture,
        "{\"all\":" R(
            "{\"rank\":\"0-1\",\"children\":{\"core\":\"0-3\",\"gpu\":\"0-1\"}},"
            "{\"rank\":\"2-3\",\"children\":{\"core\":\"0-7\"}}",
            "\"a[0-3]\"") ",\"down\":" R("{\"rank\":\"2\",\"children\":{\"core\":"
                                         "\"0-7\"}}",
                                         "\"a2\"") ",\"allocated\":" R("{\"rank\":\"0\","
                                                                       "\"children\":{\"core\":"
                                                                       "\"0-3\",\"gpu\":\"1\"}}"
                                                                       ","
                                                                       "{\"rank\":\"1\","
                                                                       "\"children\":{\"core\":"
                                                                       "\"2\"}}",
                                                                       "\"a[0-1]\"") "}",
        "{\"R\":" R(FOUR, "\"a[0-3]\",\"b\"") ",\"drain\":{\"2\":{\"timestamp\":1.0,"
                                              "\"reason\":\"bad fan\"}},\"online\":\"0-2,4\","
                                              "\"offline\":\"3-4\",\"exclude\":\"4\","
                                              "\"torpid\":\"\"}");
    request = ask(fixture, FR_FLUX_NODES);
    if (request->failed)
        fail_msg("%s", request->err.text);
    assert_int_equal(request->nodes->count, 5);
    nodes = request->nodes->nodes;
    static const enum fr_node_state states[] = {
        FR_NODE_ALLOCATED, FR_NODE_PARTLY, FR_NODE_DRAINED, FR_NODE_OFFLINE, FR_NODE_EXCLUDED};
    for (unsigned int i = 0; i < 5; i++) {
        assert_int_equal(nodes[i].rank, i);
        assert_int_equal(nodes[i].state, states[i]);
        assert_int_equal(nodes[i].cores, i < 2 ? 4 : 8);
        assert_int_equal(nodes[i].gpus, i < 2 ? 2 : 0);
    }
    assert_string_equal(nodes[3].name, "a3");
    assert_string_equal(nodes[4].name, "b");
    assert_string_equal(nodes[2].drain_reason, "bad fan");
    assert_null(nodes[0].drain_reason);
    assert_int_equal(nodes[0].cores_used, 4);
    assert_int_equal(nodes[0].gpus_used, 1);
    assert_int_equal(nodes[1].cores_used, 1);
    /* What jobs can use leaves out the excluded one. */
    assert_int_equal(request->nodes->size.nodes, 4);
    assert_int_equal(request->nodes->size.cores, 24);
    assert_int_equal(request->nodes->size.gpus, 4);
    fr_flux_request_free(request);
}

static void check_no_nodes(struct fixture *fixture, const char *use, const char *status,
                           enum fr_code code)
{
    struct fr_flux_request *request;

    answer_status(fixture, use, status);
    request = ask(fixture, FR_FLUX_NODES);
    assert_true(request->failed);
    assert_int_equal(request->err.code, code);
    assert_null(request->nodes);
    fr_flux_request_free(request);
}

static void test_nodes_that_cannot_be_told(void **state)
{
    struct fixture *fixture = *state;
    static const char use[] =
        "{\"all\":" NOTHING ",\"down\":" NOTHING ",\"allocated\":" NOTHING "}";

    check_no_nodes(fixture, NULL, "{\"R\":" NOTHING ",\"drain\":{}}", FR_CODE_UNAVAILABLE);
    check_no_nodes(fixture, use, NULL, FR_CODE_UNAVAILABLE);
    check_no_nodes(fixture, "{}", "{}", FR_CODE_UNAVAILABLE);
    check_no_nodes(fixture, use, "{\"R\":{\"execution\":{\"R_lite\":5}}}", FR_CODE_INTERNAL);
    check_no_nodes(
        fixture, use,
        "{\"R\":" R("{\"rank\":\"0-99999999999\",\"children\":{\"core\":\"0\"}}", "\"a\"") "}",
        FR_CODE_INTERNAL);
}

static void test_queues(void **state)
{
    struct fixture *fixture = *state;
    struct fr_flux_request *request;
    const struct fr_queue *queues;

    fixture->answers[0].topic = "job-manager.queue-list";
    fixture->answers[0].text = "{\"queues\":[\"night\",\"debug\"]}";
    fixture->answers[1].topic = "job-manager.queue-status";
    fixture->answers[1].text = "{\"enable\":false,\"start\":true,\"disable_reason\":\"why\"}";
    fixture->answers[2].topic = "config.get";
    fixture->answers[2].text =
        "{\"policy\":{\"limits\":{\"duration\":\"1h\",\"job-size\":{\"max\":{\"nnodes\":4}}}},"
        "\"queues\":{\"night\":{\"policy\":{\"limits\":{\"duration\":\"0\","
        "\"job-size\":{\"min\":{\"ncores\":2}}}}}}}";
    request = ask(fixture, FR_FLUX_QUEUES);
    assert_false(request->failed);
    assert_int_equal(request->queues->count, 2);
    queues = request->queues->queues;
    assert_string_equal(queues[0].name, "debug");
    assert_string_equal(queues[1].name, "night");
    assert_false(queues[1].enabled);
    assert_true(queues[1].started);
    assert_string_equal(queues[1].disable_reason, "why");
    assert_null(queues[1].stop_reason);
    assert_true(queues[0].limits.duration == 3600);
    assert_true(queues[1].limits.duration < 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(queues[i].limits.max[FR_SIZE_NODES], 4);
        assert_true(queues[i].limits.max[FR_SIZE_CORES] < 0);
    }
    assert_true(queues[0].limits.min[FR_SIZE_CORES] < 0);
    assert_int_equal(queues[1].limits.min[FR_SIZE_CORES], 2);
    fr_flux_request_free(request);
}

static void test_the_only_queue(void **state)
{
    struct fixture *fixture = *state;
    struct fr_flux_request *request;

    fixture->answers[0].topic = "job-manager.queue-list";
    fixture->answers[0].text = "{\"queues\":[]}";
    fixture->answers[1].topic = "job-manager.queue-status";
    fixture->answers[1].text = "{\"enable\":true,\"start\":false,\"stop_reason\":\"lunch\"}";
    fixture->answers[2].topic = "config.get";
    fixture->answers[2].text = "{}";
    request = ask(fixture, FR_FLUX_QUEUES);
    assert_false(request->failed);
    assert_int_equal(request->queues->count, 1);
    assert_null(request->queues->queues[0].name);
    assert_string_equal(request->queues->queues[0].stop_reason, "lunch");
    assert_true(request->queues->queues[0].limits.duration < 0);
    fr_flux_request_free(request);
}

static void test_queues_that_cannot_be_told(void **state)
{
    struct fixture *fixture = *state;
    struct fr_flux_request *request = ask(fixture, FR_FLUX_QUEUES);

    assert_true(request->failed);
    assert_int_equal(request->err.code, FR_CODE_UNAVAILABLE);
    fr_flux_request_free(request);
    fixture->answers[0].topic = "job-manager.queue-list";
    fixture->answers[0].text = "{\"queues\":[\"a\"]}";
    request = ask(fixture, FR_FLUX_QUEUES);
    assert_true(request->failed);
    assert_null(request->queues);
    fr_flux_request_free(request);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_states),         TEST(test_nodes_that_cannot_be_told),  TEST(test_queues),
        TEST(test_the_only_queue), TEST(test_queues_that_cannot_be_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
