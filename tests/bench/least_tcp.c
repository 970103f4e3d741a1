/* The yardstick for streams: the least epoll program that holds the greeting conversation over TCP.
 *
 * One process, one listening socket, one receive and one send a request. It has no limits, no log, no timers
 * and no config, and it drops a client that does not take its answers; whatever a server costs above this is
 * what its design adds.
 *
 * least_tcp chunk: a message is what one receive returned. least_tcp lines: a message is a line. */
#include "least.h"

/* The name is received behind the prefix, so that the answer is sent from where it stands. */
static bool answer_chunk(int fd)
{
    static char buffer[PREFIX_LENGTH + MESSAGE_MAX + 1] = "Hello, ";
    ssize_t got = recv(fd, buffer + PREFIX_LENGTH, MESSAGE_MAX, 0);

    if (got <= 0)
        return got < 0 && errno == EAGAIN;
    buffer[PREFIX_LENGTH + got] = '!';
    return send(fd, buffer, (size_t) got + PREFIX_LENGTH + 1, MSG_NOSIGNAL) == got + PREFIX_LENGTH + 1;
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
    int listener = least_bind(SOCK_STREAM, INADDR_LOOPBACK);
    least_watch(listener);
    least_ready();
    for (;;) {
        int count = epoll_wait(epoll_fd, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener)
                least_greet(fd);
            else if (!(lines ? least_answer_lines(fd, RECEIVE_MAX) : answer_chunk(fd)))
                close(fd);
        }
    }
}
