// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Submits the same job again and again from some clients at once, each on its own connection:
 *
 *   submit PORT CLIENTS COUNT BODY
 *
 * Prints how many seconds it took until all were answered.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX 256

static char request[4096];
static int request_len;
static int port;
static atomic_long left;

static void fail(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static double now(void)
{
    struct timespec at;

    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

/* Reads one reply: a header block with its Content-Length, and so much more. */
static void reply_read(int fd)
{
    char text[8192];
    size_t used = 0;

    for (;;) {
        ssize_t n = recv(fd, text + used, sizeof(text) - 1 - used, 0);
        const char *body, *length;

        if (n <= 0)
            fail("recv");
        used += (size_t)n;
        text[used] = '\0';
        body = strstr(text, "\r\n\r\n");
        length = strcasestr(text, "\r\ncontent-length:");
        if (body && length &&
            used >= (size_t)(body + 4 - text) + strtoul(length + 17, NULL, 10))
            break;
    }
    if (strncmp(text, "HTTP/1.1 200", 12) != 0) {
        (void)fprintf(stderr, "submit: %.300s\n", text);
        exit(EXIT_FAILURE);
    }
}

static void *client_run(void *arg)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;

    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        fail("connect");
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    while (atomic_fetch_sub(&left, 1) > 0) {
        if (send(fd, request, (size_t)request_len, MSG_NOSIGNAL) != request_len)
            fail("send");
        reply_read(fd);
    }
    (void)close(fd);
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[CLIENTS_MAX];
    int clients = argc == 5 ? atoi(argv[2]) : 0;
    double begin = now();

    if (clients < 1 || clients > CLIENTS_MAX) {
        (void)fprintf(stderr, "usage: submit PORT CLIENTS COUNT BODY\n");
        return 2;
    }
    port = atoi(argv[1]);
    atomic_store(&left, atol(argv[3]));
    request_len = snprintf(request, sizeof(request),
                           "POST /v1/jobs/submit HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                           "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                           port, strlen(argv[4]), argv[4]);
    for (int i = 0; i < clients; i++) {
        if (pthread_create(&threads[i], NULL, client_run, NULL) != 0)
            fail("thread");
    }
    for (int i = 0; i < clients; i++)
        (void)pthread_join(threads[i], NULL);
    (void)printf("%.3f\n", now() - begin);
    return 0;
}
