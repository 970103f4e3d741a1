/* Datagrams in batches: one recvmmsg(2), guard, pace and protocol for each, one sendmmsg(2), in which answers
 * to the same source go in one piece where they can.
 *
 * An answer goes out with the control message that the datagram came in with, so that it leaves from the
 * address that was asked (failure 43). What the kernel does not take is counted and dropped: waiting would
 * hold everybody up, and a client of a datagram service asks again. */
#include "worker/datagram.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/probes.h"
#include "worker/access.h"
#include "worker/batch.h"
#include "worker/guard.h"
#include "worker/pace.h"
#include "worker/timing.h"

enum {
    RECENT_MS = 1000,    /* for so long clients of one kind are taken into account in what the others get */
    REST_BATCHES = 1024, /* more than a queue holds: it is a bound, since the port stays open for a moment */
    SEND_FLAGS = MSG_DONTWAIT | MSG_NOSIGNAL
};

int datagram_init(struct worker *worker)
{
    if (!batch_is_needed(worker->plan))
        return 0;
    worker->batch = batch_new(worker->plan, worker->fds);
    return worker->batch != NULL ? 0 : -1;
}

void datagram_close(struct worker *worker)
{
    batch_free(worker->batch);
}

int datagram_start(struct worker *worker)
{
    for (unsigned i = 0; i < worker->plan->socket_count; i++) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE,
                                    .data.u64 = event_tag(EVENT_SOCKET, i)};
        if (!plan_is_datagram(worker->plan, i))
            continue;
        worker->batch->last = i;
        if (epoll_ctl(worker->epoll, EPOLL_CTL_ADD, worker->fds[i], &event) < 0)
            return -1;
    }
    return 0;
}

void datagram_stop(struct worker *worker)
{
    for (unsigned i = 0; i < worker->plan->socket_count; i++)
        if (plan_is_datagram(worker->plan, i))
            epoll_ctl(worker->epoll, EPOLL_CTL_DEL, worker->fds[i], NULL);
}

int datagram_wake(struct worker *worker)
{
    /* By being added again a socket tells of what was announced to somebody else. */
    datagram_stop(worker);
    return datagram_start(worker);
}

/* The header's destination, when a control message tells it and there is more to know of it than that it is
 * an address of ours. */
struct asked {
    union {
        struct sockaddr any;
        struct sockaddr_in ipv4;
        struct sockaddr_in6 ipv6;
    } address; /* if doubtful */
    bool doubtful, local;
    unsigned interface;
};

/* For the answer the interface is left open, routing decides it; the source is the local address that the
 * kernel found, which for a broadcast is one of ours. */
static void read_ipv4(unsigned char *data, struct asked *asked)
{
    struct in_pktinfo info;

    memcpy(&info, data, sizeof(info));
    asked->doubtful = false;
    /* What came in before IP_PKTINFO was set, on a socket that was passed to us, has only its destination. */
    if (info.ipi_spec_dst.s_addr == INADDR_ANY && !IN_MULTICAST(ntohl(info.ipi_addr.s_addr))) {
        asked->doubtful = true;
        asked->address.ipv4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = info.ipi_addr};
        info.ipi_spec_dst = info.ipi_addr;
    }
    asked->local = info.ipi_addr.s_addr == info.ipi_spec_dst.s_addr;
    asked->interface = (unsigned) info.ipi_ifindex;
    info.ipi_ifindex = 0;
    memcpy(data, &info, sizeof(info));
}

/* Likewise, but for addresses that mean nothing without their interface (RFC 4007, 6); and a group is no
 * source. */
static void read_ipv6(unsigned char *data, struct asked *asked)
{
    struct in6_pktinfo info;

    memcpy(&info, data, sizeof(info));
    asked->doubtful = true;
    asked->address.ipv6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = info.ipi6_addr};
    asked->interface = info.ipi6_ifindex;
    if (IN6_IS_ADDR_MULTICAST(&info.ipi6_addr))
        info.ipi6_addr = in6addr_any;
    else if (!IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
        info.ipi6_ifindex = 0;
    memcpy(data, &info, sizeof(info));
}

/* Reads where the datagram was sent to, and turns its control messages into those for the answer. IPv4 on a
 * socket for both families has two, and the IPv4 one, which comes last, says more. */
static void read_control(struct msghdr *message, struct asked *asked)
{
    asked->doubtful = false;
    asked->local = true;
    asked->interface = 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL;
         header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO)
            read_ipv4(CMSG_DATA(header), asked);
        else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO)
            read_ipv6(CMSG_DATA(header), asked);
    }
}

