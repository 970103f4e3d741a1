/* Axes: values to positions, and where the ticks are. Knows not what is drawn. */
#ifndef HELLOD_CLIENT_BENCH_AXIS_H
#define HELLOD_CLIENT_BENCH_AXIS_H

#include <stdbool.h>

enum {
    BENCH_AXIS_TICKS_MAX = 24,
    BENCH_AXIS_LABEL_MAX = 32
};

struct bench_axis {
    double low, high;  /* values at the ends */
    double begin, end; /* their positions */
    bool logarithmic;
    unsigned count;
    double ticks[BENCH_AXIS_TICKS_MAX];
};

/* An axis from 0 to at least HIGH (above 0) between positions BEGIN and END, with about five ticks. */
struct bench_axis bench_axis_linear(double high, double begin, double end);

/* A logarithmic axis that has LOW and HIGH (at least 1, LOW <= HIGH) between its ends, with ticks at 1, 2 and
 * 5 times powers of ten, or at the powers alone if that would be too many. */
struct bench_axis bench_axis_log(double low, double high, double begin, double end);

/* The position of VALUE, which is cut to the axis. */
double bench_axis_at(const struct bench_axis *axis, double value);

/* NS nanoseconds with a unit, as "1.2 ms", in LABEL, which is returned. */
const char *bench_axis_time(double ns, char label[BENCH_AXIS_LABEL_MAX]);

/* VALUE without needless digits, thousands as "k" and millions as "M", in LABEL, which is returned. */
const char *bench_axis_number(double value, char label[BENCH_AXIS_LABEL_MAX]);

#endif
