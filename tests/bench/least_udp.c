/* The yardstick for datagrams: the least epoll program that answers NAME with "Hello, NAME!" over UDP.
 *
 * One process, one socket, batches of 64 with recvmmsg and sendmmsg. It has no guard, no limits, no log and
 * no config, and does not ask which of its addresses was meant; whatever a server costs above this is what
 * its design adds.
 *
 * least_udp one: its socket is bound to one address; least_udp all: to all of the host's. */
#include "least.h"

enum {
    BATCH = 64
};

/* The name is received behind the prefix, so that the answer is sent from where it stands. */
static char buffers[BATCH][PREFIX_LENGTH + MESSAGE_MAX + 1];
static struct sockaddr_in sources[BATCH];
static struct iovec inputs[BATCH], outputs[BATCH];
static struct mmsghdr received[BATCH], answers[BATCH];

static void prepare(void)
{
    for (int i = 0; i < BATCH; i++) {
        for (int j = 0; j < PREFIX_LENGTH; j++)
            buffers[i][j] = PREFIX[j];
        inputs[i] = (struct iovec){.iov_base = buffers[i] + PREFIX_LENGTH, .iov_len = MESSAGE_MAX};
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
    struct epoll_event event;
    int fd = least_bind(SOCK_DGRAM, strcmp(argv[1], "one") == 0 ? INADDR_LOOPBACK : INADDR_ANY);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    prepare();
    least_watch(fd);
    least_ready();
    for (;;) {
        if (epoll_wait(epoll_fd, &event, 1, -1) > 0)
            answer_batch(fd);
    }
}
