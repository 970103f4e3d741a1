/* The eventfds by which workers wake each other; one a slot, kept when its worker is replaced. */
#ifndef HELLOD_MASTER_WAKES_H
#define HELLOD_MASTER_WAKES_H

#include "worker/plan.h"

/* Sets PLAN's wake_fds. Returns 0; or -1 with errno, and then wakes_close() is still due. */
int wakes_open(struct plan *plan);

/* Closes them; fine when there are none. */
void wakes_close(struct plan *plan);

#endif
