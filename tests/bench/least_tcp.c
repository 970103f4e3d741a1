/* The yardstick for streams: the least epoll program that holds the greeting conversation over TCP.
 *
 * One process, one listening socket, one receive and one send a request. It has no limits, no log, no timers
 * and no config, and it drops a client that does not take its answers; whatever a server costs above this is
 * what its design adds. It must stay as cheap as it can be written and must share no code with the server.
 *
 * least_tcp chunk: a message is what one receive returned. least_tcp lines: a message is a line. */
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
    CHUNK_SIZE = 1024,
    LINES_SIZE = 65536,
    LINE_MAX_SIZE = 1024,
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
    char bytes[LINE_MAX_SIZE];
} rests[DESCRIPTORS_MAX];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int listen_anywhere(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    if (fd < 0 || bind(fd, (struct sockaddr *) &address, sizeof(address)) < 0 || listen(fd, 4096) < 0 ||
        getsockname(fd, (struct sockaddr *) &address, &length) < 0)
        die("listening socket");
    fprintf(stderr, "listener least: tcp 127.0.0.1:%d\nready: 1 workers\n", ntohs(address.sin_port));
    return fd;
}

static void watch(int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll_ctl");
}

static void greet(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    if (fd >= DESCRIPTORS_MAX || send(fd, PROMPT, PROMPT_LENGTH, MSG_NOSIGNAL) != PROMPT_LENGTH) {
        close(fd);
        return;
    }
    rests[fd].length = 0;
    watch(fd);
}

/* The name is received behind the prefix, so that the answer is sent from where it stands. */
static bool answer_chunk(int fd)
{
    static char buffer[PREFIX_LENGTH + CHUNK_SIZE + 1] = "Hello, ";
    ssize_t got = recv(fd, buffer + PREFIX_LENGTH, CHUNK_SIZE, 0);
    if (got <= 0)
        return got < 0 && errno == EAGAIN;
    buffer[PREFIX_LENGTH + got] = '!';
    return send(fd, buffer, (size_t) got + PREFIX_LENGTH + 1, MSG_NOSIGNAL) == got + PREFIX_LENGTH + 1;
}

/* Writes the answers to all whole lines of the LENGTH bytes at IN to OUT and returns their length; *USED is
 * how much of IN they were. */
static size_t answer_whole_lines(const char *in, size_t length, char *out, size_t *used)
{
    const char *line = in;
    const char *end = in + length;
    const char *newline;
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

static bool answer_lines(int fd)
{
    static char in[LINE_MAX_SIZE + LINES_SIZE];
    static char out[sizeof(in) * ANSWER_EXTRA];
    size_t have = rests[fd].length;
    if (have)
        memcpy(in, rests[fd].bytes, have);
    ssize_t got = recv(fd, in + have, LINES_SIZE, 0);
    if (got <= 0)
        return got < 0 && errno == EAGAIN;
    have += (size_t) got;
    size_t used;
    size_t length = answer_whole_lines(in, have, out, &used);
    rests[fd].length = have - used;
    if (have - used > LINE_MAX_SIZE)
        return false;
    if (have - used)
        memcpy(rests[fd].bytes, in + used, have - used);
    return length == 0 || send(fd, out, length, MSG_NOSIGNAL) == (ssize_t) length;
}

int main(int argc, char **argv)
{
    if (argc != 2 || (strcmp(argv[1], "chunk") != 0 && strcmp(argv[1], "lines") != 0)) {
        fprintf(stderr, "usage: least_tcp chunk|lines\n");
        return 64;
    }
    bool lines = !strcmp(argv[1], "lines");
    struct epoll_event events[EVENTS];
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int listener = listen_anywhere();
    watch(listener);
    for (;;) {
        int count = epoll_wait(epoll_fd, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener)
                greet(fd);
            else if (!(lines ? answer_lines(fd) : answer_chunk(fd)))
                close(fd);
        }
    }
}
