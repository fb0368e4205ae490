// SPDX-License-Identifier: LGPL-3.0-only
/* The Flux side is a loop:// handle, on which the test answers as the job manager would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "engine/flux/thread.h"

#define ID 4711

struct fixture {
    struct fr_flux_thread thread;
    flux_msg_handler_t *handler;
    const char *log; /* what the job manager answers; NULL: an error */
    int asked;
};

static void on_getattr(flux_t *h, flux_msg_handler_t *handler, const flux_msg_t *msg, void *arg)
{
    struct fixture *fixture = arg;
    json_int_t id;

    fixture->asked++;
    assert_int_equal(flux_request_unpack(msg, NULL, "{s:I}", "id", &id), 0);
    assert_int_equal(id, ID);
    if (!fixture->log)
        assert_int_equal(flux_respond_error(h, msg, EINVAL, "unknown job"), 0);
    else
        assert_int_equal(flux_respond(h, msg, fixture->log), 0);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct fr_flux_thread *thread = &fixture->thread;
    struct flux_match match = FLUX_MATCH_REQUEST;

    assert_int_equal(fr_flux_link_create(NULL, &thread->link), 0);
    thread->h = flux_open("loop://", 0);
    assert_non_null(thread->h);
    thread->reactor = flux_get_reactor(thread->h);
    match.topic_glob = (char *)"job-manager.getattr";
    fixture->handler = flux_msg_handler_create(thread->h, match, on_getattr, fixture);
    assert_non_null(fixture->handler);
    flux_msg_handler_start(fixture->handler);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    fr_flux_numbers_end(&fixture->thread);
    flux_msg_handler_destroy(fixture->handler);
    flux_close(fixture->thread.h);
    fr_flux_link_drop(fixture->thread.link);
    fr_flux_link_drop(fixture->thread.link);
    free(fixture);
    return 0;
}

/* An entry of one event. */
static void tell(struct fixture *fixture, const char *name, double timestamp)
{
    struct fr_flux_entry *news = calloc(1, sizeof *news);

    assert_non_null(news);
    news->item.kind = FR_FLUX_ENTRY;
    news->texts = strdup(name);
    news->events = calloc(1, sizeof *news->events);
    news->events[0].name = news->texts;
    news->events[0].timestamp = timestamp;
    news->entry = (struct fr_journal_entry){.id = ID, .events = news->events, .nevents = 1};
    assert_int_equal(fr_flux_numbers_tell(&fixture->thread, news), 0);
}

/* The oldest entry that was told; those of a backlog wait for company. */
static struct fr_flux_entry *next_entry(struct fr_flux_thread *thread)
{
    struct fr_flux_entry *news = thread->backlog;

    if (!news)
        return fr_queue_pop(thread->link->to_loop);
    thread->backlog = fr_take(news->next);
    thread->nbacklog--;
    return news;
}

static void check_next(struct fixture *fixture, const char *name, int64_t index)
{
    struct fr_flux_entry *news = next_entry(&fixture->thread);

    assert_non_null(news);
    assert_int_equal(news->item.kind, FR_FLUX_ENTRY);
    assert_string_equal(news->events[0].name, name);
    assert_int_equal(news->events[0].index, index);
    fr_flux_item_free(&news->item);
}

static void check_nothing(struct fixture *fixture)
{
    assert_null(fr_queue_pop(fixture->thread.link->to_loop));
}

/* Runs the reactor until nothing is asked any more. */
static void answer(struct fixture *fixture)
{
    int asked = fixture->asked;

    for (int i = 0; i < 1000; i++)
        (void)flux_reactor_run(fixture->thread.reactor, FLUX_REACTOR_NOWAIT);
    assert_int_equal(fixture->asked, asked + 1);
}

static void test_counts(void **state)
{
    struct fixture *fixture = *state;

    fixture->thread.live = true;
    tell(fixture, "submit", 1);
    tell(fixture, "annotations", 2);
    tell(fixture, "validate", 3);
    tell(fixture, "clean", 4);
    check_next(fixture, "submit", 0);
    check_next(fixture, "annotations", -1);
    check_next(fixture, "validate", 1);
    check_next(fixture, "clean", 2);
    assert_int_equal(fixture->asked, 0);
    assert_null(fixture->thread.numbers);
}

static void test_memo_of_the_backlog(void **state)
{
    struct fixture *fixture = *state;

    tell(fixture, "submit", 1);
    tell(fixture, "memo", 2);
    check_next(fixture, "submit", 0);
    check_next(fixture, "memo", 1);
    assert_int_equal(fixture->asked, 0);
}

