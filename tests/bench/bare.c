// SPDX-License-Identifier: LGPL-3.0-only
/*
 * What the local engine is compared with: the least that its work needs.
 *
 *   bare spawn SECONDS        two processes for each job, started and waited for in turn
 *   bare sync SECONDS FILE    one write and one sync for each submit
 *
 * Prints how many a second.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static double now(void)
{
    struct timespec at;

    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static bool run_true(void)
{
    char *argv[] = {(char *)"true", NULL};
    int status;
    pid_t pid;

    return posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ) == 0 &&
           waitpid(pid, &status, 0) == pid && status == 0;
}

static bool sync_one(int fd)
{
    char record[1024];

    memset(record, 'x', sizeof(record));
    return write(fd, record, sizeof(record)) == (ssize_t)sizeof(record) && fdatasync(fd) == 0;
}

int main(int argc, char **argv)
{
    bool spawn = argc == 3 && strcmp(argv[1], "spawn") == 0;
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 0;
    double begin = now();
    long count = 0;
    int fd = -1;

    if (!spawn && (argc != 4 || strcmp(argv[1], "sync") != 0)) {
        (void)fprintf(stderr, "usage: bare spawn SECONDS | bare sync SECONDS FILE\n");
        return 2;
    }
    if (!spawn)
        fd = open(argv[3], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    for (; now() - begin < seconds; count++) {
        if (spawn ? !run_true() || !run_true() : !sync_one(fd)) {
            perror("bare");
            return 1;
        }
    }
    (void)printf("%.1f\n", (double)count / (now() - begin));
    return 0;
}
