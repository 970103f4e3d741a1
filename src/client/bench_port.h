/* One datagram socket of a load: requests in batches, and which answer belongs to which. Knows not who waits
 * for its events, nor when requests are due. */
#ifndef HELLOD_CLIENT_BENCH_PORT_H
#define HELLOD_CLIENT_BENCH_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "client/bench_load.h"

/* A place for a request on its way. Its number is never used again, so that an answer that comes too late or
 * twice is known for what it is. */
struct bench_slot {
    uint64_t number;
    uint64_t due_ns, sent_ns;
    bool pending; /* an answer is awaited */
    bool expired; /* it was, in vain: what comes now is late, not doubled */
};

struct bench_port {
    int fd;      /* -1: could not be opened, to be tried again */
    uint32_t id; /* in events */
    uint64_t retry_ns;
    unsigned owed;
    unsigned cursor;          /* where the search for a free slot goes on */
    struct bench_slot *slots; /* plan->depth of them */
};

/* Takes the memory that batches need, for all ports of this process. Returns 0, or -1 with errno. */
int bench_port_prepare(const struct bench_plan *plan);

/* Opens the socket. A failure is counted. */
void bench_port_open(struct bench_load *load, struct bench_port *port);

/* True when another request may be sent at load->now_ns. */
static inline bool bench_port_has_room(const struct bench_load *load, const struct bench_port *port)
{
    return port->fd >= 0 && port->owed < load->plan->depth && load->now_ns >= port->retry_ns;
}

/* Sends requests as long as there is room and they are due. */
void bench_port_ask(struct bench_load *load, struct bench_port *port);

/* Receives what there is, within reason: more may be left, and no event tells of it. */
void bench_port_hear(struct bench_load *load, struct bench_port *port);

/* Gives up what has waited for too long. */
void bench_port_expire(struct bench_load *load, struct bench_port *port);

#endif
