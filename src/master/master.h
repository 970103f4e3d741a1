/* The master: owns the sockets, keeps the pool, obeys signals. It never touches what a client sent. */
#ifndef HELLOD_MASTER_MASTER_H
#define HELLOD_MASTER_MASTER_H

#include "master/world.h"

/* Runs the service until it is told to stop. WORLD was loaded from SOURCE and is free of errors; it is owned
 * from now on. Returns the exit code of the process; what went wrong has been logged. */
int master_run(struct world *world, const struct world_source *source);

#endif
