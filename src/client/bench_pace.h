/* When requests are due, and when no more are. Arithmetic alone: knows no sockets, and is told the time.
 *
 * In an open loop a request is due at its time, whether or not the server has answered those before it; its
 * latency is counted from then on, so that a server that stalls is seen by every request that it kept
 * waiting, and not only by those that happened to be on their way ("coordinated omission"). In a closed loop
 * a request is due as soon as there is room for it. */
#ifndef HELLOD_CLIENT_BENCH_PACE_H
#define HELLOD_CLIENT_BENCH_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* Requests fall due on ticks of a timer: each on one of its own, until that would be more than 20000 a
 * second. */
#define BENCH_PACE_TICK_NS UINT64_C(50000)

struct bench_pace {
    uint64_t start_ns, end_ns; /* no request is due at or after end_ns */
    uint64_t last_ns;          /* nothing is sent after this, though it was due */
    uint64_t tick_ns;          /* 0: closed loop */
    double per_tick;           /* requests; at least 1 */
    uint64_t next, limit;      /* requests taken so far, and how many there are at most */
};

/* A pace from START_NS on for DURATION_NS (UINT64_MAX: no end) and at most LIMIT requests (UINT64_MAX: any
 * number), RATE a second, 0 for a closed loop; what could not be sent when it was due is sent up to
 * PATIENCE_NS after the end. */
struct bench_pace bench_pace(uint64_t start_ns, uint64_t duration_ns, uint64_t limit, double rate,
                             uint64_t patience_ns);

/* When the next request of an open loop is due. */
uint64_t bench_pace_due(const struct bench_pace *pace);

/* Takes the next request if it may be sent at NOW_NS; sets *DUE_NS. */
bool bench_pace_take(struct bench_pace *pace, uint64_t now_ns, uint64_t *due_ns);

/* True when there will be no more requests to take, whatever happens. */
bool bench_pace_over(const struct bench_pace *pace, uint64_t now_ns);

/* The requests that were due by NOW_NS and have not been taken. */
uint64_t bench_pace_missed(const struct bench_pace *pace, uint64_t now_ns);

#endif
