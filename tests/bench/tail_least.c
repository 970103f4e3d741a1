/* The yardstick of the tail: the least epoll program that serves lines over TCP and datagrams over UDP at
 * once.
 *
 * What least_tcp and least_udp are for the cost of a request, in one process, so that streams and datagrams
 * get into each other's way as they do in a server that has both. No limits, no log, no timers and no config;
 * it drops a client that does not take its answers, or whose line is too long. */
#include <sys/resource.h>

#include "least.h"

enum {
    RECEIVE_SIZE = 4096
};

/* The name is received behind the prefix, so that the answer is sent from where it stands. */
static void answer_datagram(int fd)
{
    static char buffer[PREFIX_LENGTH + MESSAGE_MAX + 1] = "Hello, ";
    struct sockaddr_in source;
    socklen_t length = sizeof(source);
    ssize_t got = recvfrom(fd, buffer + PREFIX_LENGTH, MESSAGE_MAX, 0, (struct sockaddr *) &source, &length);

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
        least_fail("setrlimit");
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int stream = least_bind(SOCK_STREAM, INADDR_LOOPBACK), datagram = least_bind(SOCK_DGRAM, INADDR_LOOPBACK);
    least_watch(stream);
    least_watch(datagram);
    least_ready();
    for (;;) {
        int count = epoll_wait(epoll_fd, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == stream)
                least_greet(fd);
            else if (fd == datagram)
                answer_datagram(fd);
            else if (!least_answer_lines(fd, RECEIVE_SIZE))
                close(fd);
        }
    }
}
