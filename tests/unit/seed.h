/* Random input for tests that can be had again: the seed is printed, and HELLOD_TEST_SEED gives it back. */
#ifndef HELLOD_TESTS_UNIT_SEED_H
#define HELLOD_TESTS_UNIT_SEED_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* A generator of our own, so that a seed means the same with every C library. */
struct seed {
    uint64_t state;
};

/* Starts from HELLOD_TEST_SEED or else from the clock, and prints which. */
static inline struct seed seed_start(void)
{
    const char *given = getenv("HELLOD_TEST_SEED");
    unsigned long value =
        given != NULL ? strtoul(given, NULL, 10) : (unsigned long) time(NULL) * 65537 + (unsigned) getpid();

    printf("HELLOD_TEST_SEED=%lu\n", value);
    fflush(stdout);
    return (struct seed){value};
}

/* The next 32 random bits (splitmix64, which takes every seed). */
static inline uint32_t seed_next(struct seed *seed)
{
    uint64_t z = seed->state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t) ((z ^ z >> 31) >> 32);
}

/* A number below LIMIT, which is not 0. */
static inline size_t seed_below(struct seed *seed, size_t limit)
{
    return seed_next(seed) % limit;
}

#endif
