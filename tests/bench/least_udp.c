/* The yardstick for datagrams: the least epoll program that answers NAME with "Hello, NAME!" over UDP.
 *
 * One process, one socket, batches of 64 with recvmmsg and sendmmsg. It has no guard, no limits, no log and
 * no config, and does not ask which of its addresses was meant; whatever a server costs above this is what
 * its design adds. It must stay as cheap as it can be written and must share no code with the server.
 *
 * least_udp one: its socket is bound to one address; least_udp all: to all of the host's. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum {
    BATCH = 64,
    MESSAGE_SIZE = 1024,
    PREFIX_LENGTH = 7
};

/* The name is received behind the prefix, so that the answer is sent from where it stands. */
static char buffers[BATCH][PREFIX_LENGTH + MESSAGE_SIZE + 1];
static struct sockaddr_in sources[BATCH];
static struct iovec inputs[BATCH], outputs[BATCH];
static struct mmsghdr received[BATCH], answers[BATCH];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int bind_anywhere(in_addr_t host)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(host)};
    socklen_t length = sizeof(address);
    if (fd < 0 || bind(fd, (struct sockaddr *) &address, sizeof(address)) < 0 ||
        getsockname(fd, (struct sockaddr *) &address, &length) < 0)
        die("datagram socket");
    fprintf(stderr, "listener least: udp 127.0.0.1:%d\nready: 1 workers\n", ntohs(address.sin_port));
    return fd;
}

static void prepare(void)
{
    for (int i = 0; i < BATCH; i++) {
        for (int j = 0; j < PREFIX_LENGTH; j++)
            buffers[i][j] = "Hello, "[j];
        inputs[i] = (struct iovec){.iov_base = buffers[i] + PREFIX_LENGTH, .iov_len = MESSAGE_SIZE};
        outputs[i].iov_base = buffers[i];
        received[i].msg_hdr = (struct msghdr){.msg_name = &sources[i],
                                              .msg_namelen = sizeof(sources[i]),
                                              .msg_iov = &inputs[i],
                                              .msg_iovlen = 1};
        answers[i].msg_hdr = (struct msghdr){.msg_name = &sources[i],
                                             .msg_namelen = sizeof(sources[i]),
                                             .msg_iov = &outputs[i],
                                             .msg_iovlen = 1};
    }
}

static void answer_batch(int fd)
{
    int count = recvmmsg(fd, received, BATCH, 0, NULL);
    for (int i = 0; i < count; i++) {
        size_t length = received[i].msg_len;
        buffers[i][PREFIX_LENGTH + length] = '!';
        outputs[i].iov_len = PREFIX_LENGTH + length + 1;
    }
    if (count > 0)
        sendmmsg(fd, answers, (unsigned) count, 0);
}

int main(int argc, char **argv)
{
    if (argc != 2 || (strcmp(argv[1], "one") != 0 && strcmp(argv[1], "all") != 0)) {
        fprintf(stderr, "usage: least_udp one|all\n");
        return 64;
    }
    struct epoll_event event = {.events = EPOLLIN};
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int fd = bind_anywhere(strcmp(argv[1], "one") == 0 ? INADDR_LOOPBACK : INADDR_ANY);
    prepare();
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll_ctl");
    for (;;) {
        if (epoll_wait(epoll_fd, &event, 1, -1) > 0)
            answer_batch(fd);
    }
}
