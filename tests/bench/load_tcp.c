/* The load generator for streams: asks a fixed number of requests and checks every byte of every answer.
 *
 * load_tcp requests PORT: 128 connections, each with one name without newline on its way.
 * load_tcp lines PORT: 16 connections, each with 64 lines on their way.
 * load_tcp conversations PORT: 32 at a time: connect, greeting, name, answer, close.
 * load_tcp idle PORT: connections that stay open and do nothing.
 *
 * How many is told on standard input, see load_order(). */
#include <stdbool.h>
#include <unistd.h>

#include "load.h"

enum {
    PEERS_MAX = 19000,
    DEPTH_MAX = 64
};

static const char PROMPT[] = "What's your name?";

/* One connection, and what it still has to hear. */
struct peer {
    int fd;
    unsigned number; /* of its last name */
    bool greeted;
    size_t expected_length, got;
    char expected[DEPTH_MAX * (ANSWER_LENGTH + 1)];
};

struct work {
    const char *name;
    unsigned peers, depth; /* depth: requests that each peer has on their way */
    void (*open)(const struct work *work);
    void (*ask)(const struct work *work, unsigned long count); /* and hears all answers */
    void (*close)(const struct work *work);
};

static struct peer peers[PEERS_MAX];
static int port;
static int epoll_fd;
static unsigned idle_count;

static void connect_peer(struct peer *peer, in_addr_t source)
{
    peer->fd = load_connect(SOCK_STREAM, source, port);
    peer->greeted = false;
    peer->got = 0;
    peer->expected_length = sizeof(PROMPT) - 1;
    memcpy(peer->expected, PROMPT, sizeof(PROMPT) - 1);
}

static void watch_peer(const struct peer *peer)
{
    load_watch(epoll_fd, peer->fd, (unsigned) (peer - peers));
}

/* Sends DEPTH names in one piece, as lines when there are several, and notes what must come back. */
static void ask_names(struct peer *peer, unsigned depth)
{
    char request[DEPTH_MAX * (NAME_LENGTH + 1)];
    char *in = request;
    char *out = peer->expected;
    for (unsigned i = 0; i < depth; i++) {
        peer->number = load_next_number(peer->number);
        load_write_name(in, peer->number);
        memcpy(out, PREFIX, PREFIX_LENGTH);
        memcpy(out + PREFIX_LENGTH, in, NAME_LENGTH);
        out[ANSWER_LENGTH - 1] = '!';
        in += NAME_LENGTH;
        out += ANSWER_LENGTH;
        if (depth > 1)
            *in++ = *out++ = '\n';
    }
    peer->expected_length = (size_t) (out - peer->expected);
    peer->got = 0;
    if (send(peer->fd, request, (size_t) (in - request), MSG_NOSIGNAL) != in - request)
        load_fail("send");
}

/* Receives what is there, or with FLAGS 0 waits for something; true when all that was expected has come. */
static bool hear(struct peer *peer, int flags)
{
    char buffer[sizeof(peer->expected) + 1];
    ssize_t got = recv(peer->fd, buffer, sizeof(buffer), flags);
    if (got < 0 && errno == EAGAIN && flags == MSG_DONTWAIT)
        return false;
    if (got <= 0)
        load_fail("no answer on a connection");
    if ((size_t) got > peer->expected_length - peer->got ||
        memcmp(buffer, peer->expected + peer->got, (size_t) got) != 0)
        load_fail("wrong answer");
    peer->got += (size_t) got;
    return peer->got == peer->expected_length;
}

static void hear_all(struct peer *peer)
{
    while (!hear(peer, 0))
        ;
}

/* Says that no more names will come and waits for the server's end of file: a surplus byte comes before it.
 */
static void close_peers(unsigned count)
{
    char byte;
    for (unsigned i = 0; i < count; i++)
        shutdown(peers[i].fd, SHUT_WR);
    for (unsigned i = 0; i < count; i++) {
        if (recv(peers[i].fd, &byte, 1, 0) != 0)
            load_fail("no end, or a surplus answer before it");
        close(peers[i].fd);
    }
}

