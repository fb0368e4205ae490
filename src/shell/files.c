// SPDX-License-Identifier: LGPL-3.0-only
#include "shell/shell.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 65536 /* a longer line is written in parts */

/* The template with the task's rank filled in. False if it is too long for a path. */
static bool path_render(const char *template, unsigned int rank, char *path, size_t size)
{
    static const char *const names[] = {"{{taskid}}", "{{task.id}}", "{{task.rank}}",
                                        "{{task.index}}", "{{task.localid}}"};
    size_t used = 0;

    while (*template) {
        size_t taken = 0;

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !taken; i++) {
            if (strncmp(template, names[i], strlen(names[i])) == 0)
                taken = strlen(names[i]);
        }
        if (used + 16 > size)
            return false;
        if (taken)
            used += (size_t)snprintf(path + used, size - used, "%u", rank);
        else
            path[used++] = *template;
        template += taken ? taken : 1;
    }
    path[used] = '\0';
    return true;
}

static int files_failed(struct shell *shell, const char *stream, const char *path, int error)
{
    shell->failed = true;
    shell->code = 1;
    exception_add(shell, "exec", "%s cannot be connected to %.300s: %s", stream, path,
                  strerror(error));
    capture_say(&shell->capture, "flux-restd-shell: FATAL: %s cannot be connected to %s: %s\n",
                stream, path, strerror(error));
    return -error;
}

/* What is open already under the same name: of the first task, or the task's stdout. */
static int file_find(const struct shell *shell, const struct task *task, int which)
{
    const char *template = shell->job.file[which + 1];

    if (task->rank > 0 && !strstr(template, "{{task"))
        return shell->tasks[0].files[which].fd;
    if (which > 0 && shell->job.file[which] && strcmp(shell->job.file[which], template) == 0)
        return task->files[0].fd;
    return -1;
}

static int file_open(struct shell *shell, struct task *task, int which)
{
    const char *how = shell->job.how;
    /* A FIFO that nobody reads is an error, and not a reason to wait. */
    int flags =
        O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | (strchr(how, 'a') ? O_APPEND : O_TRUNC);
    const char *template = shell->job.file[which + 1];
    struct lines *lines = &task->files[which];
    char path[PATH_MAX];

    if (!template)
        return 0;
    lines->label = strchr(how, which == 0 ? 'l' : 'L');
    lines->whole = lines->label || strchr(how, which == 0 ? 'b' : 'B');
    if (!path_render(template, task->rank, path, sizeof(path)))
        return files_failed(shell, which == 0 ? "stdout" : "stderr", template, ENAMETOOLONG);
    lines->fd = file_find(shell, task, which);
    if (lines->fd >= 0)
        return 0;
    lines->fd = open(path, flags, 0666);
    if (lines->fd < 0)
        return files_failed(shell, which == 0 ? "stdout" : "stderr", path, errno);
    (void)fcntl(lines->fd, F_SETFL, flags & O_APPEND);
    return 0;
}

int files_open(struct shell *shell)
{
    int rc = 0;

    if (shell->job.input && access(shell->job.input, R_OK) < 0)
        return files_failed(shell, "stdin", shell->job.input, errno);
    for (unsigned int i = 0; i < shell->job.ntasks && rc == 0; i++) {
        for (int which = 0; which < 2 && rc == 0; which++)
            rc = file_open(shell, &shell->tasks[i], which);
    }
    for (unsigned int stream = 1; stream <= 2 && rc == 0; stream++) {
        if (shell->job.file[stream])
            capture_name_file(&shell->capture, stream, shell->job.file[stream]);
    }
    return rc;
}

static void piece_write(struct shell *shell, struct task *task, int which, const char *data,
                        size_t len)
{
    struct lines *lines = &task->files[which];
    int rc = len > 0 ? write_all(lines->fd, data, len) : 0;

    if (rc < 0 && !lines->failed)
        capture_say(&shell->capture,
                    "flux-restd-shell: ERROR: %s of task %u is not written to its file: %s\n",
                    which == 0 ? "stdout" : "stderr", task->rank, strerror(-rc));
    lines->failed = rc < 0;
}

/* A line, or what there is of it, with what waited for it. */
static void line_write(struct shell *shell, struct task *task, int which, const char *data,
                       size_t len)
{
    struct lines *lines = &task->files[which];
    char label[16];

    if (lines->label && !lines->begun) {
        int n = snprintf(label, sizeof(label), "%u: ", task->rank);

        piece_write(shell, task, which, label, (size_t)n);
    }
    piece_write(shell, task, which, lines->text, lines->len);
    piece_write(shell, task, which, data, len);
    lines->len = 0;
}

void files_put(struct shell *shell, struct task *task, int which, const char *data, size_t len)
{
    struct lines *lines = &task->files[which];

    if (!lines->whole) {
        piece_write(shell, task, which, data, len);
        return;
    }
    if (len == 0 && lines->len > 0)
        line_write(shell, task, which, NULL, 0);
    while (len > 0) {
        const char *end = memchr(data, '\n', len);
        size_t part = end ? (size_t)(end - data) + 1 : len;

        if (!end && !lines->text)
            lines->text = malloc(LINE_MAX_BYTES);
        if (end || !lines->text || lines->len + part > LINE_MAX_BYTES) {
            line_write(shell, task, which, data, part);
            lines->begun = !end;
        } else {
            memcpy(lines->text + lines->len, data, part);
            lines->len += part;
        }
        data += part;
        len -= part;
    }
}
