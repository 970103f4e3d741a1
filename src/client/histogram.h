/* Latencies, counted by size: any number of them in a fixed piece of memory, each kept to within 1 %.
 *
 * The buckets are linear within each power of two (the idea of HdrHistogram), so that adding is a few
 * instructions and the far tail is as precise as the middle. A histogram has no pointers and needs no
 * closing; all zero bytes are an empty one. Knows nothing of clocks or of what is measured. */
#ifndef HELLOD_CLIENT_HISTOGRAM_H
#define HELLOD_CLIENT_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_MAX_NS \
    (UINT64_C(3600) * 1000 * 1000 * 1000) /* one hour: whatever is longer counts as this */

enum {
    HISTOGRAM_BITS = 7, /* a power of two is cut into 128 buckets: 1/128 is the largest error */
    HISTOGRAM_LINEAR = 2 << HISTOGRAM_BITS,                         /* values below this have a bucket each */
    HISTOGRAM_BUCKETS = (42 - HISTOGRAM_BITS + 1) << HISTOGRAM_BITS /* one hour needs 42 bits */
};

struct histogram {
    uint64_t count;
    uint64_t sum_ns;            /* takes 584 years of waiting */
    uint64_t least_ns, most_ns; /* exact; meaningless while count is 0 */
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* The bucket of a value up to HISTOGRAM_MAX_NS; for this module and its test. */
static inline unsigned histogram_bucket(uint64_t ns)
{
    if (ns < HISTOGRAM_LINEAR)
        return (unsigned) ns;
    unsigned shift = 63 - HISTOGRAM_BITS - (unsigned) __builtin_clzll(ns);
    return (shift << HISTOGRAM_BITS) + (unsigned) (ns >> shift);
}

/* Counts one latency of NS nanoseconds, in constant time. */
static inline void histogram_add(struct histogram *histogram, uint64_t ns)
{
    if (ns > HISTOGRAM_MAX_NS)
        ns = HISTOGRAM_MAX_NS;
    if (histogram->count == 0 || ns < histogram->least_ns)
        histogram->least_ns = ns;
    if (ns > histogram->most_ns)
        histogram->most_ns = ns;
    histogram->count++;
    histogram->sum_ns += ns;
    histogram->buckets[histogram_bucket(ns)]++;
}

/* Adds all that FROM has counted to INTO. */
void histogram_merge(struct histogram *into, const struct histogram *from);

/* The latency in nanoseconds that PER_MILLION (0 to 1000000) of all are not above: 500000 is the median,
 * 999900 the 99.99th percentile. Never below the true value, at most 1 % above it; 0 gives the least and
 * 1000000 the most, exactly. 0 when nothing was counted. */
uint64_t histogram_percentile(const struct histogram *histogram, uint32_t per_million);

/* The mean in nanoseconds, 0 when nothing was counted. */
uint64_t histogram_mean(const struct histogram *histogram);

/* How many are below NS nanoseconds; those within 1 % of it may be taken for larger. */
uint64_t histogram_below(const struct histogram *histogram, uint64_t ns);

#endif
