/* Accepting connections: who takes the next one, who is refused, and what happens when the kernel has nothing
 * left. */
#ifndef HELLOD_WORKER_ACCEPT_H
#define HELLOD_WORKER_ACCEPT_H

#include <stdint.h>

#include "worker/state.h"

/* Starts watching the listening sockets. Returns 0, or -1 with errno. */
int accept_start(struct worker *worker);

/* Stops watching them, for good. */
void accept_stop(struct worker *worker);

/* Handles a connection that waits on SOCKET. */
void accept_event(struct worker *worker, unsigned socket);

/* Takes all connections that wait on SOCKET, whatever this worker's share is: nobody comes after it. */
void accept_rest(struct worker *worker, unsigned socket);

/* Somebody else was told of what waits on the shared sockets, and leaves it to this worker. */
void accept_wake(struct worker *worker);

/* Watches the sockets again when the time has come, or looks what became of connections left to siblings. */
void accept_timers(struct worker *worker);

/* When accept_timers() must be called next, UINT64_MAX: no deadline. */
static inline uint64_t accept_deadline(const struct worker *worker)
{
    return worker->accepting.due_ms;
}

#endif
