/* Descriptors that the service manager passes: sockets of socket units, and what we once put into its store.
 */
#ifndef HELLOD_MASTER_ACTIVATION_H
#define HELLOD_MASTER_ACTIVATION_H

#include "master/held.h"

/* Takes the descriptors of sd_listen_fds(3), if they are for this process, and tells sockets of socket units
 * from stored ones (store.h); what they are is not looked at. Adds them to HELD. Returns 0, or -1 after
 * logging why none can be had. */
int activation_take(struct held_list *held);

#endif
