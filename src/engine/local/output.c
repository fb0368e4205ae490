// SPDX-License-Identifier: LGPL-3.0-only
#include "engine/local/output.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include "base/loop.h"
#include "base/util.h"
#include "engine/local/folder.h"
#include "shell/folder.h"

#define SLICE_BYTES 65536 /* holds at least one frame */
#define LOOK_MS 1000

struct fr_output_watch {
    TAILQ_ENTRY(fr_output_watch) all;
    TAILQ_ENTRY(fr_output_watch) due; /* while is_due */
    struct fr_outputs *outputs;       /* NULL: the engine is closed */
    char *path;
    uint64_t id;
    fr_output_f cb;
    void *arg;
    uint64_t place; /* of the next frame to be told */
    uint64_t begin; /* size of the file when the watch began, once measured */
    int wd;         /* inotify; -1: none */
    bool is_due;
    bool paused;
    bool ended;     /* no more will be written */
    bool failed;    /* error is to be told */
    bool over;      /* END or ERROR was told */
    bool caught_up; /* CAUGHT_UP was told */
    bool measured;
    bool freed; /* by its owner; the memory follows once nobody is at it */
    bool at_it; /* on_wake is */
    struct fr_error error;
    /* A read, the worker's while busy. */
    bool busy;
    bool fresh;      /* its result is not all told yet */
    bool read_ended; /* the job had ended before it began */
    int fd;
    uint64_t size; /* of the file */
    char *buffer;
    size_t have; /* bytes in it */
    size_t used; /* of them told */
};

struct fr_outputs {
    uv_loop_t *loop;
    char *state_dir;
    TAILQ_HEAD(all_head, fr_output_watch) all;
    TAILQ_HEAD(due_head, fr_output_watch) due;
    struct fr_wake *wake;
    struct fr_timer *timer; /* looks after watches that inotify has no room for */
    struct fr_poll *poll;
    int inotify;
    bool at_it; /* on_wake runs */
    bool freed;
};

static void due_set(struct fr_output_watch *watch)
{
    if (!watch->outputs || watch->is_due || watch->over)
        return;
    watch->is_due = true;
    TAILQ_INSERT_TAIL(&watch->outputs->due, watch, due);
    fr_wake_send(watch->outputs->wake);
}

static void due_clear(struct fr_output_watch *watch)
{
    if (watch->is_due)
        TAILQ_REMOVE(&watch->outputs->due, watch, due);
    watch->is_due = false;
}

/* Watches on one file have one inotify watch between them. */
static void inotify_drop(struct fr_output_watch *watch)
{
    struct fr_output_watch *other;

    if (watch->wd < 0)
        return;
    TAILQ_FOREACH(other, &watch->outputs->all, all)
    {
        if (other != watch && other->wd == watch->wd)
            return;
    }
    (void)inotify_rm_watch(watch->outputs->inotify, watch->wd);
}

static void inotify_add(struct fr_output_watch *watch)
{
    if (watch->wd >= 0 || watch->ended)
        return;
    watch->wd = inotify_add_watch(watch->outputs->inotify, watch->path, IN_MODIFY);
}

static void watch_unlink(struct fr_output_watch *watch)
{
    if (!watch->outputs)
        return;
    due_clear(watch);
    inotify_drop(watch);
    TAILQ_REMOVE(&watch->outputs->all, watch, all);
    if (TAILQ_EMPTY(&watch->outputs->all))
        fr_timer_stop(watch->outputs->timer);
    watch->outputs = NULL;
}

static void watch_memory_free(struct fr_output_watch *watch)
{
    if (watch->at_it || watch->busy)
        return; /* whoever is at it comes back here */
    if (watch->fd >= 0)
        (void)close(watch->fd);
    free(watch->buffer);
    free(watch->path);
    free(watch);
}

void fr_outputs_watch_free(struct fr_output_watch *watch)
{
    if (!watch)
        return;
    watch_unlink(watch);
    watch->freed = true;
    watch_memory_free(watch);
}

/* False if the watch is not to be told any more for now. */
static bool tell(struct fr_output_watch *watch, const struct fr_output *piece)
{
    watch->over = piece->kind == FR_OUTPUT_END || piece->kind == FR_OUTPUT_ERROR;
    watch->cb(watch->arg, piece);
    return watch->outputs && !watch->paused && !watch->over;
}

static void fail(struct fr_output_watch *watch, int errnum, enum fr_code code, const char *text)
{
    (void)fr_error_set(&watch->error, errnum, code, "%s", text);
    watch->failed = true;
}

/* Whether a whole frame is in the buffer. A place that is none makes the watch fail. */
static bool frame_next(struct fr_output_watch *watch, struct fr_frame *ret)
{
    size_t left = watch->have - watch->used;

    if (left < sizeof(*ret))
        return false;
    memcpy(ret, watch->buffer + watch->used, sizeof(*ret));
    if (ret->mark != fr_frame_mark(watch->place) || ret->len > FR_FRAME_MAX) {
        fail(watch, EINVAL, FR_CODE_INVALID,
             "No piece of the output begins at this offset: use one that came with a piece, "
             "or 0.");
        return false;
    }
    return left >= sizeof(*ret) + ret->len;
}

