/* What the load generators for streams share: connections, what each still has to hear, and the orders that
 * are carried out with them. The program that includes this says what is asked and what must come back. */
#ifndef BENCH_LOAD_STREAM_H
#define BENCH_LOAD_STREAM_H

#include <stdbool.h>
#include <unistd.h>

#include "load.h"

enum {
    PEERS_MAX = 19000,
    HEARD_MAX = 8192, /* bytes that a peer waits for at once */
    DEPTH_MAX = 64
};

/* One connection or socket, and what it still has to hear. */
struct peer {
    int fd;
    bool asked; /* in a conversation: what it hears is the last */
    const char *expected;
    size_t length, got;
};

struct work {
    const char *name;
    unsigned peers, depth; /* depth: requests that each peer has on their way */
    void (*open)(const struct work *work);
    void (*ask)(const struct work *work, unsigned long count); /* and hears all answers */
    void (*close)(const struct work *work);                    /* or NULL: it ends with the program */
};

static struct peer peers[PEERS_MAX];
static int port, epoll_fd;

/* By who includes this: connects PEER, and says by stream_expect() what it hears first. */
static void stream_connect(struct peer *peer);

/* By who includes this: sends DEPTH requests in one piece, and says what answers them. */
static void stream_ask(struct peer *peer, unsigned depth);

/* PEER is to hear LENGTH bytes, no more than HEARD_MAX, at EXPECTED, which is kept. */
static inline void stream_expect(struct peer *peer, const char *expected, size_t length)
{
    peer->expected = expected;
    peer->length = length;
    peer->got = 0;
}

static inline void stream_send(const struct peer *peer, const char *bytes, size_t length)
{
    if (send(peer->fd, bytes, length, MSG_NOSIGNAL) != (ssize_t) length)
        load_fail("send");
}

/* Receives what is there, or with FLAGS 0 waits for something; true when all that was expected has come. */
static inline bool stream_hear(struct peer *peer, int flags)
{
    char buffer[HEARD_MAX + 1];
    ssize_t got = recv(peer->fd, buffer, sizeof(buffer), flags);

    if (got < 0 && errno == EAGAIN && flags == MSG_DONTWAIT)
        return false;
    if (got <= 0)
        load_fail("no answer on a connection");
    if ((size_t) got > peer->length - peer->got ||
        memcmp(buffer, peer->expected + peer->got, (size_t) got) != 0)
        load_fail("wrong answer");
    peer->got += (size_t) got;
    return peer->got == peer->length;
}

static inline void stream_hear_all(struct peer *peer)
{
    while (peer->got < peer->length)
        stream_hear(peer, 0);
}

static inline void stream_watch(const struct peer *peer)
{
    load_watch(epoll_fd, peer->fd, (unsigned) (peer - peers));
}

static inline void stream_open_all(const struct work *work)
{
    for (unsigned i = 0; i < work->peers; i++) {
        stream_connect(&peers[i]);
        stream_hear_all(&peers[i]);
        stream_watch(&peers[i]);
    }
}

/* Each connection asks again as soon as its answers are complete. */
static inline void stream_ask_all(const struct work *work, unsigned long count)
{
    struct epoll_event events[EVENTS];
    unsigned long asked = 0;

    for (unsigned i = 0; i < work->peers && asked < count; i++, asked += work->depth)
        stream_ask(&peers[i], work->depth);
    while (answered < asked) {
        int ready = load_wait(epoll_fd, events);
        for (int i = 0; i < ready; i++) {
            struct peer *peer = &peers[events[i].data.u32];
            if (!stream_hear(peer, MSG_DONTWAIT))
                continue;
            answered += work->depth;
            if (asked < count) {
                stream_ask(peer, work->depth);
                asked += work->depth;
            }
        }
    }
}

static inline void stream_open_none(const struct work *work)
{
    (void) work;
}

static inline void stream_ask_last(struct peer *peer)
{
    stream_ask(peer, 1);
    peer->asked = true;
}

static inline void stream_begin(struct peer *peer)
{
    peer->asked = false;
    stream_connect(peer);
    stream_watch(peer);
    if (peer->length == 0)
        stream_ask_last(peer);
}

/* What has come is of the greeting or of the answer; true when the conversation is over. */
static inline bool stream_continue(struct peer *peer)
{
    if (!stream_hear(peer, MSG_DONTWAIT))
        return false;
    if (peer->asked) {
        close(peer->fd);
        return true;
    }
    stream_ask_last(peer);
    return false;
}

/* Each peer begins the next conversation when one has ended. */
static inline void stream_converse(const struct work *work, unsigned long count)
{
    struct epoll_event events[EVENTS];
    unsigned long begun = 0;

    for (; begun < work->peers && begun < count; begun++)
        stream_begin(&peers[begun]);
    while (answered < begun) {
        int ready = load_wait(epoll_fd, events);
        for (int i = 0; i < ready; i++) {
            struct peer *peer = &peers[events[i].data.u32];
            if (!stream_continue(peer))
                continue;
            answered++;
            if (begun < count) {
                stream_begin(peer);
                begun++;
            }
        }
    }
}

/* The one of COUNT WORKS that is called NAME, or NULL. */
static inline const struct work *stream_find_work(const struct work *works, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(works[i].name, name) == 0)
            return &works[i];
    return NULL;
}

/* Carries out orders at PORT_WORD until there are no more. */
static inline void stream_work(const struct work *work, const char *port_word)
{
    port = atoi(port_word);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    work->open(work);
    for (unsigned long count; (count = load_order()) > 0;) {
        work->ask(work, count);
        load_report();
    }
    if (work->close)
        work->close(work);
}

#endif
