/* For the tests of conversations: a worker whose clock the test sets, and clients on socket pairs. */
#ifndef HELLOD_TESTS_UNIT_STREAM_HELP_H
#define HELLOD_TESTS_UNIT_STREAM_HELP_H

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/sources.h"
#include "worker/stream.h"

enum {
    CONNECTIONS = 8,
    MESSAGE_SIZE = 20,
    IDLE_MS = 5000,
    WRITE_MS = 3000,
    DELAY_MS = 500,
    LINGERING_MS = 2000 /* as LINGER_MS of stream.c */
};

enum { /* sockets of the plan, each with a service of its own */
    LINES,
    DELAYED
};

static struct plan plan;
static struct scoreboard board;
static struct worker worker;
static struct addr_peer peer = {
    .address = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1}, .port = 40000, .is_internet = 1};

/* A worker with the two services; it is not full until CONNECTIONS. */
static inline int start_worker(void **state)
{
    (void) state;
    plan = (struct plan){.service_count = 2,
                         .socket_count = 2,
                         .workers = 1,
                         .limits = {.connections = CONNECTIONS,
                                    .per_source = CONNECTIONS,
                                    .per_prefix = CONNECTIONS,
                                    .idle_ms = IDLE_MS,
                                    .write_ms = WRITE_MS}};
    for (unsigned i = 0; i < 2; i++) {
        plan.sockets[i] = (struct plan_socket){.service = i, .type = SOCK_STREAM};
        plan.services[i] = (struct plan_service){.name = "test",
                                                 .protocol = &protocol_greeting,
                                                 .texts = *protocol_greeting.defaults,
                                                 .framing = FRAMING_LINE,
                                                 .message_size = MESSAGE_SIZE,
                                                 .answer_max = 7 + MESSAGE_SIZE + 1,
                                                 .delay_ms = i == DELAYED ? DELAY_MS : 0};
    }
    if (scoreboard_open(&board) < 0)
        return -1;
    plan.scoreboard = &board;
    plan.sources = sources_open(1, CONNECTIONS);
    /* The clock's low half overflows while the test runs. */
    worker = (struct worker){.plan = &plan,
                             .score = &board.blocks[0],
                             .now_ms = UINT32_MAX - 3000,
                             .epoll = epoll_create1(EPOLL_CLOEXEC)};
    scoreboard_enter(&board, 0, 0, 1);
    return stream_init(&worker);
}

/* Whatever a test did, all that was opened is closed, and the sums agree. */
static inline int stop_worker(void **state)
{
    uint64_t closed = 0;

    (void) state;
    stream_close_all(&worker);
    assert_true(stream_quiet(&worker));
    assert_int_equal(worker.live, 0);
    assert_int_equal(worker.conns.buffers_used, 0);
    for (int counter = COUNTER_closed_farewell; counter <= COUNTER_closed_killed; counter++)
        closed += scoreboard_total(&board, (enum counter) counter);
    assert_int_equal(closed, scoreboard_total(&board, COUNTER_accepted));
    assert_int_equal(sources_add(plan.sources, 0, peer.address, 1, 1), SOURCES_ADMITTED);
    stream_close(&worker);
    sources_close(plan.sources);
    scoreboard_close(&board);
    return close(worker.epoll);
}

/* Handles what there is to handle. */
static inline void pump(void)
{
    struct epoll_event events[16];
    int count;

    for (unsigned turns = 0; turns < 1000 && (count = epoll_wait(worker.epoll, events, 16, 0)) > 0; turns++)
        for (int i = 0; i < count; i++)
            stream_event(&worker, conns_at(&worker.conns, (uint32_t) events[i].data.u64), events[i].events);
}

/* Lets MS go by. */
static inline void pass(uint64_t ms)
{
    worker.now_ms += ms;
    stream_timers(&worker);
    pump();
}

/* A client of SOCKET; its end of the connection. */
static inline int connect_to(unsigned socket)
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(
        sources_add(plan.sources, 0, peer.address, plan.limits.per_source, plan.limits.per_prefix),
        SOURCES_ADMITTED);
    stream_open(&worker, socket, ends[0], &peer, true);
    return ends[1];
}

/* Has CLIENT say TEXT. */
static inline void say(int client, const char *text)
{
    assert_int_equal(send(client, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    pump();
}

/* What the client has been told, with "|" at its end if that was the end of file. */
static inline const char *hear(int client)
{
    static char text[1 << 20];
    size_t length = 0;
    ssize_t got;

    while ((got = recv(client, text + length, sizeof(text) - 2 - length, 0)) > 0) {
        length += (size_t) got;
        pump();
    }
    if (got == 0)
        text[length++] = '|';
    text[length] = '\0';
    return text;
}

#endif
