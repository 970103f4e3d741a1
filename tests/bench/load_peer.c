/* The load generator for whatever server: it is told what to send and what must come back, byte for byte.
 *
 * load_peer requests PORT GREETING REQUEST ANSWER: 128 connections, each with one request on its way.
 * load_peer lines PORT ...: 16 connections, each with 64 requests on their way.
 * load_peer conversations PORT ...: 32 at a time: connect, greeting, request, answer, close.
 * load_peer udp PORT ...: 4 sockets, each with 32 datagrams on their way; they have no greeting.
 *
 * GREETING, REQUEST and ANSWER may be empty, and have \r, \n and \x with two digits for what a command line
 * cannot hold. A conversation without request ends after the greeting. Every request is the same, so that
 * answers are compared and counted, and not told apart: load_tcp and load_udp do that. How many is told on
 * standard input, see load_order(). */
#include <stdbool.h>
#include <unistd.h>

#include "load.h"

enum {
    PEERS_MAX = 128,
    DEPTH_MAX = 64,
    TEXT_MAX = 128
};

struct text {
    size_t length;
    char bytes[TEXT_MAX * DEPTH_MAX];
};

/* One connection or socket, and what it still has to hear. */
struct peer {
    int fd;
    bool greeted;
    const struct text *expected;
    size_t got;
};

struct work {
    const char *name;
    unsigned peers, depth; /* depth: requests that each peer has on their way */
    void (*open)(const struct work *work);
    void (*ask)(const struct work *work, unsigned long count); /* and hears all answers */
};

static struct text greeting, request, answer; /* the last two DEPTH times over, for streams */
static size_t answer_length;                  /* of one */
static struct peer peers[PEERS_MAX];
static int port, epoll_fd;

static void expect(struct peer *peer, const struct text *text)
{
    peer->expected = text;
    peer->got = 0;
}

static void connect_peer(struct peer *peer)
{
    peer->fd = load_connect(SOCK_STREAM, 0, port);
    peer->greeted = greeting.length == 0;
    expect(peer, &greeting);
}

static void watch_peer(const struct peer *peer)
{
    load_watch(epoll_fd, peer->fd, (unsigned) (peer - peers));
}

static void ask(struct peer *peer)
{
    expect(peer, &answer);
    if (send(peer->fd, request.bytes, request.length, MSG_NOSIGNAL) != (ssize_t) request.length)
        load_fail("send");
}

/* Receives what is there, or with FLAGS 0 waits for something; true when all that was expected has come. */
static bool hear(struct peer *peer, int flags)
{
    char buffer[sizeof(answer.bytes)];
    ssize_t got = recv(peer->fd, buffer, sizeof(buffer), flags);
    if (got < 0 && errno == EAGAIN && flags == MSG_DONTWAIT)
        return false;
    if (got <= 0)
        load_fail("no answer on a connection");
    if ((size_t) got > peer->expected->length - peer->got ||
        memcmp(buffer, peer->expected->bytes + peer->got, (size_t) got) != 0)
        load_fail("wrong answer");
    peer->got += (size_t) got;
    return peer->got == peer->expected->length;
}

static void open_all(const struct work *work)
{
    for (unsigned i = 0; i < work->peers; i++) {
        connect_peer(&peers[i]);
        while (!peers[i].greeted)
            peers[i].greeted = hear(&peers[i], 0);
        watch_peer(&peers[i]);
    }
}

