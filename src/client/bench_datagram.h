/* The load on a datagram service: sockets, names that are numbered, answers matched by their numbers. */
#ifndef HELLOD_CLIENT_BENCH_DATAGRAM_H
#define HELLOD_CLIENT_BENCH_DATAGRAM_H

#include "client/bench_load.h"

/* Makes LOAD, which has begun, until it is over. Memory is taken at the start alone. Returns 0, or -1 with
 * errno when there is too little. */
int bench_datagram_run(struct bench_load *load);

#endif
