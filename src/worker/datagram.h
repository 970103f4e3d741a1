/* Datagrams: received in batches, judged by the guard, answered from the address that was asked. It never
 * waits. */
#ifndef HELLOD_WORKER_DATAGRAM_H
#define HELLOD_WORKER_DATAGRAM_H

#include "worker/state.h"

/* Takes the memory that the plan's datagram services need, none if there are none. Returns 0, or -1 with
 * errno. */
int datagram_init(struct worker *worker);

/* Gives it back, also after a failure. */
void datagram_close(struct worker *worker);

/* Starts watching the datagram sockets. Returns 0, or -1 with errno. */
int datagram_start(struct worker *worker);

/* Stops watching them. */
void datagram_stop(struct worker *worker);

/* Handles the datagrams that wait on SOCKET, at most a batch of them. */
void datagram_event(struct worker *worker, unsigned socket);

#endif
