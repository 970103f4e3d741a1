/* One connection of a load on a stream: what it is owed, and what came of it. Knows its socket, but not who
 * waits for its events, nor when requests are due. */
#ifndef HELLOD_CLIENT_BENCH_PEER_H
#define HELLOD_CLIENT_BENCH_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/bench_book.h"
#include "client/bench_load.h"

/* A connection is made, hears the greeting, and is then open for requests until it has had its share of
 * messages; it says farewell and waits until the server has closed. Whatever goes wrong, it is closed and
 * waits a while before it is made again. */
enum bench_peer_state {
    BENCH_PEER_CLOSED,
    BENCH_PEER_CONNECTING,
    BENCH_PEER_GREETING,
    BENCH_PEER_OPEN,
    BENCH_PEER_LEAVING
};

struct bench_peer {
    int fd;
    uint8_t state;     /* enum bench_peer_state */
    bool waiting;      /* in the queue of those that have room, see bench_stream.c */
    uint32_t id;       /* in events */
    unsigned owed;     /* requests sent and not answered */
    unsigned asked;    /* requests of this conversation */
    uint64_t first;    /* the number of the first name that is owed an answer */
    uint64_t since_ns; /* when it was last heard of, or first owed something */
    size_t in_length, out_length;
    uint64_t ring;    /* the places of due_ns less one: a power of two less one */
    uint64_t *due_ns; /* when the requests with these numbers were due */
    char *in;         /* the beginning of an answer: room for bench_peer_in_max() */
    char *out;        /* what the kernel did not take yet: room for bench_peer_out_max() */
};

/* Room for the longest answer to a name of PLAN, its line ending included, and for the greeting. */
size_t bench_peer_in_max(const struct bench_plan *plan);

/* Room for as many names as may be on their way. */
size_t bench_peer_out_max(const struct bench_plan *plan);

/* Begins to connect. A failure is counted. */
void bench_peer_connect(struct bench_load *load, struct bench_peer *peer);

/* Closes the connection; what it is owed is counted as ERROR, or the connection itself if nothing is. */
void bench_peer_fail(struct bench_load *load, struct bench_peer *peer, enum bench_error error);

/* Closes the connection without counting anything. */
void bench_peer_close(struct bench_peer *peer);

/* True when another request may be sent. */
static inline bool bench_peer_has_room(const struct bench_plan *plan, const struct bench_peer *peer)
{
    return peer->state == BENCH_PEER_OPEN && peer->owed < plan->depth && peer->out_length == 0 &&
           (plan->messages == 0 || peer->asked < plan->messages);
}

/* Sends up to MOST requests, as many as there is room for and as are due at load->now_ns. */
void bench_peer_ask(struct bench_load *load, const struct bench_book *book, struct bench_peer *peer,
                    unsigned most);

/* Takes what epoll(7) said of the connection: EVENTS. */
void bench_peer_event(struct bench_load *load, const struct bench_book *book, struct bench_peer *peer,
                      uint32_t events);

#endif
