// SPDX-License-Identifier: LGPL-3.0-only
/* Parts of the job shell; the whole of it: test_local.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "shell/shell.h"

static char dir_name[64];

static void capture_setup(struct capture *capture, uint64_t max)
{
    int dir;

    (void)snprintf(dir_name, sizeof(dir_name), "/tmp/fr-shell-XXXXXX");
    assert_non_null(mkdtemp(dir_name));
    dir = open(dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(dir >= 0);
    assert_int_equal(capture_open(dir, max, capture), 0);
    (void)close(dir);
}

/* All frames of a stream, one after the other, as a text. */
static const char *capture_text(const struct capture *capture, unsigned int stream)
{
    static char text[65536];
    uint64_t place = 0;
    size_t used = 0;
    struct fr_frame frame;
    char path[128];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", dir_name, FR_FOLDER_OUTPUT);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    while (pread(fd, &frame, sizeof(frame), (off_t)place) == (ssize_t)sizeof(frame)) {
        assert_int_equal(frame.mark, fr_frame_mark(place));
        place += sizeof(frame);
        if (frame.stream == stream) {
            assert_true(used + frame.len < sizeof(text));
            assert_int_equal(pread(fd, text + used, frame.len, (off_t)place), frame.len);
            used += frame.len;
        }
        place += frame.len;
    }
    assert_int_equal(place, capture->place);
    (void)close(fd);
    text[used] = '\0';
    return text;
}

static void capture_teardown(struct capture *capture)
{
    char path[128];

    (void)close(capture->fd);
    (void)snprintf(path, sizeof(path), "%s/%s", dir_name, FR_FOLDER_OUTPUT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir_name), 0);
}

static void room_set(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* No room until the task has ended: what is missing is said all the same, once there is. */
static void test_lost_to_the_end(void **state)
{
    struct capture capture;

    (void)signal(SIGXFSZ, SIG_IGN);
    capture_setup(&capture, 1 << 20);
    capture_put(&capture, 1, 0, "kept\n", 5);
    room_set(capture.place + 4);
    capture_put(&capture, 2, 0, "lost\n", 5);
    assert_true(room_lacks(capture_finish(&capture)));
    assert_true(room_lacks(capture_finish(&capture)));
    room_set(RLIM_INFINITY);
    assert_int_equal(capture_finish(&capture), 0);
    assert_string_equal(capture_text(&capture, 1), "kept\n");
    assert_non_null(strstr(capture_text(&capture, 2), "output was lost here"));
    assert_null(strstr(capture_text(&capture, 2), "lost\n"));
    assert_int_equal(capture_finish(&capture), 0); /* and once */
    capture_teardown(&capture);
}

static void test_lost_in_between(void **state)
{
    struct capture capture;
    const char *text;

    capture_setup(&capture, 1 << 20);
    capture_put(&capture, 1, 0, "one\n", 4);
    room_set(capture.place);
    capture_put(&capture, 1, 0, "two\n", 4);
    room_set(RLIM_INFINITY);
    capture_put(&capture, 1, 0, "three\n", 6);
    assert_int_equal(capture_finish(&capture), 0);
    text = capture_text(&capture, 1);
    assert_memory_equal(text, "one\n\n[flux-restd: output was lost here: ", 40);
    assert_non_null(strstr(text, "]\nthree\n"));
    capture_teardown(&capture);
}

/* A flood on one stream leaves the other its words, whichever it is. */
static void test_flood_on_one_stream(void **state)
{
    static char flood[20000];

    memset(flood, 'x', sizeof(flood));
    for (unsigned int stream = 1; stream <= 2; stream++) {
        struct capture capture;

        capture_setup(&capture, 10000);
        capture_put(&capture, stream, 0, flood, sizeof(flood));
        capture_put(&capture, 3 - stream, 0, "words\n", 6);
        capture_put(&capture, stream, 0, flood, sizeof(flood));
        assert_int_equal(capture_finish(&capture), 0);
        assert_string_equal(capture_text(&capture, 3 - stream), "words\n");
        assert_non_null(strstr(capture_text(&capture, stream), "x\n[flux-restd: output was cut "
                                                               "here: the limit of 10000"));
        assert_true(capture.place < 10500);
        capture_put(&capture, 3 - stream, 0, flood, sizeof(flood));
        assert_non_null(strstr(capture_text(&capture, 3 - stream), "output was cut here"));
        assert_true(capture.place < 10500);
        capture_teardown(&capture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lost_to_the_end),
        cmocka_unit_test(test_lost_in_between),
        cmocka_unit_test(test_flood_on_one_stream),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