/* Each connection asks again as soon as its answers are complete. */
static void ask_all(const struct work *work, unsigned long count)
{
    struct epoll_event events[EVENTS];
    unsigned long asked = 0;
    for (unsigned i = 0; i < work->peers && asked < count; i++, asked += work->depth)
        ask(&peers[i]);
    while (answered < asked) {
        int ready = load_wait(epoll_fd, events);
        for (int i = 0; i < ready; i++) {
            struct peer *peer = &peers[events[i].data.u32];
            if (!hear(peer, MSG_DONTWAIT))
                continue;
            answered += work->depth;
            if (asked < count) {
                ask(peer);
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
    connect_peer(peer);
    watch_peer(peer);
    if (peer->greeted)
        ask(peer);
}

/* What has come is of the greeting or of the answer; true when the conversation is over. */
static bool continue_conversation(struct peer *peer)
{
    if (!hear(peer, MSG_DONTWAIT))
        return false;
    if (peer->greeted || !request.length) {
        close(peer->fd);
        return true;
    }
    peer->greeted = true;
    ask(peer);
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

static void open_sockets(const struct work *work)
{
    for (unsigned i = 0; i < work->peers; i++) {
        peers[i].fd = load_connect(SOCK_DGRAM, 0, port);
        watch_peer(&peers[i]);
    }
}

static void send_datagrams(const struct peer *peer, unsigned count)
{
    struct iovec vector = {.iov_base = request.bytes, .iov_len = request.length};
    struct mmsghdr messages[DEPTH_MAX] = {0};
    for (unsigned i = 0; i < count; i++) {
        messages[i].msg_hdr.msg_iov = &vector;
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    if (sendmmsg(peer->fd, messages, count, 0) != (int) count)
        load_fail("sendmmsg");
}

/* Receives the answers that are there, at least one; returns how many. */
static unsigned hear_datagrams(const struct peer *peer)
{
    char buffers[DEPTH_MAX][TEXT_MAX + 1];
    struct iovec vectors[DEPTH_MAX];
    struct mmsghdr messages[DEPTH_MAX] = {0};
    for (unsigned i = 0; i < DEPTH_MAX; i++) {
        vectors[i] = (struct iovec){.iov_base = buffers[i], .iov_len = sizeof(buffers[i])};
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    int count = recvmmsg(peer->fd, messages, DEPTH_MAX, MSG_DONTWAIT, NULL);
    if (count <= 0)
        load_fail("recvmmsg");
    for (int i = 0; i < count; i++)
        if (messages[i].msg_len != answer_length || memcmp(buffers[i], answer.bytes, answer_length) != 0)
            load_fail("wrong answer");
    return (unsigned) count;
}

static void ask_datagrams(const struct work *work, unsigned long count)
{
    struct epoll_event events[EVENTS];
    unsigned long asked = 0;
    for (unsigned i = 0; i < work->peers; i++, asked += work->depth)
        send_datagrams(&peers[i], work->depth);
    while (answered < asked) {
        int ready = load_wait(epoll_fd, events);
        for (int i = 0; i < ready; i++) {
            const struct peer *peer = &peers[events[i].data.u32];
            unsigned heard = hear_datagrams(peer);
            answered += heard;
            if (asked < count) {
                send_datagrams(peer, heard);
                asked += heard;
            }
        }
    }
}

static const struct work works[] = {
    {"requests", 128, 1, open_all, ask_all},
    {"lines", 16, DEPTH_MAX, open_all, ask_all},
    {"conversations", 32, 1, open_none, hold_conversations},
    {"udp", 4, 32, open_sockets, ask_datagrams},
};

static const struct work *find_work(const char *name)
{
    for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++)
        if (!strcmp(works[i].name, name))
            return &works[i];
    return NULL;
}

/* The byte that WORD begins with, which may be written in several; WORD goes behind it. */
static char read_byte(const char **word)
{
    char digits[3] = "";
    if (**word != '\\')
        return *(*word)++;
    char kind = (*word)[1];
    *word += 2;
    if (kind == 'x' && (*word)[0] && (*word)[1]) {
        memcpy(digits, *word, 2);
        *word += 2;
        return (char) strtol(digits, NULL, 16);
    }
    if (kind != 'r' && kind != 'n')
        load_fail("a text with a backslash that means nothing");
    return kind == 'r' ? '\r' : '\n';
}

/* Writes WORD TIMES over to TEXT; returns the length of one. */
static size_t read_text(struct text *text, const char *word, unsigned times)
{
    size_t length = 0;
    while (*word) {
        if (length == TEXT_MAX)
            load_fail("a text that is too long");
        text->bytes[length++] = read_byte(&word);
    }
    for (unsigned i = 1; i < times; i++)
        memcpy(text->bytes + i * length, text->bytes, length);
    text->length = length * times;
    return length;
}

int main(int argc, char **argv)
{
    const struct work *work = argc == 6 ? find_work(argv[1]) : NULL;
    if (!work) {
        fprintf(stderr, "usage: load_peer requests|lines|conversations|udp PORT GREETING REQUEST ANSWER\n");
        return 64;
    }
    port = atoi(argv[2]);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    unsigned times = work->ask == ask_datagrams ? 1 : work->depth;
    read_text(&greeting, argv[3], 1);
    read_text(&request, argv[4], times);
    answer_length = read_text(&answer, argv[5], times);
    work->open(work);
    for (unsigned long count; (count = load_order()) > 0;) {
        work->ask(work, count);
        load_report();
    }
    return 0;
}
