/* Whether a target may be put under load, and which of its addresses is. */
#ifndef HELLOD_CLIENT_BENCH_REACH_H
#define HELLOD_CLIENT_BENCH_REACH_H

#include <stdbool.h>

#include "client/bench_plan.h"

/* True when ADDRESS cannot be that of a stranger: a path, loopback, link-local, or private (RFC 1918, RFC
 * 4193). */
bool bench_reach_is_private(const struct sockaddr *address);

/* Finds the first address of plan->target where somebody is, and sets plan->address. Returns 0, or what to
 * exit with, and has then said why. */
int bench_reach(struct bench_plan *plan);

#endif
