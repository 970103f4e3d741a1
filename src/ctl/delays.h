/* What the buckets of a histogram in a status say: how long it took at most for so many. Knows no metric. */
#ifndef HELLOD_CTL_DELAYS_H
#define HELLOD_CTL_DELAYS_H

#include <stdint.h>

#include "ctl/status.h"

enum {
    DELAYS_NONE = 0 /* there is nothing in it */
};

/* The bound that THOUSANDTHS (1 to 999) of all that is in the histograms called NAME did not exceed, in their
 * unit, more than 0; UINT64_MAX if the last bound was exceeded. */
uint64_t delays_within(const struct status *status, const char *name, unsigned thousandths);

#endif
