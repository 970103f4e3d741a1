/* Making the sockets that are missing. */
#ifndef HELLOD_MASTER_OPENING_H
#define HELLOD_MASTER_OPENING_H

#include "base/config.h"
#include "master/held.h"
#include "master/wanted.h"

/* Binds what HELD lacks of WANTED, and adds it there. With per_worker as many sockets are wanted of our own
 * as there are WORKERS. A socket of ours in HELD that is HELD_UNWANTED, or for the same address, is not in
 * the way (binding_open_beside()); held_settle() brings it back into order. Addresses that are in use are
 * asked for again for PATIENCE_MS milliseconds, in which the caller is held up. Returns 0, or -1 after
 * logging what cannot be had, with the names of listener and address and the line. */
int opening_run(const struct config *config, const struct wanted *wanted, unsigned wanted_count,
                unsigned workers, unsigned patience_ms, struct held_list *held);

#endif
