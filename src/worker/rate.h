/* How often each source is answered, and how often all of them together, counted over all workers.
 *
 * Shared memory of one size, whatever the limits and however many sources there are: buckets of the generic
 * cell rate algorithm (GCRA), an atomic word each. No locks and no owner; a worker that is killed in the
 * middle leaves nothing half done. A full table forgets those who are nearest to having nothing counted, so
 * that a newcomer is never refused for lack of room. It knows addresses and times, not sockets and rules. */
#ifndef HELLOD_WORKER_RATE_H
#define HELLOD_WORKER_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RATE_PREFIX_SHARES = 8 /* a prefix may have as much as so many sources */
};

struct rate;

/* Makes the memory, which is shared with children. NULL with errno when that fails. */
struct rate *rate_open(void);

/* The same once more, for another plan; rate_close() is then due once more, too. Returns RATE. */
struct rate *rate_share(struct rate *rate);

/* Gives it back, when it is the last who does; NULL is fine. */
void rate_close(struct rate *rate);

/* Bytes that rate_open() takes, a constant. */
size_t rate_memory(void);

/* The interval, in nanoseconds, of PER_SECOND datagrams a second, at most 10^9; 0, which is no limit, of 0.
 * Rounded down: a rate is at most PER_SECOND / 10^9 of itself too high. */
uint64_t rate_interval_ns(uint64_t per_second);

/* Counts a datagram from ADDRESS (IPv4 as mapped) at NOW_NS of the monotonic clock, unless it is over a rate:
 * one each SOURCE_NS from an IPv4 address or an IPv6 /64, one each PREFIX_NS from an IPv4 /24 or an IPv6 /48,
 * and at once the number of two seconds. True when it may be answered. The intervals are 1 to 10^9, and may
 * be others each time: what counts is time. Workers whose clocks were read at most two seconds apart agree.
 */
bool rate_admit(struct rate *rate, uint64_t now_ns, const uint8_t address[16], uint64_t source_ns,
                uint64_t prefix_ns);

/* Counts COUNT answers, or as many of them as one each INTERVAL_NS allows for all, and at once the number of
 * one second; an interval of 0 is no limit, others are at most 10^9. Returns how many may leave. */
unsigned rate_budget(struct rate *rate, uint64_t now_ns, uint64_t interval_ns, unsigned count);

/* Notes that a datagram of ADDRESS was refused. Returns 0; or, when a line in the log about its prefix (IPv4
 * /24 or IPv6 /48) is due, because none was for 30 seconds in any worker, how many were refused since. In 30
 * seconds lines are due for 64 prefixes at most; what others are refused is not noted. */
uint32_t rate_refused(struct rate *rate, uint64_t now_ns, const uint8_t address[16]);

#endif
