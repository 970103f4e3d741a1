/* Balance: whether this worker should take the next connection of a shared listening socket. Pure arithmetic.
 *
 * Workers take turns, but in a burst those who are awake get more, and clients do not leave in the order in
 * which they came. A worker with more than its share leaves the connection to others. */
#ifndef HELLOD_WORKER_BALANCE_H
#define HELLOD_WORKER_BALANCE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    BALANCE_FEW = 4 /* connections by which nobody minds to differ */
};

/* What the scoreboard says of the workers of the generation that can be relied on, this one included. */
struct balance_view {
    uint32_t workers;
    uint64_t live;           /* connections of all of them */
    uint32_t emptiest;       /* the slot of the sibling that has fewest */
    uint32_t emptiest_live;  /* how many; UINT32_MAX: there is no sibling */
    uint32_t emptiest_watch; /* enum score_watch */
    uint32_t asleep;         /* siblings that wait for events, or have been woken and do not run yet */
};

/* True when OWN connections are more than this worker's share: an eighth and a few above the mean, which
 * keeps the busiest below 1.25 times the mean where that matters, and is reached rarely enough to cost
 * nothing. The one that has fewest is never above its share. */
static inline bool balance_above_share(const struct balance_view *view, uint32_t own)
{
    return 8 * (uint64_t) own * view->workers > 9 * view->live + 8 * (uint64_t) BALANCE_FEW * view->workers;
}

/* True when some connections more than OWN would be above this worker's share. A worker that stops there
 * takes its next turn like everybody else, and need not leave it to others. */
static inline bool balance_at_share(const struct balance_view *view, uint32_t own)
{
    return balance_above_share(view, own + own / 16 + 1);
}

/* True when OWN connections are so far below the mean that this worker should have more than its turn. */
static inline bool balance_below_share(const struct balance_view *view, uint32_t own)
{
    return 8 * (uint64_t) own * view->workers < 7 * view->live;
}

#endif