/* Tells what is in the buffer. False if told to stop. */
static bool frames_tell(struct fr_output_watch *watch)
{
    struct fr_frame frame;

    while (frame_next(watch, &frame)) {
        char rank[16];
        size_t size = sizeof(frame) + frame.len;
        const char *data = watch->buffer + watch->used + sizeof(frame);
        struct fr_output piece = {.kind = FR_OUTPUT_DATA,
                                  .is_stderr = frame.stream == FR_STREAM_ERR,
                                  .rank = rank,
                                  .data = data,
                                  .len = frame.len};
        char path[PATH_MAX];

        (void)snprintf(rank, sizeof(rank), "%u", frame.rank);
        if (frame.stream == FR_STREAM_OUT_FILE || frame.stream == FR_STREAM_ERR_FILE) {
            (void)snprintf(path, sizeof(path), "%.*s", (int)frame.len, data);
            piece = (struct fr_output){.kind = FR_OUTPUT_REDIRECT,
                                       .is_stderr = frame.stream == FR_STREAM_ERR_FILE,
                                       .path = path};
        }
        watch->place += size;
        watch->used += size;
        piece.offset = watch->place;
        if (!tell(watch, &piece))
            return false;
    }
    return true;
}

/* On the worker. A file that is not there yet is an empty one. */
static int read_work(void *arg)
{
    struct fr_output_watch *watch = arg;
    struct stat st;
    ssize_t n;

    watch->size = 0;
    if (watch->fd < 0)
        watch->fd = open(watch->path, O_RDONLY | O_CLOEXEC);
    if (watch->fd < 0)
        return errno == ENOENT ? 0 : -errno;
    if (fstat(watch->fd, &st) < 0)
        return -errno;
    watch->size = (uint64_t)st.st_size;
    if (watch->place >= watch->size)
        return 0;
    do
        n = pread(watch->fd, watch->buffer, SLICE_BYTES, (off_t)watch->place);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    watch->have = (size_t)n;
    return 0;
}

static void on_read(void *arg, int result)
{
    struct fr_output_watch *watch = arg;

    watch->busy = false;
    if (watch->freed) {
        watch_memory_free(watch);
        return;
    }
    if (result < 0)
        fail(watch, -result, FR_CODE_STORAGE, "The job's output cannot be read.");
    if (!watch->measured)
        watch->begin = watch->size;
    watch->measured = true;
    watch->fresh = true;
    due_set(watch); /* told from on_wake, so that watches take turns */
}

static void read_begin(struct fr_output_watch *watch)
{
    inotify_add(watch); /* before the read, so that nothing falls between the two */
    watch->read_ended = watch->ended;
    watch->fresh = false;
    watch->have = 0;
    watch->used = 0;
    if (!watch->buffer)
        watch->buffer = malloc(SLICE_BYTES);
    watch->busy =
        watch->buffer && fr_work_queue(watch->outputs->loop, read_work, on_read, watch) == 0;
    if (!watch->busy)
        fail(watch, ENOMEM, FR_CODE_INTERNAL, "No memory to read the job's output.");
    if (!watch->busy)
        due_set(watch);
}

/* What there is was read and told, and it was nothing new. */
static void wait_or_end(struct fr_output_watch *watch)
{
    static const struct fr_output end = {.kind = FR_OUTPUT_END};

    if (watch->read_ended) {
        (void)tell(watch, &end);
        return;
    }
    watch->fresh = false;
    free(fr_take(watch->buffer)); /* many wait, few read */
    if (watch->ended)
        due_set(watch); /* it ended while we read */
}

static void result_tell(struct fr_output_watch *watch)
{
    static const struct fr_output caught_up = {.kind = FR_OUTPUT_CAUGHT_UP};
    bool progress;

    if (!frames_tell(watch) || watch->failed)
        return;
    progress = watch->used > 0;
    if (!progress && watch->place > watch->size) {
        fail(watch, EINVAL, FR_CODE_INVALID, "The offset lies beyond the end of the output.");
        return;
    }
    if (!watch->caught_up && (!progress || watch->place >= watch->begin)) {
        watch->caught_up = true;
        if (!tell(watch, &caught_up))
            return;
    }
    if (progress)
        read_begin(watch);
    else
        wait_or_end(watch);
}

static void pump(struct fr_output_watch *watch)
{
    if (watch->paused || watch->busy || watch->over)
        return;
    if (!watch->failed && watch->fresh)
        result_tell(watch);
    else if (!watch->failed)
        read_begin(watch);
    if (watch->failed && watch->outputs && !watch->over && !watch->paused) {
        struct fr_output piece = {.kind = FR_OUTPUT_ERROR, .err = &watch->error};

        (void)tell(watch, &piece);
    }
}

static void outputs_memory_free(struct fr_outputs *outputs)
{
    if (outputs->at_it)
        return;
    free(outputs->state_dir);
    free(outputs);
}

