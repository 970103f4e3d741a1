/* The master's own sandbox: what even the process does without that opens files, binds sockets and forks. */
#ifndef HELLOD_MASTER_RESTRAINT_H
#define HELLOD_MASTER_RESTRAINT_H

#include "master/world.h"

/* Confines this process as WORLD's configuration says, once root has been given up, and logs what its workers
 * are confined by when that has changed. What this process has given up it cannot get back: for a world that
 * asks for less it stays as it is. Its workers inherit it. Returns 0, or -1 with errno. */
int restraint_apply(const struct world *world);

#endif
