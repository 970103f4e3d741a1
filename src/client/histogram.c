/* The slow side of histograms: merging and reading. Must not know what is measured. */
#include "client/histogram.h"

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    if (from->count == 0)
        return;
    if (into->count == 0 || from->least_ns < into->least_ns)
        into->least_ns = from->least_ns;
    if (from->most_ns > into->most_ns)
        into->most_ns = from->most_ns;
    into->count += from->count;
    into->sum_ns += from->sum_ns;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
}

/* The largest value that goes into BUCKET. */
static uint64_t bucket_top(unsigned bucket)
{
    if (bucket < HISTOGRAM_LINEAR)
        return bucket;
    unsigned shift = (bucket >> HISTOGRAM_BITS) - 1;
    uint64_t steps = bucket - (shift << HISTOGRAM_BITS);
    return ((steps + 1) << shift) - 1;
}

/* The value at RANK, which is 1 for the least and count for the most. */
static uint64_t at_rank(const struct histogram *histogram, uint64_t rank)
{
    uint64_t seen = 0;
    unsigned bucket = 0;

    while (seen + histogram->buckets[bucket] < rank)
        seen += histogram->buckets[bucket++];
    uint64_t top = bucket_top(bucket);
    return top < histogram->most_ns ? top : histogram->most_ns;
}

uint64_t histogram_percentile(const struct histogram *histogram, uint32_t per_million)
{
    if (histogram->count == 0)
        return 0;
    /* Whole numbers, because 0.9999 * 10000 is more than 9999 in binary. */
    uint64_t rank = (uint64_t) (((unsigned __int128) histogram->count * per_million + 999999) / 1000000);
    return rank == 0 ? histogram->least_ns : at_rank(histogram, rank);
}

uint64_t histogram_mean(const struct histogram *histogram)
{
    return histogram->count == 0 ? 0 : histogram->sum_ns / histogram->count;
}

uint64_t histogram_below(const struct histogram *histogram, uint64_t ns)
{
    unsigned end = histogram_bucket(ns < HISTOGRAM_MAX_NS ? ns : HISTOGRAM_MAX_NS);
    uint64_t sum = 0;

    for (unsigned i = 0; i < end; i++)
        sum += histogram->buckets[i];
    return sum;
}
