/* What rate and budget cost a datagram that is within them: nanoseconds of processor time, by themselves.
 *
 *   cost_rate
 *
 * Each line is for a number of sources that take their turns by chance, a million datagrams a second of all.
 * One of them is in the nearest cache, and 10^5 with their prefixes are more than the table has places. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "worker/rate.h"

enum {
    CHECKS = 10000, /* about a millisecond: many rounds have the processor to themselves */
    ROUNDS = 1000,
    BATCH = 64,
    STEP_NS = 1000 /* from one datagram to the next */
};

/* The number after STATE in a row that looks like random ones (splitmix64): every run asks the same. */
static uint64_t mix(uint64_t state)
{
    uint64_t z = state * UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

/* Source NUMBER. It is worked out, since reading it from a table would cost more than what is measured. */
static void make_address(uint64_t number, bool ipv4, uint8_t address[16])
{
    uint64_t random[2] = {mix(number), number};

    memcpy(address, random, 16);
    if (ipv4) {
        memcpy(address + 12, random, 4);
        memcpy(address, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
    }
}

/* Of this process: others that run do not count, as far as they leave the caches alone. */
static uint64_t cpu_ns(void)
{
    struct timespec spent;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    return (uint64_t) spent.tv_sec * 1000000000 + (uint64_t) spent.tv_nsec;
}

/* Nanoseconds of a pass, with CHECK or without, in the best of many short rounds: in the others somebody else
 * had the caches. */
static double measure(struct rate *rate, uint64_t sources, bool ipv4, bool check)
{
    uint64_t source_ns = rate_interval_ns(1000000), now_ns = 0, step = 0, least = UINT64_MAX;
    volatile unsigned passed = 0;

    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t before = cpu_ns();
        for (unsigned i = 0; i < CHECKS; i++, step++) {
            uint8_t address[16];
            make_address(mix(step) % sources, ipv4, address);
            if (i % BATCH == 0)
                now_ns += BATCH * STEP_NS;
            if (!check)
                passed += address[15];
            else if (rate_admit(rate, now_ns, address, source_ns, source_ns / RATE_PREFIX_SHARES))
                passed++;
            if (check && i % BATCH == 0)
                passed += rate_budget(rate, now_ns, rate_interval_ns(10000000), BATCH);
        }
        uint64_t took = cpu_ns() - before;
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
