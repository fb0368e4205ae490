// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Many readers of an event stream in one thread: for tests/bench/events.py.
 *
 *   events_reader PORT READERS COUNT
 *
 * Opens READERS streams, prints "ready" when each was told that it is caught up, and when each
 * has read COUNT events prints the least and most of them and the 50th, 99th and 100th
 * percentile of the milliseconds from an event's timestamp to its arrival.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define MARK "\"timestamp\":"
#define TENTHS 100000 /* of a millisecond: slots of the histogram */

struct reader {
    int fd;
    unsigned long events;
    int caught_up;
    char kept[64]; /* the end of the last read, for what is cut in two */
    size_t nkept;
};

static unsigned long histogram[TENTHS + 1], total;

static double now(void)
{
    struct timeval tv;

    gettimeofday(&tv, NULL);
    return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

static void note(double seconds)
{
    double tenths = seconds * 1e4;

    histogram[tenths < 0 ? 0 : tenths > TENTHS ? TENTHS : (size_t)tenths]++;
    total++;
}

static double percentile(double share)
{
    unsigned long seen = 0;

    for (size_t i = 0; i <= TENTHS; i++)
        if ((seen += histogram[i]) >= (unsigned long)(share * (double)total))
            return (double)i / 10;
    return 0;
}

static int open_one(int port)
{
    static const char ask[] =
        "GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        write(fd, ask, sizeof ask - 1) != (ssize_t)sizeof ask - 1) {
        perror("connect");
        exit(2);
    }
    return fd;
}

/* Takes what came; a timestamp that may be cut short waits for more. */
static void take(struct reader *reader)
{
    static char data[262144];
    double when = now();

    memcpy(data, reader->kept, reader->nkept);
    ssize_t n = read(reader->fd, data + reader->nkept, sizeof data - reader->nkept - 1);
    if (n <= 0) {
        fprintf(stderr, "a stream ended after %lu events\n", reader->events);
        exit(1);
    }
    size_t len = reader->nkept + (size_t)n;
    data[len] = '\0';
    const char *at = data, *found;
    while ((found = strstr(at, MARK)) && found + sizeof reader->kept / 2 < data + len) {
        note(when - strtod(found + strlen(MARK), NULL));
        reader->events++;
        at = found + strlen(MARK);
    }
    if (strstr(data, "caught-up"))
        reader->caught_up = 1;
    size_t rest = found ? (size_t)(data + len - found) : strlen(MARK) - 1;
    if (rest > len)
        rest = len;
    if (!found && at + rest > data + len)
        rest = (size_t)(data + len - at);
    memcpy(reader->kept, data + len - rest, rest);
    reader->nkept = rest;
}

static int all(const struct reader *readers, int count, unsigned long events)
{
    for (int i = 0; i < count; i++)
        if (events ? readers[i].events < events : !readers[i].caught_up)
            return 0;
    return 1;
}

static void wait_for(int ep, const struct reader *readers, int count, unsigned long events)
{
    struct epoll_event ready[256];

    while (!all(readers, count, events)) {
        int n = epoll_wait(ep, ready, 256, 30000);
        if (n <= 0) {
            fprintf(stderr, "nothing came for half a minute\n");
            exit(1);
        }
        for (int i = 0; i < n; i++)
            take(ready[i].data.ptr);
    }
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    int port = atoi(argv[1]), count = atoi(argv[2]), ep = epoll_create1(0);
    unsigned long events = strtoul(argv[3], NULL, 10), least = ~0UL, most = 0;
    struct reader *readers = calloc((size_t)count, sizeof *readers);
    struct rlimit limit = {(rlim_t)count + 64, (rlim_t)count + 64};

    if (!readers || ep < 0)
        return 2;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    for (int i = 0; i < count; i++) {
        readers[i].fd = open_one(port);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &readers[i]};
        (void)epoll_ctl(ep, EPOLL_CTL_ADD, readers[i].fd, &event);
    }
    wait_for(ep, readers, count, 0);
    printf("ready\n");
    fflush(stdout);
    wait_for(ep, readers, count, events);
    for (int i = 0; i < count; i++) {
        least = readers[i].events < least ? readers[i].events : least;
        most = readers[i].events > most ? readers[i].events : most;
    }
    printf("%lu %lu %.1f %.1f %.1f\n", least, most, percentile(0.5), percentile(0.99),
           percentile(1));
    return 0;
}