/* BOUND: the socket is bound to one address. */
static enum guard_rule judge(const struct guard *guard, bool bound, struct mmsghdr *in, struct span *message)
{
    struct asked asked;

    read_control(&in->msg_hdr, &asked);
    /* The kernel would look the address up that it takes by itself; but it takes the wrong one for a
     * broadcast to a socket that was bound (IP_FREEBIND) before its network was there. */
    if (bound && asked.local)
        in->msg_hdr.msg_controllen = 0;
    struct datagram datagram = {.data = in->msg_hdr.msg_iov->iov_base,
                                .length = in->msg_len,
                                .truncated = in->msg_hdr.msg_flags & MSG_TRUNC,
                                .source = in->msg_hdr.msg_name,
                                .source_length = in->msg_hdr.msg_namelen,
                                .destination = asked.doubtful ? &asked.address.any : NULL,
                                .destination_is_local = asked.local,
                                .interface = asked.interface};
    return guard_check(guard, &datagram, message);
}

/* Makes answer number OUT for datagram number IN, if it deserves one. Returns the number of answers made: 0
 * or 1. */
static unsigned answer(struct worker *worker, const struct plan_service *service, uint64_t now_ns,
                       unsigned in, unsigned out)
{
    struct batch *batch = worker->batch;
    struct mmsghdr *from = &batch->in[in], *to = &batch->out[out];
    const struct guard *guard = &batch->guards[service - worker->plan->services];
    struct span message;
    size_t written = 0;

    /* Most have no lists, and are not to pay for them. */
    if (service->access != NULL && !access_admits(worker, service, from->msg_hdr.msg_name)) {
        probe_drop(service->name, PROBE_ACCESS, 1, from->msg_hdr.msg_name);
        return 0;
    }
    enum guard_rule rule = judge(guard, batch->bound[batch->last], from, &message);
    if (rule != GUARD_PASS) {
        probe_drop(service->name, rule, 1, from->msg_hdr.msg_name);
        tally_add(tally_of(worker, service), COUNTER_drop_oversize + (enum counter) rule, 1);
        return 0;
    }
    if (!pace_admits(worker, service, from->msg_hdr.msg_name, now_ns)) {
        probe_drop(service->name, GUARD_RATE, 1, from->msg_hdr.msg_name);
        return 0;
    }
    probe_message(service->name, -1, message.data, message.length);
    service->protocol->message(&service->texts, message.data, message.length, batch->out_data[out].iov_base,
                               &written);
    probe_answer(batch->out_data[out].iov_base, written);
    batch->out_data[out].iov_len = written;
    to->msg_hdr.msg_name = from->msg_hdr.msg_name;
    to->msg_hdr.msg_namelen = from->msg_hdr.msg_namelen;
    to->msg_hdr.msg_control = from->msg_hdr.msg_control;
    to->msg_hdr.msg_controllen = from->msg_hdr.msg_controllen;
    return 1;
}

_Static_assert(COUNTER_drop_budget - COUNTER_drop_oversize == (int) GUARD_BUDGET - (int) GUARD_OVERSIZE,
               "the counters stand in the order of the rules");

static void log_answered(const struct worker *worker, unsigned socket, unsigned first, unsigned count)
{
    const struct plan_service *service = service_of(worker, socket);

    if (!worker->plan->access_log)
        return;
    for (unsigned i = first; i < first + count; i++) {
        const struct msghdr *header = &worker->batch->out[i].msg_hdr;
        const struct addr_peer peer = addr_peer(header->msg_name);
        char text[ADDR_TEXT_MAX];
        log_event(LOG_LEVEL_INFO, EVENT_NONE, &(struct fields){.listener = service->name, .peer = &peer},
                  "Datagram from %s answered.", addr_text(header->msg_name, header->msg_namelen, text));
    }
}

/* COUNT answers from number FIRST on have been sent. */
static void count_sent(const struct worker *worker, unsigned socket, unsigned first, unsigned count)
{
    uint64_t bytes = 0;

    for (unsigned i = first; i < first + count; i++)
        bytes += worker->batch->out_data[i].iov_len;
    tally_add(tally_of(worker, service_of(worker, socket)), COUNTER_sent, bytes);
    log_answered(worker, socket, first, count);
}

