/* What the kernel says of the listening sockets: how much waits in them, how much may, and what it has
 * dropped since they were opened. Asked when somebody wants to know, by the master; nobody who serves is held
 * up. */
#ifndef HELLOD_MASTER_KERNEL_H
#define HELLOD_MASTER_KERNEL_H

#include <stdio.h>

#include "master/world.h"

/* Writes the lines about the sockets of WORLD to OUT, as series.h has them. */
void kernel_write(const struct world *world, FILE *out);

#endif
