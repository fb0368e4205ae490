// SPDX-License-Identifier: LGPL-3.0-only
/*
 * A job's folder, from the daemon's side (the format is in shell/folder.h).
 *
 * All of it blocks on the disk and is for a worker thread, but for fr_folder_path().
 */
#ifndef FR_LOCAL_FOLDER_H
#define FR_LOCAL_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What a job's folder tells of it. */
enum fr_folder_state {
    FR_FOLDER_UNCLAIMED, /* no shell has begun */
    FR_FOLDER_RUNNING,   /* a shell holds the lock */
    FR_FOLDER_ENDED,     /* there is a result */
    FR_FOLDER_DIED,      /* claimed, not locked, no result: the shell was killed */
    FR_FOLDER_VOID       /* we took the claim ourselves: it is never to run */
};

#define FR_REPORT_EXCEPTIONS 4

struct fr_report {
    enum fr_folder_state state;
    pid_t pid;       /* RUNNING: the shell, 0 if it cannot be reached from here */
    int pidfd;       /* RUNNING: of the shell, the receiver's to close; -1 if there is none */
    double start;    /* when the shell claimed; 0 if not claimed */
    pid_t session;   /* that the shell led; 0: a number that means nothing here and now */
    double end;      /* ENDED */
    int status;      /* ENDED: wait status */
    int nexceptions; /* RUNNING, DIED: so far */
    struct {
        double timestamp;
        char type[32];
        char note[512];
    } exceptions[FR_REPORT_EXCEPTIONS];
};

/* Writes the path of a job's folder into path of size bytes (the caller's PATH_MAX). */
void fr_folder_path(const char *state_dir, uint64_t id, char *path, size_t size);

/* Writes the path of the job's own directory in it, likewise. */
void fr_folder_tmpdir(const char *state_dir, uint64_t id, char *path, size_t size);

/* Makes the folder and those above it up to state_dir, durably. 0 or a negative errno. */
int fr_folder_make(const char *state_dir, uint64_t id);

/*
 * Writes a file of the folder whole: it has either content or the one before. Not durably: what
 * is told to a shell is told again, or means nothing, after a stop of the machine.
 */
int fr_folder_write(const char *path, const char *name, const void *data, size_t len);

/*
 * Makes the job's bell, if it is not there, and opens it for reading (nonblocking; it never
 * ends). *ret_fd is the caller's to close. 0 or a negative errno.
 */
int fr_folder_bell(const char *path, int *ret_fd);

/* Finds out how the job stands. 0 or a negative errno (the folder cannot be read now). */
int fr_folder_examine(const char *path, struct fr_report *ret);

/* Takes the claim so that no shell ever can. 0; -EEXIST if one did; another negative errno. */
int fr_folder_void(const char *path);

#endif
