/* One worker: the life of a process of the pool, from fork to exit. */
#ifndef HELLOD_WORKER_WORKER_H
#define HELLOD_WORKER_WORKER_H

#include "worker/plan.h"

/* How many descriptors a worker with PLAN may have open at once; what RLIMIT_NOFILE must allow. */
unsigned worker_descriptors(const struct plan *plan);

/* Serves until the master says drain, or is gone. Called in the child right after fork, with every signal
 * blocked and only the plan's sockets, the log, the scoreboard and the link open. Reports LINK_READY, or
 * LINK_FAILED with the reason, over the link. Returns the exit code: 0 after a drain, 1 when it could not
 * start. */
int worker_run(const struct plan *plan, const struct worker_place *place);

#endif
