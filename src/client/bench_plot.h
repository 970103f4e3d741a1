/* What came of a load, as a picture (SVG 1.1) that fits light and dark surroundings. */
#ifndef HELLOD_CLIENT_BENCH_PLOT_H
#define HELLOD_CLIENT_BENCH_PLOT_H

#include <stdio.h>

#include "client/bench_report.h"

/* Draws REPORT to OUT: latency by percentile, and throughput over time. */
void bench_plot(FILE *out, const struct bench_report *report);

#endif
