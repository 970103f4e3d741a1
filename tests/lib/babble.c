/* A crowd of clients whose every step is chance, for the fuzzing of a whole server:
 *
 *     babble SEED FIRST COUNT AT_ONCE calm|rough DOOR...
 *
 * Holds conversations number FIRST to FIRST + COUNT - 1 of SEED, AT_ONCE at a time. A door is
 * READING,SIZE,KIND,HOST,PORT or READING,SIZE,KIND,PATH: how the server takes what is said there (lines,
 * packets, upper, datagrams, pieces), its message_size, and tcp, udp, stream, seqpacket or datagram. What
 * each client does is worked out from the seed and its number alone. While it is calm, who is heard out must
 * have been told all; while it is rough (workers are killed), nothing but what could have come. Half of the
 * clients on IPv4 come from a few addresses in 127.128.0.0/9, and may be refused. Prints what was counted;
 * the exit status is 1 when a server has said what it must not or has not ended a conversation in time, or
 * when nobody could be reached. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "babble_judge.h"

enum {
    AT_ONCE_MAX = 512,
    STRANGERS = 16,
    WRONG_MAX = 10,      /* then it is clear that something is */
    PATIENCE_MS = 30000, /* times HELLOD_SLOW; longer than the server's own timeouts */
    LISTEN_MS = 3,       /* how long an answer to a datagram is waited for */
    SILENT_MS = 20       /* how long most of the deaf and the silent stay */
};

static struct doors doors;
static uint64_t patience_ms;

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

static bool is_datagram(const struct talk *talk)
{
    return talk->door->type == SOCK_DGRAM;
}

/* An address in 127.0.0.0/8, so that ports never run out. */
static void take_address(struct talk *talk)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    int on = 1;

    if (talk->door->address.ss_family == AF_UNIX && is_datagram(talk) && seed_below(&talk->chance, 4) > 0)
        (void) !bind(talk->fd, (const struct sockaddr *) &any, sizeof(sa_family_t)); /* any name will do */
    if (talk->door->address.ss_family != AF_INET)
        return;
    /* Half of them are few, and so come again and again. */
    talk->may_fail = seed_below(&talk->chance, 2) == 0;
    uint32_t host = talk->may_fail ? 0x800000 | (1 + seed_next(&talk->chance) % STRANGERS)
                                   : 1 + seed_next(&talk->chance) % 0x7FFFFD;
    any.sin_addr.s_addr = htonl(0x7F000000 | host);
    setsockopt(talk->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    (void) !bind(talk->fd, (const struct sockaddr *) &any, sizeof(any));
}

