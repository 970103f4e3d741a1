/* The load generator for datagrams: asks a fixed number of requests and checks every byte of every answer.
 * load_udp deep PORT: 4 sockets, each with 32 datagrams on their way, sent and received in batches.
 * load_udp wide PORT: 128 sockets, each with one.
 * How many in all is told on standard input, see load_order(). Answers may come in any order; a lost one ends
 * the program after a while. */
#include <stdbool.h>
#include <unistd.h>

#include "load.h"

enum {
    PEERS_MAX = 128,
    DEPTH = 32 /* at most */
};

struct peer {
    int fd;
    unsigned number;                /* of its last name */
    char names[DEPTH][NAME_LENGTH]; /* on their way; the first byte is 0 when answered */
};

static struct peer peers[PEERS_MAX];
static unsigned peer_count, depth; /* depth: datagrams that each has on their way */
static int epoll_fd;

/* Points COUNT messages at as many buffers of SIZE bytes each. */
static void lay_out(struct mmsghdr *messages, struct iovec *vectors, char *buffers, size_t size,
                    unsigned count)
{
    memset(messages, 0, count * sizeof(*messages));
    for (unsigned i = 0; i < count; i++) {
        vectors[i] = (struct iovec){.iov_base = buffers + i * size, .iov_len = size};
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
}

/* Sends a new name for each of the COUNT places in PLACES. The first letter says the place. */
static void ask_names(struct peer *peer, const unsigned *places, unsigned count)
{
    char names[DEPTH][NAME_LENGTH];
    struct iovec vectors[DEPTH];
    struct mmsghdr messages[DEPTH];
    for (unsigned i = 0; i < count; i++) {
        peer->number = load_next_number(peer->number);
        load_write_name(names[i], peer->number);
        names[i][0] = (char) ('0' + places[i]);
        memcpy(peer->names[places[i]], names[i], NAME_LENGTH);
    }
    lay_out(messages, vectors, names[0], NAME_LENGTH, count);
    if (sendmmsg(peer->fd, messages, count, 0) != (int) count)
        load_fail("sendmmsg");
}

/* The place of the name in ANSWER, which must be on its way; it is taken off, so that a second answer is a
 * wrong one. */
static unsigned take_answer(struct peer *peer, const char *answer, size_t length)
{
    unsigned place = (unsigned) (answer[PREFIX_LENGTH] - '0');
    if (length != ANSWER_LENGTH || memcmp(answer, PREFIX, PREFIX_LENGTH) != 0 || place >= DEPTH ||
        memcmp(answer + PREFIX_LENGTH, peer->names[place], NAME_LENGTH) != 0 ||
        answer[ANSWER_LENGTH - 1] != '!')
        load_fail("wrong answer");
    peer->names[place][0] = 0;
    return place;
}

/* Receives the answers that are there, at least one, and writes their places to PLACES; returns how many. */
static unsigned hear(struct peer *peer, unsigned *places)
{
    char answers[DEPTH][ANSWER_LENGTH + 1] = {0};
    struct iovec vectors[DEPTH];
    struct mmsghdr messages[DEPTH];
    lay_out(messages, vectors, answers[0], sizeof(answers[0]), DEPTH);
    int count = recvmmsg(peer->fd, messages, DEPTH, MSG_DONTWAIT, NULL);
    if (count <= 0)
        load_fail("recvmmsg");
    for (int i = 0; i < count; i++)
        places[i] = take_answer(peer, answers[i], messages[i].msg_len);
    return (unsigned) count;
}

static void ask_all(unsigned long count)
{
    struct epoll_event events[EVENTS];
    unsigned places[DEPTH];
    unsigned long asked = 0;
    for (unsigned i = 0; i < DEPTH; i++)
        places[i] = i;
    for (unsigned i = 0; i < peer_count; i++, asked += depth)
        ask_names(&peers[i], places, depth);
    while (answered < asked) {
        int ready = load_wait(epoll_fd, events);
        for (int i = 0; i < ready; i++) {
            struct peer *peer = &peers[events[i].data.u32];
            unsigned heard = hear(peer, places);
            answered += heard;
            if (asked < count) {
                ask_names(peer, places, heard);
                asked += heard;
            }
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 3 || (strcmp(argv[1], "deep") != 0 && strcmp(argv[1], "wide") != 0)) {
        fprintf(stderr, "usage: load_udp deep|wide PORT\n");
        return 64;
    }
    bool deep = strcmp(argv[1], "deep") == 0;
    peer_count = deep ? 4 : PEERS_MAX;
    depth = deep ? DEPTH : 1;
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < peer_count; i++) {
        peers[i].number = load_first_number(i);
        peers[i].fd = load_connect(SOCK_DGRAM, 0, atoi(argv[2]));
        load_watch(epoll_fd, peers[i].fd, i);
    }
    for (unsigned long count; (count = load_order()) > 0;) {
        ask_all(count);
        load_report();
    }
    for (unsigned i = 0; i < peer_count; i++) {
        char byte;
        if (recv(peers[i].fd, &byte, 1, MSG_DONTWAIT) >= 0)
            load_fail("surplus answer");
        close(peers[i].fd);
    }
    return 0;
}