/* Told together, and in order. */
static void test_backlog(void **state)
{
    struct fixture *fixture = *state;
    struct fr_flux_entry *news;
    int64_t told = 0;

    for (int i = 0; i < 20; i++)
        tell(fixture, "urgency", i);
    while ((news = fr_queue_pop(fixture->thread.link->to_loop))) {
        for (struct fr_flux_entry *e = news; e; e = e->next)
            assert_int_equal(e->events[0].index, told++);
        assert_non_null(news->next);
        fr_flux_item_free(&news->item);
    }
    while ((news = next_entry(&fixture->thread))) {
        assert_int_equal(news->events[0].index, told++);
        fr_flux_item_free(&news->item);
    }
    assert_int_equal(told, 20);
}

static void test_volatile_and_stored_memos(void **state)
{
    struct fixture *fixture = *state;

    fixture->thread.live = true;
    tell(fixture, "submit", 1);
    check_next(fixture, "submit", 0);
    tell(fixture, "memo", 2); /* volatile */
    tell(fixture, "memo", 3); /* stored */
    tell(fixture, "memo", 4); /* volatile */
    tell(fixture, "depend", 5);
    check_nothing(fixture);
    fixture->log = "{\"eventlog\":[{\"timestamp\":1.0,\"name\":\"submit\"},"
                   "{\"timestamp\":3.0,\"name\":\"memo\",\"context\":{\"a\":1}},"
                   "{\"timestamp\":5.0,\"name\":\"depend\"}]}";
    answer(fixture);
    check_next(fixture, "memo", -1);
    check_next(fixture, "memo", 1);
    check_next(fixture, "memo", -1);
    check_next(fixture, "depend", 2);
    tell(fixture, "priority", 6);
    check_next(fixture, "priority", 3);
}

static void test_job_ends_meanwhile(void **state)
{
    struct fixture *fixture = *state;

    fixture->thread.live = true;
    tell(fixture, "submit", 1);
    check_next(fixture, "submit", 0);
    tell(fixture, "memo", 2);
    tell(fixture, "clean", 3);
    fixture->log = "{\"eventlog\":[{\"timestamp\":1.0,\"name\":\"submit\"},"
                   "{\"timestamp\":3.0,\"name\":\"clean\"}]}";
    answer(fixture);
    check_next(fixture, "memo", -1);
    check_next(fixture, "clean", 1);
    assert_null(fixture->thread.numbers);
}

static void test_no_log_to_be_had(void **state)
{
    struct fixture *fixture = *state;

    fixture->thread.live = true;
    tell(fixture, "submit", 1);
    check_next(fixture, "submit", 0);
    tell(fixture, "memo", 2);
    answer(fixture);
    check_next(fixture, "memo", 1);
}

static void test_connection_lost_meanwhile(void **state)
{
    struct fixture *fixture = *state;

    fixture->thread.live = true;
    tell(fixture, "memo", 2);
    tell(fixture, "depend", 3);
    check_nothing(fixture);
    fr_flux_numbers_end(&fixture->thread); /* the backlog will tell it all again */
    check_nothing(fixture);
}

static void test_what_is_known(void **state)
{
    struct fixture *fixture = *state;
    struct fr_flux_thread *thread = &fixture->thread;

    assert_int_equal(fr_flux_numbers_knows(thread, ID), FR_FLUX_UNKNOWN);
    tell(fixture, "submit", 1);
    check_next(fixture, "submit", 0);
    assert_int_equal(fr_flux_numbers_knows(thread, ID), FR_FLUX_PENDING);
    assert_false(fr_flux_numbers_annotated(thread, ID));
    thread->live = true;
    tell(fixture, "annotations", 2);
    check_next(fixture, "annotations", -1);
    assert_true(fr_flux_numbers_annotated(thread, ID));
    tell(fixture, "start", 3);
    check_next(fixture, "start", 1);
    assert_int_equal(fr_flux_numbers_knows(thread, ID), FR_FLUX_ACTIVE);
    tell(fixture, "clean", 4);
    check_next(fixture, "clean", 2);
    assert_int_equal(fr_flux_numbers_knows(thread, ID), FR_FLUX_OVER);
    assert_true(fr_flux_numbers_annotated(thread, ID));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memo_of_the_backlog, setup, teardown),
        cmocka_unit_test_setup_teardown(test_backlog, setup, teardown),
        cmocka_unit_test_setup_teardown(test_volatile_and_stored_memos, setup, teardown),
        cmocka_unit_test_setup_teardown(test_job_ends_meanwhile, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_log_to_be_had, setup, teardown),
        cmocka_unit_test_setup_teardown(test_connection_lost_meanwhile, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_known, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
