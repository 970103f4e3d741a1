/* For the tests of rates: addresses, and a clock that stands where it is put. */
#ifndef HELLOD_TESTS_UNIT_RATE_HELP_H
#define HELLOD_TESTS_UNIT_RATE_HELP_H

#include "source_help.h"
#include "worker/rate.c"

#define MS UINT64_C(1000000)

/* How many of COUNT datagrams from FROM at NOW_NS may be answered, at PER_SECOND with its usual prefix. */
static inline unsigned admitted(struct rate *rate, uint64_t now_ns, struct source from, unsigned per_second,
                                unsigned count)
{
    uint64_t source_ns = rate_interval_ns(per_second),
             prefix_ns = rate_interval_ns((uint64_t) per_second * RATE_PREFIX_SHARES);
    unsigned sum = 0;

    for (unsigned i = 0; i < count; i++)
        sum += rate_admit(rate, now_ns, from.address, source_ns, prefix_ns);
    return sum;
}

#endif
