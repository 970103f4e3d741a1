/* The processes that make a load, and the one that watches them. */
#ifndef HELLOD_CLIENT_BENCH_RUN_H
#define HELLOD_CLIENT_BENCH_RUN_H

#include "client/bench_plan.h"
#include "client/bench_tally.h"

/* Makes the load of PLAN and merges what came of it into TALLY; shows a progress bar on standard error if
 * PROGRESS. INT, TERM and HUP end it early, with what there is until then, and set *INTERRUPTED. Returns 0;
 * or -1, and has said why, when a process could not be made or did not end well, and TALLY then has what the
 * others counted. */
int bench_run(const struct bench_plan *plan, bool progress, struct bench_tally *tally, bool *interrupted);

#endif
