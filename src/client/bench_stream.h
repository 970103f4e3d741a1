/* The load on a stream: connections, the greeting, names as lines, answers checked byte by byte. */
#ifndef HELLOD_CLIENT_BENCH_STREAM_H
#define HELLOD_CLIENT_BENCH_STREAM_H

#include "client/bench_load.h"

/* Makes LOAD, which has begun, until it is over. Memory is taken at the start alone. Returns 0, or -1 with
 * errno when there is too little. */
int bench_stream_run(struct bench_load *load);

#endif
