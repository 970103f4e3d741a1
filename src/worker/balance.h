/* Balance: whether this worker should take the next connection of a shared listening socket. Pure arithmetic.
 *
 * The kernel wakes the workers that wait for a shared socket in the order in which they began to wait, so
 * that the first would get nearly all connections. A worker with more than its share steps to the end of that
 * order, and if it is woken all the same, leaves the connection to those before it. */
#ifndef HELLOD_WORKER_BALANCE_H
#define HELLOD_WORKER_BALANCE_H

#include <stdbool.h>
#include <stdint.h>

/* What the scoreboard says of all workers of the generation, this one included. */
struct balance_view {
    uint32_t workers;    /* that take connections */
    uint64_t live;       /* connections of all of them */
    bool room_elsewhere; /* a sibling has fewer than its limit */
};

/* True when OWN connections are more than this worker's share: an eighth and a few above the mean, which
 * keeps the busiest below 1.25 times the mean where that matters, and steps aside rarely enough to cost
 * nothing. */
static inline bool balance_above_share(const struct balance_view *view, uint32_t own)
{
    enum {
        FEW = 4
    };

    return 8 * (uint64_t) own * view->workers > 9 * view->live + 8 * (uint64_t) FEW * view->workers;
}

#endif
