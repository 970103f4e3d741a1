/* Connects, as many as it can, and resets each connection as soon as it stands.
 *
 * flood_tcp PORT SECONDS: to the loopback address and PORT, from as many addresses as it has connections on
 * their way, for at most so many SECONDS. */
#include <time.h>
#include <unistd.h>

#include "load.h"

enum {
    ON_THEIR_WAY = 128,
    FIRST_SOURCE = 0x7F020001
};

static time_t now_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return now.tv_sec;
}

/* A connection to PORT from source number INDEX that is on its way; it will end by a reset, which leaves no
 * port behind that has to rest. */
static int begin(unsigned index, int port)
{
    struct linger reset = {.l_onoff = 1};
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(FIRST_SOURCE + index)};
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t) port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) < 0 ||
        bind(fd, (struct sockaddr *) &from, sizeof(from)) < 0 ||
        (connect(fd, (struct sockaddr *) &to, sizeof(to)) < 0 && errno != EINPROGRESS))
        load_fail("connect");
    return fd;
}

int main(int argc, char **argv)
{
    int fds[ON_THEIR_WAY];

    if (argc != 3) {
        fprintf(stderr, "usage: flood_tcp PORT SECONDS\n");
        return 64;
    }
    int port = atoi(argv[1]), epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    time_t end = now_seconds() + atoi(argv[2]);
    for (unsigned i = 0; i < ON_THEIR_WAY; i++)
        fds[i] = -1;
    while (now_seconds() < end) {
        struct epoll_event events[EVENTS];
        for (unsigned i = 0; i < ON_THEIR_WAY; i++) {
            if (fds[i] >= 0)
                continue;
            struct epoll_event event = {.events = EPOLLOUT, .data.u32 = i};
            fds[i] = begin(i, port);
            if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fds[i], &event) < 0)
                load_fail("epoll_ctl");
        }
        int ready = epoll_wait(epoll_fd, events, EVENTS, SILENCE_MS);
        for (int i = 0; i < ready; i++) {
            close(fds[events[i].data.u32]);
            fds[events[i].data.u32] = -1;
        }
    }
    return 0;
}
