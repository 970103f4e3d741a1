/* A worker's event loop: clients, datagrams, timers, and the orders of the master. */
#ifndef HELLOD_WORKER_LOOP_H
#define HELLOD_WORKER_LOOP_H

#include "worker/state.h"

/* Waits for events and handles them, until a drain is over: nobody is left, or drain_deadline_ms has come. */
void loop_run(struct worker *worker);

#endif