static void on_wake(void *arg)
{
    struct fr_outputs *outputs = arg;
    struct fr_output_watch *watch;

    outputs->at_it = true;
    while ((watch = TAILQ_FIRST(&outputs->due))) {
        due_clear(watch);
        watch->at_it = true;
        pump(watch);
        watch->at_it = false;
        if (watch->freed)
            watch_memory_free(watch);
    }
    outputs->at_it = false;
    if (outputs->freed)
        outputs_memory_free(outputs);
}

static void on_look(void *arg)
{
    struct fr_outputs *outputs = arg;
    struct fr_output_watch *watch;

    TAILQ_FOREACH(watch, &outputs->all, all)
    {
        if (watch->wd < 0 && !watch->ended)
            due_set(watch);
    }
}

static void changed(struct fr_outputs *outputs, const struct inotify_event *event)
{
    struct fr_output_watch *watch;

    TAILQ_FOREACH(watch, &outputs->all, all)
    {
        if (watch->wd == event->wd || (event->mask & IN_Q_OVERFLOW))
            due_set(watch);
    }
}

static void on_inotify(void *arg, int status, int events)
{
    struct fr_outputs *outputs = arg;
    char data[8192] __attribute__((aligned(8)));
    ssize_t n;

    while ((n = read(outputs->inotify, data, sizeof(data))) > 0) {
        for (char *p = data; p < data + n;) {
            const struct inotify_event *event = (const struct inotify_event *)(void *)p;

            changed(outputs, event);
            p += sizeof(*event) + event->len;
        }
    }
}

void fr_outputs_free(struct fr_outputs *outputs)
{
    struct fr_output_watch *watch;

    if (!outputs)
        return;
    while ((watch = TAILQ_FIRST(&outputs->all)))
        watch_unlink(watch);
    fr_wake_free(outputs->wake);
    fr_timer_free(outputs->timer);
    fr_poll_free(outputs->poll);
    if (outputs->inotify >= 0)
        (void)close(outputs->inotify);
    outputs->freed = true;
    outputs_memory_free(outputs);
}

FR_DEFINE_CLEANUP(struct fr_outputs *, outputs, fr_outputs_free);

int fr_outputs_create(uv_loop_t *loop, const char *state_dir, struct fr_outputs **ret)
{
    _cleanup_(fr_cleanup_outputs) struct fr_outputs *outputs = calloc(1, sizeof(*outputs));
    int rc = 0;

    if (!outputs)
        return -ENOMEM;
    TAILQ_INIT(&outputs->all);
    TAILQ_INIT(&outputs->due);
    outputs->loop = loop;
    outputs->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    outputs->state_dir = strdup(state_dir);
    if (!outputs->state_dir)
        return -ENOMEM;
    rc = fr_wake_create(loop, on_wake, outputs, &outputs->wake);
    if (rc == 0)
        rc = fr_timer_create(loop, on_look, outputs, &outputs->timer);
    if (rc == 0 && outputs->inotify >= 0)
        rc = fr_poll_create(loop, outputs->inotify, on_inotify, outputs, &outputs->poll);
    if (rc == 0 && outputs->poll)
        rc = fr_poll_set(outputs->poll, UV_READABLE);
    if (rc < 0)
        return rc;
    *ret = fr_take(outputs);
    return 0;
}

static char *path_of(const struct fr_outputs *outputs, uint64_t id)
{
    char folder[PATH_MAX];
    char *path = NULL;

    fr_folder_path(outputs->state_dir, id, folder, sizeof(folder));
    return asprintf(&path, "%s/%s", folder, FR_FOLDER_OUTPUT) < 0 ? NULL : path;
}

struct fr_output_watch *fr_outputs_open(struct fr_outputs *outputs, uint64_t id,
                                        uint64_t offset, bool ended, const struct fr_error *err,
                                        fr_output_f cb, void *arg)
{
    struct fr_output_watch *watch = calloc(1, sizeof(*watch));

    if (!watch)
        return NULL;
    *watch = (struct fr_output_watch){.outputs = outputs,
                                      .path = path_of(outputs, id),
                                      .id = id,
                                      .cb = cb,
                                      .arg = arg,
                                      .place = offset,
                                      .wd = -1,
                                      .fd = -1,
                                      .ended = ended,
                                      .failed = err != NULL};
    if (!watch->path) {
        free(watch);
        return NULL;
    }
    if (err)
        watch->error = *err;
    if (TAILQ_EMPTY(&outputs->all))
        fr_timer_start(outputs->timer, LOOK_MS, LOOK_MS);
    TAILQ_INSERT_TAIL(&outputs->all, watch, all);
    due_set(watch);
    return watch;
}

void fr_outputs_pause(struct fr_output_watch *watch, bool paused)
{
    watch->paused = paused;
    if (!paused)
        due_set(watch);
}

void fr_outputs_poke(struct fr_outputs *outputs, uint64_t id, bool ended)
{
    struct fr_output_watch *watch;

    if (!outputs)
        return;
    TAILQ_FOREACH(watch, &outputs->all, all)
    {
        if (watch->id != id)
            continue;
        watch->ended = watch->ended || ended;
        due_set(watch);
    }
}
