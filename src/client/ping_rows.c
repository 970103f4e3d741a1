/* The rows of a picture of latencies. Pure. */
#include "client/ping_rows.h"

#include <stddef.h>

/* One decade in twelve steps that are about the same number of times larger each, as resistors are sold
 * (IEC 60063, E12). */
static const uint64_t steps[] = {10, 12, 15, 18, 22, 27, 33, 39, 47, 56, 68, 82};

enum {
    DECADE = sizeof(steps) / sizeof(steps[0]),
    LEAST_STEP_NS = 100 /* of which the first edge, 1 us, is 10 */
};

/* Edge number INDEX: 1 us, 1.2 us, 1.5 us, and so on. */
static uint64_t edge_at(unsigned index)
{
    uint64_t edge = steps[index % DECADE] * LEAST_STEP_NS;

    for (unsigned i = index / DECADE; i > 0; i--)
        edge *= 10;
    return edge;
}

/* The first edge beyond NS of those whose number is a multiple of STRIDE. */
static unsigned first_beyond(uint64_t ns, unsigned stride)
{
    unsigned index = 0;

    while (edge_at(index) <= ns)
        index += stride;
    return index;
}

unsigned ping_rows(uint64_t least_ns, uint64_t most_ns, uint64_t edges[PING_ROWS_MAX])
{
    static const unsigned strides[] = {1, 2, 4, 6, DECADE};
    unsigned first = 0, count = 0, stride = 0;

    for (size_t i = 0; i < sizeof(strides) / sizeof(strides[0]); i++) {
        stride = strides[i];
        first = first_beyond(least_ns, stride);
        count = (first_beyond(most_ns, stride) - first) / stride + 1;
        if (count <= PING_ROWS_MAX)
            break;
    }
    for (unsigned i = 0; i < count; i++)
        edges[i] = edge_at(first + i * stride);
    return count;
}
