/* One conversation with a service before the load, to learn its words. Counts nothing. */
#ifndef HELLOD_CLIENT_BENCH_LEARN_H
#define HELLOD_CLIENT_BENCH_LEARN_H

#include <stdbool.h>

#include "client/bench_plan.h"

/* Sets plan->words to those of the service that FD is connected to, a stream or seqpacket socket of
 * plan->type; to the built-in ones if it does not answer in a way that words can be learnt from: then the
 * load tells what is wrong. Waits up to plan->timeout_ns, but no longer than two seconds, for each thing that
 * should be said. */
void bench_learn_stream(struct bench_plan *plan, int fd);

/* The same for a datagram socket, whose service has WAIT_MS for an answer. Returns whether one came. */
bool bench_learn_datagram(struct bench_plan *plan, int fd, int wait_ms);

#endif
