/* Ticks and their labels. */
#include "client/bench_axis.h"

#include <math.h>
#include <stdio.h>

/* 1, 2 or 5 times a power of ten: the first that is at least VALUE. */
static double round_up(double value)
{
    double power = pow(10, floor(log10(value))), part = value / power;

    return power * (part <= 1.0001 ? 1 : part <= 2.0001 ? 2 : part <= 5.0001 ? 5 : 10);
}

struct bench_axis bench_axis_linear(double high, double begin, double end)
{
    double step = round_up(high / 6);
    struct bench_axis axis = {.begin = begin, .end = end, .high = ceil(high / step - 1e-9) * step};

    for (unsigned i = 0; i * step <= axis.high * 1.0001 && i < BENCH_AXIS_TICKS_MAX; i++)
        axis.ticks[axis.count++] = i * step;
    return axis;
}

/* Ticks from axis->low to axis->high; few of them leave those of a decade out. */
static void log_ticks(struct bench_axis *axis, bool few)
{
    static const double parts[] = {1, 2, 5};
    int first = (int) floor(log10(axis->low) + 1e-9), last = (int) floor(log10(axis->high) + 1e-9);

    for (int exponent = first; exponent <= last; exponent++) {
        for (unsigned i = 0; i < (few ? 1 : 3); i++) {
            double tick = pow(10, exponent) * parts[i];
            if (tick >= axis->low * 0.9999 && tick <= axis->high * 1.0001 &&
                axis->count < BENCH_AXIS_TICKS_MAX)
                axis->ticks[axis->count++] = tick;
        }
    }
}

struct bench_axis bench_axis_log(double low, double high, double begin, double end)
{
    struct bench_axis axis = {.begin = begin, .end = end, .logarithmic = true};

    low = low < 1 ? 1 : low;
    high = high < low ? low : high;
    axis.high = round_up(high * 1.001);
    /* Down to a tick below LOW: the tick above a tenth of it, three times at most. */
    axis.low = round_up(low / 10);
    for (int i = 0; i < 3 && round_up(axis.low * 1.01) <= low; i++)
        axis.low = round_up(axis.low * 1.01);
    log_ticks(&axis, axis.high / axis.low > 1e4);
    return axis;
}

double bench_axis_at(const struct bench_axis *axis, double value)
{
    double part = axis->logarithmic ? log(fmax(value, axis->low) / axis->low) / log(axis->high / axis->low)
                                    : value / axis->high;

    return axis->begin + (axis->end - axis->begin) * fmin(fmax(part, 0), 1);
}

const char *bench_axis_time(double ns, char label[BENCH_AXIS_LABEL_MAX])
{
    double value = ns >= 1e9 ? ns / 1e9 : ns >= 1e6 ? ns / 1e6 : ns >= 1e3 ? ns / 1e3 : ns;
    const char *unit = ns >= 1e9 ? "s" : ns >= 1e6 ? "ms" : ns >= 1e3 ? "\xC2\xB5s" : "ns";

    snprintf(label, BENCH_AXIS_LABEL_MAX, value >= 100 ? "%.0f %s" : "%.3g %s", value, unit);
    return label;
}

const char *bench_axis_number(double value, char label[BENCH_AXIS_LABEL_MAX])
{
    double scale = value >= 1e6 ? 1e6 : value >= 1e4 ? 1e3 : 1;

    snprintf(label, BENCH_AXIS_LABEL_MAX, "%.4g%s", value / scale,
             scale > 1e3 ? " M"
             : scale > 1 ? " k"
                         : "");
    return label;
}
