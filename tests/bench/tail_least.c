/* The yardstick of the tail: the least epoll program that serves lines over TCP and datagrams over UDP at
 * once.
 *
 * What least_tcp and least_udp are for the cost of a request, in one process, so that streams and datagrams
 * get into each other's way as they do in a server that has both. No limits, no log, no timers and no config;
 * it drops a client that does not take its answers, or whose line is too long. It must share no code with the
 * server. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    EVENTS = 256,
    LINE_MAX_SIZE = 1024,
    RECEIVE_SIZE = 4096,
    DESCRIPTORS_MAX = 20000,
    PREFIX_LENGTH = 7,
    ANSWER_EXTRA = 9 /* "Hello, " and "!\n" less the newline that came in, and one to spare */
};

static const char PROMPT[] = "What's your name?", PREFIX[] = "Hello, ";
static int epoll_fd;

/* The unfinished line of each descriptor. */
static struct {
    size_t length;
    char bytes[LINE_MAX_SIZE];
} rests[DESCRIPTORS_MAX];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void watch(int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll_ctl");
}

/* A socket on a loopback port, watched; says which. */
static int bind_anywhere(int type, const char *name)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *) &address, sizeof(address)) < 0 ||
        (type == SOCK_STREAM && listen(fd, 4096) < 0) ||
        getsockname(fd, (struct sockaddr *) &address, &length) < 0)
        die(name);
    fprintf(stderr, "listener least: %s 127.0.0.1:%d\n", name, ntohs(address.sin_port));
    watch(fd);
    return fd;
}

static void greet(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0)
        return;
    if (fd >= DESCRIPTORS_MAX ||
        send(fd, PROMPT, sizeof(PROMPT) - 1, MSG_NOSIGNAL) != (ssize_t) sizeof(PROMPT) - 1) {
        close(fd);
        return;
    }
    rests[fd].length = 0;
    watch(fd);
}

/* Writes the answers to all whole lines of the LENGTH bytes at IN to OUT and returns their length; *USED is
 * how much of IN they were. */
static size_t answer_whole_lines(const char *in, size_t length, char *out, size_t *used)
{
    const char *line = in, *newline;
    char *to = out;

    while ((newline = memchr(line, '\n', length - (size_t) (line - in))) != NULL) {
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

/* Returns false when the client has to go. */
static bool answer_lines(int fd)
{
    static char in[LINE_MAX_SIZE + RECEIVE_SIZE], out[sizeof(in) * ANSWER_EXTRA];
    size_t have = rests[fd].length, used;

    memcpy(in, rests[fd].bytes, have);
    ssize_t got = recv(fd, in + have, RECEIVE_SIZE, 0);
    if (got <= 0)
        return got < 0 && errno == EAGAIN;
    have += (size_t) got;
    size_t length = answer_whole_lines(in, have, out, &used);
    rests[fd].length = have - used;
    if (have - used > LINE_MAX_SIZE)
        return false;
    memcpy(rests[fd].bytes, in + used, have - used);
    return length == 0 || send(fd, out, length, MSG_NOSIGNAL) == (ssize_t) length;
}

/* The name is received behind the prefix, so that the answer is sent from where it stands. */
static void answer_datagram(int fd)
{
    static char buffer[PREFIX_LENGTH + LINE_MAX_SIZE + 1] = "Hello, ";
    struct sockaddr_in source;
    socklen_t length = sizeof(source);
    ssize_t got =
        recvfrom(fd, buffer + PREFIX_LENGTH, LINE_MAX_SIZE, 0, (struct sockaddr *) &source, &length);

    if (got < 0)
        return;
    buffer[PREFIX_LENGTH + got] = '!';
    sendto(fd, buffer, (size_t) got + PREFIX_LENGTH + 1, 0, (struct sockaddr *) &source, length);
}

int main(void)
{
    struct rlimit limit = {.rlim_cur = DESCRIPTORS_MAX, .rlim_max = DESCRIPTORS_MAX};
    struct epoll_event events[EVENTS];

    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        die("setrlimit");
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int stream = bind_anywhere(SOCK_STREAM, "tcp"), datagram = bind_anywhere(SOCK_DGRAM, "udp");
    fprintf(stderr, "ready: 1 workers\n");
    for (;;) {
        int count = epoll_wait(epoll_fd, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == stream)
                greet(fd);
            else if (fd == datagram)
                answer_datagram(fd);
            else if (!answer_lines(fd))
                close(fd);
        }
    }
}
