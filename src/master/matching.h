/* The sockets that are there, held against those that the config asks for. */
#ifndef HELLOD_MASTER_MATCHING_H
#define HELLOD_MASTER_MATCHING_H

#include "base/config.h"
#include "master/held.h"
#include "master/wanted.h"

/* Finds for each of HELD the wanted one that it is for, and notes it in both.
 *
 * A passed socket is found by its name, else by type, family and port; type, family, address and listening
 * state are verified, and each wanted socket is met by one of them. One that fits none is an error. A socket
 * of our own is found by type and address, only for port 0 by its name; there may be several of one address.
 * One that fits none is HELD_UNWANTED.
 *
 * Returns 0; or -1 after logging each thing that is wrong, with the names of socket and listener and the line
 * to change. */
int matching_run(const struct config *config, struct wanted *wanted, unsigned wanted_count,
                 const struct held_list *held);

#endif
