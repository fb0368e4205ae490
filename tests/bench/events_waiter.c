// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Many requests that wait for a job, in one thread: for tests/bench/events.py.
 *
 *   events_waiter PORT WAITERS PATH
 *
 * Asks for PATH on WAITERS connections, prints "ready" when all were sent and the server has
 * had time to read them, and when each has its reply the time of the last one's arrival, in
 * seconds since the epoch.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int open_one(int port, const char *path)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char text[4096];
    int len = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);

    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        write(fd, text, (size_t)len) != len) {
        perror("connect");
        exit(2);
    }
    return fd;
}

/* The first bytes of a reply: the server writes each at once. */
static void take(int fd)
{
    static char data[65536];
    ssize_t n = read(fd, data, sizeof data - 1);

    data[n > 0 ? n : 0] = '\0';
    if (strncmp(data, "HTTP/1.1 200 ", 13) != 0) {
        fprintf(stderr, "not woken but answered: %.200s\n", data);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    int port = atoi(argv[1]), count = atoi(argv[2]), ep = epoll_create1(0);
    struct rlimit limit = {(rlim_t)count + 64, (rlim_t)count + 64};
    struct epoll_event ready[256];
    struct timeval tv;

    (void)setrlimit(RLIMIT_NOFILE, &limit);
    for (int i = 0; i < count; i++) {
        int fd = open_one(port, argv[3]);
        struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.fd = fd};
        (void)epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event);
    }
    time_t end = time(NULL) + 60;
    printf("ready\n");
    fflush(stdout);
    for (int left = count; left > 0;) {
        /* Sleeps before the first alone: to wake this process for each would cost the server.
         */
        int n = epoll_wait(ep, ready, 256, left == count ? 30000 : 0);
        if (n < 0 || (n == 0 && left == count) || time(NULL) > end) {
            fprintf(stderr, "%d were not woken for half a minute\n", left);
            return 1;
        }
        for (int i = 0; i < n; i++, left--)
            take(ready[i].data.fd);
    }
    gettimeofday(&tv, NULL);
    printf("%ld.%06ld\n", (long)tv.tv_sec, (long)tv.tv_usec);
    return 0;
}
