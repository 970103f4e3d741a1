/* The rows of a picture of latencies: from where to where each reaches. Pure. */
#ifndef HELLOD_CLIENT_PING_ROWS_H
#define HELLOD_CLIENT_PING_ROWS_H

#include <stdint.h>

enum {
    PING_ROWS_MAX = 15 /* with the rest of the summary, on one screen */
};

/* Writes to EDGES where each row ends, in nanoseconds, so that LEAST_NS is in the first and MOST_NS in the
 * last one: round numbers, as close as fits into PING_ROWS_MAX rows, and each about the same number of times
 * the one before. Values below EDGES[0] are the first row. Returns the number of rows, at least 1. */
unsigned ping_rows(uint64_t least_ns, uint64_t most_ns, uint64_t edges[PING_ROWS_MAX]);

#endif
