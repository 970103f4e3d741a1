/* What the programs share that measure a part of the server by itself: addresses, the clock, and a measure.
 */
#ifndef BENCH_COST_H
#define BENCH_COST_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "base/addr.h"

/* The number after STATE in a row that looks like random ones (splitmix64): every run asks the same. */
static inline uint64_t cost_mix(uint64_t state)
{
    uint64_t z = state * UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

/* Address NUMBER. It is worked out, since reading it from a table would cost more than what is measured. */
static inline void cost_address(uint64_t number, bool ipv4, uint8_t address[16])
{
    uint64_t random[2] = {cost_mix(number), number};

    memcpy(address, random, 16);
    if (ipv4) {
        memcpy(address + ADDR_MAPPED_BYTES, random, 4);
        memcpy(address, addr_mapped, ADDR_MAPPED_BYTES);
    }
}

/* Of this process: others that run do not count, as far as they leave the caches alone. */
static inline uint64_t cost_now_ns(void)
{
    struct timespec spent;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    return (uint64_t) spent.tv_sec * 1000000000 + (uint64_t) spent.tv_nsec;
}

#endif
