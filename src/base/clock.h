/* The one clock: monotonic, so that a step of the wall clock ends nobody's connection. It knows nothing of
 * timers. */
#ifndef HELLOD_BASE_CLOCK_H
#define HELLOD_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

enum {
    CLOCK_TICK_MS = 4 /* by so much clock_ms() is late at most, but on few kernels */
};

/* Milliseconds of CLOCK_MONOTONIC_COARSE (clock_gettime(2)): a few nanoseconds to read, right to one tick of
 * the kernel (1 to 10 ms), which is enough for timeouts of a tenth of a second and more. */
static inline uint64_t clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

/* Nanoseconds of CLOCK_MONOTONIC, for measuring: some 20 ns to read, exact. */
static inline uint64_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000000000 + (uint64_t) now.tv_nsec;
}

#endif
