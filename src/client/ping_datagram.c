/* Probes as datagrams. Must not know when they are sent, or how long one waits for them. */
#include "client/ping_datagram.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/dial.h"

enum {
    BATCH = 64,        /* datagrams that are taken before others have their turn */
    ROOM = 4096,       /* what is longer is none of ours, and cut */
    CONTROL_ROOM = 512 /* for what recvmsg(2) says beside an error */
};

/* So that errors come back with the datagram that they are about: ip(7), ipv6(7). */
static int ask_for_errors(int fd, int family)
{
    int on = 1;

    if (family == AF_INET)
        return setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
    if (family == AF_INET6)
        return setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
    return 0;
}

int ping_datagram_open(struct ping_datagram *datagram, struct ping_side *side, const struct target *target,
                       unsigned index)
{
    int family = target->addresses[index].any.sa_family;

    *datagram = (struct ping_datagram){
        .side = side, .fd = dial_start(target, index, SOCK_DGRAM), .tells_later = family != AF_UNIX};
    return datagram->fd < 0 ? -1 : ask_for_errors(datagram->fd, family);
}

void ping_datagram_close(struct ping_datagram *datagram)
{
    if (datagram->fd >= 0)
        close(datagram->fd);
    datagram->fd = -1;
}

static void lose(struct ping_datagram *datagram, uint32_t seq, int error)
{
    if (probes_fail(&datagram->side->probes, seq))
        ping_side_lose(datagram->side, seq, strerror(error), (struct ping_said){NULL, 0});
}

/* Takes the oldest error that came back. Returns false when there is none. */
static bool take_error(struct ping_datagram *datagram)
{
    char sent[ANSWER_NAME_MAX];
    _Alignas(struct cmsghdr) char control[CONTROL_ROOM];
    struct iovec part = {sent, sizeof(sent)};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    ssize_t length = recvmsg(datagram->fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT);
    struct sock_extended_err error = {0};
    uint32_t seq;

    if (length < 0)
        return false;
    for (struct cmsghdr *at = CMSG_FIRSTHDR(&message); at != NULL; at = CMSG_NXTHDR(&message, at))
        if ((at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_RECVERR) ||
            (at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_RECVERR))
            memcpy(&error, CMSG_DATA(at), sizeof(error));
    /* What came back is our name, as far as the network kept it. */
    answer_read(datagram->side->run, sent, (size_t) length, &seq);
    lose(datagram, seq, (int) error.ee_errno);
    return true;
}

static void take_errors(struct ping_datagram *datagram)
{
    for (int i = 0; i < BATCH && datagram->tells_later && take_error(datagram); i++)
        ;
}

void ping_datagram_send(struct ping_datagram *datagram)
{
    struct ping_side *side = datagram->side;
    char name[ANSWER_NAME_MAX];

    /* What earlier probes came to would otherwise be the error of this send. */
    take_errors(datagram);
    uint32_t seq = ping_side_send(side, clock_ns());
    size_t length = answer_name(side->run, seq, name);
    ssize_t sent = send(datagram->fd, name, length, MSG_DONTWAIT);
    if (sent < 0) { /* perhaps an earlier probe's error, which has come just now */
        take_errors(datagram);
        sent = send(datagram->fd, name, length, MSG_DONTWAIT);
    }
    if (sent < 0) {
        side->hindered = side->hindered || dial_error_is_ours(errno);
        lose(datagram, seq, errno);
    }
}

static void take(struct ping_datagram *datagram, const char *data, size_t length)
{
    uint32_t seq;
    uint64_t now_ns = clock_ns();
    enum answer_kind kind = answer_read(datagram->side->run, data, length, &seq);

    if (kind == ANSWER_RIGHT)
        ping_side_answer(datagram->side, seq, now_ns, (struct ping_times){0});
    else
        ping_side_odd(datagram->side, kind, seq, (struct ping_said){data, length});
}

void ping_datagram_receive(struct ping_datagram *datagram)
{
    char data[ROOM + 1];

    take_errors(datagram);
    for (int i = 0; i < BATCH; i++) {
        ssize_t length = recv(datagram->fd, data, ROOM, MSG_DONTWAIT);
        if (length < 0)
            return;
        data[length] = '\0';
        take(datagram, data, (size_t) length);
    }
}
