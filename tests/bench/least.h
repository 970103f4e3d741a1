/* What the yardsticks share: sockets, and the greeting conversation in lines.
 *
 * All of it is inlined, so that each program is what it would be if it had been written for itself. It must
 * stay as cheap as it can be written and must share no code with the server. */
#ifndef BENCH_LEAST_H
#define BENCH_LEAST_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    EVENTS = 256,
    MESSAGE_MAX = 1024,
    RECEIVE_MAX = 65536, /* in one go, of lines */
    DESCRIPTORS_MAX = 20000,
    ANSWER_EXTRA = 9 /* "Hello, " and "!\n" less the newline that came in, and one to spare */
};

static const char PROMPT[] = "What's your name?";
static const char PREFIX[] = "Hello, ";
enum {
    PROMPT_LENGTH = sizeof(PROMPT) - 1,
    PREFIX_LENGTH = sizeof(PREFIX) - 1
};

static int epoll_fd;

/* The unfinished line of each descriptor; pages that are never used are never touched. */
static struct {
    size_t length;
    char bytes[MESSAGE_MAX];
} rests[DESCRIPTORS_MAX];

/* Ends the program, which has failed at WHAT. */
static inline void least_fail(const char *what)
{
    perror(what);
    exit(1);
}

/* A socket of TYPE at HOST (host order) and a port that is free, which is told as the server tells it. */
static inline int least_bind(int type, in_addr_t host)
{
    int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(host)};
    socklen_t length = sizeof(address);

    if (fd < 0 || bind(fd, (struct sockaddr *) &address, sizeof(address)) < 0 ||
        (type == SOCK_STREAM && listen(fd, 4096) < 0) ||
        getsockname(fd, (struct sockaddr *) &address, &length) < 0)
        least_fail("socket");
    fprintf(stderr, "listener least: %s 127.0.0.1:%d\n", type == SOCK_STREAM ? "tcp" : "udp",
            ntohs(address.sin_port));
    return fd;
}

/* Says what the server says when it serves. */
static inline void least_ready(void)
{
    fprintf(stderr, "ready: 1 workers\n");
}

static inline void least_watch(int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        least_fail("epoll_ctl");
}

/* Takes one client, if there is one, and asks who it is. */
static inline void least_greet(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0)
        return;
    if (fd >= DESCRIPTORS_MAX || send(fd, PROMPT, PROMPT_LENGTH, MSG_NOSIGNAL) != PROMPT_LENGTH) {
        close(fd);
        return;
    }
    rests[fd].length = 0;
    least_watch(fd);
}

/* Writes the answers to all whole lines of the LENGTH bytes at IN to OUT and returns their length; *USED is
 * how much of IN they were. */
static inline size_t least_write_answers(const char *in, size_t length, char *out, size_t *used)
{
    const char *line = in, *end = in + length, *newline;
    char *to = out;

    while (line < end && (newline = memchr(line, '\n', (size_t) (end - line)))) {
        size_t name = (size_t) (newline - line);
        memcpy(to, PREFIX, PREFIX_LENGTH);
        memcpy(to + PREFIX_LENGTH, line, name);
        memcpy(to + PREFIX_LENGTH + name, "!\n", 2);
        to += PREFIX_LENGTH + name + 2;
        line = newline + 1;
    }
    *used = (size_t) (line - in);
    return (size_t) (to - out);
}

/* Receives at most SIZE bytes, no more than RECEIVE_MAX, and answers the lines in them. Returns false when
 * the client has to go: it has ended, its line is too long, or it does not take its answers. */
static inline bool least_answer_lines(int fd, size_t size)
{
    static char in[MESSAGE_MAX + RECEIVE_MAX], out[sizeof(in) * ANSWER_EXTRA];
    size_t have = rests[fd].length, used;

    if (have)
        memcpy(in, rests[fd].bytes, have);
    ssize_t got = recv(fd, in + have, size, 0);
    if (got <= 0)
        return got < 0 && errno == EAGAIN;
    have += (size_t) got;
    size_t length = least_write_answers(in, have, out, &used);
    rests[fd].length = have - used;
    if (have - used > MESSAGE_MAX)
        return false;
    if (have - used)
        memcpy(rests[fd].bytes, in + used, have - used);
    return length == 0 || send(fd, out, length, MSG_NOSIGNAL) == (ssize_t) length;
}

#endif