static void open_all(const struct work *work)
{
    for (unsigned i = 0; i < work->peers; i++) {
        connect_peer(&peers[i], 0);
        hear_all(&peers[i]);
        watch_peer(&peers[i]);
    }
}

static void close_all(const struct work *work)
{
    close_peers(work->peers);
}

/* Each connection asks again as soon as its answers are complete. */
static void ask_all(const struct work *work, unsigned long count)
{
    struct epoll_event events[EVENTS];
    unsigned long asked = 0;
    for (unsigned i = 0; i < work->peers && asked < count; i++, asked += work->depth)
        ask_names(&peers[i], work->depth);
    while (answered < asked) {
        int ready = load_wait(epoll_fd, events);
        for (int i = 0; i < ready; i++) {
            struct peer *peer = &peers[events[i].data.u32];
            if (!hear(peer, MSG_DONTWAIT))
                continue;
            answered += work->depth;
            if (asked < count) {
                ask_names(peer, work->depth);
                asked += work->depth;
            }
        }
    }
}

static void open_none(const struct work *work)
{
    (void) work;
}

static void begin_conversation(struct peer *peer)
{
    connect_peer(peer, 0);
    watch_peer(peer);
}

/* What has come is the greeting or the answer; true when the conversation is over. */
static bool continue_conversation(struct peer *peer)
{
    if (!hear(peer, MSG_DONTWAIT))
        return false;
    if (peer->greeted) {
        close(peer->fd);
        return true;
    }
    ask_names(peer, 1);
    peer->greeted = true;
    return false;
}

/* Each peer begins the next conversation when one has ended. */
static void hold_conversations(const struct work *work, unsigned long count)
{
    struct epoll_event events[EVENTS];
    unsigned long begun = 0;
    for (; begun < work->peers && begun < count; begun++)
        begin_conversation(&peers[begun]);
    while (answered < begun) {
        int ready = load_wait(epoll_fd, events);
        for (int i = 0; i < ready; i++) {
            struct peer *peer = &peers[events[i].data.u32];
            if (!continue_conversation(peer))
                continue;
            answered++;
            if (begun < count) {
                begin_conversation(peer);
                begun++;
            }
        }
    }
}

static void close_none(const struct work *work)
{
    (void) work;
}

/* Opens COUNT more connections that stay open; every other one has been answered once. */
static void hold_idle(const struct work *work, unsigned long count)
{
    for (unsigned long i = 0; i < count && idle_count < work->peers; i++) {
        struct peer *peer = &peers[idle_count];
        connect_peer(peer, load_source(idle_count++));
        hear_all(peer);
        if (i % 2)
            continue;
        ask_names(peer, 1);
        hear_all(peer);
        answered++;
    }
}

static void close_idle(const struct work *work)
{
    (void) work;
    close_peers(idle_count);
}

static const struct work works[] = {
    {"requests", 128, 1, open_all, ask_all, close_all},
    {"lines", 16, DEPTH_MAX, open_all, ask_all, close_all},
    {"conversations", 32, 1, open_none, hold_conversations, close_none},
    {"idle", PEERS_MAX, 1, open_none, hold_idle, close_idle},
};

static const struct work *find_work(const char *name)
{
    for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++)
        if (!strcmp(works[i].name, name))
            return &works[i];
    return NULL;
}

int main(int argc, char **argv)
{
    const struct work *work = argc == 3 ? find_work(argv[1]) : NULL;
    if (!work) {
        fprintf(stderr, "usage: load_tcp requests|lines|conversations|idle PORT\n");
        return 64;
    }
    port = atoi(argv[2]);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    load_raise_descriptors();
    for (unsigned i = 0; i < work->peers; i++)
        peers[i].number = load_first_number(i);
    work->open(work);
    for (unsigned long count; (count = load_order()) > 0;) {
        work->ask(work, count);
        load_report();
    }
    work->close(work);
    return 0;
}
