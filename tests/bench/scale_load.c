/* Many connections, of which few are busy: the load generator for how the cost of a request grows with them.
 *
 * scale_load FIRST PORT...: connection I goes to one of the PORTS, in turn, from the loopback network
 * FIRST + I. Takes orders on standard input and says after each how many requests were answered in it:
 *
 *   open N     opens N connections more. Every other one is asked once, and then all are silent.
 *   ask A F N  asks N requests, F at a time, of A connections that lie evenly among all; each is asked again
 *              when all others of the A have been.
 *   ends       waits for the server's end on every connection, and closes it.
 *
 * At the end of its input it resets what is open. Every answer is checked. */
#include <stdbool.h>
#include <unistd.h>

#include "load.h"

enum {
    PEERS_MAX = 19000,
    WORD_MAX = 8
};

static const char PROMPT[] = "What's your name?";

struct peer {
    int fd;
    unsigned number; /* of its last name */
};

/* Those that are asked: the idle ones stand in a ring, in an order that no cache foresees. */
struct active {
    unsigned count, open; /* for this many of so many */
    int epoll_fd;
    unsigned first, idle; /* of the ring */
    unsigned ring[PEERS_MAX];
};

static struct peer peers[PEERS_MAX];
static unsigned open_count;
static struct active active = {.epoll_fd = -1};

static void ask(struct peer *peer)
{
    char name[NAME_LENGTH];

    peer->number = load_next_number(peer->number);
    load_write_name(name, peer->number);
    if (send(peer->fd, name, sizeof(name), MSG_NOSIGNAL) != sizeof(name))
        load_fail("send");
}

/* An answer is one segment, and comes whole. */
static void hear(const struct peer *peer)
{
    char expected[ANSWER_LENGTH], said[ANSWER_LENGTH + 1];

    memcpy(expected, PREFIX, PREFIX_LENGTH);
    load_write_name(expected + PREFIX_LENGTH, peer->number);
    expected[ANSWER_LENGTH - 1] = '!';
    if (recv(peer->fd, said, sizeof(said), 0) != ANSWER_LENGTH || memcmp(said, expected, ANSWER_LENGTH) != 0)
        load_fail("wrong answer");
    answered++;
}

static void open_one(unsigned index, int port)
{
    struct peer *peer = &peers[open_count];
    char said[sizeof(PROMPT) - 1];

    peer->fd = load_connect(SOCK_STREAM, load_source(index), port);
    peer->number = load_first_number(index);
    if (recv(peer->fd, said, sizeof(said), MSG_WAITALL) != sizeof(said) ||
        memcmp(said, PROMPT, sizeof(said)) != 0)
        load_fail("wrong prompt");
    if (open_count++ % 2 == 0) {
        ask(peer);
        hear(peer);
    }
}

/* Puts COUNT of the open connections into play, unless it is these that are. */
static void choose(unsigned count)
{
    unsigned chance = 1;

    if (active.count == count && active.open == open_count)
        return;
    if (active.epoll_fd >= 0)
        close(active.epoll_fd);
    active.count = active.idle = count;
    active.open = open_count;
    active.first = 0;
    active.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < count; i++) {
        unsigned index = (unsigned) ((unsigned long long) i * open_count / count);
        chance = chance * 1664525 + 1013904223; /* modulo 2^32; the high bits are good enough */
        unsigned at = (unsigned) ((unsigned long long) chance * (i + 1) >> 32);
        active.ring[i] = active.ring[at];
        active.ring[at] = index;
        load_watch(active.epoll_fd, peers[index].fd, index);
    }
}

static void ask_next(void)
{
    ask(&peers[active.ring[active.first]]);
    active.first = (active.first + 1) % active.count;
    active.idle--;
}

static void hear_one(unsigned index)
{
    hear(&peers[index]);
    active.ring[(active.first + active.idle) % active.count] = index;
    active.idle++;
}

/* COUNT requests, FLIGHT of them at a time. */
static void ask_active(unsigned flight, unsigned long count)
{
    struct epoll_event events[EVENTS];
    unsigned long asked = 0;

    while (answered < count) {
        for (; asked < count && asked - answered < flight; asked++)
            ask_next();
        int ready = load_wait(active.epoll_fd, events);
        for (int i = 0; i < ready; i++)
            hear_one(events[i].data.u32);
    }
}

/* The server closes for its part, and learns that we do. */
static void hear_ends(void)
{
    char byte;

    for (unsigned i = 0; i < open_count; i++) {
        if (recv(peers[i].fd, &byte, 1, 0) != 0)
            load_fail("no end, or a surplus answer before it");
        close(peers[i].fd);
    }
    open_count = 0;
}

/* Nothing is left behind, neither here nor there. */
static void reset_all(void)
{
    struct linger at_once = {.l_onoff = 1};
    char byte;

    for (unsigned i = 0; i < open_count; i++) {
        if (recv(peers[i].fd, &byte, 1, MSG_DONTWAIT) >= 0 || errno != EAGAIN)
            load_fail("a surplus answer, or an end");
        setsockopt(peers[i].fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        close(peers[i].fd);
    }
}

static void obey(const char *word, unsigned first, char **ports, unsigned port_count)
{
    unsigned connections = 0, flight = 0;
    unsigned long count = 0;

    if (!strcmp(word, "open") && scanf("%u", &connections) == 1 && connections <= PEERS_MAX - open_count) {
        for (; connections > 0; connections--)
            open_one(first + open_count, atoi(ports[open_count % port_count]));
    } else if (!strcmp(word, "ask") && scanf("%u %u %lu", &connections, &flight, &count) == 3 && flight > 0 &&
               flight <= connections && connections <= open_count) {
        choose(connections);
        ask_active(flight, count);
    } else if (!strcmp(word, "ends")) {
        hear_ends();
    } else {
        load_fail("an order that cannot be carried out");
    }
}

int main(int argc, char **argv)
{
    char word[WORD_MAX];

    if (argc < 3) {
        fprintf(stderr, "usage: scale_load FIRST PORT...\n");
        return 64;
    }
    load_raise_descriptors();
    while (scanf("%7s", word) == 1) {
        answered = 0;
        obey(word, (unsigned) atoi(argv[1]), argv + 2, (unsigned) argc - 2);
        load_report();
    }
    reset_all();
    return 0;
}