/* Sends COUNT answers from number FIRST on, each by itself. Returns how many were sent. */
static unsigned send_singly(struct worker *worker, unsigned socket, unsigned first, unsigned count)
{
    unsigned sent = 0, lost = 0;

    while (sent + lost < count) {
        unsigned next = first + sent + lost;
        int taken = sendmmsg(worker->fds[socket], &worker->batch->out[next], count - sent - lost, SEND_FLAGS);
        if (taken > 0) {
            count_sent(worker, socket, next, (unsigned) taken);
            sent += (unsigned) taken;
        } else if (errno != EINTR) {
            lost++; /* the error is the first one's alone: its peer cannot be reached, or its queue is full */
        }
    }
    return sent;
}

static unsigned answers_in(const struct mmsghdr *parcels, unsigned count)
{
    unsigned answers = 0;

    for (unsigned i = 0; i < count; i++)
        answers += (unsigned) parcels[i].msg_hdr.msg_iovlen;
    return answers;
}

/* Sends the first COUNT answers in parcels. Returns how many were sent. What cannot be sent together may
 * still go one by one: a path can be too narrow to be cut for, or lack what cutting takes, and the kernel has
 * several names for that. */
static unsigned send_parcels(struct worker *worker, unsigned socket, unsigned count)
{
    struct batch *batch = worker->batch;
    unsigned parcels = parcel_pack(batch->out, count, batch->parcels), next = 0, done = 0, sent = 0;

    while (next < parcels) {
        int taken = sendmmsg(worker->fds[socket], &batch->parcels[next], parcels - next, SEND_FLAGS);
        if (taken < 0 && errno == EINTR)
            continue;
        unsigned passed = taken > 0 ? (unsigned) taken : 1,
                 answers = answers_in(&batch->parcels[next], passed);
        if (taken > 0) {
            count_sent(worker, socket, done, answers);
            sent += answers;
        } else if (answers > 1) {
            sent += send_singly(worker, socket, done, answers);
        }
        next += passed;
        done += answers;
    }
    return sent;
}

/* Sends the first COUNT answers. */
static void send_answers(struct worker *worker, unsigned socket, struct tally *tally, unsigned count)
{
    unsigned sent = worker->batch->packs[socket] ? send_parcels(worker, socket, count)
                                                 : send_singly(worker, socket, 0, count);

    tally_add(tally, COUNTER_datagram_answers, sent);
    if (sent > 0)
        timing_take(worker, tally, HISTOGRAM_answer_time, sent);
    if (sent < count)
        tally_add(tally, COUNTER_datagram_unsent, count - sent);
}

/* The bytes of the COUNT messages at MESSAGES. */
static uint64_t bytes_of(const struct mmsghdr *messages, unsigned count)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < count; i++)
        bytes += messages[i].msg_len;
    return bytes;
}

static bool is_recent(const struct worker *worker, uint64_t when_ms)
{
    return worker->now_ms - when_ms < RECENT_MS;
}

unsigned datagram_event(struct worker *worker, unsigned socket)
{
    struct batch *batch = worker->batch;
    const struct plan_service *service = service_of(worker, socket);
    struct tally *tally = tally_of(worker, service);
    unsigned answers = 0, most = is_recent(worker, worker->streams_ms) ? BATCH_BESIDE_STREAMS : BATCH_MAX;

    batch_set_family(batch, worker->plan->sockets[socket].family);
    int received = recvmmsg(worker->fds[socket], batch->in, most, MSG_DONTWAIT, NULL);
    if (received <= 0)
        return 0; /* a sibling was faster, or the error of an earlier answer: read, it is gone */
    tally_add(tally, COUNTER_datagrams, (uint64_t) received);
    tally_add(tally, COUNTER_received, bytes_of(batch->in, (unsigned) received));
    batch->last = socket;
    worker->datagrams_ms = worker->now_ms;
    uint64_t now_ns = clock_ns();
    for (unsigned i = 0; i < (unsigned) received; i++)
        answers += answer(worker, service, now_ns, i, answers);
    send_answers(worker, socket, tally, pace_budget(worker, service, answers, now_ns));
    for (unsigned i = 0; i < (unsigned) received; i++)
        batch_renew(batch, i);
    return (unsigned) received;
}

void datagram_look(struct worker *worker)
{
    if (worker->batch != NULL && is_recent(worker, worker->datagrams_ms))
        datagram_event(worker, worker->batch->last);
}

void datagram_rest(struct worker *worker, unsigned socket)
{
    for (unsigned left = REST_BATCHES; left > 0 && datagram_event(worker, socket) > 0; left--)
        ;
}
