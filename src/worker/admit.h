/* What becomes of a connection that was accepted: admitted, or refused and why. */
#ifndef HELLOD_WORKER_ADMIT_H
#define HELLOD_WORKER_ADMIT_H

#include "worker/state.h"

/* Decides on the connection FD, which PEER has just made to SOCKET and which is owned from now on. */
void admit_connection(struct worker *worker, unsigned socket, int fd, const struct addr_peer *peer);

#endif
