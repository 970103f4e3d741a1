/* What the load generators of the bench share: orders, names, sockets, waiting.
 *
 * They know the protocols from the outside only and share no code with the server. A wrong, missing or
 * surplus answer ends them with a message and a non-zero code. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum {
    EVENTS = 256,
    NAME_LENGTH = 5,
    PREFIX_LENGTH = 7,
    ANSWER_LENGTH = PREFIX_LENGTH + NAME_LENGTH + 1,
    SILENCE_MS = 5000 /* no answer for so long: the server is stuck or has lost one */
};

static const char PREFIX[] = "Hello, ";

static unsigned long answered; /* requests of this order */

/* Ends the program, which has failed at WHAT. */
static inline void load_fail(const char *what)
{
    fprintf(stderr, "load: %s (after %lu answers; errno: %s)\n", what, answered, strerror(errno));
    exit(1);
}

/* Waits for the next order: a line on standard input with a number of requests. Returns it, or 0 at end of
 * file. In the pauses between orders whoever gives them can look at the server. */
static inline unsigned long load_order(void)
{
    unsigned long count = 0;

    if (scanf("%lu", &count) != 1)
        return 0;
    answered = 0;
    return count;
}

/* Says on standard output that the order has been carried out. */
static inline void load_report(void)
{
    printf("answered %lu\n", answered);
    fflush(stdout);
}

/* Writes five letters that belong to NUMBER. */
static inline void load_write_name(char *to, unsigned number)
{
    for (int i = 0; i < NAME_LENGTH; i++) {
        to[i] = (char) ('a' + number % 26);
        number /= 26;
    }
}

/* A first number for peer INDEX and then the next ones: names differ from peer to peer and from turn to turn.
 */
static inline unsigned load_first_number(unsigned index)
{
    return index * 104729;
}

static inline unsigned load_next_number(unsigned number)
{
    return number + 7919;
}

/* 127.X.Y.1, so that each index is a network of its own. */
static inline in_addr_t load_source(unsigned index)
{
    return INADDR_LOOPBACK + ((index + 1) << 8);
}

/* Allows as many descriptors as may be. */
static inline void load_raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        load_fail("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        load_fail("setrlimit");
}

/* A socket of TYPE, connected from the loopback address SOURCE (host order, 0: any) to PORT; a blocking
 * receive on it gives up after SILENCE_MS. */
static inline int load_connect(int type, in_addr_t source, int port)
{
    struct timeval silence = {.tv_sec = SILENCE_MS / 1000};
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(source)};
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t) port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof(silence)) < 0 ||
        (source && bind(fd, (struct sockaddr *) &from, sizeof(from)) < 0) ||
        connect(fd, (struct sockaddr *) &to, sizeof(to)) < 0)
        load_fail("connect");
    return fd;
}

/* Watches FD for input under the number INDEX. */
static inline void load_watch(int epoll_fd, int fd, unsigned index)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        load_fail("epoll_ctl");
}

/* Waits for input; returns how many of EVENTS are set, at least one. */
static inline int load_wait(int epoll_fd, struct epoll_event *events)
{
    int count = epoll_wait(epoll_fd, events, EVENTS, SILENCE_MS);
    if (count <= 0)
        load_fail("no answer");
    return count;
}

#endif
