/* Throughput over time, in few enough points to be shown. */
#ifndef HELLOD_CLIENT_BENCH_SERIES_H
#define HELLOD_CLIENT_BENCH_SERIES_H

#include "client/bench_tally.h"

struct bench_point {
    double begin_s, end_s;
    double answers, errors; /* a second */
};

/* Writes at most MOST points, which follow each other without gaps from the start to the end of the load, to
 * POINTS; returns how many. */
unsigned bench_series(const struct bench_tally *tally, struct bench_point *points, unsigned most);

#endif
