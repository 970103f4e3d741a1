/* What the scoreboard says of the other workers of the generation, how one of them is woken, and what can be
 * left to them.
 *
 * It must not know what becomes of the connections that wait. */
#ifndef HELLOD_WORKER_SIBLINGS_H
#define HELLOD_WORKER_SIBLINGS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "worker/balance.h"
#include "worker/state.h"

enum {
    SILENT_MS = 0, /* a sibling that did not react does not count where taking one too many does no harm, */
    LOST_MS = 1000 /* and when it has been so for long, not even before a client is refused */
};

/* Lets siblings see what this worker does. */
static inline void siblings_show(struct worker *worker, enum score_watch watch)
{
    atomic_store_explicit(&worker->score->watch, watch, memory_order_relaxed);
}

/* Whether they see WATCH. */
static inline bool siblings_see(const struct worker *worker, enum score_watch watch)
{
    return atomic_load_explicit(&worker->score->watch, memory_order_relaxed) == watch;
}

/* All workers that take connections, but for siblings that were asked and have not moved for LOST_MS
 * milliseconds or longer since. */
struct balance_view siblings_view(const struct worker *worker, int64_t lost_ms);

/* Connections are left to the sibling in SLOT, which is awake: it has to move. */
void siblings_expect(struct worker *worker, uint32_t slot);

/* Wakes the sibling in SLOT, so that it looks what waits, which is expected then. */
void siblings_ask(struct worker *worker, uint32_t slot);

/* Notes whether the sibling that was expected to move has moved since; afterwards none is expected to. */
void siblings_judge(struct worker *worker);

/* Connections were left to those who say that they sleep, and are still there: none of them counts until it
 * moves. */
void siblings_doubt(struct worker *worker);

/* Whether all workers have SOCKET, one of streams, so that whoever has fewest can take over. */
static inline bool siblings_have(const struct worker *worker, unsigned socket)
{
    return worker->plan->workers > 1 && worker->plan->sockets[socket].fd_count == 1;
}

/* Whether they have it, and the kernel says how many connections wait: only then they can be left what they
 * were woken for. */
static inline bool siblings_can_be_left(const struct worker *worker, unsigned socket)
{
    return siblings_have(worker, socket) && worker->plan->sockets[socket].family != AF_UNIX;
}

/* How many connections wait on SOCKET; UINT32_MAX: nobody knows. */
uint32_t siblings_waiting(const struct worker *worker, unsigned socket);

/* True when siblings were woken for all that waits on SOCKET, which can be left, though they may have no
 * processor yet: as many sleep, or are waking up.
 *
 * Connections wake one worker each, if one sleeps. A worker falls asleep only when what is said here is so,
 * or when nothing waits. Hence, if one sleeps that has not been woken, each connection that came since then
 * has woken another; and if all have been woken, they are as many as wait. */
bool siblings_are_woken(const struct worker *worker, unsigned socket);

#endif
