/* The tables of what is counted. */
#include "base/counters.h"

const struct counter_row counter_rows[COUNTER_COUNT] = {
#define X(name, family, value, help) [COUNTER_##name] = {#name, value, help, FAMILY_##family},
    COUNTERS(X)
#undef X
};

const struct family_row family_rows[FAMILY_COUNT] = {
#define X(name, scope, unit, label, help) [FAMILY_##name] = {#name, unit, label, help, scope},
    COUNTER_FAMILIES(X)
#undef X
};

const struct family_row histogram_rows[HISTOGRAM_COUNT] = {
#define X(name, scope, help) [HISTOGRAM_##name] = {#name, "us", "", help, scope},
    HISTOGRAMS(X)
#undef X
};
