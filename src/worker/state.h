/* What one worker holds: the state that the files of this room share. Not for other rooms. */
#ifndef HELLOD_WORKER_STATE_H
#define HELLOD_WORKER_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "worker/conns.h"
#include "worker/plan.h"

enum {
    REFUSALS_MAX = 64 /* connections being refused at once, beyond the limit, so that each hears why */
};

/* What an epoll event is about: a kind above, an index below. */
enum event_kind {
    EVENT_LINK,
    EVENT_WAKE,
    EVENT_SOCKET,
    EVENT_CONN
};

/* What epoll is to remember of it. */
static inline uint64_t event_tag(enum event_kind kind, uint32_t index)
{
    return (uint64_t) kind << 32 | index;
}

/* The lists of the connection table. From LIST_DELAY on there is one for each service with a delay, since
 * each has its own. */
enum {
    LIST_IDLE,   /* waits for the client to speak; deadline idle_ms */
    LIST_WRITE,  /* waits for the client to read; deadline write_ms */
    LIST_LINGER, /* has been told why, is being closed; deadline LINGER_MS */
    LIST_DELAY
};

/* When the listening sockets are watched, and which siblings can be relied on; see accept.c. */
struct accepting {
    bool away;       /* they are not watched */
    bool full;       /* because it is full: room brings it back at once */
    uint64_t due_ms; /* it comes back, or looks what became of those left to siblings; UINT64_MAX: never */
    bool woken;      /* it slept, or could have, before it heard of what it hears of in this pass */
    bool look;       /* and before it sleeps again, it looks whether there is something to hear of */
    int asked;       /* the slot that was asked to take over, or -1 */
    uint64_t asked_beat; /* its beat at that time */
    struct silence {
        uint64_t beat; /* one more than the beat at which the sibling was asked and did not move; 0: never */
        uint64_t since_ms;            /* when that was found first */
    } silences[SCOREBOARD_SLOTS_MAX]; /* by slot */
};

struct batch;

struct worker {
    const struct plan *plan;
    struct worker_place place;
    struct score *score;
    unsigned table; /* of the sources */
    int epoll, spare;
    int fds[PLAN_SOCKETS_MAX]; /* this slot's, by socket */
    uint64_t now_ms;
    uint64_t pass_ns;  /* clock_ns() when this pass of the loop began; 0: it is not measured */
    uint32_t live;     /* connections that count against the limit */
    uint32_t refusing; /* connections that do not: they are being refused, at most REFUSALS_MAX */
    struct accepting accepting;
    struct conns conns;
    uint32_t list_ms[LIST_DELAY + PLAN_SERVICES_MAX]; /* how long a connection may stay in a list */
    uint8_t delay_list[PLAN_SERVICES_MAX];            /* the list of a service with a delay */
    char *in, *out; /* for the connection at hand; what is not done with at its end goes to its own buffer */
    size_t in_size, out_size;
    struct batch *batch; /* datagrams at hand */
    struct {
        uint8_t address[16];
        bool known, exempt;
    } paced; /* whose datagram was the last that rates were asked about; see pace.c */
    uint64_t streams_ms, datagrams_ms; /* when there was something to do for one or the other */
    bool draining;
    uint64_t drain_deadline_ms;
};

/* The service that SOCKET belongs to. */
static inline const struct plan_service *service_of(const struct worker *worker, unsigned socket)
{
    return &worker->plan->services[worker->plan->sockets[socket].service];
}

/* Where what happens to SERVICE is counted. */
static inline struct tally *tally_of(const struct worker *worker, const struct plan_service *service)
{
    return &worker->score->tally[service->tally];
}

/* It has as many connections as it may have. */
static inline bool worker_is_full(const struct worker *worker)
{
    return worker->live >= worker->plan->limits.connections;
}

#endif
