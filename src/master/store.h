/* The service manager's descriptor store (sd_pid_notify_with_fds(3), FDSTORE=): the sockets of our own
 * binding are kept there under their listeners' names, so that they outlive this process with all that waits
 * in them.
 *
 * They come back among the sockets of socket units, in no order that may be relied on. What tells them apart
 * is the ledger: a file in memory that is in the store too and lists what we have put there. */
#ifndef HELLOD_MASTER_STORE_H
#define HELLOD_MASTER_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "master/held.h"

enum {
    STORE_NAME_MAX = 95
};

/* One socket in the ledger. */
struct store_record {
    uint64_t device, inode;           /* of the socket: fstat(2) */
    uint64_t path_device, path_inode; /* of the file at its path; 0: it has none */
    char name[STORE_NAME_MAX + 1];
};

/* True for the name that the ledger has among passed descriptors; no listener can have it. */
bool store_is_ledger(const char *name);

/* Takes FD, which came under the ledger's name, and reads it. One that cannot be understood is closed and
 * ignored with a warning. */
void store_adopt(int fd);

/* What the ledger says of the socket FD, or NULL: it is not in the store, or was not put there by us. */
const struct store_record *store_find(int fd);

/* Makes the store hold those of HELD that are ours, and nothing else of ours. Whether the manager takes them
 * (FileDescriptorStoreMax=), it does not say. Without a service manager nothing is done. */
void store_keep(const struct held_list *held);

#endif