/* Starts conversation NUMBER. Returns false when it cannot begin now. */
static bool begin(struct talk *talk, uint64_t number)
{
    static const enum manner manners[16] = {[6] = LEAVES, LEAVES, LEAVES, LEAVES,  BREAKS,
                                            BREAKS,       BREAKS, BREAKS, IS_DEAF, IS_SILENT};
    int small = 2048;

    talk->number = number;
    talk->chance.state = (uint64_t) seed << 40 ^ number;
    talk->door = &doors.list[seed_below(&talk->chance, doors.count)];
    talk->manner =
        seed_below(&talk->chance, 16384) == 0 ? IS_PATIENT : manners[seed_below(&talk->chance, 16)];
    talk->odd = talk->may_fail = false;
    talk->end = ENDS_NOT;
    talk->piece = talk->answers = 0;
    talk->answered = 0;
    talk->said = talk->heard = talk->tail_length = 0;
    talk->began_ms = now_ms();
    talk->pause_ms = 0;
    talk->fd = socket(talk->door->address.ss_family, talk->door->type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (talk->fd < 0)
        return false;
    if (seed_below(&talk->chance, 8) == 0)
        setsockopt(talk->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    take_address(talk);
    if (connect(talk->fd, (const struct sockaddr *) &talk->door->address, talk->door->length) < 0 &&
        errno != EINPROGRESS) {
        close(talk->fd);
        talk->fd = -1;
        return false;
    }
    plan_make(&talk->plan, &talk->chance, talk->door->reading, talk->door->message_size);
    return true;
}

static void leave(struct talk *talk, bool resets)
{
    const struct linger linger = {.l_onoff = 1};

    if (!is_datagram(talk))
        judge(talk);
    if (resets)
        setsockopt(talk->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(talk->fd);
    talk->fd = -1;
    plan_free(&talk->plan);
    counted.talks++;
}

/* Urgent data: of what is sent, one byte is not where it should be. */
static bool is_urgent(struct talk *talk)
{
    return talk->door->type == SOCK_STREAM && seed_below(&talk->chance, 200) == 0;
}

/* Sends the rest of the piece, as a whole or a part of it. */
static void say(struct talk *talk)
{
    size_t end = talk->plan.ends[talk->piece], length = end - talk->said;
    bool urgent = is_urgent(talk);

    if (talk->door->type == SOCK_STREAM && seed_below(&talk->chance, 4) == 0)
        length = 1 + seed_below(&talk->chance, length);
    talk->odd = talk->odd || urgent;
    ssize_t sent = send(talk->fd, talk->plan.said + talk->said, length,
                        MSG_NOSIGNAL | MSG_DONTWAIT | (urgent ? MSG_OOB : 0));
    if (sent < 0 && errno != EAGAIN && errno != ENOTCONN) {
        /* Too long for its kind, an earlier datagram's error, or the server is gone: nothing is owed for it.
         */
        talk->odd = talk->odd || !is_datagram(talk);
        sent = (ssize_t) length;
    }
    if (sent < 0)
        return;
    counted.datagrams += is_datagram(talk);
    talk->said += (size_t) sent;
    if (talk->said == end)
        talk->piece++;
}

/* Sends a piece along with descriptors, which the server must not keep. */
static void say_with_descriptors(struct talk *talk)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(3 * sizeof(int))];
    } control = {.header = {CMSG_LEN(3 * sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    const int fds[] = {STDERR_FILENO, STDERR_FILENO, STDERR_FILENO};
    struct iovec part = {talk->plan.said + talk->said, talk->plan.ends[talk->piece] - talk->said};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};

    memcpy(CMSG_DATA(&control.header), fds, sizeof(fds));
    if (sendmsg(talk->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t) part.iov_len)
        talk->said = talk->plan.ends[talk->piece++];
}

/* Reads what is there. Returns false at the end of the conversation. */
static bool listen_to(struct talk *talk)
{
    static char data[65536];
    size_t room = seed_below(&talk->chance, 4) == 0 && !is_datagram(talk) && talk->door->type == SOCK_STREAM
                      ? 1 + seed_below(&talk->chance, 30)
                      : sizeof(data);
    ssize_t got = recv(talk->fd, data, room, MSG_DONTWAIT);

    if (is_datagram(talk)) {
        if (got >= 0)
            hear_datagram(talk, data, (size_t) got);
        return true;
    }
    if (got < 0 && (errno == EAGAIN || errno == ENOTCONN))
        return true;
    if (got > 0) {
        hear(talk, data, (size_t) got);
        return true;
    }
    talk->end = got == 0 ? ENDS_WELL : ENDS_BROKEN;
    return false;
}

/* What follows when all is said. Returns false when the conversation is over. */
static bool finish(struct talk *talk)
{
    uint64_t past_ms = now_ms() - talk->began_ms;

    if (is_datagram(talk)) {
        bool patient = talk->manner == HEARS_OUT || talk->manner == LEAVES;
        return patient && talk->answers < talk->plan.pieces && past_ms < LISTEN_MS;
    }
    if (talk->manner == HEARS_OUT && talk->piece == talk->plan.pieces) {
        shutdown(talk->fd, SHUT_WR);
        talk->piece++;
    }
    return talk->manner == HEARS_OUT || talk->manner == IS_PATIENT ||
           ((talk->manner == IS_DEAF || talk->manner == IS_SILENT) && past_ms < SILENT_MS);
}

/* One step of a conversation. Returns false when it is over. */
static bool step(struct talk *talk, short events)
{
    bool says = talk->piece < talk->plan.pieces;

    if (talk->began_ms + patience_ms < now_ms()) {
        complain(talk, "the server does not end the conversation");
        return false;
    }
    if ((events & (POLLIN | POLLHUP | POLLERR)) != 0 && talk->manner != IS_DEAF && !listen_to(talk))
        return false;
    if ((events & (POLLHUP | POLLERR)) != 0 && talk->manner == IS_DEAF)
        return false;
    if (talk->pause_ms > now_ms())
        return true;
    if (!says)
        return finish(talk);
    if (talk->manner == BREAKS && seed_below(&talk->chance, 4) == 0)
        return false;
    if (talk->manner == IS_DEAF && talk->began_ms + SILENT_MS < now_ms())
        return false; /* it will never be able to say all */
    if (seed_below(&talk->chance, 64) == 0)
        talk->pause_ms = now_ms() + seed_below(&talk->chance, 20);
    if (talk->door->address.ss_family == AF_UNIX && seed_below(&talk->chance, 32) == 0)
        say_with_descriptors(talk);
    else if ((events & POLLOUT) != 0)
        say(talk);
    return true;
}

static short wanted(const struct talk *talk)
{
    short events = talk->manner == IS_DEAF ? 0 : POLLIN;

    return talk->piece < talk->plan.pieces && talk->pause_ms <= now_ms() ? (short) (events | POLLOUT)
                                                                         : events;
}

static void converse(struct talk *talks, unsigned at_once, uint64_t next, uint64_t end)
{
    static struct pollfd polled[AT_ONCE_MAX];
    unsigned alive = 1;

    while ((alive > 0 || next < end) && counted.wrong < WRONG_MAX) {
        alive = 0;
        for (unsigned i = 0; i < at_once; i++) {
            if (talks[i].fd < 0 && next < end)
                counted.unborn += !begin(&talks[i], next++);
            alive += talks[i].fd >= 0;
            polled[i] = (struct pollfd){talks[i].fd, 0, 0};
            if (talks[i].fd >= 0)
                polled[i].events = wanted(&talks[i]);
        }
        poll(polled, at_once, 2);
        for (unsigned i = 0; i < at_once; i++)
            if (talks[i].fd >= 0 && !step(&talks[i], polled[i].revents))
                leave(&talks[i], talks[i].manner == BREAKS);
    }
}

int main(int argc, char **argv)
{
    static struct talk talks[AT_ONCE_MAX];
    const char *slow = getenv("HELLOD_SLOW");
    uint64_t first = argc > 6 ? strtoull(argv[2], NULL, 10) : 0;
    unsigned at_once = argc > 6 ? (unsigned) atoi(argv[4]) : 0;

    for (int i = 6; i < argc; i++)
        if (!doors_add(&doors, argv[i]))
            at_once = 0;
    if (at_once == 0 || at_once > AT_ONCE_MAX) {
        fprintf(stderr,
                "usage: babble SEED FIRST COUNT AT_ONCE calm|rough READING,SIZE,KIND,HOST[,PORT]...\n");
        return 2;
    }
    seed = strtoul(argv[1], NULL, 10);
    calm = strcmp(argv[5], "calm") == 0;
    patience_ms = (uint64_t) (PATIENCE_MS * (slow != NULL ? atof(slow) : 1));
    for (unsigned i = 0; i < at_once; i++)
        talks[i].fd = -1;
    converse(talks, at_once, first, first + strtoull(argv[3], NULL, 10));
    printf("{\"talks\": %llu, \"complete\": %llu, \"cut\": %llu, \"refused\": %llu, \"broken\": %llu, "
           "\"unborn\": %llu, "
           "\"datagrams\": %llu, \"answers\": %llu, \"bytes\": %llu, \"wrong\": %llu}\n",
           counted.talks, counted.complete, counted.cut, counted.refused, counted.broken, counted.unborn,
           counted.datagrams, counted.answers, counted.bytes, counted.wrong);
    return counted.wrong > 0 || counted.talks == 0 ? 1 : 0;
}
