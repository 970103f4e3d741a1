/* What the master hands to its workers: services, sockets and limits as plain values, ready for use.
 *
 * A worker knows this and nothing else: no config file, no systemd, no names of users. Made by the master
 * before it forks; what it changes afterwards (plan_socket.ends) its workers do not see. */
#ifndef HELLOD_WORKER_PLAN_H
#define HELLOD_WORKER_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/prefixes.h"
#include "base/scoreboard.h"
#include "protocol/protocol.h"

enum {
    PLAN_SERVICES_MAX = 64,
    PLAN_SOCKETS_MAX = 2 * PLAN_SERVICES_MAX /* "*" is two sockets */
};

struct lines;
struct penalty;
struct rate;
struct sandbox;
struct sources;

enum plan_access {
    PLAN_ALLOWED = 1,
    PLAN_DENIED
};

/* One listener of the config. The spans point into memory that lives as long as the plan. */
struct plan_service {
    const char *name;
    const struct protocol *protocol;
    struct texts texts;
    enum framing_mode framing;
    size_t message_size; /* bytes */
    size_t answer_max;   /* protocol_answer_max() of texts and message_size */
    uint32_t delay_ms;
    uint32_t guard_rules;    /* as in struct guard */
    struct prefixes *access; /* networks with an enum plan_access each; NULL: everybody is allowed */
    bool allows_others;      /* those in none of these networks */
    unsigned tally;          /* on the scoreboard */
};

/* One socket, or with per_worker one socket a slot. */
struct plan_socket {
    unsigned service; /* index in services */
    int family;       /* AF_* */
    int type;         /* SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET */
    int *fds;         /* fd_count descriptors, owned by the master; slot i uses fds[i % fd_count] */
    unsigned fd_count;
    bool ends; /* the next generation does not have it; set when this one is told to finish */
};

struct plan_limits {
    uint32_t connections;            /* a worker */
    uint32_t per_source, per_prefix; /* over all workers; 0: no limit */
    uint32_t idle_ms, write_ms, drain_ms;
    uint32_t penalty_ms; /* an offender is refused for that long at most; 0: not at all */
};

/* For datagrams, over all workers, as rate.h has it; 0: no limit. */
struct plan_pace {
    uint64_t source_ns, prefix_ns, budget_ns; /* each may be answered one in so many nanoseconds */
    bool dry_run;
};

struct plan {
    unsigned service_count, socket_count;
    struct plan_service services[PLAN_SERVICES_MAX];
    struct plan_socket sockets[PLAN_SOCKETS_MAX];
    struct prefixes *exempt; /* sources that no limit applies to */
    struct plan_limits limits;
    struct plan_pace pace;
    uint32_t workers;
    bool access_log;
    int *wake_fds; /* by slot: an eventfd(2) by which siblings tell a worker to look at the shared sockets
                      again */
    struct scoreboard *scoreboard;
    struct sources *sources;
    struct rate *rate;
    struct penalty *penalty;
    struct lines *lines;
    struct sandbox *sandbox; /* NULL: none */
};

/* Which place of the pool this worker takes. */
struct worker_place {
    uint32_t slot, generation;
    int link;     /* its end of the link; owned by the worker from now on */
    pid_t master; /* to notice a master that died during the fork */
};

/* Whether SOCKET of PLAN is one for datagrams. */
static inline bool plan_is_datagram(const struct plan *plan, unsigned socket)
{
    return plan->sockets[socket].type == SOCK_DGRAM;
}

/* The table of sources that SLOT of GENERATION writes. */
static inline unsigned plan_table(const struct plan *plan, uint32_t generation, uint32_t slot)
{
    return generation % SCOREBOARD_GENERATIONS * plan->workers + slot;
}

/* Whether no limit applies to PEER; who has no address is nobody that one could apply to. */
static inline bool plan_exempts(const struct plan *plan, const struct addr_peer *peer)
{
    return !peer->is_internet || prefixes_find(plan->exempt, peer->address) != 0;
}

/* Whether PEER may use SERVICE; who has no address is let in by the path's owner. */
static inline bool plan_allows(const struct plan_service *service, const struct addr_peer *peer)
{
    if (service->access == NULL || !peer->is_internet)
        return true;
    unsigned access = prefixes_find(service->access, peer->address);
    return access == PLAN_ALLOWED || (access == 0 && service->allows_others);
}

/* How many tables of sources that makes. */
static inline unsigned plan_tables(const struct plan *plan)
{
    return SCOREBOARD_GENERATIONS * plan->workers;
}

#endif
