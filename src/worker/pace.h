/* The rules of the guard that are about many datagrams: rate and budget, with their counters and their lines
 * in the log. */
#ifndef HELLOD_WORKER_PACE_H
#define HELLOD_WORKER_PACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "worker/state.h"

/* Whether a datagram from SOURCE that passed the guard of SERVICE may be answered; it is counted, as dropped
 * if not. NOW_NS is clock_ns(), which may be from the beginning of the batch. */
bool pace_admits(struct worker *worker, const struct plan_service *service, const struct sockaddr *source,
                 uint64_t now_ns);

/* How many of COUNT answers of SERVICE may leave; the others are counted as dropped. */
unsigned pace_budget(struct worker *worker, const struct plan_service *service, unsigned count,
                     uint64_t now_ns);

#endif
