/* What rate and budget cost a datagram that is within them: nanoseconds of processor time, by themselves.
 *
 *   cost_rate
 *
 * Each line is for a number of sources that take their turns by chance, a million datagrams a second of all.
 * One of them is in the nearest cache, and 10^5 with their prefixes are more than the table has places. */
#include <stdio.h>
#include <stdlib.h>

#include "cost.h"
#include "worker/rate.h"

enum {
    CHECKS = 10000, /* about a millisecond: many rounds have the processor to themselves */
    ROUNDS = 1000,
    BATCH = 64,
    STEP_NS = 1000 /* from one datagram to the next */
};

/* Nanoseconds of a pass, with CHECK or without, in the best of many short rounds: in the others somebody else
 * had the caches. */
static double measure(struct rate *rate, uint64_t sources, bool ipv4, bool check)
{
    uint64_t source_ns = rate_interval_ns(1000000), now_ns = 0, step = 0, least = UINT64_MAX;
    volatile unsigned passed = 0;

    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t before = cost_now_ns();
        for (unsigned i = 0; i < CHECKS; i++, step++) {
            uint8_t address[16];
            cost_address(cost_mix(step) % sources, ipv4, address);
            if (i % BATCH == 0)
                now_ns += BATCH * STEP_NS;
            if (!check)
                passed += address[15];
            else if (rate_admit(rate, now_ns, address, source_ns, source_ns / RATE_PREFIX_SHARES))
                passed++;
            if (check && i % BATCH == 0)
                passed += rate_budget(rate, now_ns, rate_interval_ns(10000000), BATCH);
        }
        uint64_t took = cost_now_ns() - before;
        least = took < least ? took : least;
    }
    return (double) least / CHECKS;
}

int main(void)
{
    static const unsigned rows[] = {1, 1000, 100000};
    struct rate *rate = rate_open();

    if (rate == NULL) {
        perror("cost_rate");
        return EXIT_FAILURE;
    }
    for (unsigned ipv4 = 0; ipv4 < 2; ipv4++)
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
            printf("rate check: %7u sources, %s: %.1f ns a datagram\n", rows[i], ipv4 ? "IPv4" : "IPv6",
                   measure(rate, rows[i], ipv4, true) - measure(rate, rows[i], ipv4, false));
    rate_close(rate);
    return EXIT_SUCCESS;
}
