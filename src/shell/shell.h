// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The job shell's own header: what its files share.
 *
 * The shell runs one job and outlives the daemon. It is one thread around poll(2) and links
 * libc alone, so that starting it costs little. See folder.h for how it speaks with the daemon.
 */
#ifndef FR_SHELL_SHELL_H
#define FR_SHELL_SHELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "shell/folder.h"

/* The job as described by the daemon. Texts point into `text`. */
struct description {
    char *text;
    const char *jobid;
    const char *cwd;
    const char *tmpdir; /* NULL: none */
    const char *cpus;   /* NULL: not bound */
    char **argv;        /* NULL-terminated */
    char **env;         /* NULL-terminated, with ENV_SPARE free places before the end */
    size_t nenv;
    unsigned int ntasks;
    double limit;
    uint64_t output_max;
    mode_t umask;
    uint64_t nofile;     /* 0: left alone */
    const char *input;   /* file for stdin, NULL: none */
    const char *file[3]; /* by stream: where it goes, with {{taskid}}; NULL: the output */
    const char *how;     /* FR_TAG_FILES */
    char **rlimits;      /* NAME=value, NULL-terminated */
    size_t nrlimits;
};

#define ENV_SPARE 8

/* The output file being written. */
struct capture {
    int fd;
    uint64_t place; /* where the next frame goes */
    uint64_t max;
    uint64_t used[5];       /* by stream: bytes of the file */
    bool cut[3];            /* by stream: its limit was reached and said */
    int lost;               /* errno of a write that failed since the last frame, 0 if none */
    unsigned int lost_from; /* the stream whose bytes they were */
};

/* One task's stream on its way to a file. */
struct lines {
    int fd;      /* -1: it goes to the output; shared by all that write this file */
    bool label;  /* the task's rank before each line */
    bool whole;  /* whole lines alone, so that tasks do not mix */
    bool begun;  /* a part of a line is in the file already */
    bool failed; /* and it was said */
    char *text;  /* the part of a line that waits for its end; NULL: none */
    size_t len;
};

enum { TASK_OUT, TASK_ERR, TASK_REPORT, TASK_PIPES };

struct task {
    pid_t pid; /* 0: not running */
    unsigned int rank;
    /* Read ends of its stdout and stderr, and of the report on its exec; -1 once closed. */
    int in[TASK_PIPES];
    struct lines files[2]; /* of stdout and stderr, where these go to files */
};

struct shell {
    int dir; /* the job's folder */
    struct description job;
    struct capture capture;
    struct task *tasks;
    unsigned int running;  /* tasks that have not ended */
    int code;              /* highest exit code, 128 + signal for a signal */
    bool failed;           /* a task could not start; code tells that */
    bool stopping;         /* told to end: the tasks are killed at kill_at */
    double start;          /* wall clock */
    double limit_from;     /* monotonic; what the limit counts from */
    double limit_at;       /* monotonic; 0 is never */
    double kill_at;        /* monotonic; 0 is never */
    char exceptions[2048]; /* lines of the result file */
    char host[65];
};

/* util.c */
/* Whether what failed with this negative errno may succeed later: there is no room now. */
bool room_lacks(int rc);
double time_wall(void);
double time_monotonic(void);
/* Writes all; 0 or a negative errno. */
int write_all(int fd, const void *data, size_t len);

/* claim.c */
/* 0: the job is ours, and its lock held until we end. Negative errno, -EEXIST: another's. */
int claim_take(int dir, double start);
/* Writes the result so that it is on disk when it can be seen. 0 or a negative errno. */
int result_write(const struct shell *shell);
/* Tells the daemon, if it listens, to look at the folder. */
void bell_ring(int dir);
/*
 * Notes an exception for the result and tells the daemon of it; control characters in the note
 * become blanks.
 */
void exception_add(struct shell *shell, const char *type, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* description.c */
/* Fills the zeroed job. 0; -EPROTO for what cannot be understood, or another negative errno. */
int description_read(int dir, struct description *job);

/* capture.c */
int capture_open(int dir, uint64_t max, struct capture *ret);
void capture_put(struct capture *capture, unsigned int stream, unsigned int rank,
                 const char *data, size_t len);
/*
 * Says at the end what could not be said before: that output was lost. Makes the file durable.
 * 0, or a negative errno when it is to be tried again.
 */
int capture_finish(struct capture *capture);
/* Says that the stream goes to the file of this name. */
void capture_name_file(struct capture *capture, unsigned int stream, const char *name);
/* Says something of the shell's own on the job's stderr. */
void capture_say(struct capture *capture, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* files.c */
/*
 * Opens what the tasks' streams are to be written to and read from, and says so in the output.
 * 0, or a negative errno after the job's exception was noted.
 */
int files_open(struct shell *shell);
/* Writes what a task said, or (len 0) what is left of it at its end. */
void files_put(struct shell *shell, struct task *task, int which, const char *data, size_t len);

/* task.c */
/*
 * Starts one task. 0 or a negative errno. Whether its program could be executed is not waited
 * for: the task's TASK_REPORT then holds the errno of exec, or just ends.
 */
int task_start(struct shell *shell, struct task *task);
/* The job has failed: a task could not start. exec: at its program, else before that. */
void task_failed(struct shell *shell, const struct task *task, int error, bool exec);
void tasks_signal(struct shell *shell, int signum);
/* Takes all that ended into account. */
void tasks_reap(struct shell *shell);
/* Ends every process that is left of the job; gives up on what cannot be killed. */
void leftovers_end(void);

/* loop.c */
/* Runs until all tasks have ended. */
void loop_run(struct shell *shell, int signal_fd);
/* Reads what is left in the pipes. */
void loop_drain(struct shell *shell);

#endif
