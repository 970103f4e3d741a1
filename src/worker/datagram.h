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

/* Somebody else was told of what waits on the sockets, and left it. Returns 0; or -1 with errno, and then not
 * all of them are watched any more. */
int datagram_wake(struct worker *worker);

/* Handles the datagrams that wait on SOCKET, at most a batch of them. Returns how many there were. */
unsigned datagram_event(struct worker *worker, unsigned socket);

/* Handles what waits on the socket that had datagrams last, if anything does. */
void datagram_look(struct worker *worker);

/* Handles all that wait on SOCKET: nobody comes after this worker. */
void datagram_rest(struct worker *worker, unsigned socket);

#endif
