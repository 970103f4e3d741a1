/* How long things take, for the histograms of the scoreboard. To read the clock costs more than all other
 * counting, so one pass of the loop in some is measured, and in that everything. It must not know what takes
 * the time. */
#ifndef HELLOD_WORKER_TIMING_H
#define HELLOD_WORKER_TIMING_H

#include "base/clock.h"
#include "worker/state.h"

enum {
    TIMING_PASSES = 16 /* one pass in so many is measured */
};

/* Pass number NUMBER begins, with the events that epoll_wait(2) has told of. */
static inline void timing_begin(struct worker *worker, uint64_t number)
{
    worker->pass_ns = number % TIMING_PASSES == 0 ? clock_ns() : 0;
}

/* N times what HISTOGRAM is about has been done for the listener of TALLY. */
static inline void timing_take(const struct worker *worker, struct tally *tally, enum histogram histogram,
                               uint64_t n)
{
    if (worker->pass_ns != 0)
        tally_took(tally, histogram, clock_ns() - worker->pass_ns, n);
}

#endif
