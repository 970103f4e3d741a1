/* What a client must not do again and again, and that it is refused for it, with lines in the log.
 *
 * Connections only: nobody has one under another's address, while datagrams may be forged, so that whoever
 * forged them could have others refused. */
#ifndef HELLOD_WORKER_OFFENCE_H
#define HELLOD_WORKER_OFFENCE_H

#include <stdbool.h>

#include "worker/state.h"

/* Notes that a connection of PEER, to whom limits apply, was closed or refused for CAUSE; an offence is held
 * against PEER if that is one. SPOKE: the client had sent a message. */
void offence_end(struct worker *worker, const struct addr_peer *peer, enum counter cause, bool spoke);

/* Whether PEER, to whom limits apply, is refused for what was held against it. */
bool offence_keeps_out(const struct worker *worker, const struct addr_peer *peer);

#endif
