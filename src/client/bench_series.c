/* Bins to points. */
#include "client/bench_series.h"

#define SECOND_NS 1e9

/* The point made of COUNT bins from FIRST on; the load ends within the last of all. */
static struct bench_point point(const struct bench_tally *tally, unsigned first, unsigned count)
{
    const struct bench_bins *bins = &tally->bins;
    uint64_t begin_ns = first * bins->width_ns, end_ns = (first + count) * bins->width_ns;
    uint64_t answers = 0, errors = 0;

    for (unsigned i = first; i < first + count && i < BENCH_BINS; i++) {
        answers += bins->answers[i];
        errors += bins->errors[i];
    }
    if (end_ns > tally->elapsed_ns)
        end_ns = tally->elapsed_ns;
    double span = (double) (end_ns - begin_ns) / SECOND_NS;
    return (struct bench_point){(double) begin_ns / SECOND_NS, (double) end_ns / SECOND_NS,
                                (double) answers / span, (double) errors / span};
}

unsigned bench_series(const struct bench_tally *tally, struct bench_point *points, unsigned most)
{
    uint64_t width_ns = tally->bins.width_ns;
    /* What is left over at the end is too short to say how fast anything was: it goes to the last point. */
    unsigned used = (unsigned) ((tally->elapsed_ns + width_ns / 2) / width_ns), count = 0;

    if (tally->elapsed_ns == 0)
        return 0;
    if (used == 0)
        used = 1;
    if (used > BENCH_BINS)
        used = BENCH_BINS;
    unsigned group = (used + most - 1) / most, whole = used / group > 0 ? used / group : 1;
    for (unsigned i = 0; i < whole; i++)
        points[count++] = point(tally, i * group, i + 1 < whole ? group : BENCH_BINS);
    return count;
}
